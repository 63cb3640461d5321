"""Discord's JSON for everything in the world except messages."""

from datetime import UTC, datetime
from typing import Any

from playground.world.permissions import permissions_in
from playground.world.world import (
    Channel,
    ChannelType,
    Command,
    Guild,
    Interaction,
    Json,
    Member,
    Role,
    User,
    World,
)

JOINED_AT = "2024-01-01T00:00:00.000000+00:00"


def timestamp_now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def user_payload(user: User) -> Json:
    return {
        "id": str(user.id),
        "username": user.name,
        "global_name": user.global_name,
        "discriminator": "0",
        "avatar": None,
        "banner": None,
        "accent_color": None,
        "avatar_decoration_data": None,
        "collectibles": None,
        "primary_guild": None,
        "bot": user.is_bot,
        "system": False,
        "public_flags": 0,
        "flags": 0,
    }


def own_user_payload(user: User) -> Json:
    extra = {"mfa_enabled": True, "locale": user.locale, "verified": True, "email": None}
    return user_payload(user) | extra | {"premium_type": 0}


def role_payload(role: Role) -> Json:
    return {
        "id": str(role.id),
        "name": role.name,
        "permissions": str(role.permissions),
        "position": role.position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": False,
        "mentionable": False,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }


def member_payload(member: Member, *, with_user: bool = True) -> Json:
    payload: Json = {
        "nick": member.nick,
        "avatar": None,
        "banner": None,
        "roles": [str(role_id) for role_id in member.role_ids],
        "joined_at": JOINED_AT,
        "premium_since": None,
        "communication_disabled_until": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
    }
    return payload | {"user": user_payload(member.user)} if with_user else payload


def channel_payload(world: World, channel: Channel) -> Json:
    payload: Json = {
        "id": str(channel.id),
        "type": int(channel.type),
        "flags": 0,
        "last_message_id": str(max(channel.messages)) if channel.messages else None,
    }
    if channel.guild_id is None:
        others = [world.users[i] for i in channel.recipient_ids if i != world.bot.id]
        payload["recipients"] = [user_payload(user) for user in others]
        if channel.type == ChannelType.GROUP_DM:
            payload |= {"name": None, "icon": None, "owner_id": str(channel.recipient_ids[0])}
        return payload
    payload |= {
        "guild_id": str(channel.guild_id),
        "name": channel.name,
        "parent_id": str(channel.parent_id) if channel.parent_id else None,
        "rate_limit_per_user": 0,
    }
    return payload | (_thread_part(world, channel) if channel.is_thread else _text_part(channel))


def _text_part(channel: Channel) -> Json:
    kind = channel.type
    voice = {"bitrate": 64_000, "user_limit": 0, "rtc_region": None}
    is_voice = kind in (ChannelType.GUILD_VOICE, ChannelType.GUILD_STAGE_VOICE)
    forum = {"available_tags": [], "default_reaction_emoji": None, "default_sort_order": None}
    extra = voice if is_voice else forum if kind == ChannelType.GUILD_FORUM else {}
    return extra | {
        "topic": channel.topic,
        "position": channel.position,
        "nsfw": channel.is_nsfw,
        "permission_overwrites": [
            {"id": str(i), "type": 0, "allow": str(o.allow), "deny": str(o.deny)}
            for i, o in channel.overwrites.items()
        ],
    }


def _thread_part(world: World, thread: Channel) -> Json:
    return {
        "owner_id": str(world.bot.id),
        "message_count": len(thread.messages),
        "member_count": 1,
        "total_message_sent": len(thread.messages),
        "thread_metadata": {
            "archived": thread.is_archived,
            "locked": thread.is_locked,
            "auto_archive_duration": 1440,
            "archive_timestamp": JOINED_AT,
            "create_timestamp": JOINED_AT,
        },
    }


