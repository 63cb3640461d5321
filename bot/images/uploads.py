"""Decodes members' pictures safely: turns them upright, flattens them, drops metadata.

Worker processes import this module, so it must be light.
"""

from __future__ import annotations

import struct
import warnings
from contextlib import suppress
from io import BytesIO

from PIL import AvifImagePlugin, Image, ImageChops, ImageOps, UnidentifiedImageError

from bot.errors import UserError
from bot.images.colours import even_out, fit_key, map_to_srgb
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because

MAX_UPLOAD_BYTES = 10 * 2**20
MAX_UPLOAD_SIDE_PIXELS = 16_384
MAX_DECODED_BYTES = 480 * 2**20
"""How much memory a picture may take. A worker process has 512 MiB in all."""

_BYTES_PER_PIXEL = {"JPEG": 4, "MPO": 4, "PNG": 10, "WEBP": 19, "AVIF": 14, "HEIF": 10}
"""The most memory that decoding takes, by format. A large JPEG is decoded at a fraction of its
size.
"""
_KEPT_SIDE_PIXELS = 2048
_REDUCING_GAP = 1.0  # with this gap, a 24-megapixel WebP takes 0.24 s of CPU; with 1.4, 0.63 s
_DAMAGED = (
    *(OSError, SyntaxError, ValueError, EOFError, ArithmeticError, RuntimeError),
    *(struct.error, TypeError, AttributeError, LookupError),  # Pillow raises these for broken EXIF
)
_FORMATS = ("PNG", "JPEG", "WEBP", "AVIF")
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_JPEGS = {"JPEG", "MPO"}  # Pillow opens an MPO file as a JPEG and then names the format MPO
_JPEG_END = b"\xff\xd9"
_JPEG_NOISE = b"\x55\xaa" * 32  # a decoder turns these bytes into pixels where data is missing
_JPEG_BLOCK_PIXELS = 16

AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # one thread, because each one takes memory in the worker


def check_size(num_bytes: int) -> None:
    """Raise UserError for a file that is too large to open."""
    if num_bytes > MAX_UPLOAD_BYTES:
        sizes = {"size": num_bytes / 2**20, "most": MAX_UPLOAD_BYTES // 2**20}
        raise UserError(because(Code.UPLOAD_TOO_LARGE, **sizes))


def decode_pixels(data: bytes) -> tuple[tuple[int, int], bytes]:
    """Return (width, height) and the RGB pixels of a member's picture. Raises UserError.

    Called in a worker process, because some files take minutes.
    """
    picture = decode_upload(data)
    return picture.size, picture.tobytes()


def decode_upload(data: bytes) -> Image.Image:
    """Decode to RGB in sRGB, upright, without transparency or metadata. Raises UserError.

    The size is read from the header, before any pixel is decoded.
    """
    check_size(len(data))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # otherwise members' broken files would fill the log
            picture = even_out(_load(data))
            kept = (_KEPT_SIDE_PIXELS, _KEPT_SIDE_PIXELS)
            picture.thumbnail(kept, Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)
            return _flatten(map_to_srgb(ImageOps.exif_transpose(picture)))
    except Image.DecompressionBombError:
        raise UserError(_explain_pixels("JPEG")) from None
    except _DAMAGED:
        # Pillow raises these for files that are cut off, inflated or not what they claim to be.
        raise UserError(because(Code.UPLOAD_DAMAGED)) from None


def _load(data: bytes) -> Image.Image:
    picture = _open(data)
    try:
        picture.load()
    except OSError:
        if picture.format not in _JPEGS:
            raise
        return _load_cut(data)
    return picture


def _load_cut(data: bytes) -> Image.Image:
    """Load a JPEG with a missing end, if only a strip of pixels is missing. Raises OSError.

    Decodes it twice with different bytes at the end: pixels that differ are missing.
    """
    data = data.removesuffix(_JPEG_END[:1])
    picture, other = _open(data + _JPEG_END), _open(data + _JPEG_NOISE + _JPEG_END)
    missing = ImageChops.difference(picture, other).getbbox()
    if missing and picture.height - missing[1] > max(_JPEG_BLOCK_PIXELS, picture.height // 32):
        raise OSError("more than a strip is missing")
    return picture


def _open(data: bytes) -> Image.Image:
    """Open a file without decoding it. Raises UserError if it is not accepted."""
    is_heif = data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS
    reads_heif = is_heif and _can_read_heif()
    try:
        formats = (*_FORMATS, "HEIF") if reads_heif else _FORMATS
        picture = Image.open(BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        if is_heif:
            raise UserError(
                because(Code.UPLOAD_DAMAGED if reads_heif else Code.UPLOAD_HEIC)
            ) from None
        raise UserError(_explain_kind(data)) from None
    _check_shape(picture)
    if picture.format == "PNG":
        fit_key(picture)
    elif picture.format in _JPEGS:
        scale = max(picture.size) // _KEPT_SIDE_PIXELS or 1
        picture.draft(None, (picture.width // scale or 1, picture.height // scale or 1))
    return picture


def _can_read_heif() -> bool:
    """Return whether the extra for HEIC is installed. If so, load its large decoder, so that only
    workers that need it do so."""
    try:
        import pi_heif  # noqa: PLC0415
    except ImportError:
        return False
    pi_heif.register_heif_opener(decode_threads=1, thumbnails=False)
    return True


def _check_shape(picture: Image.Image) -> None:
    kind = picture.format or ""
    width, height = picture.size
    num_bytes = width * height * _BYTES_PER_PIXEL[kind]
    if max(width, height) > MAX_UPLOAD_SIDE_PIXELS or num_bytes > MAX_DECODED_BYTES:
        raise UserError(_explain_pixels(kind))
    # An MPO file has a photo and more pictures after it, such as a thumbnail or a second view.
    if kind not in {"MPO", "HEIF"} and getattr(picture, "is_animated", False):
        raise UserError(because(Code.UPLOAD_MOVES))


def _explain_pixels(kind: str) -> Reason:
    millions = MAX_DECODED_BYTES // _BYTES_PER_PIXEL[kind] // 1_000_000
    return because(Code.UPLOAD_TOO_MANY_PIXELS, side=MAX_UPLOAD_SIDE_PIXELS, millions=millions)


def _explain_kind(data: bytes) -> Reason:
    """Name the kind of file by its first bytes; nothing is decoded."""
    Image.init()
    for kind, (_, accept) in Image.OPEN.items():
        with suppress(*_DAMAGED):
            if kind not in _FORMATS and accept is not None and accept(data[:16]) is True:
                return because(Code.UPLOAD_OF_OTHER_KIND, kind=kind)
    return because(Code.UPLOAD_NO_PICTURE)


def _flatten(picture: Image.Image) -> Image.Image:
    """Put a picture on a new white picture, so that no metadata of the file remains."""
    layer = picture.convert("RGBA")
    flat = Image.new("RGB", layer.size, (255, 255, 255))
    flat.paste(layer, mask=layer)
    return flat
