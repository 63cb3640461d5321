"""The presets: named sets of values for options that a member does not set."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_STRENGTH = 0.7


@dataclass(frozen=True, slots=True)
class Preset:
    """Values for options that a member does not set. None: the model's default.

    guidance_until: the share of the steps that run with guidance; the other steps cost half.
    """

    sampler: str | None = None
    num_inference_steps: int | None = None
    guidance_until: float = 1.0


DEFAULT_PRESET = "quality"
PRESETS = {
    "quality": Preset(),
    "fast": Preset("dpmpp_2m_karras", num_inference_steps=20, guidance_until=0.6),
}
"""The presets by name. ``bot/texts/recipes.py`` has their descriptions."""
