"""Picture files that are small to send and take very long to open."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

from PIL import Image


def repeat_scan(times: int, side_pixels: int = 4800) -> bytes:
    """Make a progressive JPEG that repeats its last scan over all pixels this many times. With
    4,000 times it has 350 KiB, and opening it takes half a minute.
    """
    buffer = BytesIO()
    Image.new("RGB", (side_pixels, side_pixels), "olive").save(buffer, "JPEG", progressive=True)
    whole = buffer.getvalue()
    head, marker, body = whole.rpartition(b"\xff\xda")
    scan, end = marker + body[:-2], body[-2:]
    return head + scan * times + end


def pad_with_chunks(count: int) -> bytes:
    """Make a PNG with this many empty chunks of twelve bytes, which have no meaning."""
    buffer = BytesIO()
    Image.new("RGB", (32, 32), "olive").save(buffer, "PNG")
    whole = buffer.getvalue()
    empty = struct.pack(">I4sI", 0, b"teSt", zlib.crc32(b"teSt"))
    start = whole.index(b"IDAT") - 4
    return whole[:start] + empty * count + whole[start:]
