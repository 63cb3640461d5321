"""Checks an ask as far as that is possible without the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.recipes import Ask, Recipe
from bot.domain.samplers import SAMPLERS, find_sampler, suggest_sampler
from bot.errors import UserError
from bot.recipes.presets import PRESETS
from bot.texts.codes import Code
from bot.texts.reasons import because

MAX_SEED = 2**32 - 1
_MIN_SIDE_PIXELS = 64


@dataclass(frozen=True, slots=True)
class ParameterLimits:
    """The bot owner's limits, which apply with every model."""

    max_prompt_length: int
    max_num_inference_steps: int
    max_side_pixels: int


def check_is_known(recipe: Recipe) -> None:
    """Raise UserError if a newer version made this recipe, because we would lose parts of it."""
    if recipe.is_newer:
        raise UserError(because(Code.RECIPE_NEWER))


def check_ask(ask: Ask, limits: ParameterLimits) -> None:
    """Check everything that does not depend on the model. Raises UserError."""
    if not ask.prompt:
        raise UserError(because(Code.PROMPT_EMPTY))
    _check_length(ask.prompt, Code.PROMPT_TOO_LONG, limits)
    _check_length(ask.negative_prompt, Code.NEGATIVE_PROMPT_TOO_LONG, limits)
    max_steps, max_side = limits.max_num_inference_steps, limits.max_side_pixels
    _check_range(ask.num_inference_steps, Code.STEPS_OUT_OF_RANGE, 1, max_steps)
    _check_range(ask.seed, Code.SEED_OUT_OF_RANGE, 0, MAX_SEED)
    for side in (ask.width, ask.height):
        _check_range(side, Code.SIDE_OUT_OF_RANGE, _MIN_SIDE_PIXELS, max_side)
    start = ask.start
    if start is not None and not start.upscaled and not 0 < start.strength <= 1:
        raise UserError(because(Code.STRENGTH_OUT_OF_RANGE))
    for name, (least, most) in ask.list_bounds().items():
        _check_range(getattr(ask, name), Code.OUT_OF_RANGE, least, most, parameter=name)
    check_sampler(ask.sampler)
    _check_name(ask.preset, Code.PRESET_UNKNOWN, tuple(PRESETS))


def _check_length(text: str, code: Code, limits: ParameterLimits) -> None:
    if len(text) > limits.max_prompt_length:
        raise UserError(because(code, length=len(text), most=limits.max_prompt_length))


def _check_range(value: float | None, code: Code, least: float, most: float, **named: str) -> None:
    if value is not None and not least <= value <= most:  # NaN is out of range too
        raise UserError(because(code, least=least, most=most, **named))


def check_sampler(name: str | None) -> None:
    """Raise UserError if no sampler has this name. The error suggests the nearest name."""
    if name is None or find_sampler(name):
        return
    if near := suggest_sampler(name):
        raise UserError(because(Code.SAMPLER_NEARLY, near=near))
    raise UserError(because(Code.SAMPLER_UNKNOWN, known=[each.label for each in SAMPLERS.values()]))


def _check_name(name: str | None, code: Code, known: Sequence[str]) -> None:
    if name is not None and name not in known:
        raise UserError(because(code, known=list(known)))
