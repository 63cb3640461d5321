"""Delivers interactions to the bot. It has 3 s for the first answer; tokens expire after 15 min."""

import base64
import secrets
from collections.abc import Callable
from typing import NoReturn

from playground.messages import Messages, Request
from playground.wire.components import check_modal
from playground.wire.errors import FormErrors, api_error, form_error
from playground.wire.payloads import integration_owners, interaction_place
from playground.world.clock import Clock
from playground.world.files import Upload
from playground.world.permissions import OUTSIDER_PERMISSIONS, permissions_in
from playground.world.world import (
    Channel,
    Interaction,
    InteractionType,
    Json,
    Message,
    MessageFlag,
    User,
    World,
)

FIRST_RESPONSE_SECONDS = 3.0
TOKEN_LIFE_SECONDS = 15 * 60.0
MAX_USER_APP_FOLLOWUPS = 5

MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE, CHOICES, MODAL = 4, 5, 6, 7, 8, 9
SLASH_MESSAGE_TYPE, REPLY_TYPE, CONTEXT_MENU_MESSAGE_TYPE = 20, 19, 23

Deliver = Callable[[Interaction], None]


class Interactions:
    def __init__(self, world: World, clock: Clock, messages: Messages, deliver: Deliver) -> None:
        self._world = world
        self._clock = clock
        self._messages = messages
        self._deliver = deliver
        self._by_token: dict[str, Interaction] = {}

    def open(
        self,
        kind: InteractionType,
        user: User,
        channel: Channel,
        data: Json,
        *,
        source: Message | None = None,
        parent: Interaction | None = None,
    ) -> Interaction:
        """Make the interaction for what a person did, and send it to the bot."""
        interaction_id = self._world.snowflakes.next()
        secret = f"interaction:{interaction_id}:{secrets.token_urlsafe(32)}"
        interaction = Interaction(
            id=interaction_id,
            token=base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
            type=kind,
            user_id=user.id,
            channel_id=channel.id,
            guild_id=channel.guild_id,
            created_at=self._clock.now(),
            data=data,
            is_user_installed=not self.is_bot_in(channel),
            source=source,
            parent=parent,
        )
        interaction.payload = self._payload(interaction, channel, user)
        self._world.interactions[interaction.id] = interaction
        self._by_token[interaction.token] = interaction
        self._deliver(interaction)
        return interaction

    def respond(
        self, interaction_id: int, token: str, body: Json, files: dict[int, Upload]
    ) -> Interaction:
        """Take the bot's first answer."""
        interaction = self._world.interactions.get(interaction_id)
        if interaction is None or interaction.token != token:
            raise api_error(10062)
        age = self._clock.now() - interaction.created_at
        if interaction.acknowledged_at is not None:
            raise api_error(40060 if age <= TOKEN_LIFE_SECONDS else 10062)
        if age > FIRST_RESPONSE_SECONDS:
            raise api_error(10062)
        response_type = body.get("type")
        if response_type not in _allowed_responses(interaction):
            _refuse_type()
        self._apply(interaction, int(response_type), body.get("data") or {}, files)
        interaction.response_type = response_type
        interaction.acknowledged_at = self._clock.now()
        return interaction

    def callback_payload(self, interaction: Interaction) -> Json:
        """Return the body that Discord sends for `?with_response=true`."""
        told: Json = {"id": str(interaction.id), "type": int(interaction.type)}
        told["channel_id"] = str(interaction.channel_id)
        if interaction.guild_id:
            told["guild_id"] = str(interaction.guild_id)
        payload: Json = {"interaction": told}
        if interaction.original is not None and interaction.response_type != MODAL:
            told |= {
                "response_message_id": str(interaction.original.id),
                "response_message_loading": interaction.original.is_loading,
                "response_message_ephemeral": interaction.original.is_ephemeral,
            }
        if interaction.response_type in (MESSAGE, UPDATE) and interaction.original is not None:
            message = self._messages.payload(interaction.original)
            payload["resource"] = {"type": interaction.response_type, "message": message}
        return payload

    def by_token(self, application_id: int, token: str) -> Interaction:
        """Find the interaction with this token. Raises ApiError if it has no first answer yet."""
        if application_id != self._world.application_id:
            raise api_error(10015)
        interaction = self._by_token.get(token)
        if interaction is None or self._clock.now() - interaction.created_at > TOKEN_LIFE_SECONDS:
            raise api_error(50027)
        if interaction.acknowledged_at is None:
            raise api_error(10015)
        return interaction

    def find_message(self, interaction: Interaction, name: str) -> Message:
        """Find a message of this interaction by its id or by the name `@original`."""
        mine = [interaction.original] if interaction.original else []
        if name != "@original":
            mine = [m for m in [*mine, *interaction.followups] if str(m.id) == name]
        if not mine or mine[0].is_deleted:
            raise api_error(10008)
        return mine[0]

    def edit(self, interaction: Interaction, name: str, request: Request) -> Message:
        return self._messages.edit(self.find_message(interaction, name), request)

    def delete(self, interaction: Interaction, name: str) -> None:
        self._messages.delete(self.find_message(interaction, name))

    def follow_up(self, interaction: Interaction, request: Request) -> Message:
        """Post another message. After a deferred answer, the first one replaces "thinking…"."""
        original = interaction.original
        if original is not None and original.is_loading and not original.is_deleted:
            return self._messages.edit(original, request)
        if interaction.is_user_installed and len(interaction.followups) >= MAX_USER_APP_FOLLOWUPS:
            raise api_error(40094)
        message = self._messages.create(
            self._world.get_channel(interaction.channel_id),
            self._world.bot.id,
            request,
            extra_flags=int(request.body.get("flags") or 0) & MessageFlag.EPHEMERAL,
            interaction=interaction,
            reference_id=original.id if original else None,
            message_type=REPLY_TYPE if original else 0,
        )
        interaction.followups.append(message)
        return message

    def forget(self, interaction: Interaction) -> None:
        """Remove an interaction and its messages from the world without sending events."""
        self._by_token.pop(interaction.token, None)
        self._world.interactions.pop(interaction.id, None)
        messages = self._world.get_channel(interaction.channel_id).messages
        for message in (interaction.original, *interaction.followups):
            if message is not None:
                messages.pop(message.id, None)

    def size_limit(self, interaction: Interaction) -> int:
        """Return the size limit of a file in bytes: the larger of the person's and the guild's."""
        limits = [self._world.users[interaction.user_id].attachment_size_limit]
        if interaction.guild_id is not None:
            limits.append(self._world.guilds[interaction.guild_id].attachment_size_limit)
        return max(limits)

    def is_bot_in(self, channel: Channel) -> bool:
        """Return whether the bot is in the channel's server or in the private channel."""
        if channel.guild_id is None:
            return self._world.bot.id in channel.recipient_ids
        return self._world.bot.id in self._world.guilds[channel.guild_id].members

    def _payload(self, interaction: Interaction, channel: Channel, user: User) -> Json:
        world = self._world
        own = permissions_in(world, world.bot.id, channel)
        if interaction.is_user_installed:
            own = permissions_in(world, user.id, channel) & OUTSIDER_PERMISSIONS
        payload: Json = {
            "id": str(interaction.id),
            "application_id": str(world.application_id),
            "type": int(interaction.type),
            "token": interaction.token,
            "version": 1,
            "data": interaction.data,
            "app_permissions": str(own),
            "attachment_size_limit": self.size_limit(interaction),
            "entitlements": [],
            "entitlement_sku_ids": [],
            "authorizing_integration_owners": integration_owners(interaction),
        }
        if interaction.source is not None:
            payload["message"] = self._messages.payload(interaction.source)
        return payload | interaction_place(world, interaction)

    def _apply(
        self, interaction: Interaction, response_type: int, data: Json, files: dict[int, Upload]
    ) -> None:
        match response_type:
            case 4:
                interaction.original = self._first_message(interaction, data, files)
            case 5:
                interaction.original = self._defer(interaction, data)
            case 6:
                interaction.original = interaction.source
            case 7:
                interaction.original = self._update_source(interaction, data, files)
            case 8:
                interaction.choices = _checked_choices(data)
            case 9:
                errors = FormErrors(("data",))
                check_modal(data, errors)
                errors.raise_if_any()
                interaction.modal = data

    def _request(self, interaction: Interaction, data: Json, files: dict[int, Upload]) -> Request:
        limit = self.size_limit(interaction)
        return Request(data, files, limit, ("data",), mention_default=("users",))

    def _first_message(
        self, interaction: Interaction, data: Json, files: dict[int, Upload]
    ) -> Message:
        return self._messages.create(
            self._world.get_channel(interaction.channel_id),
            self._world.bot.id,
            self._request(interaction, data, files),
            extra_flags=int(data.get("flags") or 0) & MessageFlag.EPHEMERAL,
            interaction=interaction,
            reference_id=interaction.source.id if interaction.source else None,
            message_type=_first_message_type(interaction),
        )

    def _update_source(
        self, interaction: Interaction, data: Json, files: dict[int, Upload]
    ) -> Message:
        source = interaction.source
        if source is None or source.is_deleted:
            raise api_error(10008)
        return self._messages.edit(source, self._request(interaction, data, files))

    def _defer(self, interaction: Interaction, data: Json) -> Message:
        flags = int(data.get("flags") or 0)
        if flags & ~MessageFlag.EPHEMERAL:
            path = ("data", "flags")
            raise form_error(path, "BASE_TYPE_BAD_FLAGS", "Only EPHEMERAL may be set here.")
        return self._messages.create_loading(
            self._world.get_channel(interaction.channel_id),
            interaction,
            is_ephemeral=bool(flags & MessageFlag.EPHEMERAL),
            message_type=_first_message_type(interaction),
        )


