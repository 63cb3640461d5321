"""Draw the ten prompts of docs/settings.md with their seeds: python -m training.showcase"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from training.config import STARTER_MODEL

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "starter-model.png"
PROMPTS = (  # with the seed of the first of the three pictures
    ("dog sitting in a field of autumn leaves", 21),
    ("a photograph of an horse on moon", 11),
    ("a penguin on the beach", 1),
    ("red car in the city", 1),
    ("a castle in the mountains", 1),
    ("owl at night", 1),
    ("a robot in a meadow", 1),
    ("an elephant in the snow", 1),
    ("rocket in space", 1),
    ("a teddy bear in a room", 1),
)
COLUMNS, WIDTH, GAP, CAPTION, FONT = 2, 584, 12, 34, 15  # pixels


def draw(prompt: str, seed: int, model: Path) -> Image.Image:
    """Draw in a new data folder, so that earlier drawings do not count towards a limit."""
    command = [sys.executable, "-m", "bot", "imagine", prompt, "--seed", str(seed), "--json"]
    command += ["--model", str(model.resolve())]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DEVICE": "cpu"}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
        with Image.open(json.loads(done.stdout)["grid"]) as grid:
            return grid.convert("RGB").resize((WIDTH, round(WIDTH * grid.height / grid.width)))


def sheet(grids: list[Image.Image]) -> Image.Image:
    height = grids[0].height + CAPTION
    rows = -(-len(grids) // COLUMNS)
    size = (COLUMNS * (WIDTH + GAP) - GAP, rows * height)
    page = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(FONT)
    for number, (grid, (prompt, seed)) in enumerate(zip(grids, PROMPTS, strict=True)):
        left, top = number % COLUMNS * (WIDTH + GAP), number // COLUMNS * height
        page.paste(grid, (left, top))
        text = f"{prompt}  ·  --seed {seed}"
        pen.text((left + 2, top + grid.height + 4), text, "#222222", font)
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=STARTER_MODEL, help="a diffusers folder")
    parser.add_argument("--output", type=Path, default=PICTURE)
    arguments = parser.parse_args()
    sheet([draw(*row, arguments.model) for row in PROMPTS]).save(arguments.output)


if __name__ == "__main__":
    main()
