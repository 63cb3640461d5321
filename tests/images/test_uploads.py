"""Members' pictures become upright, flat and free of metadata. Hostile files get a message."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bot.errors import UserError
from bot.images import uploads
from bot.images.uploads import MAX_UPLOAD_BYTES, decode_upload

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(__file__).parent / "data"


def encode(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def compose_png(width: int, height: int, data: bytes = b"") -> bytes:
    """Make a PNG whose header has this size, without matching pixels."""

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
    info.add_text("comment", "x" * 100_000_000, zip=True)  # Pillow reads 64 MiB
    return encode(Image.new("RGB", (8, 8)), pnginfo=info)


def compose_gif(*colours: int) -> bytes:
    first, *others = (Image.new("P", (8, 8), colour) for colour in colours)
    return encode(first, "GIF", save_all=True, append_images=others)


def set_size(jpeg: bytes, width: int, height: int) -> bytes:
    """Return the same file with another size in its header."""
    start = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:start] + struct.pack(">HH", height, width) + jpeg[start + 4 :]


def compose_webp(width: int, height: int) -> bytes:
    """Make a lossless WebP whose header has this size, without matching pixels."""
    bits = (width - 1) | (height - 1) << 14
    body = b"VP8L" + struct.pack("<IBI", 30, 0x2F, bits) + bytes(25)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def compose_heif(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + bytes(4) + b"mif1" + brand + bytes(64)


PHOTO = encode(Image.effect_noise((120, 90), 60).convert("RGB"), "JPEG", quality=90)
PROGRESSIVE = encode(
    Image.effect_noise((120, 90), 60).convert("RGB"), "JPEG", quality=90, progressive=True
)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_picture_is_taken(kind: str):
    picture = decode_upload(encode(Image.new("RGB", (30, 20), (200, 10, 10)), kind))
    assert picture.mode == "RGB"
    assert picture.size == (30, 20)


def test_picture_stands_upright_and_nothing_of_its_metadata_is_kept():
    exif = Image.Exif()
    exif[0x0112] = 6  # readers have to turn it by 90° clockwise
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


UNUSABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "text": (lambda: b"just text", "not a picture"),
    "nothing": (lambda: b"", "not a picture"),
    "PDF": (lambda: b"%PDF-1.7", "not a picture"),
    "GIF": (lambda: compose_gif(1), "not a picture"),
    "moving GIF": (lambda: compose_gif(1, 2), "not a picture"),
    "cut": (lambda: encode(Image.new("RGB", (500, 500)))[:200], "damaged"),
    "too large": (lambda: compose_png(40_000, 40_000), "too many pixels"),
    "too wide": (lambda: compose_png(40_000, 1), "too many pixels"),
    "large PNG": (
        lambda: compose_png(12_000, 12_000),
        "limit for such a file is 16,384 on a side and 50 million",
    ),
    "large WebP": (lambda: compose_webp(6_000, 6_000), "26 million"),
    "large JPEG": (lambda: set_size(PHOTO, 16_000, 16_000), "125 million"),
    "AVIF of zeros": (lambda: compose_heif(b"avif"), "not a picture"),
    "no zlib": (lambda: compose_png(100, 100, b"no zlib at all"), "damaged"),
    "text bomb": (compose_text_bomb, "damaged"),
    "only a signature": (lambda: b"\x89PNG\r\n\x1a\n", "not a picture"),
    "too heavy": (lambda: b"\0" * (MAX_UPLOAD_BYTES + 1), "MiB"),
}


@pytest.mark.parametrize(("compose", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_no_usable_picture_is_a_sentence(compose: Callable[[], bytes], reason: str):
    with pytest.raises(UserError, match=reason) as raised:
        decode_upload(compose())
    assert "Nothing was drawn or charged" in str(raised.value)


def test_moving_picture_is_refused():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for kind in ("PNG", "WEBP", "AVIF"):
        with pytest.raises(UserError, match="Animated pictures"):
            decode_upload(encode(frames[0], kind, save_all=True, append_images=frames[1:]))


@pytest.mark.parametrize("photo", [PHOTO, PROGRESSIVE], ids=["", "progressive"])
@pytest.mark.parametrize("missing", [1, 2])
def test_jpeg_without_its_end_has_all_its_pixels(photo: bytes, missing: int):
    assert decode_upload(photo[:-missing]).tobytes() == decode_upload(photo).tobytes()


@pytest.mark.parametrize("photo", [PHOTO, PROGRESSIVE], ids=["", "progressive"])
@pytest.mark.parametrize("missing", [3, 10, 30])
def test_jpeg_without_its_last_pixels_is_taken(photo: bytes, missing: int):
    cut, whole = decode_upload(photo[:-missing]), decode_upload(photo)
    above = (0, 0, 120, 80)
    assert cut.crop(above).tobytes() == whole.crop(above).tobytes()


@pytest.mark.parametrize("photo", [PHOTO, PROGRESSIVE], ids=["", "progressive"])
def test_jpeg_without_half_of_its_pixels_is_damaged(photo: bytes):
    scans = [*(each.start() for each in re.finditer(b"\xff\xda", photo)), len(photo)]
    for start, end in ((scans[0], scans[1]), (scans[-2], scans[-1])):
        with pytest.raises(UserError, match="damaged"):
            decode_upload(photo[: (start + end) // 2])


def compose_mpo() -> bytes:
    """Make an MPO file as phones write it: a photo, and another picture after it."""
    photo = Image.open(BytesIO(PHOTO))
    return encode(photo, "MPO", save_all=True, append_images=[Image.new("RGB", (80, 60), "red")])


def test_first_picture_of_a_phones_file_is_taken_whole_or_cut():
    data = compose_mpo()
    behind = data.rfind(b"\xff\xd8\xff")
    with Image.open(BytesIO(data)) as opened:
        assert (opened.format, opened.n_frames) == ("MPO", 2)
        expected = opened.convert("RGB").tobytes()
    for cut in (data, data[: behind + 40], data[:behind], data[: behind - 2]):
        assert decode_upload(cut).tobytes() == expected


def test_photo_of_todays_phones_is_decoded_smaller_than_it_is(monkeypatch: pytest.MonkeyPatch):
    sizes = []
    even_out = uploads.even_out
    monkeypatch.setattr(uploads, "even_out", lambda p: sizes.append(p.size) or even_out(p))
    data = encode(Image.new("RGB", (5712, 4284), "olive"), "JPEG")
    assert decode_upload(data).size == (2048, 1536)
    assert sizes == [(2856, 2142)]


def test_heic_without_its_reader_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)  # as if the reader were not installed
    for brand in (b"heic", b"heix", b"mif1"):
        with pytest.raises(UserError, match=r"HEIC.*Nothing was drawn or charged.*as a JPEG"):
            decode_upload(compose_heif(brand))


def test_broken_heic_is_damaged():
    pytest.importorskip("pi_heif", reason="the extra heic is not installed")
    whole = (DATA / "patches.heic").read_bytes()
    for data in (compose_heif(b"heic"), whole[:-50], whole[:200]):
        with pytest.raises(UserError, match="damaged"):
            decode_upload(data)


def print_elsewhere(code: str) -> str:
    """Run the code in a separate process, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_reader_of_heic_is_not_loaded_for_anything_else():
    code = (
        "import sys; from tests.images.test_uploads import PHOTO; "
        "from bot.images.uploads import decode_upload; decode_upload(PHOTO); "
        "print('pi_heif' in sys.modules)"
    )
    assert print_elsewhere(code) == "False"


def test_worker_processes_import_little_of_the_bot():
    code = (
        "import runpy, sys; runpy.run_path('bot/__main__.py', run_name='__mp_main__'); "
        "import bot.images.uploads; print(sorted({'typer', 'discord', 'torch', 'numpy', "
        "'bot.cli.main', 'bot.services'} & set(sys.modules)))"
    )
    assert print_elsewhere(code) == "[]"
