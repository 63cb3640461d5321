"""Chooses the model that draws a prompt: the one asked for, or the server's default."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.guilds import GuildSettings
from bot.domain.jobs import Origin
from bot.domain.recipes import Ask
from bot.errors import UserError
from bot.policy.models import ModelCatalog
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because

_SHOWN = 20  # the most models that a sentence names


def choose_model(
    models: ModelCatalog, ask: Ask, origin: Origin, settings: GuildSettings
) -> tuple[Ask, Reason | None]:
    """Return the ask with the id of its model, and why this member cannot use that model now.

    The id is None until the bot knows its models. If a button is about a picture whose model is
    gone, the server's default takes its place.
    """
    if ask.start is not None and ask.start.upscaled:
        return ask, None  # nothing is drawn
    known = [each.id for each in models.list_all()]
    here = (origin.guild_id, origin.role_ids)
    try:
        if ask.model and (ask.model in known or not ask.press):
            chosen = models.find(ask.model, *here)
            if chosen.note:
                able = [each.label for each in models.list_for(*here) if not each.note]
                raise UserError(because(Code.MODEL_FAILED, model=chosen.label, known=able[:_SHOWN]))
        elif known:
            chosen, _ = models.choose_default(settings.default_model, *here)
        else:
            return replace(ask, model=None), None
    except UserError as error:
        return ask, error.reason
    return replace(ask, model=chosen.id), None
