"""Writes a commented MODELS_FILE to begin with."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from bot.ops.models_file import STARTER
from bot.settings import Settings

_HEAD = """\
# The models that the bot offers. docs/models.md explains each key.
# `triptych models check` reads this file and prints every mistake in it.
# Set MODELS_FILE in .env to the path of this file.
#
# Each model begins with a line [[model]]. The first one is the default.
# Paths count from the folder of this file. `model = "starter"` names the starter model.

"""
_OPTIONS = """\
# label = "Its name for people"
# num_inference_steps = 30
# guidance_scale = 6.5
# sampler = "dpmpp_2m_karras"
# size = [768, 512]
# sizes = [[512, 512], [768, 512], [512, 768]]
# licence = "CreativeML OpenRAIL-M"
# Only for these servers, and only for members with one of these roles:
# guilds = ["123456789012345678"]
# roles = ["123456789012345678", "234567890123456789"]
# It was trained on pictures of a real person, so nothing sexual is drawn with it:
# depicts_person = true

# Another model:
# [[model]]
# id = "dreams"
# model = "CompVis/stable-diffusion-v1-4"
"""


def render_models_file(settings: Settings) -> str:
    """Return a file whose only model is the one of MODEL, MODEL_CONFIG and VAE."""
    values = {
        "id": _make_id(settings.model),
        "model": _make_absolute(settings.model) or STARTER,
        "model_config": _make_absolute(settings.model_config_folder),
        "vae": _make_absolute(settings.vae),
    }
    lines = [f"{key} = {_quote(value)}\n" for key, value in values.items() if value]
    return f"{_HEAD}[[model]]\n{''.join(lines)}{_OPTIONS}"


def _make_id(model: str | None) -> str:
    """Return an id that is like the model's name."""
    path = Path(model or STARTER)
    name = path.stem if path.suffix.lower() == ".safetensors" else path.name
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:40].strip("._-")
    return plain or "my-model"


def _make_absolute(place: str | None) -> str | None:
    """Return the absolute path of something on this machine. Leave a Hugging Face id as it is."""
    return os.path.abspath(place) if place and os.path.lexists(place) else place


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
