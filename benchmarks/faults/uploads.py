"""Hostile uploads: files that expand enormously, are cut off, disguised, oversized or mutated."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from io import BytesIO

from PIL import Image

from playground import Upload

_NAMES = ("a.png", "@everyone.png", "](x) `.jpg", "\u202egnp.exe", "a" * 200)
_MEBIBYTE = 2**20


def list_hostile_uploads(count: int, number: int) -> list[Upload]:
    """List ``count`` uploads: first each kind once, then mutations of good pictures."""
    chance = random.Random(number)
    good = [_encode(name) for name in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")]
    contents = [make() for make in _BOMBS] + good
    while len(contents) < count:
        contents.append(chance.choice(_MUTATIONS)(bytearray(chance.choice(good)), chance))
    kinds = ("image/png", "image/jpeg", "text/html", "application/zip", None)
    return [
        Upload(chance.choice(_NAMES), content, chance.choice(kinds)) for content in contents[:count]
    ]


def _encode(name: str, **options: object) -> bytes:
    buffer = BytesIO()
    Image.radial_gradient("L").convert("RGB").save(buffer, name, **options)
    return buffer.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def _claim_size(width: int, height: int) -> bytes:
    """Make a PNG that claims this size. If the size is huge, the file has no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = bytes((width + 7) // 8 + 1) * height if width * height < 10**8 else b""
    parts = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def _with_text_bomb() -> bytes:
    picture = _encode("PNG")
    bomb = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 * _MEBIBYTE)))
    return picture[:33] + bomb + picture[33:]


def _animate(name: str) -> bytes:
    more = [Image.new("RGB", (256, 256), colour) for colour in ("red", "blue")]
    return _encode(name, save_all=True, append_images=more)


_BOMBS: tuple[Callable[[], bytes], ...] = (
    lambda: b"",
    lambda: bytes(11 * _MEBIBYTE),
    lambda: _claim_size(8000, 8000),
    lambda: _claim_size(30_000, 30_000),
    lambda: _claim_size(2**31 - 1, 2**31 - 1),
    lambda: _claim_size(0, 0),
    lambda: _claim_size(1, 8192),
    _with_text_bomb,
    lambda: _encode("PNG") + bytes(9 * _MEBIBYTE),
    lambda: _animate("PNG"),
    lambda: _animate("WEBP"),
    lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><image href='http://127.0.0.1/'/></svg>",
    lambda: b"PK\x03\x04" + bytes(500),
    lambda: b"%PDF-1.7\n" + bytes(500),
    lambda: b"GIF89a" + b"\xff" * 500,
)


def _cut(content: bytearray, chance: random.Random) -> bytes:
    return bytes(content[: chance.randrange(len(content))])


def _flip(content: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 40)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def _flip_header(content: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 8)):
        content[chance.randrange(min(64, len(content)))] = chance.randrange(256)
    return bytes(content)


def _splice(content: bytearray, chance: random.Random) -> bytes:
    at = chance.randrange(len(content))
    return bytes(content[:at] + chance.randbytes(chance.randint(1, 2000)) + content[at:])


_MUTATIONS = (_cut, _flip, _flip_header, _splice)
