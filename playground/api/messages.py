"""Handles the bot's requests about channels, messages, direct messages and files."""

from playground.api.router import Call, RawAnswer, Route
from playground.backend import Backend
from playground.messages import Request
from playground.wire.errors import ApiError, api_error
from playground.wire.payloads import channel_payload
from playground.world.permissions import Permission, permissions_in
from playground.world.world import Channel, ChannelType, Json, Message


def get_channel(backend: Backend, call: Call) -> Json:
    return channel_payload(backend.world, _channel(backend, call))


def edit_channel(backend: Backend, call: Call) -> Json:
    """Open an archived thread again, the only change of a channel that is supported here."""
    channel = _channel(backend, call)
    if not channel.is_thread or channel.is_locked or call.object() != {"archived": False}:
        raise api_error(50013)
    _require(backend, channel, Permission.SEND_MESSAGES_IN_THREADS)
    channel.is_archived = False
    return channel_payload(backend.world, channel)


def open_private_channel(backend: Backend, call: Call) -> Json:
    world = backend.world
    recipient = str(call.object().get("recipient_id", ""))
    user = world.users.get(int(recipient)) if recipient.isdecimal() else None
    if user is None or user.is_bot:
        raise api_error(50033)
    return channel_payload(world, world.open_private_channel(world.bot.id, user.id))


def create_message(backend: Backend, call: Call) -> Json:
    channel = _channel(backend, call)
    _check_may_send(backend, channel, call)
    request = _request(backend, channel, call)
    reference = (call.object().get("message_reference") or {}).get("message_id")
    message = backend.messages.create(
        channel,
        backend.world.bot.id,
        request,
        reference_id=int(reference) if reference else None,
        message_type=19 if reference else 0,
    )
    return backend.payloads.message(message)


def list_messages(backend: Backend, call: Call) -> list[Json]:
    channel = _channel(backend, call, Permission.READ_MESSAGE_HISTORY)
    before = int(call.query.get("before", 1 << 63))
    after = int(call.query.get("after", 0))
    found = [m for i, m in channel.messages.items() if after < i < before and not m.is_ephemeral]
    newest_first = sorted(found, key=lambda message: message.id, reverse="after" not in call.query)
    limited = newest_first[: int(call.query.get("limit", 50))]
    return [backend.payloads.message(message) for message in limited]


def get_message(backend: Backend, call: Call) -> Json:
    channel = _channel(backend, call, Permission.READ_MESSAGE_HISTORY)
    return backend.payloads.message(_message(channel, call))


def edit_message(backend: Backend, call: Call) -> Json:
    channel = _channel(backend, call)
    message = _message(channel, call)
    if message.author_id != backend.world.bot.id:
        raise api_error(50005)
    return backend.payloads.message(
        backend.messages.edit(message, _request(backend, channel, call))
    )


def delete_message(backend: Backend, call: Call) -> None:
    channel = _channel(backend, call)
    message = _message(channel, call)
    if message.author_id != backend.world.bot.id:
        _require(backend, channel, Permission.MANAGE_MESSAGES)
    backend.messages.delete(message)


def start_typing(backend: Backend, call: Call) -> None:
    _check_may_send(backend, _channel(backend, call), call)


def get_file(backend: Backend, call: Call) -> RawAnswer:
    attachment = backend.world.attachments.get(call.id("attachment_id"))
    if attachment is None or not backend.cdn.accepts(attachment.id, call.query):
        raise ApiError(404, 0, "This content is no longer available.")
    return RawAnswer(attachment.content, attachment.content_type)


def _channel(backend: Backend, call: Call, extra: Permission | None = None) -> Channel:
    """Return the channel. Raises ApiError if the bot may not see it."""
    world = backend.world
    channel = world.find_channel(call.id("channel_id"))
    if channel is None:
        raise api_error(10003)
    if not permissions_in(world, world.bot.id, channel) & Permission.VIEW_CHANNEL:
        raise api_error(50001)
    if extra is not None:
        _require(backend, channel, extra)
    return channel


def _message(channel: Channel, call: Call) -> Message:
    """Find a message. As on Discord, the bot cannot get ephemeral ones here, not even its own."""
    message = channel.messages.get(call.id("message_id"))
    if message is None or message.is_ephemeral:
        raise api_error(10008)
    return message


def _check_may_send(backend: Backend, channel: Channel, call: Call) -> None:
    if channel.type == ChannelType.DM:
        others = [i for i in channel.recipient_ids if i != backend.world.bot.id]
        if not all(_accepts_direct_messages(backend, user_id) for user_id in others):
            raise api_error(50007)
    sending = Permission.SEND_MESSAGES
    _require(
        backend, channel, Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else sending
    )
    if call.files:
        _require(backend, channel, Permission.ATTACH_FILES)
    if isinstance(call.body, dict) and call.body.get("embeds"):
        _require(backend, channel, Permission.EMBED_LINKS)


def _accepts_direct_messages(backend: Backend, user_id: int) -> bool:
    """Return whether the person allows direct messages and shares a guild with the bot."""
    world = backend.world
    guilds = [g for g in world.guilds.values() if world.bot.id in g.members]
    is_acquainted = any(user_id in guild.members for guild in guilds)
    return is_acquainted and world.users[user_id].accepts_direct_messages


def _require(backend: Backend, channel: Channel, permission: Permission) -> None:
    world = backend.world
    if not permissions_in(world, world.bot.id, channel) & permission:
        raise api_error(50013)


def _request(backend: Backend, channel: Channel, call: Call) -> Request:
    if channel.guild_id is None:
        limit = backend.world.bot.attachment_size_limit
    else:
        limit = backend.world.guilds[channel.guild_id].attachment_size_limit
    return Request(call.object(), call.files, limit)


MESSAGES = "/channels/{channel_id}/messages"
ROUTES = [
    Route("GET", "/channels/{channel_id}", get_channel),
    Route("PATCH", "/channels/{channel_id}", edit_channel),
    Route("POST", "/channels/{channel_id}/typing", start_typing),
    Route("POST", "/users/@me/channels", open_private_channel),
    Route("POST", MESSAGES, create_message),
    Route("GET", MESSAGES, list_messages),
    Route("GET", MESSAGES + "/{message_id}", get_message),
    Route("PATCH", MESSAGES + "/{message_id}", edit_message),
    Route("DELETE", MESSAGES + "/{message_id}", delete_message),
    *(
        Route("GET", f"/{kind}/{{channel_id}}/{{attachment_id}}/{{filename}}", get_file, False, "")
        for kind in ("attachments", "ephemeral-attachments")
    ),
]
