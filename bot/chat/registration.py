"""Registers the commands with Discord if Discord has different ones, and logs how they differ.

Any program with the same token can change or clear them, so we compare with what Discord has now.
https://discord.com/developers/docs/interactions/application-commands
"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import Any

import discord
import discord.http
from discord import app_commands

from bot.chat.translator import CatalogTranslator
from bot.store.meta import MetaRepository

log = logging.getLogger(__name__)

Payload = list[dict[str, Any]]

_KEPT = "commands_kept"
_INVALID_FORM_BODY = 50035
_ADDED = frozenset(
    {
        *("id", "application_id", "guild_id", "version"),
        *("name_localized", "description_localized"),
        # Discord computes these old fields from newer fields
        *("default_permission", "dm_permission"),
    }
)
_SETS = frozenset({"contexts", "integration_types", "channel_types"})


async def compose_payload(tree: app_commands.CommandTree[Any]) -> Payload:
    """Return the commands as we send them to Discord, in every language."""
    translator = CatalogTranslator()
    commands = tree.get_commands()
    return [await command.get_translated_payload(tree, translator) for command in commands]


async def fetch_payload(http: discord.http.HTTPClient, application_id: int) -> Payload:
    """Return the commands that Discord has, in every language."""
    route = discord.http.Route(
        "GET", "/applications/{application_id}/commands", application_id=application_id
    )
    return await http.request(route, params={"with_localizations": "true"})


async def register(
    tree: app_commands.CommandTree[Any], application_id: int, meta: MetaRepository
) -> None:
    """Register the commands if Discord has different ones. Discord allows 200 new ones a day.

    Raises DiscordServerError; other refusals are logged, and the old commands stay.
    """
    http, ours = tree.client.http, await compose_payload(tree)
    try:
        kept = await fetch_payload(http, application_id)
        # Discord may store a command in another form. At the next start, we compare with that form.
        if not (found := find_differences(ours, kept)) or (
            await meta.fetch(_KEPT) == _digest(application_id, ours, kept)
        ):
            return
        log.info("registering the commands; these differ: %s", ", ".join(found))
        await _send(tree, application_id, ours)
        kept = await fetch_payload(http, application_id)
    except discord.DiscordServerError:
        raise
    except (discord.HTTPException, app_commands.CommandSyncFailure) as error:
        log.error("the commands could not be registered, so the old ones stay: %s", error)
    else:
        await meta.put(_KEPT, _digest(application_id, ours, kept))


async def _send(tree: app_commands.CommandTree[Any], application_id: int, payload: Payload) -> None:
    """Send the commands to Discord. ``tree.sync`` would translate all of them a second time."""
    try:
        await tree.client.http.bulk_upsert_global_commands(application_id, payload=payload)
    except discord.HTTPException as error:
        if error.code != _INVALID_FORM_BODY:
            raise
        raise app_commands.CommandSyncFailure(error, tree.get_commands()) from None


def find_differences(ours: Payload, kept: Payload) -> list[str]:
    """Name the commands that are missing at Discord, that differ, or that we do not have."""
    wanted, found = _index(ours), _index(kept)
    keys = wanted.keys() | found.keys()
    return sorted(
        {name for kind, name in keys if wanted.get((kind, name)) != found.get((kind, name))}
    )


def _index(payload: Payload) -> dict[tuple[int, str], Any]:
    return {(each.get("type") or 1, each["name"]): _normalise(each) for each in payload}


def _normalise(thing: Any) -> Any:
    """Remove the fields that Discord adds, and values that mean the same as no value."""
    if isinstance(thing, list):
        return [_normalise(each) for each in thing]
    if not isinstance(thing, dict):
        return thing
    kept = {key: _normalise(each) for key, each in thing.items() if key not in _ADDED}
    if (permissions := kept.get("default_member_permissions")) is not None:
        kept["default_member_permissions"] = str(permissions)  # Discord sends this number as text
    for key in kept.keys() & _SETS:
        kept[key] = sorted(kept[key] or ())
    return {key: each for key, each in kept.items() if not _is_absent(each)}


def _is_absent(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, dict | list | str) and not value)


def _digest(application_id: int, ours: Payload, kept: Payload) -> str:
    told = [application_id, sorted(_index(ours).items()), sorted(_index(kept).items())]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
