"""However a file stores its colours, the start picture has the colours that a person sees."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageOps

from bot.errors import UserError
from bot.images.colours import even_out
from bot.images.uploads import decode_upload

DATA = Path(__file__).parent / "data"
TOLERANCE = 2
PATCH = 16  # pixels, the size of a JPEG's blocks
Colour = tuple[int, int, int]
COLOURS: list[Colour] = [(200, 30, 40), (30, 180, 60), (20, 60, 200), (240, 240, 240)]
GREYS = [0, 80, 171, 255]
WHITE = (255, 255, 255)
GREY_COLOURS: list[Colour] = [(v, v, v) for v in GREYS]
SWAPPED: list[Colour] = [(g, r, b) for r, g, b in COLOURS]
BRIGHT = [round((v / 255) ** (1 / 2.2) * 255) for v in GREYS]
BRIGHT_COLOURS: list[Colour] = [(v, v, v) for v in BRIGHT]
WIDE = [0, 100, 30_000, 65_535]


def paint(mode: str, values: list, **info: object) -> Image.Image:
    """Make one patch of each value, side by side."""
    picture = Image.new(mode, (PATCH * len(values), PATCH))
    for number, value in enumerate(values):
        picture.paste(value, (number * PATCH, 0, (number + 1) * PATCH, PATCH))
    picture.info.update(info)
    return picture


def encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write_png(depth: int, colour_type: int, pixels: list[tuple[int, ...]], *more: bytes) -> bytes:
    """Write a PNG of these patches in a form that Pillow cannot write. more: chunks before the
    data.
    """
    bits = "".join(f"{v:0{depth}b}" * 1 for pixel in pixels for _ in range(PATCH) for v in pixel)
    row = int(bits, 2).to_bytes(len(bits) // 8, "big")
    header = struct.pack(">IIBBBBB", PATCH * len(pixels), PATCH, depth, colour_type, 0, 0, 0)
    data = zlib.compress((b"\0" + row) * PATCH)
    chunks = [chunk(b"IHDR", header), *more, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def gamma(value: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


def key(*values: int) -> bytes:
    return chunk(b"tRNS", struct.pack(f">{len(values)}H", *values))


def swap_profile() -> bytes:
    """Make an sRGB profile in which red and green are exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"xXYZ").replace(b"gXYZ", b"rXYZ").replace(b"xXYZ", b"gXYZ")


