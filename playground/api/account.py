"""Handles requests about the bot and the gateway, and about guilds, members and roles."""

from playground.api.router import Call, Route
from playground.backend import Backend
from playground.wire.errors import api_error
from playground.wire.payloads import (
    application_payload,
    channel_payload,
    guild_payload,
    member_payload,
    own_user_payload,
    role_payload,
    user_payload,
)
from playground.world.permissions import EVERYONE_PERMISSIONS, Permission, guild_permissions
from playground.world.world import Guild, Json

SESSION_STARTS = 1_000


def get_own_user(backend: Backend, call: Call) -> Json:
    return own_user_payload(backend.world.bot)


def get_application(backend: Backend, call: Call) -> Json:
    return application_payload(backend.world)


def get_gateway(backend: Backend, call: Call) -> Json:
    return {"url": backend.gateway.url}


def get_gateway_bot(backend: Backend, call: Call) -> Json:
    limit = {"total": SESSION_STARTS, "remaining": SESSION_STARTS, "reset_after": 0}
    limit["max_concurrency"] = 1
    return {"url": backend.gateway.url, "shards": 1, "session_start_limit": limit}


def get_user(backend: Backend, call: Call) -> Json:
    user = backend.world.users.get(call.id("user_id"))
    if user is None:
        raise api_error(10013)
    return user_payload(user)


def list_own_guilds(backend: Backend, call: Call) -> list[Json]:
    bot_id = backend.world.bot.id
    guilds = [g for g in backend.world.guilds.values() if bot_id in g.members]
    owned = {"owner": False, "permissions": str(EVERYONE_PERMISSIONS)}
    return [guild_payload(guild) | owned for guild in guilds]


def get_guild(backend: Backend, call: Call) -> Json:
    return guild_payload(_guild(backend, call))


def list_channels(backend: Backend, call: Call) -> list[Json]:
    channels = _guild(backend, call).channels.values()
    return [channel_payload(backend.world, c) for c in channels if not c.is_thread]


def list_roles(backend: Backend, call: Call) -> list[Json]:
    return [role_payload(role) for role in _guild(backend, call).roles.values()]


def get_role(backend: Backend, call: Call) -> Json:
    role = _guild(backend, call).roles.get(call.id("role_id"))
    if role is None:
        raise api_error(10011)
    return role_payload(role)


def list_members(backend: Backend, call: Call) -> list[Json]:
    after, limit = int(call.query.get("after", 0)), int(call.query.get("limit", 1))
    members = sorted(_guild(backend, call).members.items())
    return [member_payload(member) for user_id, member in members if user_id > after][:limit]


def search_members(backend: Backend, call: Call) -> list[Json]:
    start, limit = call.query.get("query", "").lower(), int(call.query.get("limit", 1))
    members = _guild(backend, call).members.values()
    found = [m for m in members if (m.nick or m.user.name).lower().startswith(start)]
    return [member_payload(member) for member in found][:limit]


def get_member(backend: Backend, call: Call) -> Json:
    member = _guild(backend, call).members.get(call.id("user_id"))
    if member is None:
        raise api_error(10007)
    return member_payload(member)


def list_automod_rules(backend: Backend, call: Call) -> list[Json]:
    """List the AutoMod rules that a test has added. As on Discord, this needs MANAGE_GUILD."""
    guild, bot_id = _guild(backend, call), backend.world.bot.id
    if not guild_permissions(guild, bot_id) & Permission.MANAGE_GUILD:
        raise api_error(50013)
    return guild.automod_rules


def _guild(backend: Backend, call: Call) -> Guild:
    guild = backend.world.guilds.get(call.id("guild_id"))
    if guild is None or backend.world.bot.id not in guild.members:
        raise api_error(10004)
    return guild


ROUTES = [
    Route("GET", "/users/@me", get_own_user),
    Route("GET", "/users/@me/guilds", list_own_guilds),
    Route("GET", "/users/{user_id}", get_user),
    Route("GET", "/oauth2/applications/@me", get_application),
    Route("GET", "/applications/@me", get_application),
    Route("GET", "/applications/{application_id}", get_application),
    Route("GET", "/gateway", get_gateway, needs_token=False),
    Route("GET", "/gateway/bot", get_gateway_bot),
    Route("GET", "/guilds/{guild_id}", get_guild),
    Route("GET", "/guilds/{guild_id}/channels", list_channels),
    Route("GET", "/guilds/{guild_id}/roles", list_roles),
    Route("GET", "/guilds/{guild_id}/auto-moderation/rules", list_automod_rules),
    Route("GET", "/guilds/{guild_id}/roles/{role_id}", get_role),
    Route("GET", "/guilds/{guild_id}/members", list_members),
    Route("GET", "/guilds/{guild_id}/members/search", search_members),
    Route("GET", "/guilds/{guild_id}/members/{user_id}", get_member),
]
