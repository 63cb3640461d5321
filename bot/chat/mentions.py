"""Replaces Discord's ids in a text by names: people, roles, channels, emoji and timestamps.

Models and rules read words. https://discord.com/developers/docs/reference#message-formatting
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import discord

_ID = r"[0-9]{1,20}"
_MARKUP = re.compile(
    rf"<(?:@!?(?P<user>{_ID})|@&(?P<role>{_ID})|\#(?P<channel>{_ID})"
    rf"|a?:(?P<emoji>[A-Za-z0-9_]{{1,32}}):{_ID}"
    r"|t:(?P<moment>-?[0-9]{1,17})(?::[A-Za-z])?"
    rf"|/(?P<command>[^<>:]{{1,100}}):{_ID}|id:[a-z-]{{1,30}}(?::{_ID})?)>"
)


def spell_out(text: str, interaction: discord.Interaction[Any]) -> str:
    """Put names in place of ids. Leave out ids whose name is unknown."""

    def name(match: re.Match[str]) -> str:
        kind, value = match.lastgroup or "", match[match.lastgroup or 0]
        found = _find_name(kind, value, interaction)
        # Discord drops the space between two mentions, so add one. Names must not contain mentions.
        space = " " if match.string.startswith("<", match.end()) else ""
        return _MARKUP.sub("", found) + space

    return _MARKUP.sub(name, text)


def _find_name(kind: str, value: str, interaction: discord.Interaction[Any]) -> str:
    match kind:
        case "user":
            return _find_person(value, interaction)
        case "role" | "channel":
            return _find_place(kind, value, interaction)
        case "moment":
            return _say_day(int(value))
        case "emoji" | "command":
            return value
        case _:
            return ""


def _find_person(user_id: str, interaction: discord.Interaction[Any]) -> str:
    member = _resolve("members", user_id, interaction)
    user = _resolve("users", user_id, interaction)
    if name := member.get("nick") or user.get("global_name") or user.get("username"):
        return name
    if int(user_id) == interaction.user.id:
        return interaction.user.display_name
    guild = interaction.guild
    known = guild and guild.get_member(int(user_id))
    known = known or interaction.client.get_user(int(user_id))
    return known.display_name if known else ""


def _find_place(kind: str, thing_id: str, interaction: discord.Interaction[Any]) -> str:
    if name := _resolve(f"{kind}s", thing_id, interaction).get("name"):
        return name
    if (guild := interaction.guild) is None:
        return ""
    find = guild.get_role if kind == "role" else guild.get_channel_or_thread
    known = find(int(thing_id))
    return known.name if known else ""


def _resolve(kind: str, thing_id: str, interaction: discord.Interaction[Any]) -> dict[str, Any]:
    """Return what Discord sent about this id along with the interaction."""
    data: Any = interaction.data or {}
    return data.get("resolved", {}).get(kind, {}).get(thing_id, {})


def _say_day(seconds: int) -> str:
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return f"{moment.day} {moment:%B %Y}"
