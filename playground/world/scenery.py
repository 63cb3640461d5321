"""The small world that a playground starts with."""

from playground.world.permissions import EVERYONE_PERMISSIONS, MODERATOR_PERMISSIONS, Permission
from playground.world.snowflakes import Snowflakes
from playground.world.world import (
    Channel,
    ChannelType,
    Guild,
    Member,
    Overwrite,
    Role,
    User,
    World,
)

_FOUNDED_NS = 1_577_836_800_000_000_000  # 1 January 2020, so these ids are older than all others


def default_world(locale: str = "en-US") -> World:
    """Make a world with one guild, four people, the bot, public channels and a staff channel.

    Their ids are always the same, so that the bot's database still fits after a restart of the
    playground. Only the application's id is new each time, because a new application has no
    commands yet.

    locale: the language of everybody in this world, also of people who are added later.
    """
    world = World(locale)
    world.snowflakes, later = Snowflakes(lambda: _FOUNDED_NS), world.snowflakes
    people = [
        add_user(world, "owner", "Olive"),
        add_user(world, "moderator", "Moss"),
        add_user(world, "member", "Mia"),
        add_user(world, "newcomer", "Nico"),
    ]
    guild = add_guild(world, "Playground", owner=people[0])
    moderators = add_role(world, guild, "Moderators", MODERATOR_PERMISSIONS)
    bot_role = add_role(world, guild, "Bots", EVERYONE_PERMISSIONS)
    for person in people[1:]:
        guild.members[person.id] = Member(person)
    guild.members[people[1].id].role_ids.append(moderators.id)
    guild.members[world.bot.id] = Member(world.bot, [bot_role.id])
    add_channel(world, guild, "general")
    add_channel(world, guild, "art")
    seen = int(Permission.VIEW_CHANNEL)
    add_channel(world, guild, "staff").overwrites = {
        guild.id: Overwrite(deny=seen),
        moderators.id: Overwrite(allow=seen),
        bot_role.id: Overwrite(allow=seen),
    }
    add_channel(world, guild, "lounge", ChannelType.GUILD_VOICE)
    add_channel(world, guild, "stage", ChannelType.GUILD_STAGE_VOICE)
    add_channel(world, guild, "ideas", ChannelType.GUILD_FORUM)
    for person in people:
        world.open_private_channel(world.bot.id, person.id)
    world.snowflakes = later
    return world


def add_user(world: World, name: str, global_name: str | None = None) -> User:
    user = User(world.snowflakes.next(), name, global_name, locale=world.locale)
    world.users[user.id] = user
    return user


def add_guild(world: World, name: str, owner: User) -> Guild:
    """Add a guild with its owner and its @everyone role. The bot is not in it yet."""
    guild = Guild(world.snowflakes.next(), name, owner.id, world.locale)
    guild.roles[guild.id] = Role(guild.id, "@everyone", EVERYONE_PERMISSIONS, position=0)
    guild.members[owner.id] = Member(owner)
    world.guilds[guild.id] = guild
    return guild


def add_role(world: World, guild: Guild, name: str, permissions: int) -> Role:
    role = Role(world.snowflakes.next(), name, permissions, position=len(guild.roles))
    guild.roles[role.id] = role
    return role


def add_channel(
    world: World, guild: Guild, name: str, kind: ChannelType = ChannelType.GUILD_TEXT
) -> Channel:
    channel = Channel(
        world.snowflakes.next(),
        kind,
        name,
        guild.id,
        position=len(guild.channels),
    )
    guild.channels[channel.id] = channel
    return channel


def add_thread(world: World, parent: Channel, name: str) -> Channel:
    if parent.guild_id is None:
        raise ValueError("a thread must be in a guild's channel")
    thread = Channel(
        world.snowflakes.next(), ChannelType.PUBLIC_THREAD, name, parent.guild_id, parent.id
    )
    world.guilds[parent.guild_id].channels[thread.id] = thread
    return thread
