"""Reads what Discord knows about the application, for ``doctor``."""

from __future__ import annotations

import aiohttp
import discord

from bot.chat.client import PERMISSIONS
from bot.chat.connection import BAD_TOKEN, use_api_base
from bot.errors import ConfigError


async def examine_application(token: str, api_base: str | None) -> list[tuple[str, str]]:
    """Ask Discord about this token; returns labels and details for ``doctor``.

    Raises ConfigError if Discord rejects the token, OSError if Discord cannot be reached.
    """
    if api_base:
        use_api_base(api_base)
    async with discord.Client(intents=discord.Intents.none()) as client:
        try:
            await client.login(token)
            application = await client.application_info()
        except discord.LoginFailure as error:
            raise ConfigError(BAD_TOKEN) from error
        except (discord.HTTPException, aiohttp.ClientError) as error:
            raise ConnectionError(str(error) or repr(error)) from error
    invite = discord.utils.oauth_url(
        application.id, permissions=PERMISSIONS, scopes=("bot", "applications.commands")
    )
    return [
        ("Discord login", f"{client.user}"),
        ("Discord application", f"{application.name} ({application.id})"),
        ("Discord intents", _describe_intents(application.flags)),
        ("Discord invite", invite),
    ]


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
