"""A model as the owner describes it in MODELS_FILE."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model that the bot offers. Its first entry is the default of every server.

    id: what recipes, requests and settings call it; unique. model, model_config, vae: see
    ``ModelSource``. label: its name for people; "" means the model's own. num_inference_steps,
    guidance_scale, sampler, size, sizes: the owner's defaults, which overrule all others; size is
    (width, height) in pixels; None means the model's own.
    licence: one line for people; "" means what the model's own card says. guilds, roles: who may
    use it, by Discord id; empty means everybody. depicts_person: it was trained on pictures of a
    real person, so no sexual term may be drawn with it.
    """

    id: str
    model: str
    label: str = ""
    model_config: str | None = None
    vae: str | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    sampler: str | None = None
    size: tuple[int, int] | None = None
    sizes: tuple[tuple[int, int], ...] = ()
    licence: str = ""
    guilds: frozenset[int] = frozenset()
    roles: frozenset[int] = frozenset()
    depicts_person: bool = False
