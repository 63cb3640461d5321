"""Everything that exists in the playground: guilds, people, messages, commands, interactions."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from playground.world.snowflakes import Snowflakes

Json = dict[str, Any]

DEFAULT_SIZE_LIMIT = 10 * 1024 * 1024


class ChannelType(IntEnum):
    GUILD_TEXT = 0
    DM = 1
    GUILD_VOICE = 2
    GROUP_DM = 3
    PUBLIC_THREAD = 11
    GUILD_STAGE_VOICE = 13
    GUILD_FORUM = 15


class InteractionType(IntEnum):
    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL_SUBMIT = 5


class MessageFlag(IntEnum):
    SUPPRESS_EMBEDS = 1 << 2
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12
    COMPONENTS_V2 = 1 << 15


@dataclass(slots=True)
class User:
    id: int
    name: str
    global_name: str | None = None
    is_bot: bool = False
    locale: str = "en-US"
    accepts_direct_messages: bool = True
    attachment_size_limit: int = DEFAULT_SIZE_LIMIT


@dataclass(slots=True)
class Role:
    id: int
    name: str
    permissions: int
    position: int = 1


@dataclass(slots=True)
class Member:
    user: User
    role_ids: list[int] = field(default_factory=list)
    nick: str | None = None


@dataclass(slots=True)
class Overwrite:
    """The permissions that a channel gives to or takes from one role or member."""

    allow: int = 0
    deny: int = 0


@dataclass(slots=True)
class Attachment:
    id: int
    channel_id: int
    filename: str
    content: bytes
    content_type: str
    description: str | None = None
    width: int | None = None
    height: int | None = None
    is_ephemeral: bool = False


@dataclass(slots=True, frozen=True)
class Button:
    custom_id: str | None
    label: str | None
    style: int
    is_disabled: bool = False
    url: str | None = None
    emoji: str | None = None


@dataclass(slots=True, frozen=True)
class Select:
    custom_id: str
    type: int
    options: tuple[Json, ...] = ()
    min_values: int = 1
    max_values: int = 1
    is_disabled: bool = False
    placeholder: str | None = None


def walk_components(components: list[Json]) -> Iterator[Json]:
    """List every component in reading order, including components inside others."""
    for component in components:
        yield component
        yield from walk_components(component.get("components") or [])
        for key in ("accessory", "component"):
            if component.get(key):
                yield from walk_components([component[key]])


@dataclass(slots=True, frozen=True)
class Revision:
    """What a message showed from the moment `at` (on the world's clock) until the next revision."""

    at: float
    content: str = ""
    embeds: tuple[Json, ...] = ()
    components: tuple[Json, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    flags: int = 0
    mentioned_user_ids: tuple[int, ...] = ()
    mentioned_role_ids: tuple[int, ...] = ()
    mentions_everyone: bool = False

    @property
    def is_loading(self) -> bool:
        """Return whether Discord shows "thinking…" in place of this message."""
        return bool(self.flags & MessageFlag.LOADING)

    @property
    def is_components_v2(self) -> bool:
        return bool(self.flags & MessageFlag.COMPONENTS_V2)

    def text(self) -> str:
        """Return all text that a reader sees: content, embeds, text displays. Each is on its own
        line.
        """
        parts = [self.content]
        for embed in self.embeds:
            parts += [embed.get("title"), embed.get("description")]
            for entry in embed.get("fields") or []:
                parts += [entry.get("name"), entry.get("value")]
            parts.append((embed.get("footer") or {}).get("text"))
        parts += [c["content"] for c in walk_components([*self.components]) if c["type"] == 10]
        return "\n".join(part for part in parts if part)

    def buttons(self) -> list[Button]:
        return [
            Button(
                custom_id=c.get("custom_id"),
                label=c.get("label"),
                style=c["style"],
                is_disabled=bool(c.get("disabled")),
                url=c.get("url"),
                emoji=(c.get("emoji") or {}).get("name"),
            )
            for c in walk_components([*self.components])
            if c["type"] == 2
        ]

    def selects(self) -> list[Select]:
        return [
            Select(
                custom_id=c["custom_id"],
                type=c["type"],
                options=tuple(c.get("options") or ()),
                min_values=1 if c.get("min_values") is None else c["min_values"],
                max_values=1 if c.get("max_values") is None else c["max_values"],
                is_disabled=bool(c.get("disabled")),
                placeholder=c.get("placeholder"),
            )
            for c in walk_components([*self.components])
            if c["type"] in (3, 5, 6, 7, 8)
        ]


@dataclass(slots=True, eq=False)
class Message:
    """A message with all its revisions. People see the newest one."""

    id: int
    channel_id: int
    author_id: int
    created_at: str
    revisions: list[Revision]
    type: int = 0
    nonce: str | int | None = None
    interaction: "Interaction | None" = None
    reference_id: int | None = None
    edited_at: str | None = None
    is_deleted: bool = False

    @property
    def current(self) -> Revision:
        return self.revisions[-1]

    @property
    def content(self) -> str:
        return self.current.content

    @property
    def components(self) -> list[Json]:
        return [*self.current.components]

    @property
    def embeds(self) -> list[Json]:
        return [*self.current.embeds]

    @property
    def attachments(self) -> list[Attachment]:
        return [*self.current.attachments]

    @property
    def flags(self) -> int:
        return self.current.flags

    @property
    def is_ephemeral(self) -> bool:
        return bool(self.current.flags & MessageFlag.EPHEMERAL)

    @property
    def is_loading(self) -> bool:
        return self.current.is_loading

    @property
    def is_components_v2(self) -> bool:
        return self.current.is_components_v2

    def text(self) -> str:
        return self.current.text()

    def buttons(self) -> list[Button]:
        return self.current.buttons()

    def button(self, label: str) -> Button:
        """Return the button with this label. Raises LookupError, which lists the labels."""
        for button in self.buttons():
            if button.label == label:
                return button
        raise LookupError(f"no button {label!r} among {[b.label for b in self.buttons()]}")

    def selects(self) -> list[Select]:
        return self.current.selects()


@dataclass(slots=True)
class Channel:
    id: int
    type: ChannelType
    name: str = ""
    guild_id: int | None = None
    parent_id: int | None = None
    topic: str | None = None
    position: int = 0
    is_nsfw: bool = False
    is_archived: bool = False
    is_locked: bool = False
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    recipient_ids: list[int] = field(default_factory=list)
    messages: dict[int, Message] = field(default_factory=dict)

    @property
    def is_thread(self) -> bool:
        return self.type == ChannelType.PUBLIC_THREAD

    @property
    def takes_messages(self) -> bool:
        """Return whether messages can be posted here. A forum takes none; its threads do."""
        return self.type != ChannelType.GUILD_FORUM


@dataclass(slots=True)
class Guild:
    id: int
    name: str
    owner_id: int
    locale: str = "en-US"
    roles: dict[int, Role] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    attachment_size_limit: int = DEFAULT_SIZE_LIMIT
    automod_rules: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class Command:
    """An application command as the bot registered it. `guild_id` is None for a global one."""

    id: int
    version: int
    guild_id: int | None
    definition: Json

    @property
    def name(self) -> str:
        return self.definition["name"]

    @property
    def type(self) -> int:
        return self.definition.get("type") or 1


@dataclass(slots=True, eq=False)
class Interaction:
    """One thing that a person did with the bot, and the bot's answers so far."""

    id: int
    token: str
    type: InteractionType
    user_id: int
    channel_id: int
    guild_id: int | None
    created_at: float
    data: Json
    is_user_installed: bool = False
    source: Message | None = None
    parent: "Interaction | None" = None
    payload: Json = field(default_factory=dict)
    acknowledged_at: float | None = None
    response_type: int | None = None
    original: Message | None = None
    followups: list[Message] = field(default_factory=list)
    choices: list[Json] | None = None
    modal: Json | None = None


class UnknownChannelError(KeyError):
    """Raised if there is no channel with this id any more."""


class World:
    """The whole state, in memory. Tests may read and change it freely."""

    def __init__(self, locale: str = "en-US") -> None:
        self.locale = locale
        self.snowflakes = Snowflakes()
        self.application_id = self.snowflakes.next()
        # GATEWAY_PRESENCE_LIMITED, GATEWAY_GUILD_MEMBERS_LIMITED, GATEWAY_MESSAGE_CONTENT_LIMITED
        self.application_flags = 1 << 13 | 1 << 15 | 1 << 19
        # each person's membership state: 1 means invited, 2 means accepted
        self.application_team: list[tuple[User, int]] = []
        self.bot = User(self.application_id, "playground-bot", "Playground Bot", is_bot=True)
        self.users: dict[int, User] = {self.bot.id: self.bot}
        self.guilds: dict[int, Guild] = {}
        self.private_channels: dict[int, Channel] = {}
        self.commands: dict[int, Command] = {}
        self.interactions: dict[int, Interaction] = {}
        self.attachments: dict[int, Attachment] = {}

    def find_channel(self, channel_id: int) -> Channel | None:
        if channel_id in self.private_channels:
            return self.private_channels[channel_id]
        for guild in self.guilds.values():
            if channel_id in guild.channels:
                return guild.channels[channel_id]
        return None

    def get_channel(self, channel_id: int) -> Channel:
        channel = self.find_channel(channel_id)
        if channel is None:
            raise UnknownChannelError(channel_id)
        return channel

    def channel_named(self, name: str) -> Channel:
        for guild in self.guilds.values():
            for channel in guild.channels.values():
                if channel.name == name:
                    return channel
        raise LookupError(f"no channel named {name!r}")

    def user_named(self, name: str) -> User:
        for user in self.users.values():
            if user.name == name:
                return user
        raise LookupError(f"no user named {name!r}")

    def open_private_channel(self, *user_ids: int) -> Channel:
        """Return the private channel of exactly these people. Create it if there is none."""
        for channel in self.private_channels.values():
            if set(channel.recipient_ids) == set(user_ids):
                return channel
        kind = ChannelType.DM if len(user_ids) == 2 else ChannelType.GROUP_DM
        channel = Channel(self.snowflakes.next(), kind, recipient_ids=[*user_ids])
        self.private_channels[channel.id] = channel
        return channel

    def visible_commands(self, guild_id: int | None) -> list[Command]:
        """List the commands that members of this guild see: the global ones and the guild's own."""
        return [c for c in self.commands.values() if c.guild_id in (None, guild_id)]