def guild_payload(guild: Guild) -> Json:
    return {
        "id": str(guild.id),
        "name": guild.name,
        "owner_id": str(guild.owner_id),
        "roles": [role_payload(role) for role in guild.roles.values()],
        "preferred_locale": guild.locale,
        "icon": None,
        "description": None,
        "home_header": None,
        "splash": None,
        "discovery_splash": None,
        "banner": None,
        "features": [],
        "emojis": [],
        "stickers": [],
        "application_id": None,
        "vanity_url_code": None,
        "region": "deprecated",
        "afk_channel_id": None,
        "afk_timeout": 300,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "public_updates_channel_id": None,
        "safety_alerts_channel_id": None,
        "widget_enabled": False,
        "widget_channel_id": None,
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw": False,
        "nsfw_level": 0,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "premium_progress_bar_enabled": False,
        "incidents_data": None,
        "max_presences": None,
        "max_members": 500_000,
        "max_video_channel_users": 25,
        "max_stage_video_channel_users": 50,
    }


def guild_create_payload(world: World, guild: Guild) -> Json:
    """Return a guild as in the event GUILD_CREATE, with channels, threads and members."""
    places = guild.channels.values()
    bot = guild.members[world.bot.id]
    return guild_payload(guild) | {
        "joined_at": JOINED_AT,
        "large": False,
        "unavailable": False,
        "member_count": len(guild.members),
        "members": [member_payload(bot)],
        "channels": [channel_payload(world, c) for c in places if not c.is_thread],
        "threads": [channel_payload(world, c) for c in places if c.is_thread],
        "presences": [],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def application_payload(world: World) -> Json:
    owner = next(iter(user for user in world.users.values() if not user.is_bot), world.bot)
    return {
        "id": str(world.application_id),
        "name": world.bot.global_name or world.bot.name,
        "description": "",
        "icon": None,
        "type": None,
        "bot": user_payload(world.bot),
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": "0" * 64,
        "flags": world.application_flags,
        "flags_new": str(world.application_flags),
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "owner": user_payload(owner),
        "approximate_guild_count": len(world.guilds),
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "team": _team_payload(world) if world.application_team else None,
        "eligible_oauth2_scopes": ["bot", "applications.commands"],
    }


def _team_payload(world: World) -> Json:
    team_id = str(world.application_id)
    return {
        "id": team_id,
        "icon": None,
        "name": "Team",
        "owner_user_id": str(world.application_team[0][0].id),
        "members": [
            {
                "user": user_payload(user),
                "team_id": team_id,
                "membership_state": state,
                "role": "admin",
                "permissions": ["*"],
            }
            for user, state in world.application_team
        ],
    }


def command_payload(world: World, command: Command) -> Json:
    """Return a command as the bot registered it, with the fields that Discord adds."""
    permissions = command.definition.get("default_member_permissions")
    payload: Json = {
        "type": 1,
        "description": "",
        "name_localizations": None,
        "description_localizations": None,
        "nsfw": False,
        "dm_permission": True,
        "contexts": None,
        "integration_types": [0],
    }
    payload |= {key: value for key, value in command.definition.items() if value is not None}
    payload |= {
        "id": str(command.id),
        "application_id": str(world.application_id),
        "version": str(command.version),
        "default_member_permissions": None if permissions is None else str(permissions),
    }
    return payload | ({"guild_id": str(command.guild_id)} if command.guild_id else {})


def integration_owners(interaction: Interaction) -> Json:
    """Return who installed the app: "0" is the guild (0 in a direct message), "1" the person."""
    if interaction.is_user_installed:
        return {"1": str(interaction.user_id)}
    return {"0": str(interaction.guild_id or 0)}


def interaction_place(world: World, interaction: Interaction) -> Json:
    """Return the fields of the payload that say where the interaction happened, and who did it."""
    channel = world.get_channel(interaction.channel_id)
    user = world.users[interaction.user_id]
    permissions = str(permissions_in(world, user.id, channel))
    place: Json = {
        "channel_id": str(channel.id),
        "channel": channel_payload(world, channel) | {"permissions": permissions},
        "locale": user.locale,
    }
    if interaction.guild_id is None:
        is_bot_there = world.bot.id in channel.recipient_ids
        return place | {"user": user_payload(user), "context": 1 if is_bot_there else 2}
    guild = world.guilds[interaction.guild_id]
    member: dict[str, Any] = member_payload(guild.members[user.id]) | {"permissions": permissions}
    return place | {
        "guild_id": str(guild.id),
        "guild": {"id": str(guild.id), "locale": guild.locale, "features": []},
        "guild_locale": guild.locale,
        "member": member,
        "context": 0,
    }
