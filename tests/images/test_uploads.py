"""What members hand in: upright, flat, without metadata; bombs and fakes are a sentence."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bot.errors import UserError
from bot.images.uploads import MAX_UPLOAD_BYTES, decode_upload

ROOT = Path(__file__).resolve().parents[2]


def encode(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def compose_png(width: int, height: int, data: bytes = b"") -> bytes:
    """A header of this size, whatever follows."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", data or zlib.compress(b"\0" * 10_000_000))
        + chunk(b"IEND", b"")
    )


def compose_text_bomb() -> bytes:
    info = PngInfo()
    info.add_text("comment", "x" * 300_000_000, zip=True)
    return encode(Image.new("RGB", (8, 8)), pnginfo=info)


def compose_gif(*colours: int) -> bytes:
    first, *others = (Image.new("P", (8, 8), colour) for colour in colours)
    return encode(first, "GIF", save_all=True, append_images=others)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_picture_is_taken(kind: str):
    picture = decode_upload(encode(Image.new("RGB", (30, 20), (200, 10, 10)), kind))
    assert picture.mode == "RGB"
    assert picture.size == (30, 20)


def test_picture_stands_upright_and_nothing_of_its_metadata_is_kept():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise
    exif[0x010E] = "taken at home"
    turned = decode_upload(encode(Image.new("RGB", (30, 20)), "JPEG", exif=exif))
    assert turned.size == (20, 30)
    assert turned.info == {}
    assert b"home" not in encode(turned)
    assert not turned.getexif()


def test_transparency_becomes_white():
    assert decode_upload(encode(Image.new("RGBA", (8, 8), (0, 0, 0, 0)))).getpixel((0, 0)) == (
        255,
        255,
        255,
    )


def test_large_picture_is_kept_smaller():
    assert max(decode_upload(encode(Image.new("RGB", (4000, 100)))).size) == 2048


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"just text", "not a picture"),
        (b"", "not a picture"),
        (b"%PDF-1.7", "not a picture"),
        (compose_gif(1), "not a picture"),
        (compose_gif(1, 2), "not a picture"),
        (encode(Image.new("RGB", (500, 500)))[:200], "damaged"),
        (compose_png(40_000, 40_000), "too many pixels"),
        (compose_png(40_000, 1), "too many pixels"),
        (compose_png(6_000, 6_000), "too many pixels"),
        (compose_png(100, 100, b"no zlib at all"), "damaged"),
        (compose_text_bomb(), "damaged"),
        (b"\x89PNG\r\n\x1a\n", "not a picture"),
        (b"\0" * (MAX_UPLOAD_BYTES + 1), "MiB"),
    ],
)
def test_what_is_no_usable_picture_is_a_sentence(data: bytes, reason: str):
    with pytest.raises(UserError, match=reason) as raised:
        decode_upload(data)
    assert "Nothing was drawn or charged" in str(raised.value)


def test_moving_picture_is_refused():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for kind in ("PNG", "WEBP"):
        with pytest.raises(UserError, match="moves"):
            decode_upload(encode(frames[0], kind, save_all=True, append_images=frames[1:]))


def test_worker_processes_import_little_of_the_bot():
    code = (
        "import runpy, sys; runpy.run_path('bot/__main__.py', run_name='__mp_main__'); "
        "import bot.images.uploads; print(sorted({'typer', 'discord', 'torch', 'numpy', "
        "'bot.cli.main', 'bot.services'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
