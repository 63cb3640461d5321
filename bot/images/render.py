"""Makes tiles, the 1×3 grid, previews, PNG and WebP, without writing files."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from PIL.PngImagePlugin import PngInfo

from bot.domain.pictures import PanelVerdict
from bot.domain.recipes import Recipe
from bot.texts.catalog import Text

if TYPE_CHECKING:
    from numpy.typing import NDArray


_GAP_PIXELS = 8
_MIN_TILE_PIXELS = 384
_BACKGROUND = (24, 25, 28)
_HIDDEN_TILE = (58, 60, 66)
_HIDDEN_TEXT = (214, 216, 220)
_PREVIEW_TILE_PIXELS = 192
_BLURRED_SIDE_PIXELS = 192
# The blur's radius, as a share of the shorter side.
# Three stripes across a picture then keep 1/20 of their contrast, and four stripes 1/50.
_BLUR = 1 / 6
PNG_LEVEL = 1  # takes a third of the default level's time; files become a tenth larger


def blur(path: Path) -> bytes | None:
    """Make a small PNG of a picture's colours, in which nobody can tell what it shows.

    None if the file is gone or damaged. A grid is blurred as much as each picture in it would be.
    """
    try:
        with Image.open(path) as picture:
            whole = picture.convert("RGB")
    except (OSError, SyntaxError):  # Pillow raises SyntaxError for a damaged PNG
        return None
    scale = _BLURRED_SIDE_PIXELS / min(whole.size)
    size = (max(round(whole.width * scale), 1), max(round(whole.height * scale), 1))
    small = whole.resize(size, Image.Resampling.BOX)
    smooth = small.filter(ImageFilter.GaussianBlur(_BLURRED_SIDE_PIXELS * _BLUR))
    buffer = BytesIO()
    smooth.save(buffer, "PNG", compress_level=PNG_LEVEL)
    return buffer.getvalue()


def compose_grid(tiles: Sequence[Image.Image]) -> Image.Image:
    """Put the tiles side by side; small ones are enlarged by a whole number."""
    if len(tiles) == 1:
        return tiles[0]
    width, height = tiles[0].size
    factor = -(-_MIN_TILE_PIXELS // width) if width < _MIN_TILE_PIXELS else 1
    size = (width * factor, height * factor)
    grid = Image.new(
        "RGB", (len(tiles) * size[0] + (len(tiles) - 1) * _GAP_PIXELS, size[1]), _BACKGROUND
    )
    for index, tile in enumerate(tiles):
        enlarged = tile.resize(size, Image.Resampling.LANCZOS) if factor > 1 else tile
        grid.paste(enlarged, (index * (size[0] + _GAP_PIXELS), 0))
    return grid


def encode_small(path: Path, max_side_pixels: int | None = None) -> BytesIO:
    """Convert a picture file to WebP without metadata."""
    with Image.open(path) as picture:
        small = picture.convert("RGB")
    if max_side_pixels is not None:
        small.thumbnail((max_side_pixels, max_side_pixels), Image.Resampling.LANCZOS)
    return _encode_webp(small)


def encode_preview(sketch: NDArray[np.uint8], verdicts: Sequence[PanelVerdict]) -> bytes:
    """Join small pictures, uint8 (N, h, w, 3) RGB, as one WebP; flagged ones are covered."""
    scale = max(round(_PREVIEW_TILE_PIXELS / sketch.shape[1]), 1)
    size = (sketch.shape[2] * scale, sketch.shape[1] * scale)
    strip = Image.new("RGB", (size[0] * len(sketch), size[1]), _HIDDEN_TILE)
    for index, (tile, verdict) in enumerate(zip(sketch, verdicts, strict=True)):
        if verdict.shown:
            enlarged = Image.fromarray(tile).resize(size, Image.Resampling.BICUBIC)
            strip.paste(enlarged, (index * size[0], 0))
    return _encode_webp(strip, quality=60).getvalue()


def _encode_webp(picture: Image.Image, quality: int = 80) -> BytesIO:
    buffer = BytesIO()
    picture.save(buffer, "WEBP", quality=quality, method=2)
    buffer.seek(0)
    return buffer


def compose_hidden_tile(size: tuple[int, int], why: Text) -> Image.Image:
    """Make a tile that replaces a hidden picture; size is (width, height)."""
    tile = Image.new("RGB", size, _HIDDEN_TILE)
    font = ImageFont.load_default(max(size[0] // 12, 8))
    said = why()
    ImageDraw.Draw(tile).multiline_text(
        (size[0] / 2, size[1] / 2),
        said if _can_draw(said) else why.english,
        fill=_HIDDEN_TEXT,
        font=font,
        anchor="mm",
        align="center",
    )
    return tile


def _can_draw(text: str) -> bool:
    """Return whether Pillow's own font can draw the text. It has little more than ASCII."""
    box = _draw_letter("\uffff")
    return all(char.isspace() or _draw_letter(char) != box for char in text)


def _draw_letter(char: str) -> bytes:
    letter = Image.new("L", (32, 32))
    ImageDraw.Draw(letter).text((0, 0), char, fill=255, font=ImageFont.load_default(24))
    return letter.tobytes()


def encode_png(picture: Image.Image, recipe: Recipe) -> bytes:
    """Make a PNG that carries its recipe as iTXt entries under diffusers' names."""
    info = PngInfo()
    size = f"{recipe.width}x{recipe.height}"
    entries = recipe.describe() | {"seed": ", ".join(map(str, recipe.seeds)), "size": size}
    del entries["seeds"]
    # the file does not contain the start picture, so other people cannot use its job number
    entries.pop("start", None)
    if recipe.start is not None and recipe.start.edited:
        entries["edited_from"] = "picture" if recipe.start.panel else "upload"
    for key, value in (entries | {"Software": "Triptych"}).items():
        info.add_itxt(key, str(value))
    buffer = BytesIO()
    picture.save(buffer, "PNG", pnginfo=info, compress_level=PNG_LEVEL)
    return buffer.getvalue()
