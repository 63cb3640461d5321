"""Works out permissions from the guild, its roles and the overwrites of a channel."""

from enum import IntFlag

from playground.world.world import Channel, Guild, World


class Permission(IntFlag):
    """The bits the playground checks. https://discord.com/developers/docs/topics/permissions"""

    KICK_MEMBERS = 1 << 1
    BAN_MEMBERS = 1 << 2
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    MANAGE_ROLES = 1 << 28
    USE_APPLICATION_COMMANDS = 1 << 31
    SEND_MESSAGES_IN_THREADS = 1 << 38
    MODERATE_MEMBERS = 1 << 40


ALL_PERMISSIONS = (1 << 53) - 1

EVERYONE_PERMISSIONS = int(
    Permission.ADD_REACTIONS
    | Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.USE_EXTERNAL_EMOJIS
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.SEND_MESSAGES_IN_THREADS
)

MODERATOR_PERMISSIONS = int(
    Permission.KICK_MEMBERS
    | Permission.BAN_MEMBERS
    | Permission.MANAGE_GUILD
    | Permission.MANAGE_MESSAGES
    | Permission.MENTION_EVERYONE
    | Permission.MODERATE_MEMBERS
)

# what everybody may do in a direct message, and what an app may do in a server without its bot
PRIVATE_PERMISSIONS = EVERYONE_PERMISSIONS | int(Permission.MENTION_EVERYONE)
OUTSIDER_PERMISSIONS = int(
    Permission.EMBED_LINKS | Permission.ATTACH_FILES | Permission.MENTION_EVERYONE
)


def permissions_in(world: World, user_id: int, channel: Channel) -> int:
    """Return what this user may do in this channel; 0 if they are not in it."""
    if channel.guild_id is None:
        return PRIVATE_PERMISSIONS if user_id in channel.recipient_ids else 0
    guild = world.guilds[channel.guild_id]
    base = guild_permissions(guild, user_id)
    if base == ALL_PERMISSIONS or not base:
        return base
    place = (
        guild.channels[channel.parent_id] if channel.is_thread and channel.parent_id else channel
    )
    return _with_overwrites(base, guild, user_id, place)


def guild_permissions(guild: Guild, user_id: int) -> int:
    """Return what this user may do in the guild as a whole."""
    member = guild.members.get(user_id)
    if member is None:
        return 0
    if user_id == guild.owner_id:
        return ALL_PERMISSIONS
    permissions = guild.roles[guild.id].permissions
    for role_id in member.role_ids:
        permissions |= guild.roles[role_id].permissions
    return ALL_PERMISSIONS if permissions & Permission.ADMINISTRATOR else permissions


def _with_overwrites(base: int, guild: Guild, user_id: int, channel: Channel) -> int:
    permissions = base
    everyone = channel.overwrites.get(guild.id)
    if everyone:
        permissions = permissions & ~everyone.deny | everyone.allow
    roles = [
        channel.overwrites[role_id]
        for role_id in guild.members[user_id].role_ids
        if role_id in channel.overwrites
    ]
    for overwrite in roles:
        permissions &= ~overwrite.deny
    for overwrite in roles:
        permissions |= overwrite.allow
    own = channel.overwrites.get(user_id)
    return permissions & ~own.deny | own.allow if own else permissions
