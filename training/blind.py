"""Blind naming: python -m training.blind sheet, then python -m training.blind score ANSWERS

A reader who sees only the numbered sheets writes one line per picture: "number; subject; scene".
For sheets made with `--looks`: "number; subject; scene; how many; colour of the subject; style".
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from transformers.utils import logging

from training.config import STARTER_MODEL, add_common_arguments, run_from
from training.draws import python_random
from training.evaluate import draw, load_pipeline
from training.prompts import NUMBERS, Prompt, evaluation_prompts, looks_prompts
from training.vocabulary import COLOUR_WORDS, SUBJECT_NAMES, SUBJECTS

TILE, COLUMNS, ROWS = 224, 6, 5
SCENE_WORDS = {  # any of these words in an answer means the scene
    "autumn": ("autumn", "fall", "leaves", "leaf"),
    "moon": ("moon", "lunar"),
    "beach": ("beach", "shore", "coast", "seaside"),
    "forest": ("forest", "wood", "trees"),
    "snow": ("snow", "winter"),
    "city": ("city", "street", "town", "building", "road", "skyline"),
    "city-night": ("city", "street", "town", "building", "road", "skyline"),
    "sea": ("underwater", "under water", "under the sea", "seabed", "ocean", "aquarium"),
    "desert": ("desert", "dune"),
    "meadow": ("meadow", "field", "grass", "hill", "pasture", "lawn"),
    "garden": ("garden", "flower"),
    "mountain": ("mountain", "peak", "alp"),
    "space": ("space", "planet", "galaxy", "nebula", "star"),
    "sunset": ("sunset", "dusk", "sunrise", "dawn"),
    "night": ("night", "moonlight"),
    "room": ("room", "indoor", "home", "floor", "house", "inside"),
}
ALSO_NIGHT = {"city-night": ("night", "dark", "evening")}  # and one of these
SUBJECT_WORDS = {  # in addition to the words in the vocabulary
    "dog": ("dog", "puppy"),
    "black-cat": ("black cat", "dark cat", "purple cat", "cat"),
    "ewe": ("sheep", "lamb", "ram"),
    "polar-bear": ("polar bear", "bear"),
    "panda": ("panda",),
    "t-rex": ("dinosaur", "t-rex", "rex", "dino"),
    "tropical-fish": ("fish",),
    "honeybee": ("bee", "wasp"),
    "rooster": ("rooster", "chicken", "hen", "cock"),
    "parrot": ("parrot", "macaw"),
    "automobile": ("car", "suv", "automobile", "jeep"),
    "locomotive": ("train", "locomotive", "steam engine"),
    "flying-saucer": ("ufo", "saucer", "spaceship"),
    "rocket": ("rocket",),
    "soccer-ball": ("ball", "football"),
    "deciduous-tree": ("tree",),
    "rose": ("rose",),
    "sunflower": ("sunflower",),
    "motorcycle": ("motorcycle", "motorbike", "scooter"),
    "fire-engine": ("fire truck", "fire engine", "firetruck"),
}


def tile(picture: torch.Tensor, number: int) -> Image.Image:
    pixels = (picture * 255).round().byte().permute(1, 2, 0).numpy()
    image = Image.new("RGB", (TILE, TILE + 18), "white")
    image.paste(Image.fromarray(pixels).resize((TILE - 4, TILE - 4), Image.Resampling.LANCZOS))
    ImageDraw.Draw(image).text((4, TILE), str(number), fill="black")
    return image


def write_sheets(prompts: list[Prompt], pictures: torch.Tensor, folder: Path) -> None:
    """Write sheet-1.png and so on, without the prompts, and key.json."""
    folder.mkdir(parents=True, exist_ok=True)
    per_sheet = COLUMNS * ROWS
    for start in range(0, len(prompts), per_sheet):
        sheet = Image.new("RGB", (COLUMNS * TILE, ROWS * (TILE + 18)), "white")
        for place, picture in enumerate(pictures[start : start + per_sheet]):
            corner = (place % COLUMNS * TILE, place // COLUMNS * (TILE + 18))
            sheet.paste(tile(picture, start + place + 1), corner)
        sheet.save(folder / f"sheet-{start // per_sheet + 1}.png")
    key = {str(number): asdict(prompt) for number, prompt in enumerate(prompts, 1)}
    (folder / "key.json").write_text(json.dumps(key, indent=1) + "\n", encoding="utf-8")


def names_subject(answer: str, subject: str) -> bool:
    words = SUBJECT_WORDS.get(subject) or SUBJECTS[SUBJECT_NAMES.index(subject)].words
    return any(word in answer.lower() for word in words)


def names_scene(answer: str, scene: str) -> bool:
    said = answer.lower()
    night = ALSO_NIGHT.get(scene)
    right = any(word in said for word in SCENE_WORDS[scene])
    return right and (night is None or any(word in said for word in night))


STYLE_ANSWERS = {
    "flat": ("flat", "2d", "illustration", "vector"),
    "pixel": ("pixel", "blocky", "8-bit", "8 bit", "mosaic"),
    "mono": ("black and white", "monochrome", "grey", "gray", "grayscale"),
}


def check(asked: dict[str, Any], said: list[str]) -> dict[str, bool]:
    """Check subject and scene, and number, colour and style if they were asked for."""
    subject, scene, count, colour, style = (word.lower() for word in (*said, *[""] * 5)[:5])
    right = {
        "subject": names_subject(subject, asked["subject"]),
        "scene": names_scene(scene, asked["scene"]),
    }
    if (number := asked.get("count", 1)) > 1:
        right["count"] = str(number) in count or NUMBERS[number] in count
    if wanted := asked.get("colour"):
        right["colour"] = any(word in colour for word in COLOUR_WORDS.get(wanted, (wanted,)))
    if wanted := asked.get("style"):
        right["style"] = any(word in style for word in STYLE_ANSWERS[wanted])
    return right


def _shares(rows: list[dict[str, bool]]) -> dict[str, float]:
    shares: dict[str, float] = {"pictures": len(rows)}
    for name in ("subject", "scene", "count", "colour", "style"):
        asked = [row[name] for row in rows if name in row]
        if asked:
            shares[name] = round(sum(asked) / len(asked), 4)
    both = sum(row["subject"] and row["scene"] for row in rows)
    return {**shares, "both": round(both / max(1, len(rows)), 4)}


def score(answers: str, key: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Count correct answers. A picture without an answer counts as wrong."""
    lines = [[part.strip() for part in line.split(";")] for line in answers.splitlines()]
    said = {number: rest for number, *rest in lines if number.isdigit()}
    rows, wrong = [], []
    for number, asked in key.items():
        answer = said.get(number, [])
        right = check(asked, answer)
        rows.append((right, asked["held_out"]))
        if not all(right.values()):
            text = asked.get("text") or f"{asked['subject']} / {asked['scene']}"
            wrong.append(f"{number}: asked {text}, read {' / '.join(answer)}")
    groups = {"all": [row for row, _ in rows], "held_out": [row for row, held in rows if held]}
    return {**{name: _shares(group) for name, group in groups.items() if group}, "wrong": wrong}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    parser.add_argument("action", choices=("sheet", "score"))
    parser.add_argument("answers", type=Path, nargs="?")
    parser.add_argument("--model", type=Path, default=STARTER_MODEL)
    parser.add_argument("--looks", action="store_true", help="numbers, colours and styles")
    parser.add_argument("--folder", type=Path, help="default: blind/ or looks/ in the work folder")
    arguments = parser.parse_args()
    folder = arguments.folder or arguments.work / ("looks" if arguments.looks else "blind")
    if arguments.action == "score":
        if arguments.answers is None:
            parser.error("score needs the file of answers")
        key = json.loads((folder / "key.json").read_text(encoding="utf-8"))
        print(json.dumps(score(arguments.answers.read_text(encoding="utf-8"), key), indent=2))
        return
    logging.disable_progress_bar()
    run = run_from(arguments)
    prompts = looks_prompts() if arguments.looks else evaluation_prompts()
    python_random(run.seed, "blind order").shuffle(prompts)
    seeds = [run.seed + 1_000 + number for number in range(len(prompts))]
    pipeline = load_pipeline(arguments.model, run.device)
    write_sheets(prompts, draw(pipeline, [p.text for p in prompts], seeds), folder)
    print(f"{len(prompts)} pictures in {folder}")


if __name__ == "__main__":
    main()
