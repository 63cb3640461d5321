"""Checks an ask as far as that is possible without the model."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.recipes import Ask, Recipe
from bot.engine.api import SAMPLER_IDS
from bot.errors import UserError
from bot.recipes.presets import PRESETS

MAX_SEED = 2**32 - 1
_MIN_SIDE_PIXELS = 64


@dataclass(frozen=True, slots=True)
class ParameterLimits:
    """The owner's bounds, whatever the model could do."""

    max_prompt_length: int
    max_num_inference_steps: int
    max_side_pixels: int


def check_is_known(recipe: Recipe) -> None:
    """What a newer program has added must not be left out unsaid. Raises UserError."""
    if recipe.is_newer:
        raise UserError(
            "This prompt has settings of a newer Triptych that this one does not know, so it "
            "cannot be drawn here. It was left as it is; the owner can install the newer version "
            "again."
        )


def check_ask(ask: Ask, limits: ParameterLimits) -> None:
    """What can be said without knowing the model. Raises UserError."""
    if not ask.prompt:
        raise UserError("The prompt is empty. Say what to draw, for example: dog in autumn leaves.")
    for name, text in (("prompt", ask.prompt), ("negative prompt", ask.negative_prompt)):
        if len(text) > limits.max_prompt_length:
            raise UserError(
                f"The {name} has {len(text):,} characters; the most is "
                f"{limits.max_prompt_length:,}. Nothing was drawn; please shorten it."
            )
    steps = ask.num_inference_steps
    if steps is not None and not 1 <= steps <= limits.max_num_inference_steps:
        raise UserError(
            f"{steps:,} steps cannot be drawn here; choose from 1 to "
            f"{limits.max_num_inference_steps}."
        )
    if ask.seed is not None and not 0 <= ask.seed <= MAX_SEED:
        raise UserError(
            f"The seed {ask.seed} cannot be used; choose a whole number from 0 to {MAX_SEED:,}."
        )
    for side in (ask.width, ask.height):
        if side is not None and not _MIN_SIDE_PIXELS <= side <= limits.max_side_pixels:
            raise UserError(
                f"A side of {side:,} pixels cannot be drawn here; choose from "
                f"{_MIN_SIDE_PIXELS} to {limits.max_side_pixels}."
            )
    if ask.start is not None and not 0 < ask.start.strength <= 1:
        raise UserError(
            f"A strength of {ask.start.strength:g} cannot be used; choose more than 0 and at most "
            "1. Low keeps the picture, high follows the prompt."
        )
    _check_bounds(ask)
    _check_names(ask)


def _check_bounds(ask: Ask) -> None:
    for name, (least, most) in ask.list_bounds().items():
        value = getattr(ask, name)
        if value is not None and not least <= value <= most:  # NaN is not, either
            spoken = name.replace("_", " ").capitalize()
            raise UserError(f"{spoken} must be between {least:g} and {most:g}. Nothing was drawn.")


def _check_names(ask: Ask) -> None:
    for kind, name, known in (
        ("sampler", ask.sampler, SAMPLER_IDS),
        ("preset", ask.preset, tuple(PRESETS)),
    ):
        if name is not None and name not in known:
            raise UserError(f"There is no {kind} “{name}”. Known are: {', '.join(known)}.")
