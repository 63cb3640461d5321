"""Keeps uploaded files and their sizes, and signs their addresses."""

import hashlib
import hmac
import mimetypes
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from playground.world.clock import Clock
from playground.world.world import Attachment, World

URL_LIFE_SECONDS = 24 * 60 * 60


@dataclass(slots=True, frozen=True)
class Upload:
    """A file that the bot or a person is uploading."""

    filename: str
    content: bytes
    content_type: str | None = None


def store_upload(
    world: World, upload: Upload, channel_id: int, *, is_ephemeral: bool = False
) -> Attachment:
    """Give the file an id and keep it."""
    guessed = mimetypes.guess_type(upload.filename)[0] or "application/octet-stream"
    size = measure_picture(upload.content)
    attachment = Attachment(
        id=world.snowflakes.next(),
        channel_id=channel_id,
        filename=upload.filename,
        content=upload.content,
        content_type=upload.content_type or guessed,
        width=size[0] if size else None,
        height=size[1] if size else None,
        is_ephemeral=is_ephemeral,
    )
    world.attachments[attachment.id] = attachment
    return attachment


def measure_picture(content: bytes) -> tuple[int, int] | None:
    """Return width and height from a PNG, GIF or JPEG header."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    if content[:6] in (b"GIF87a", b"GIF89a") and len(content) >= 10:
        width, height = struct.unpack("<HH", content[6:10])
        return width, height
    return _measure_jpeg(content) if content.startswith(b"\xff\xd8") else None


def _measure_jpeg(content: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None


class Cdn:
    """Makes signed addresses for attachments, and accepts these addresses until they expire."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(16)
        self.base_url = ""

    def url(self, attachment: Attachment) -> str:
        kind = "ephemeral-attachments" if attachment.is_ephemeral else "attachments"
        name = quote(attachment.filename, errors="replace")
        path = f"/{kind}/{attachment.channel_id}/{attachment.id}/{name}"
        issued = int(self._clock.time())
        expires = issued + URL_LIFE_SECONDS
        signature = self._sign(attachment.id, f"{expires:x}")
        return f"{self.base_url}{path}?ex={expires:x}&is={issued:x}&hm={signature}&"

    def accepts(self, attachment_id: int, query: Mapping[str, str]) -> bool:
        expires = query.get("ex", "")
        signature = query.get("hm", "").encode(errors="replace")
        if not hmac.compare_digest(signature, self._sign(attachment_id, expires).encode()):
            return False
        return int(expires, 16) > self._clock.time()

    def _sign(self, attachment_id: int, expires: str) -> str:
        text = f"{attachment_id}:{expires}".encode(errors="replace")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()
