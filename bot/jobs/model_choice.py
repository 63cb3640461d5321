"""Chooses the model that draws a prompt: the one asked for, or the server's default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.guilds import GuildSettings
from bot.domain.jobs import Origin, Source
from bot.domain.recipes import Ask
from bot.engine.api import ModelInfo
from bot.errors import UserError
from bot.policy.models import ModelCatalog, OfferedModel
from bot.recipes.derive import fit_shape
from bot.recipes.resolve import complete_recipe, compose_recipe
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because

_SHOWN = 20  # the most models that a sentence names


def choose_model(
    models: ModelCatalog, ask: Ask, origin: Origin, settings: GuildSettings
) -> tuple[Ask, Reason | None]:
    """Return the ask with the id of its model, and why this member cannot use that model now.

    The id is None until the bot knows its models, and if this member cannot use the model: the row
    of a refused prompt must not keep what was typed here. If a button is about a picture whose
    model is gone or only edits, the server's default takes its place. A picture is edited by a
    model that can do this, by default the server's.
    """
    if ask.start is not None and ask.start.upscaled:
        return ask, None  # nothing is drawn
    known = {each.id: each for each in models.list_all()}
    if origin.source is Source.TERMINAL:  # the owner can use every model
        return replace(ask, model=ask.model or next(iter(known), None)), None
    if not known:
        return replace(ask, model=None), None
    here = (origin.guild_id, origin.role_ids)
    is_edit = ask.start is not None and ask.start.edited
    try:
        pressed = known.get(ask.model or "") if ask.press else None
        if ask.model and (not ask.press or (pressed and (is_edit or not pressed.only_edits))):
            chosen = models.find(ask.model, *here)
            refusal = _find_refusal(chosen, models.list_for(*here), is_edit=is_edit)
        elif is_edit:
            chosen, refusal = _choose_editor(settings.default_model, models.list_for(*here)), None
        else:
            chosen, _ = models.choose_default(settings.default_model, *here)
            refusal = _explain_only_edits(chosen, ()) if chosen.only_edits else None
    except UserError as error:
        return replace(ask, model=None), error.reason
    if refusal is not None:
        return replace(ask, model=None), refusal
    if ask.press and ask.model != chosen.id and chosen.info is not None:
        ask = _adapt(ask, chosen.info)
    return replace(ask, model=chosen.id), None


def _adapt(ask: Ask, info: ModelInfo) -> Ask:
    """Leave out the settings of another model if the one in its place cannot use them."""
    try:
        complete_recipe(compose_recipe(ask, 0), info)
    except UserError:
        own = ("num_inference_steps", "guidance_scale", "sampler", "clip_skip")
        ask = replace(ask, **dict.fromkeys(own))
        return ask if ask.start is not None and ask.start.is_enlarged else fit_shape(ask, info)
    return ask


def _find_refusal(
    model: OfferedModel, offered: Sequence[OfferedModel], *, is_edit: bool
) -> Reason | None:
    if is_edit and model.info is not None and not model.edits:
        return _explain_no_editor(model, offered)
    if model.only_edits and not is_edit:
        return _explain_only_edits(model, offered)
    return explain_out(model, offered) if model.is_out else None


def _choose_editor(default: str | None, offered: Sequence[OfferedModel]) -> OfferedModel:
    """Choose a model that edits pictures, the server's default if possible. Raises UserError."""
    able = [each for each in offered if each.can_edit_now]
    if not able:
        raise UserError(because(Code.NO_MODEL_EDITS))
    return next((each for each in able if each.id == default), able[0])


def _explain_no_editor(model: OfferedModel, offered: Sequence[OfferedModel]) -> Reason:
    """Say that a model cannot edit pictures, and name the offered ones that can."""
    others = [each.label for each in offered if each.can_edit_now][:_SHOWN]
    if not others:
        return because(Code.NO_MODEL_EDITS)
    return because(Code.OTHERS_EDIT, model=model.label, known=others)


def _explain_only_edits(model: OfferedModel, offered: Sequence[OfferedModel]) -> Reason:
    """Say that a model draws no prompts, and name the offered ones that do."""
    others = [each.label for each in offered if not (each.only_edits or each.is_out)][:_SHOWN]
    if not others:
        return because(Code.MODEL_ONLY_EDITS, model=model.label)
    return because(Code.OTHERS_DRAW, model=model.label, known=others)


def explain_out(model: OfferedModel, offered: Sequence[OfferedModel]) -> Reason:
    """Say that a model has failed, and name the offered ones that have not."""
    able = [each for each in offered if not each.is_out and each.id != model.id]
    others = [each.label for each in able[:_SHOWN]]
    if not others:
        return because(Code.MODEL_OUT_ALONE, model=model.label)
    return because(Code.MODEL_OUT, model=model.label, others=others)
