"""Named values for what a member leaves open."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_STRENGTH = 0.7


@dataclass(frozen=True, slots=True)
class Preset:
    """Values for what a member leaves open; None leaves it to the model.

    guidance_until: the share of the steps that are guided; the others cost half.
    """

    sampler: str | None = None
    num_inference_steps: int | None = None
    guidance_until: float = 1.0


DEFAULT_PRESET = "quality"
PRESETS = {
    "quality": Preset(),
    "fast": Preset("dpmpp_2m_karras", num_inference_steps=20, guidance_until=0.6),
}
"""What each of them says of itself is in ``bot/texts/recipes.py``."""
