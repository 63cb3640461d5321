"""Converts members' pictures to 8 bits and sRGB, whatever colours their files use.

Worker processes import this module, so it must be light.
"""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageCms, ImageFile

from bot.errors import UserError
from bot.texts.codes import Code
from bot.texts.reasons import because

_SMOOTH_MODES = {
    **{mode: mode for mode in ("L", "LA", "RGB", "RGBA", "CMYK")},
    "1": "L",
    "P": "RGBA",
    "RGBa": "RGBA",
}
"""The mode that each mode is converted to before resizing: 8 bits a channel, no palette."""

_KEY_FACTORS = {"1": 255, "L;2": 85, "L;4": 17}
_WITH_ALPHA = {"LA": "L", "RGBA": "RGB"}
_PROFILE_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
_SCREEN_GAMMA = 2.2


def even_out(picture: Image.Image) -> Image.Image:
    """Convert a picture to L, LA, RGB, RGBA or CMYK. Raises UserError for any other mode."""
    if picture.mode.startswith("I;16"):
        return _reduce_depth(picture)
    mode = _SMOOTH_MODES.get(picture.mode)
    if mode is None:
        raise UserError(because(Code.UPLOAD_OF_OTHER_COLOURS, mode=picture.mode))
    key = picture.info.get("transparency")
    if key is not None and picture.mode != "P":
        mode = {"L": "LA", "RGB": "RGBA"}.get(mode, mode)
    return picture if mode == picture.mode else picture.convert(mode)


def fit_key(picture: ImageFile.ImageFile) -> None:
    """Scale a PNG's transparent colour to the bit depth to which Pillow converts the pixels."""
    key, raw = picture.info.get("transparency"), picture.tile[0][3]
    if isinstance(key, int):
        picture.info["transparency"] = key * _KEY_FACTORS.get(str(raw), 1)
    elif isinstance(key, tuple) and raw == "RGB;16B":
        picture.info["transparency"] = tuple(each >> 8 for each in key)


def _reduce_depth(picture: Image.Image) -> Image.Image:
    """Reduce 16-bit grey to 8 bits, rounded; Pillow's own conversion cuts off at 255."""
    exponent = _find_exponent(picture)
    key = picture.info.pop("transparency", None)
    picture.info.pop("gamma", None)
    wide = picture.convert("I")
    grey = wide.point([round((v / 65535) ** exponent * 255) for v in range(65536)], "L")
    if key is not None:
        opaque = wide.point([0 if v == key else 255 for v in range(65536)], "L")
        grey.putalpha(opaque)
    return grey


def map_to_srgb(picture: Image.Image) -> Image.Image:
    """Convert a picture to sRGB by its colour profile or, if a PNG has none, by its gamma.

    A picture with a broken profile is returned unchanged.
    """
    profile = picture.info.get("icc_profile")
    if profile:
        try:
            return _apply_profile(picture, profile)
        except (OSError, ImageCms.PyCMSError):
            return picture
    return _apply_gamma(picture, _find_exponent(picture))


def _apply_profile(picture: Image.Image, profile: bytes) -> Image.Image:
    # The profile's header says which colours it describes.
    mode = _PROFILE_MODES.get(profile[16:20])
    base = _WITH_ALPHA.get(picture.mode, picture.mode)
    if mode != base and (mode, base) != ("RGB", "L"):
        return picture  # the profile does not fit this mode
    mapped = ImageCms.profileToProfile(
        picture.convert(mode), BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert mapped is not None
    if picture.mode in _WITH_ALPHA:
        mapped.putalpha(picture.getchannel("A"))
    return mapped


def _find_exponent(picture: Image.Image) -> float:
    """Find the exponent that turns the picture's values (0 to 1) into those of the screen."""
    gamma = picture.info.get("gamma") or 1 / _SCREEN_GAMMA
    if picture.info.get("icc_profile") or "srgb" in picture.info:
        return 1.0
    exponent = 1 / (gamma * _SCREEN_GAMMA)
    return 1.0 if abs(exponent - 1) < 0.02 else exponent  # 0.45455 stands for 1 / 2.2


def _apply_gamma(picture: Image.Image, exponent: float) -> Image.Image:
    if exponent == 1.0:
        return picture
    curve = [round((v / 255) ** exponent * 255) for v in range(256)]
    same = list(range(256))
    bands = picture.getbands()
    return picture.point([v for band in bands for v in (same if band == "A" else curve)])
