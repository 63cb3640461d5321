"""Acts as a person on Discord: runs commands, presses buttons, fills in forms, sees answers."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from playground.backend import Backend
from playground.interactions import FIRST_RESPONSE_SECONDS, TOKEN_LIFE_SECONDS
from playground.messages import Request
from playground.wire.modals import fill_modal
from playground.wire.options import (
    ClientRefusedError,
    OptionValue,
    Resolved,
    fill_options,
    find_subcommand,
    nest_options,
)
from playground.world.files import Upload
from playground.world.permissions import Permission, permissions_in
from playground.world.world import (
    Channel,
    Command,
    Interaction,
    InteractionType,
    Json,
    Message,
    Revision,
    Role,
    User,
)

T = TypeVar("T")

SLASH, USER_MENU, MESSAGE_MENU = 1, 2, 3
STRING_SELECT = 3


class InteractionHandle:
    """One thing that a person did, and the bot's answers to it."""

    def __init__(self, backend: Backend, interaction: Interaction) -> None:
        self._backend = backend
        self.interaction = interaction

    @property
    def id(self) -> int:
        return self.interaction.id

    @property
    def is_acknowledged(self) -> bool:
        return self.interaction.acknowledged_at is not None

    @property
    def has_failed(self) -> bool:
        """Return whether Discord would say "The application did not respond"."""
        age = self._backend.clock.now() - self.interaction.created_at
        return not self.is_acknowledged and age > FIRST_RESPONSE_SECONDS

    @property
    def is_token_alive(self) -> bool:
        return self._backend.clock.now() - self.interaction.created_at <= TOKEN_LIFE_SECONDS

    @property
    def modal(self) -> Json | None:
        """Return the form that the bot opened as its answer, in Discord's JSON."""
        return self.interaction.modal

    @property
    def messages(self) -> list[Message]:
        """Return the answer and the follow-ups, without deleted ones."""
        original = self.interaction.original
        made = [*([original] if original else []), *self.interaction.followups]
        return [message for message in made if not message.is_deleted]

    @property
    def history(self) -> list[Revision]:
        """List everything that the answer and the follow-ups ever showed, oldest first."""
        shown = [revision for message in self.messages for revision in message.revisions]
        return sorted(shown, key=lambda revision: revision.at)

    def original(self) -> Message | None:
        """Return the first answer; None if there is none yet or it was deleted."""
        original = self.interaction.original
        return None if original is None or original.is_deleted else original

    def followups(self) -> list[Message]:
        return [message for message in self.interaction.followups if not message.is_deleted]

    async def wait_acknowledged(self, timeout_seconds: float = 5.0) -> None:
        """Wait for the first response. Raises TimeoutError if there is none in time."""
        await self._wait(lambda: self.is_acknowledged, timeout_seconds, "the first response")

    async def wait_answered(self, timeout_seconds: float = 10.0) -> Message:
        """Wait until there is an answer other than "thinking…"."""
        return await self.wait_for(lambda message: not message.is_loading, timeout_seconds)

    async def wait_for(
        self, predicate: Callable[[Message], bool], timeout_seconds: float = 10.0
    ) -> Message:
        """Wait until the predicate accepts one of the messages. Return the first such message."""

        def look() -> Message | None:
            return next((message for message in self.messages if predicate(message)), None)

        return await self._wait(look, timeout_seconds, "an answer")

    async def wait_removed(self, timeout_seconds: float = 10.0) -> None:
        """Wait until the first answer has been deleted."""

        def look() -> bool:
            original = self.interaction.original
            return original is not None and original.is_deleted

        await self._wait(look, timeout_seconds, "the answer to be deleted")

    async def wait_modal(self, timeout_seconds: float = 5.0) -> Json:
        return await self._wait(lambda: self.modal, timeout_seconds, "a modal")

    async def _wait(self, look: Callable[[], T | None], timeout_seconds: float, what: str) -> T:
        try:
            return await self._backend.log.wait_until(look, timeout_seconds, what)
        except TimeoutError as error:
            shown = [message.text() or "(no text)" for message in self.messages]
            state = "acknowledged" if self.is_acknowledged else "not acknowledged"
            raise TimeoutError(f"{error}; {state}, shown so far: {shown}") from None


