"""Tells members of a server how to appeal."""

from __future__ import annotations

from bot.domain.guilds import GuildSettings
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because, own_words


def compose_appeal(settings: GuildSettings) -> Reason:
    """Return the server's line about appeals, or else name its channel or its moderators."""
    if settings.appeal_line:
        return own_words(settings.appeal_line)
    if settings.appeal_channel_id is not None:
        return because(Code.APPEAL_IN_CHANNEL, channel_id=settings.appeal_channel_id)
    return because(Code.APPEAL_TO_MODERATORS)
