"""Pictures that are as costly to open as possible."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

from PIL import Image

_NUM_SCANS = 4000
_NUM_CHUNKS = 600_000


def list_costly_pictures() -> list[tuple[str, bytes]]:
    """List the pictures with their names. The last one is ordinary."""
    return [
        ("scans", _with_scans()),
        ("chunks", _with_chunks()),
        ("layers", _with_large_pixels()),
        ("photo", _encode(Image.radial_gradient("L").convert("RGB"), "PNG")),
    ]


def _with_scans() -> bytes:
    """Make a progressive JPEG that repeats its last pass over all pixels thousands of times."""
    plain = Image.new("RGB", (4800, 4800), (40, 90, 120))
    data = _encode(plain, "JPEG", progressive=True, quality=30)
    start, end = data.rfind(b"\xff\xda"), data.rfind(b"\xff\xd9")
    return data[:end] + data[start:end] * _NUM_SCANS + data[end:]


def _with_chunks() -> bytes:
    """Make a PNG with hundreds of thousands of empty chunks before its pixels."""
    data = _encode(Image.new("RGB", (64, 64)), "PNG")
    kind = b"zzZz"
    empty = struct.pack(">I", 0) + kind + struct.pack(">I", zlib.crc32(kind))
    pixels = data.index(b"IDAT") - 4
    return data[:pixels] + empty * _NUM_CHUNKS + data[pixels:]


def _with_large_pixels() -> bytes:
    """Make a transparent picture of few bytes with as many pixels as the bot accepts."""
    return _encode(Image.new("RGBA", (4890, 4890), (1, 2, 3, 4)), "PNG")


def _encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
