"""Tiny models with random weights of the families that are transformers, and their own pipelines.

Each is a whole diffusers folder of the real classes, with text encoders and tokenizers, that the
family's pipeline loads with `from_pretrained`. A VAE's latent is 8 x 8 pixels (32 x 32 in Sana)
and has 4 channels.
"""

from tests.tiny_families.drawing import draw_alone, load_alone
from tests.tiny_families.families import FAMILIES, make_tiny

__all__ = ["FAMILIES", "draw_alone", "load_alone", "make_tiny"]
