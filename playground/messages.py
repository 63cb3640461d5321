"""Creates, edits and deletes messages by Discord's rules."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from playground.wire.components import check_components, number_components
from playground.wire.errors import FormErrors, Path, api_error
from playground.wire.message_payloads import MessagePayloads
from playground.wire.payloads import timestamp_now
from playground.world.clock import Clock
from playground.world.files import Upload, store_upload
from playground.world.mentions import find_mentions
from playground.world.permissions import Permission, permissions_in
from playground.world.world import (
    Attachment,
    Channel,
    Interaction,
    Json,
    Message,
    MessageFlag,
    Revision,
    World,
)

MAX_CONTENT = 2000
MAX_FILES = 10
NONCE_LIFE_SECONDS = 5 * 60
SENDABLE_FLAGS = (
    MessageFlag.SUPPRESS_EMBEDS | MessageFlag.SUPPRESS_NOTIFICATIONS | MessageFlag.COMPONENTS_V2
)
EDITABLE_FLAGS = MessageFlag.SUPPRESS_EMBEDS | MessageFlag.COMPONENTS_V2
LEGACY_FIELDS = ("content", "embeds", "poll", "sticker_ids")

Announce = Callable[[str, Channel, Message], None]


@dataclass(slots=True, frozen=True)
class Request:
    """A request to create or edit a message: its JSON, its files, and how to read them.

    root: the path of `body` in the request, for the error tree. mention_default: which mentions
    are parsed if the request has no `allowed_mentions`.
    """

    body: Json
    files: dict[int, Upload]
    size_limit: int
    root: Path = ()
    mention_default: tuple[str, ...] = ("users", "roles", "everyone")


class Messages:
    def __init__(
        self, world: World, clock: Clock, payloads: MessagePayloads, announce: Announce
    ) -> None:
        self._world = world
        self._clock = clock
        self._payloads = payloads
        self._announce = announce
        self._nonces: dict[tuple[int, str], tuple[float, Message]] = {}

    def create(
        self,
        channel: Channel,
        author_id: int,
        request: Request,
        *,
        extra_flags: int = 0,
        interaction: Interaction | None = None,
        reference_id: int | None = None,
        message_type: int = 0,
    ) -> Message:
        """Check the request and post the message."""
        body = request.body
        _check_takes_messages(channel, is_ephemeral=bool(extra_flags & MessageFlag.EPHEMERAL))
        known = self._known_nonce(author_id, body)
        if known:
            return known
        flags = int(body.get("flags") or 0) & SENDABLE_FLAGS | extra_flags
        blank = Revision(self._clock.now(), flags=flags)
        revision = self._revise(channel, author_id, blank, request)
        self._check_not_empty(revision, body)
        message = Message(
            id=self._world.snowflakes.next(),
            channel_id=channel.id,
            author_id=author_id,
            created_at=timestamp_now(),
            revisions=[revision],
            type=message_type,
            nonce=body.get("nonce"),
            interaction=interaction,
            reference_id=reference_id,
        )
        if body.get("nonce") is not None:
            key = (author_id, str(body["nonce"]))
            self._nonces[key] = (self._clock.now(), message)
        self._post(channel, message)
        return message

    def create_loading(
        self, channel: Channel, interaction: Interaction, *, is_ephemeral: bool, message_type: int
    ) -> Message:
        """Post the "thinking…" message of a deferred answer."""
        _check_takes_messages(channel, is_ephemeral=is_ephemeral)
        flags = MessageFlag.LOADING | (MessageFlag.EPHEMERAL if is_ephemeral else 0)
        message = Message(
            id=self._world.snowflakes.next(),
            channel_id=channel.id,
            author_id=self._world.bot.id,
            created_at=timestamp_now(),
            revisions=[Revision(self._clock.now(), flags=int(flags))],
            type=message_type,
            interaction=interaction,
            reference_id=interaction.source.id if interaction.source else None,
        )
        self._post(channel, message)
        return message

    def edit(self, message: Message, request: Request) -> Message:
        """Edit a message: change only the fields that the request names."""
        channel = self._world.get_channel(message.channel_id)
        if channel.is_archived and not message.is_ephemeral:
            raise api_error(50083)
        asked = int(request.body.get("flags") or 0) & EDITABLE_FLAGS
        kept = message.flags & ~MessageFlag.LOADING
        if request.body.get("flags") is not None:
            kept &= ~MessageFlag.SUPPRESS_EMBEDS
        start = replace(message.current, at=self._clock.now(), flags=kept | asked)
        revision = self._revise(channel, message.author_id, start, request)
        self._check_not_empty(revision, request.body)
        if not message.is_loading:
            message.edited_at = timestamp_now()
        message.revisions.append(revision)
        self._announce("MESSAGE_UPDATE", channel, message)
        return message

    def delete(self, message: Message) -> None:
        channel = self._world.get_channel(message.channel_id)
        del channel.messages[message.id]
        message.is_deleted = True
        self._announce("MESSAGE_DELETE", channel, message)

    def payload(self, message: Message) -> Json:
        return self._payloads.message(message)

    def _post(self, channel: Channel, message: Message) -> None:
        channel.messages[message.id] = message
        if not message.is_ephemeral:
            channel.is_archived = False
        self._announce("MESSAGE_CREATE", channel, message)

    def _known_nonce(self, author_id: int, body: Json) -> Message | None:
        """Find a message that this author sent with the same enforced nonce in the last minutes."""
        nonce = body.get("nonce")
        errors = FormErrors()
        if isinstance(nonce, str):
            errors.check_length(("nonce",), nonce, 25)
        errors.raise_if_any()
        if nonce is None or not body.get("enforce_nonce"):
            return None
        at, message = self._nonces.get((author_id, str(nonce)), (0.0, None))
        return message if message and self._clock.now() - at < NONCE_LIFE_SECONDS else None

    def _revise(
        self, channel: Channel, author_id: int, start: Revision, request: Request
    ) -> Revision:
        body, errors = request.body, FormErrors(request.root)
        attachments = self._attachments(channel, start, request, errors)
        revision = replace(start, attachments=attachments)
        if "content" in body:
            revision = replace(revision, content=body["content"] or "")
        if "embeds" in body:
            revision = replace(revision, embeds=tuple(body["embeds"] or ()))
        if "components" in body:
            components = number_components(body["components"] or [])
            revision = replace(revision, components=tuple(components))
        _check_revision(revision, body, errors)
        errors.raise_if_any()
        return self._with_mentions(channel, author_id, revision, request)

    def _attachments(
        self, channel: Channel, start: Revision, request: Request, errors: FormErrors
    ) -> tuple[Attachment, ...]:
        """Keep the attachments that the request lists, add its files, and remove all others."""
        if len(request.files) > MAX_FILES:
            raise api_error(30015)
        if any(len(file.content) > request.size_limit for file in request.files.values()):
            raise api_error(40005)
        entries: list[Json] | None = request.body.get("attachments")
        kept = list(start.attachments) if entries is None else []
        listed: dict[str, Json] = {str(entry.get("id")): entry for entry in entries or []}
        for index in request.files:
            listed.setdefault(str(index), {"id": index})
        existing = {str(attachment.id): attachment for attachment in start.attachments}
        for position, (key, entry) in enumerate(listed.items()):
            path: Path = ("attachments", position)
            description = entry.get("description")
            errors.check_length((*path, "description"), description, 1024)
            if key in existing:
                kept.append(_redescribed(existing[key], entry))
            elif key.isdecimal() and int(key) in request.files:
                upload = request.files[int(key)]
                name = entry.get("filename") or upload.filename
                is_ephemeral = bool(start.flags & MessageFlag.EPHEMERAL)
                fresh = replace(upload, filename=name)
                stored = store_upload(self._world, fresh, channel.id, is_ephemeral=is_ephemeral)
                stored.description = description
                kept.append(stored)
            else:
                message = "The attachment was neither uploaded nor on the message."
                errors.add((*path, "id"), "ATTACHMENT_NOT_FOUND", message)
        if len(kept) > MAX_FILES:
            raise api_error(30015)
        return tuple(kept)

    def _with_mentions(
        self, channel: Channel, author_id: int, revision: Revision, request: Request
    ) -> Revision:
        permissions = permissions_in(self._world, author_id, channel)
        mentions = find_mentions(
            "\n".join([revision.content, *_displayed_text(revision)]),
            request.body.get("allowed_mentions"),
            default=request.mention_default,
            may_mention_all=bool(permissions & Permission.MENTION_EVERYONE),
        )
        return replace(
            revision,
            mentioned_user_ids=mentions.user_ids,
            mentioned_role_ids=mentions.role_ids,
            mentions_everyone=mentions.everyone,
        )

    def _check_not_empty(self, revision: Revision, body: Json) -> None:
        shown = (revision.content, revision.embeds, revision.components, revision.attachments)
        if not any(shown) and not body.get("poll") and not body.get("sticker_ids"):
            raise api_error(50006)


def _check_takes_messages(channel: Channel, *, is_ephemeral: bool) -> None:
    """Check that a message can be posted here: not in a forum, or an archived and locked thread."""
    if not channel.takes_messages:
        raise api_error(50008)
    if channel.is_archived and channel.is_locked and not is_ephemeral:
        raise api_error(50083)


def _redescribed(attachment: Attachment, entry: Json) -> Attachment:
    description = entry.get("description", attachment.description)
    return replace(attachment, description=description)


def _displayed_text(revision: Revision) -> list[str]:
    return [replace(revision, content="", embeds=()).text()]


def _check_revision(revision: Revision, body: Json, errors: FormErrors) -> None:
    errors.check_length(("content",), revision.content, MAX_CONTENT)
    _check_embeds(revision.embeds, errors)
    filenames = [attachment.filename for attachment in revision.attachments]
    components = [*revision.components]
    check_components(components, filenames, errors, is_v2=revision.is_components_v2)
    if not revision.is_components_v2:
        return
    left = {"content": revision.content, "embeds": revision.embeds}
    for field in LEGACY_FIELDS:
        if left.get(field) or body.get(field):
            code = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"
            message = f"The '{field}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
            errors.add((field,), code, message)


def _check_embeds(embeds: tuple[Json, ...], errors: FormErrors) -> None:
    errors.check_length(("embeds",), embeds, 10)
    total = 0
    for index, embed in enumerate(embeds):
        path: Path = ("embeds", index)
        fields = embed.get("fields") or []
        errors.check_length((*path, "fields"), fields, 25)
        parts = [
            (("title",), embed.get("title"), 256),
            (("description",), embed.get("description"), 4096),
            (("footer", "text"), (embed.get("footer") or {}).get("text"), 2048),
            (("author", "name"), (embed.get("author") or {}).get("name"), 256),
        ]
        for number, field in enumerate(fields):
            parts.append((("fields", number, "name"), field.get("name"), 256))
            parts.append((("fields", number, "value"), field.get("value"), 1024))
        for where, text, most in parts:
            errors.check_length((*path, *where), text, most)
            total += len(text or "")
    if total > 6000:
        message = "Embed size exceeds maximum size of 6000"
        errors.add(("embeds",), "MAX_EMBED_SIZE_EXCEEDED", message)