def grey_profile() -> bytes:
    """Make a grey profile with linear light."""
    white = b"XYZ \0\0\0\0" + struct.pack(">iii", 0xF6D6, 0x10000, 0xD32D)
    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, 0x100)
    tags = struct.pack(">I4sII4sII", 2, b"wtpt", 156, 20, b"kTRC", 176, 16)
    size = 128 + len(tags) + len(white) + len(curve)
    header = struct.pack(">I4sI4s4s4s", size, b"\0" * 4, 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    header += b"\0" * 12 + b"acsp" + b"\0" * 28 + struct.pack(">iii", 0xF6D6, 0x10000, 0xD32D)
    return header.ljust(128, b"\0") + tags + white + curve


def over_white(colours: list[Colour], alphas: list[int]) -> list[Colour]:
    return [
        tuple(round((v * alpha + 255 * (255 - alpha)) / 255) for v in colour)
        for colour, alpha in zip(colours, alphas, strict=True)
    ]


def with_alpha(colours: list, alphas: list[int]) -> list:
    return [
        (*(c if isinstance(c, tuple) else (c,)), a) for c, a in zip(colours, alphas, strict=True)
    ]


def write_ycck() -> bytes:
    """Write Adobe's form of CMYK, as brightness and colour. Pillow can write only plain CMYK."""
    inks = paint("RGB", [ink[:3] for ink in INKS]).convert("YCbCr")
    black = paint("L", [255 - ink[3] for ink in INKS])
    stored = Image.merge("CMYK", [ImageOps.invert(band) for band in (*inks.split(), black)])
    data = bytearray(encode(stored, "JPEG", **BEST))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


ALPHAS = [255, 128, 60, 0]
INKS = [(0, 200, 180, 30), (220, 0, 190, 0), (240, 200, 0, 10), (0, 0, 0, 100)]
INK_COLOURS: list[Colour] = [
    tuple(round((255 - ink) * (255 - black) / 255) for ink in inks) for *inks, black in INKS
]
BEST = {"quality": 100, "subsampling": 0}
AVIF = {"quality": 100, "subsampling": "4:4:4"}
RGB, GREY = paint("RGB", COLOURS), paint("L", GREYS)
RGBA = paint("RGBA", with_alpha(COLOURS, ALPHAS))
PALETTE = paint("P", [0, 1, 2, 3])
PALETTE.putpalette([v for colour in COLOURS for v in colour])
SWAP, LINEAR = {"icc_profile": swap_profile()}, {"icc_profile": grey_profile()}
CLEAR: list[Colour] = over_white(COLOURS, ALPHAS)
CLEAR_GREYS = over_white(GREY_COLOURS, ALPHAS)
WIDE_COLOURS: list[Colour] = [(round(v / 257),) * 3 for v in WIDE]
DEEP = [tuple((v << 8) + 7 for v in colour) for colour in COLOURS]
LAST_CLEAR = [*COLOURS[:2], WHITE, COLOURS[3]]

CASES: dict[str, tuple[bytes, list[Colour]]] = {
    "PNG 1": (encode(paint("1", [0, 255, 0, 255]), "PNG"), [(0, 0, 0), WHITE] * 2),
    "PNG 1, black is clear": (
        write_png(1, 0, [(0,), (1,)], key(0)),
        [WHITE, WHITE],
    ),
    "PNG 1, white is clear": (write_png(1, 0, [(0,), (1,)], key(1)), [(0, 0, 0), WHITE]),
    "PNG L of 2 bits": (
        write_png(2, 0, [(0,), (1,), (2,), (3,)]),
        [(v, v, v) for v in (0, 85, 170, 255)],
    ),
    "PNG L of 2 bits with a clear one": (
        write_png(2, 0, [(0,), (1,), (2,), (3,)], key(2)),
        [(v, v, v) for v in (0, 85, 255, 255)],
    ),
    "PNG L of 4 bits with a clear one": (
        write_png(4, 0, [(0,), (3,), (9,), (15,)], key(3)),
        [(v, v, v) for v in (0, 255, 153, 255)],
    ),
    "PNG L": (encode(GREY, "PNG"), GREY_COLOURS),
    "PNG L with a clear one": (
        encode(GREY, "PNG", transparency=80),
        [GREY_COLOURS[0], WHITE, *GREY_COLOURS[2:]],
    ),
    "PNG LA": (encode(paint("LA", with_alpha(GREYS, ALPHAS)), "PNG"), CLEAR_GREYS),
    "PNG P": (encode(PALETTE, "PNG"), COLOURS),
    "PNG P of 2 bits": (encode(PALETTE, "PNG", bits=2), COLOURS),
    "PNG P with a clear one": (encode(PALETTE, "PNG", transparency=2), LAST_CLEAR),
    "PNG P half clear": (encode(PALETTE, "PNG", transparency=bytes(ALPHAS)), CLEAR),
    "PNG P with a profile": (encode(PALETTE, "PNG", **SWAP), SWAPPED),
    "PNG RGB": (encode(RGB, "PNG"), COLOURS),
    "PNG RGB with a clear one": (encode(RGB, "PNG", transparency=COLOURS[2]), LAST_CLEAR),
    "PNG RGBA": (encode(RGBA, "PNG"), CLEAR),
    "PNG L of 16 bits": (write_png(16, 0, [(v,) for v in WIDE]), WIDE_COLOURS),
    "PNG L of 16 bits with a clear one": (
        write_png(16, 0, [(v,) for v in WIDE], key(WIDE[2])),
        [*WIDE_COLOURS[:2], WHITE, WIDE_COLOURS[3]],
    ),
    "PNG L of 16 bits in linear light": (
        write_png(16, 0, [(v,) for v in WIDE], gamma(1)),
        [(round((v / 65_535) ** (1 / 2.2) * 255),) * 3 for v in WIDE],
    ),
    "PNG LA of 16 bits": (
        write_png(16, 4, [(v * 257, a * 257) for v, a in zip(GREYS, ALPHAS, strict=True)]),
        CLEAR_GREYS,
    ),
    "PNG RGB of 16 bits": (write_png(16, 2, DEEP), COLOURS),
    "PNG RGB of 16 bits with a clear one": (write_png(16, 2, DEEP, key(*DEEP[2])), LAST_CLEAR),
    "PNG RGBA of 16 bits": (
        write_png(16, 6, [(*c, a * 257) for c, a in zip(DEEP, ALPHAS, strict=True)]),
        CLEAR,
    ),
    "PNG in linear light": (write_png(8, 0, [(v,) for v in GREYS], gamma(1)), BRIGHT_COLOURS),
    "PNG in linear light, half clear": (
        write_png(8, 4, with_alpha(GREYS, ALPHAS), gamma(1)),
        over_white(BRIGHT_COLOURS, ALPHAS),
    ),
    "PNG of a screen's gamma": (write_png(8, 2, COLOURS, gamma(0.45455)), COLOURS),
    "PNG of gamma 0": (write_png(8, 2, COLOURS, gamma(0)), COLOURS),
    "PNG in sRGB, whatever its gamma": (
        write_png(8, 2, COLOURS, chunk(b"sRGB", b"\0"), gamma(1)),
        COLOURS,
    ),
    "PNG with a profile, whatever its gamma": (
        write_png(
            8, 2, COLOURS, chunk(b"iCCP", b"x\0\0" + zlib.compress(swap_profile())), gamma(1)
        ),
        SWAPPED,
    ),
    "PNG RGBA with a profile": (encode(RGBA, "PNG", **SWAP), over_white(SWAPPED, ALPHAS)),
    "PNG L with a profile for colours": (encode(GREY, "PNG", **SWAP), GREY_COLOURS),
    "PNG L with a profile": (
        encode(GREY, "PNG", **LINEAR),
        [(v, v, v) for v in (0, 151, 213, 255)],  # by the curve of sRGB
    ),
    "PNG RGB with a profile for greys": (encode(RGB, "PNG", **LINEAR), COLOURS),
    "PNG with a broken profile": (encode(RGB, "PNG", icc_profile=b"nonsense" * 30), COLOURS),
    "JPEG L": (encode(GREY, "JPEG", **BEST), GREY_COLOURS),
    "JPEG RGB": (encode(RGB, "JPEG", **BEST), COLOURS),
    "JPEG RGB, not as brightness and colour": (
        encode(RGB, "JPEG", keep_rgb=True, **BEST),
        COLOURS,
    ),
    "JPEG RGB, progressive": (encode(RGB, "JPEG", progressive=True, **BEST), COLOURS),
    "JPEG CMYK": (encode(paint("CMYK", INKS), "JPEG", **BEST), INK_COLOURS),
    "JPEG CMYK with a profile for screens": (
        encode(paint("CMYK", INKS), "JPEG", **BEST, **SWAP),
        INK_COLOURS,
    ),
    "JPEG YCCK": (write_ycck(), INK_COLOURS),
    "JPEG with a profile": (encode(RGB, "JPEG", **BEST, **SWAP), SWAPPED),
    "MPO": (encode(RGB, "MPO", save_all=True, append_images=[GREY], **BEST), COLOURS),
    "WEBP RGB": (encode(RGB, "WEBP", lossless=True), COLOURS),
    "WEBP RGBA": (encode(RGBA, "WEBP", lossless=True, exact=True), CLEAR),
    "WEBP with a profile": (encode(RGB, "WEBP", lossless=True, **SWAP), SWAPPED),
    "AVIF RGB": (encode(RGB, "AVIF", **AVIF), COLOURS),
    "AVIF RGBA": (encode(RGBA, "AVIF", **AVIF), CLEAR),
    "AVIF with a profile": (encode(RGB, "AVIF", **AVIF, **SWAP), SWAPPED),
    "HEIC RGB": ((DATA / "patches.heic").read_bytes(), COLOURS),
    "HEIC RGBA": ((DATA / "clear.heic").read_bytes(), [COLOURS[0]] * 2 + [WHITE] * 2),
}


@pytest.mark.parametrize("name", CASES)
def test_colours_come_out_as_a_person_sees_them(name: str):
    if name.startswith("HEIC"):
        pytest.importorskip("pi_heif", reason="the extra heic is not installed")
    data, expected = CASES[name]
    picture = decode_upload(data)
    assert picture.mode == "RGB"
    assert picture.width == PATCH * len(expected)
    for number, colour in enumerate(expected):
        for offset in (1, PATCH // 2, PATCH - 2):
            found = picture.getpixel((number * PATCH + offset, PATCH // 2))
            assert isinstance(found, tuple)
            off = max(abs(a - b) for a, b in zip(found, colour, strict=True))
            assert off <= TOLERANCE, f"patch {number}: {found}, not {colour}"


@pytest.mark.parametrize("mode", ["I", "F", "LAB", "HSV", "YCbCr", "PA"])
def test_other_colours_are_refused_by_name(mode: str):
    with pytest.raises(UserError, match=rf"\({mode}\).*Nothing was drawn or charged"):
        even_out(Image.new(mode, (2, 2)))


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("TIFF", mode) for mode in ("F", "I", "I;16", "CMYK", "LAB", "RGB")),
        *(("GIF", mode) for mode in ("P", "L")),
        *((kind, "RGB") for kind in ("BMP", "PPM", "JPEG2000", "ICO", "PCX", "SGI", "DDS", "QOI")),
    ],
)
def test_other_kinds_of_files_are_refused_by_name(kind: str, mode: str):
    data = encode(Image.new(mode, (32, 32)), kind)
    with pytest.raises(UserError, match=rf"\({kind}\) is not a picture that Triptych can read"):
        decode_upload(data)


ORIENTATIONS = {
    1: [0, 1, 2, 3],
    2: [1, 0, 3, 2],
    3: [3, 2, 1, 0],
    4: [2, 3, 0, 1],
    5: [0, 2, 1, 3],
    6: [2, 0, 3, 1],
    7: [3, 1, 2, 0],
    8: [1, 3, 0, 2],
}
"""For each orientation, which corners of the file people see above left, above right, below left
and below right.
"""


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "MPO"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_picture_stands_upright_in_every_format(kind: str, orientation: int):
    stored = Image.new("RGB", (64, 32))
    for number, colour in enumerate(COLOURS):
        stored.paste(colour, (number % 2 * 32, number // 2 * 16, 64, 32))
    exif = Image.Exif()
    exif[0x0112] = orientation
    best = {"JPEG": BEST, "MPO": BEST, "AVIF": AVIF, "WEBP": {"lossless": True}}.get(kind, {})
    picture = decode_upload(encode(stored, kind, exif=exif, **best))
    assert picture.size == ((64, 32) if orientation < 5 else (32, 64))
    right, below = picture.width - 4, picture.height - 4
    found = [picture.getpixel(place) for place in ((4, 4), (right, 4), (4, below), (right, below))]
    nearest = [
        min(range(4), key=lambda n: sum(abs(a - b) for a, b in zip(COLOURS[n], each, strict=True)))
        for each in found
    ]
    assert nearest == ORIENTATIONS[orientation]


def test_heic_stands_upright_and_keeps_nothing_else():
    pytest.importorskip("pi_heif", reason="the extra heic is not installed")
    data = (DATA / "turned.heic").read_bytes()
    assert b"taken at home" in data
    picture = decode_upload(data)
    assert picture.size == (32, 64)
    assert picture.getpixel((8, 8))[0] > 150  # red has moved from the left to the top
    assert picture.info == {}
