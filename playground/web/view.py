"""Finds what one person's page shows, and what has changed since its last update."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from playground.people import InteractionHandle, Person
from playground.web.records import Tape
from playground.wire.payloads import channel_payload, command_payload, member_payload, role_payload
from playground.world.permissions import Permission, permissions_in
from playground.world.world import Channel, Guild, Interaction, InteractionType, Json, Message

if TYPE_CHECKING:
    from playground.server import Playground

MAX_MESSAGES = 200
MAX_INTERACTIONS = 50


class View:
    """One person's page. The first call of `changes` returns everything."""

    def __init__(self, server: "Playground", person: Person) -> None:
        self._server = server
        self._person = person
        self._backend = server.backend
        self._world = server.world
        self._tape = Tape(server.log)
        self._place: object = None
        self._status: Json = {}
        self._messages: dict[Message, tuple[int, bool]] = {}
        self._interactions: dict[int, Json] = {}
        # create the private channel now, so that the page lists it before the first message
        self._world.open_private_channel(self._world.bot.id, person.id)

    def changes(self) -> list[Json]:
        """Return everything that is new since the last call."""
        found: list[Json] = []
        mark = self._place_mark()
        if mark != self._place:
            self._place = mark
            found.append({"kind": "place", **self._place_payload()})
        status = self._status_payload()
        if status != self._status:
            self._status = status
            found.append({"kind": "status", **status})
        return [*found, *self._message_changes(), *self._interaction_changes(), *self._tape.wind()]

    def _place_mark(self) -> object:
        """Return a value that changes with the commands, channels, people and roles."""
        world = self._world
        return (
            [(command.id, command.version) for command in world.commands.values()],
            [(channel.id, channel.name) for channel in self._channels()],
            [(u.id, u.global_name, u.locale) for u in world.users.values()],
            [(role.id, role.name) for g in world.guilds.values() for role in g.roles.values()],
        )

    def _place_payload(self) -> Json:
        channels = [self._channel_payload(channel) for channel in self._channels()]
        guilds = [self._guild_payload(guild) for guild in self._guilds()]
        commands = [command_payload(self._world, c) for c in self._world.commands.values()]
        return {
            "me": str(self._person.id),
            "locale": self._person.user.locale,
            "bot": str(self._world.bot.id),
            "guilds": guilds,
            "channels": channels,
            "commands": commands,
        }

    def _guilds(self) -> list[Guild]:
        return [g for g in self._world.guilds.values() if self._person.id in g.members]

    def _channels(self) -> Iterator[Channel]:
        for guild in self._guilds():
            for channel in guild.channels.values():
                may = permissions_in(self._world, self._person.id, channel)
                if may & Permission.VIEW_CHANNEL:
                    yield channel
        for channel in self._world.private_channels.values():
            if self._person.id in channel.recipient_ids:
                yield channel

    def _guild_payload(self, guild: Guild) -> Json:
        return {
            "id": str(guild.id),
            "name": guild.name,
            "owner_id": str(guild.owner_id),
            "members": [member_payload(member) for member in guild.members.values()],
            "roles": [role_payload(role) for role in guild.roles.values()],
        }

    def _channel_payload(self, channel: Channel) -> Json:
        may = permissions_in(self._world, self._person.id, channel)
        commands = self._world.visible_commands(channel.guild_id)
        names = [self._world.users[i] for i in channel.recipient_ids if i != self._person.id]
        return channel_payload(self._world, channel) | {
            "title": channel.name or ", ".join(user.global_name or user.name for user in names),
            "permissions": str(may),
            "offered": [str(c.id) for c in commands if self._person.is_offered(c, channel)],
        }

    def _status_payload(self) -> Json:
        return {
            "is_connected": self._server.gateway.is_connected,
            "contract": self._server.contract.reason,
            "faults": self._server.faults.waiting(),
            "clock_advanced_seconds": round(self._server.clock.advanced_seconds),
        }

    def _message_changes(self) -> list[Json]:
        found: list[Json] = []
        for message in [m for m in self._messages if m.is_deleted]:
            del self._messages[message]
            found.append({"kind": "gone", "id": str(message.id)})
        for channel in self._channels():
            newest = [*islice(reversed(channel.messages.values()), MAX_MESSAGES)]
            for message in reversed(newest):
                if message.is_ephemeral and not self._is_own(message):
                    continue
                mark = (len(message.revisions), self._has_died(message))
                if self._messages.get(message) != mark:
                    self._messages[message] = mark
                    data = self._backend.payloads.message(message)
                    found.append({"kind": "message", "data": data, "has_died": mark[1]})
        return found

    def _is_own(self, message: Message) -> bool:
        """Return whether this person caused the message. Only they see it if it is ephemeral."""
        return message.interaction is not None and message.interaction.user_id == self._person.id

    def _has_died(self, message: Message) -> bool:
        """Return whether the message says "thinking…" for ever, because its token has expired."""
        if not message.is_loading or message.interaction is None:
            return False
        return not InteractionHandle(self._backend, message.interaction).is_token_alive

    def _interaction_changes(self) -> list[Json]:
        found: list[Json] = []
        for interaction in islice(reversed(self._world.interactions.values()), MAX_INTERACTIONS):
            is_shown = interaction.type != InteractionType.AUTOCOMPLETE
            if interaction.user_id != self._person.id or not is_shown:
                continue
            payload = self._interaction_payload(interaction)
            if self._interactions.get(interaction.id) != payload:
                self._interactions[interaction.id] = payload
                found.append({"kind": "interaction", **payload})
        return found[::-1]

    def _interaction_payload(self, interaction: Interaction) -> Json:
        handle = InteractionHandle(self._backend, interaction)
        state = "answered" if handle.is_acknowledged else "waiting"
        return {
            "id": str(interaction.id),
            "type": int(interaction.type),
            "channel_id": str(interaction.channel_id),
            "name": interaction.data.get("name") or interaction.data.get("custom_id"),
            "source": str(interaction.source.id) if interaction.source else None,
            "custom_id": interaction.data.get("custom_id"),
            "state": "failed" if handle.has_failed else state,
            "is_token_alive": handle.is_token_alive,
            "modal": interaction.modal,
        }