def _allowed_responses(interaction: Interaction) -> set[int]:
    match interaction.type:
        case InteractionType.AUTOCOMPLETE:
            return {CHOICES}
        case InteractionType.COMPONENT:
            return {MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE, MODAL}
        case InteractionType.MODAL_SUBMIT if interaction.source is not None:
            return {MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE}
        case InteractionType.MODAL_SUBMIT:
            # Discord documents type 6 only for components, but also accepts it for a command's form
            return {MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE}
        case _:
            return {MESSAGE, DEFERRED_MESSAGE, MODAL}


def _refuse_type() -> NoReturn:
    message = "This response type cannot answer this interaction."
    raise form_error(("type",), "INTERACTION_CALLBACK_TYPE_INVALID", message)


def _first_message_type(interaction: Interaction) -> int:
    if interaction.type != InteractionType.COMMAND:
        return REPLY_TYPE if interaction.source else 0
    is_slash = interaction.data.get("type", 1) == 1
    return SLASH_MESSAGE_TYPE if is_slash else CONTEXT_MENU_MESSAGE_TYPE


def _checked_choices(data: Json) -> list[Json]:
    choices = data.get("choices") or []
    errors = FormErrors(("data",))
    errors.check_length(("choices",), choices, 25)
    for index, choice in enumerate(choices):
        errors.check_length(("choices", index, "name"), choice.get("name"), 100, least=1)
        if isinstance(choice.get("value"), str):
            errors.check_length(("choices", index, "value"), choice["value"], 100)
    errors.raise_if_any()
    return choices