class Person:
    """A person who uses a Discord client.

    Raises ClientRefusedError if Discord's client would not let a person do this. But
    `person.unchecked` may do anything: send hostile input, press old buttons, use hidden commands.
    """

    def __init__(self, backend: Backend, user: User, *, checked: bool = True) -> None:
        self._backend = backend
        self._checked = checked
        self.user = user

    @property
    def id(self) -> int:
        return self.user.id

    @property
    def name(self) -> str:
        return self.user.name

    @property
    def unchecked(self) -> "Person":
        return Person(self._backend, self.user, checked=False)

    @property
    def direct_channel(self) -> Channel:
        """Return the direct message channel between this person and the bot."""
        world = self._backend.world
        return world.open_private_channel(world.bot.id, self.user.id)

    async def slash(
        self, command: str, channel: Channel, /, **options: OptionValue
    ) -> InteractionHandle:
        """Run `command` ("name", "name sub" or "name group sub") with these options."""
        found, words = self._command(command, channel, SLASH)
        definition = find_subcommand(found, words)
        resolved = self._resolved(channel)
        filled = fill_options(definition, options, resolved, checked=self._checked)
        data = self._command_data(found, resolved)
        data["options"] = nest_options(words, filled)
        return self._open(InteractionType.COMMAND, channel, data)

    async def context_menu(
        self, command: str, target: Message | User, channel: Channel
    ) -> InteractionHandle:
        """Use a command from the Apps menu of a message or a user."""
        kind = USER_MENU if isinstance(target, User) else MESSAGE_MENU
        found, _ = self._command(command, channel, kind)
        resolved = self._resolved(channel)
        if isinstance(target, User):
            resolved.add(target)
        else:
            payload = self._backend.payloads.message(target)
            resolved.data["messages"] = {str(target.id): payload}
        data = self._command_data(found, resolved) | {"target_id": str(target.id)}
        return self._open(InteractionType.COMMAND, channel, data)

    async def autocomplete(
        self,
        command: str,
        channel: Channel,
        option: str,
        typed: str,
        /,
        timeout_seconds: float = 5.0,
        **others: OptionValue,
    ) -> list[Json]:
        """Get the choices (`name`, `value`) that the bot offers for `typed` in an option."""
        found, words = self._command(command, channel, SLASH)
        definition = find_subcommand(found, words)
        known = {o["name"]: o for o in definition.get("options") or []}
        if option not in known or not known[option].get("autocomplete"):
            raise ClientRefusedError(f"option {option} has no suggestions")
        resolved = self._resolved(channel)
        filled = fill_options(definition, others, resolved, checked=False)
        kind = known[option]["type"]
        filled.append({"name": option, "type": kind, "value": typed, "focused": True})
        data = self._command_data(found, resolved) | {"options": nest_options(words, filled)}
        handle = self._open(InteractionType.AUTOCOMPLETE, channel, data)
        await handle.wait_acknowledged(timeout_seconds)
        return handle.interaction.choices or []

    async def press(self, message: Message, custom_id: str) -> InteractionHandle:
        """Press the button with this custom id."""
        if self._checked:
            buttons = {b.custom_id: b for b in message.buttons() if b.custom_id}
            self._check_component(message, custom_id, list(buttons))
            if buttons[custom_id].is_disabled:
                raise ClientRefusedError(f"the button {custom_id!r} is disabled")
        data: Json = {"custom_id": custom_id, "component_type": 2}
        return self._open_component(message, data)

    async def select(
        self, message: Message, custom_id: str, values: Sequence[str | User | Role | Channel]
    ) -> InteractionHandle:
        """Pick entries in a select menu: option values, people, roles or channels."""
        selects = {s.custom_id: s for s in message.selects()}
        self._check_component(message, custom_id, list(selects))
        menu = selects[custom_id]
        offered = [option["value"] for option in menu.options]
        if self._checked and menu.is_disabled:
            raise ClientRefusedError(f"the select {custom_id!r} is disabled")
        if self._checked and not menu.min_values <= len(values) <= menu.max_values:
            raise ClientRefusedError(f"pick {menu.min_values} to {menu.max_values} of {offered}")
        if self._checked and menu.type == STRING_SELECT and not set(values) <= set(offered):
            raise ClientRefusedError(f"{values} are not all among {offered}")
        resolved = self._resolved(self._backend.world.get_channel(message.channel_id))
        picked = [value if isinstance(value, str) else resolved.add(value) for value in values]
        data: Json = {"custom_id": custom_id, "component_type": menu.type, "values": picked}
        if resolved.data:
            data["resolved"] = resolved.data
        return self._open_component(message, data)

    async def submit_modal(
        self,
        handle: InteractionHandle,
        values: Mapping[str, str | bool | Sequence[str | User | Role | Channel | Upload]],
    ) -> InteractionHandle:
        """Send the form that the bot opened. `values` maps custom ids to what was typed."""
        modal = handle.modal
        if modal is None:
            raise ClientRefusedError("no form is open")
        source = handle.interaction
        channel = self._backend.world.get_channel(source.channel_id)
        resolved = self._resolved(channel)
        components = fill_modal(modal, values, resolved, checked=self._checked)
        data: Json = {"custom_id": modal["custom_id"], "components": components}
        if resolved.data:
            data["resolved"] = resolved.data
        interaction = self._backend.interactions.open(
            InteractionType.MODAL_SUBMIT,
            self.user,
            channel,
            data,
            source=source.source,
            parent=source,
        )
        return InteractionHandle(self._backend, interaction)

    async def send(self, channel: Channel, content: str, uploads: Sequence[Upload] = ()) -> Message:
        """Write an ordinary message."""
        may = permissions_in(self._backend.world, self.user.id, channel)
        in_thread = Permission.SEND_MESSAGES_IN_THREADS
        needed = in_thread if channel.is_thread else Permission.SEND_MESSAGES
        if self._checked and not (may & needed and channel.takes_messages):
            raise ClientRefusedError(f"{self.user.name} may not write here")
        attachments = [{"id": index} for index in range(len(uploads))]
        request = Request(
            {"content": content, "attachments": attachments},
            dict(enumerate(uploads)),
            self.user.attachment_size_limit,
        )
        return self._backend.messages.create(channel, self.user.id, request)

    async def delete(self, message: Message) -> None:
        """Delete a message, as its author or a moderator may."""
        channel = self._backend.world.get_channel(message.channel_id)
        permissions = permissions_in(self._backend.world, self.user.id, channel)
        is_own = message.author_id == self.user.id
        if self._checked and not is_own and not permissions & Permission.MANAGE_MESSAGES:
            raise ClientRefusedError(f"{self.user.name} may not delete this message")
        self._backend.messages.delete(message)

    def can_see(self, message: Message) -> bool:
        """Return whether this person sees a message. Only one person sees an ephemeral one."""
        if not message.is_ephemeral:
            channel = self._backend.world.get_channel(message.channel_id)
            permissions = permissions_in(self._backend.world, self.user.id, channel)
            return bool(permissions & Permission.VIEW_CHANNEL)
        return message.interaction is not None and message.interaction.user_id == self.user.id

    def is_offered(self, command: Command, channel: Channel) -> bool:
        """Return whether Discord shows this command to this person here."""
        try:
            self._check_offered(command, channel)
        except ClientRefusedError:
            return False
        return True

    def _command(self, name: str, channel: Channel, kind: int) -> tuple[Command, list[str]]:
        """Split "name sub" into the command and the other words. Raises if it is not offered."""
        for command in self._backend.world.visible_commands(channel.guild_id):
            if command.type == kind and (name + " ").startswith(command.name + " "):
                self._check_offered(command, channel)
                return command, name[len(command.name) :].split()
        raise ClientRefusedError(f"no command {name!r} is offered here")

    def _check_offered(self, command: Command, channel: Channel) -> None:
        if not self._checked:
            return
        definition = command.definition
        if not channel.takes_messages:
            raise ClientRefusedError("a forum has no field to write into; its posts do")
        world = self._backend.world
        permissions = permissions_in(world, self.user.id, channel)
        needed = int(definition.get("default_member_permissions") or 0)
        is_locked = definition.get("default_member_permissions") is not None and not needed
        lacks = needed & ~permissions or not permissions & Permission.USE_APPLICATION_COMMANDS
        is_admin = permissions & Permission.ADMINISTRATOR
        if channel.guild_id is not None and not is_admin and (lacks or is_locked):
            raise ClientRefusedError(f"{command.name!r} is not offered to {self.user.name}")
        context = self._context(channel)
        if definition.get("contexts") is not None and context not in definition["contexts"]:
            raise ClientRefusedError(f"{command.name!r} is not offered in context {context}")
        installs = definition.get("integration_types")
        kind = int(not self._backend.interactions.is_bot_in(channel))
        if installs is not None and kind not in installs:
            raise ClientRefusedError(f"{command.name!r} is not offered for integration type {kind}")
        if definition.get("nsfw") and channel.guild_id is not None and not channel.is_nsfw:
            raise ClientRefusedError(f"{command.name!r} needs an age-restricted channel")

    def _context(self, channel: Channel) -> int:
        if channel.guild_id is not None:
            return 0
        return 1 if self._backend.world.bot.id in channel.recipient_ids else 2

    def _check_component(self, message: Message, custom_id: str, offered: list[str]) -> None:
        if self._checked and (message.is_deleted or not self.can_see(message)):
            raise ClientRefusedError(f"{self.user.name} does not see this message")
        if custom_id not in offered:
            raise ClientRefusedError(f"{custom_id!r} is not among {offered}")

    def _resolved(self, channel: Channel) -> Resolved:
        return Resolved(self._backend.world, self._backend.payloads, channel)

    def _command_data(self, command: Command, resolved: Resolved) -> Json:
        data: Json = {"id": str(command.id), "name": command.name, "type": command.type}
        if command.guild_id is not None:
            data["guild_id"] = str(command.guild_id)
        if resolved.data:
            data["resolved"] = resolved.data
        return data

    def _open_component(self, message: Message, data: Json) -> InteractionHandle:
        channel = self._backend.world.get_channel(message.channel_id)
        return self._open(InteractionType.COMPONENT, channel, data, message)

    def _open(
        self, kind: InteractionType, channel: Channel, data: Json, source: Message | None = None
    ) -> InteractionHandle:
        interaction = self._backend.interactions.open(kind, self.user, channel, data, source=source)
        return InteractionHandle(self._backend, interaction)
