"""Reads what Discord knows about the application, for ``doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import aiohttp
import discord

from bot.chat.client import PERMISSIONS, TriptychClient
from bot.chat.connection import BAD_TOKEN, use_api_base
from bot.chat.registration import Payload, compose_payload, fetch_payload, find_differences
from bot.errors import ConfigError
from bot.services import Services

_NOT_YET = "The first start of `triptych run` registers them; until then nobody can use Triptych."
_FOREIGN = (
    "The next start of `triptych run` registers them again. If you have not just updated Triptych, "
    "another program uses this token: stop it, or reset the token (Reset Token on the Bot page of "
    "https://discord.com/developers/applications) and put the new one into .env."
)


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that Discord told us. remedy: what the owner should do about it, or ""."""

    label: str
    detail: str
    remedy: str = ""


async def examine_application(token: str, api_base: str | None) -> list[Told]:
    """Ask Discord about this token, for ``doctor``.

    Raises ConfigError if Discord rejects the token, OSError if Discord cannot be reached.
    """
    if api_base:
        use_api_base(api_base)
    async with discord.Client(intents=discord.Intents.none()) as client:
        try:
            await client.login(token)
            application = await client.application_info()
            kept = await fetch_payload(client.http, application.id)
        except discord.LoginFailure as error:
            raise ConfigError(BAD_TOKEN) from error
        except (discord.HTTPException, aiohttp.ClientError) as error:
            raise ConnectionError(str(error) or repr(error)) from error
    invite = discord.utils.oauth_url(
        application.id, permissions=PERMISSIONS, scopes=("bot", "applications.commands")
    )
    return [
        Told("Discord login", f"{client.user}"),
        Told("Discord application", f"{application.name} ({application.id})"),
        Told("Discord intents", _describe_intents(application.flags)),
        _compare_commands(await _list_commands(), kept),
        Told("Discord invite", invite),
    ]


async def _list_commands() -> Payload:
    """List the commands that this version registers. They get dummy services, and are never run."""
    client = TriptychClient(lambda _: cast(Services, _Nothing()), lambda: 0.0)
    await client.load_commands()
    return await compose_payload(client.tree)


class _Nothing:
    def __getattr__(self, name: str) -> _Nothing:
        return self


def _compare_commands(ours: Payload, kept: Payload) -> Told:
    label = "Discord commands"
    if not kept:
        return Told(label, "none registered yet", _NOT_YET)
    if found := find_differences(ours, kept):
        others = f"not as this version registers them: {', '.join(found)}"
        return Told(label, f"changed by another program or version; {others}", _FOREIGN)
    return Told(label, f"all {len(ours)} registered")


def _describe_intents(flags: discord.ApplicationFlags) -> str:
    privileged = {
        "Presence": flags.gateway_presence or flags.gateway_presence_limited,
        "Server Members": flags.gateway_guild_members or flags.gateway_guild_members_limited,
        "Message Content": flags.gateway_message_content or flags.gateway_message_content_limited,
    }
    needless = [name for name, is_on in privileged.items() if is_on]
    if not needless:
        return "no privileged intent is needed, and none is on"
    return f"no privileged intent is needed; these can be switched off: {', '.join(needless)}"
