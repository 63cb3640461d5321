"""Render every subject and prop in every style to one bank: python -m training.sprites"""

from __future__ import annotations

import argparse
import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.config import add_common_arguments
from training.scenes import SCENES
from training.sources import FLUENT_3D, NAMING, STYLE_SOURCES
from training.vocabulary import SUBJECT_NAMES

SPRITE_PIXELS = 128
_ALPHA_SEEN = 8  # of 255; fainter pixels do not count as part of the picture


def prop_names() -> tuple[str, ...]:
    names = (name for scene in SCENES for prop in scene.props for name in prop.names)
    return tuple(dict.fromkeys(names))


def fit(picture: Image.Image, size: int = SPRITE_PIXELS) -> np.ndarray:
    """Trim, scale to `size` and place at the bottom centre. Alpha stays straight, because
    premultiplying before a resize would leave bright edges."""
    seen = picture.getchannel("A").point(lambda alpha: 255 if alpha > _ALPHA_SEEN else 0)
    picture = picture.crop(seen.getbbox())
    ratio = size / max(picture.size)
    width, height = (max(1, round(side * ratio)) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    canvas = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    canvas.paste(picture, ((size - width) // 2, size - height))
    return np.asarray(canvas)


@cache
def _icon_set(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "icons.json").read_text(encoding="utf-8"))


def render_icon(folder: Path, name: str) -> np.ndarray | None:
    import resvg_py  # noqa: PLC0415 - only this stage needs it

    icons = _icon_set(folder)
    alias = icons.get("aliases", {}).get(name, {}).get("parent", "")
    icon = icons["icons"].get(name) or icons["icons"].get(alias)
    if icon is None:
        return None
    width = icon.get("width", icons.get("width", 16))
    height = icon.get("height", icons.get("height", 16))
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="256" height="256" viewBox="{icon.get("left", 0)} {icon.get("top", 0)} '
        f'{width} {height}">{icon["body"]}</svg>'
    )
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=256, height=256))
    return fit(Image.open(io.BytesIO(png)).convert("RGBA"))


def _code_points(sources: Path) -> dict[str, list[str]]:
    """Find each emoji's file stems in the 3D package, which has only code points."""
    stems: dict[str, list[str]] = {}
    for source in NAMING:
        table = json.loads((sources / source.folder / "chars.json").read_text(encoding="utf-8"))
        for code, name in table.items():
            variants = (code, f"{code}-fe0f", code.replace("-fe0f", ""))
            stems.setdefault(name, []).extend(variants)
    return stems


def render_3d(sources: Path, stems: list[str]) -> np.ndarray | None:
    for stem in stems:
        path = sources / FLUENT_3D.folder / "assets" / f"{stem}.webp"
        if path.is_file():
            with Image.open(path) as picture:
                return fit(picture.convert("RGBA"))
    return None


def render_bank(sources: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return sprites by "name|style", and the names that no source has.

    A sprite is uint8 (128, 128, 4) with straight alpha.
    """
    stems = _code_points(sources)
    bank, missing = {}, []
    for name in dict.fromkeys((*SUBJECT_NAMES, *prop_names())):
        for style, source in STYLE_SOURCES.items():
            if style == "3d":
                sprite = render_3d(sources, stems.get(name, []))
            else:
                sprite = render_icon(sources / source.folder, name)
            if sprite is None:
                missing.append(f"{name}|{style}")
            else:
                bank[f"{name}|{style}"] = sprite
    return bank, missing


def write_bank(path: Path, bank: dict[str, np.ndarray]) -> None:
    scratch = path.with_suffix(".part.npz")
    np.savez_compressed(scratch, names=np.array(list(bank)), pixels=np.stack(list(bank.values())))
    scratch.replace(path)


def read_bank(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as stored:
        return dict(zip(stored["names"].tolist(), stored["pixels"], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    work: Path = parser.parse_args().work
    bank, missing = render_bank(work / "sources")
    write_bank(work / "sprites.npz", bank)
    tiles = [Image.fromarray(bank[key]).resize((48, 48)) for key in bank if key.endswith("|3d")]
    sheet = Image.new("RGB", (16 * 48, -(-len(tiles) // 16) * 48), (200, 210, 220))
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % 16 * 48, number // 16 * 48), tile)
    sheet.save(work / "sprites.png")
    print(f"{len(bank)} sprites; missing: {', '.join(missing) or 'none'}")


if __name__ == "__main__":
    main()
