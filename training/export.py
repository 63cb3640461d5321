"""Put the trained parts into one diffusers folder: python -m training.export"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging

from training import models
from training.captions import list_vocabulary
from training.config import MAX_EXPORT_BYTES, Run, add_common_arguments, run_from
from training.sources import SOURCES
from training.tokenizer import save_tokenizer

LICENCES = Path(__file__).parent / "licences"
CARD = Path(__file__).parent / "MODEL_CARD.md"
DEFAULTS = {
    "name": "Triptych starter model",
    "num_inference_steps": 20,
    "guidance_scale": 3.0,
    "shows_enlarged": True,
    "licence": "MIT",
}
ATTRIBUTION = """# Attribution: what this model was trained on

| npm package | version | licence | author | used for |
|---|---|---|---|---|
{rows}

The sprites were scaled and set into procedural backdrops; captions come from this project's own
grammar. No photographs, and no weights but this project's own. The full licence texts lie in
`licences/`. MODEL_CARD.md says which styles were used in which part of the training.
"""


def attribution() -> str:
    rows = [
        f"| {s.package} | {s.version} | {s.licence} | {s.credit} | {s.used_for} |" for s in SOURCES
    ]
    return ATTRIBUTION.format(rows="\n".join(rows))


def assemble(run: Run) -> StableDiffusionPipeline:
    trained, text = run.work / "unet", run.work / "text"
    return StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(run.work / "autoencoder" / "vae"),
        unet=UNet2DConditionModel.from_pretrained(trained / "unet"),
        text_encoder=CLIPTextModel.from_pretrained(trained / "text_encoder"),
        tokenizer=CLIPTokenizer.from_pretrained(text / "tokenizer"),
        scheduler=models.build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def edit_config(path: Path, **values: str | None) -> None:
    """Set entries of a config file, or remove them with None.

    The text encoder is stored as float16 but declares float32. transformers 5 loads the dtype that
    is declared, and diffusers loads all other parts as float32 by default. The two must agree, or
    drawing fails ("Half and Float"). If a program passes a dtype, both use that one.
    """
    config = {**json.loads(path.read_text(encoding="utf-8")), **values}
    kept = {
        name: value for name, value in config.items() if name not in values or value is not None
    }
    path.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def export(run: Run, folder: Path) -> int:
    """Export the model to a folder beside the target, then rename it. Return its size in bytes."""
    scratch = folder.with_name(folder.name + ".part")
    shutil.rmtree(scratch, ignore_errors=True)
    pipeline = assemble(run)
    pipeline.to(torch.float16).save_pretrained(scratch, safe_serialization=True)
    edit_config(scratch / "text_encoder" / "config.json", dtype="float32")
    save_tokenizer(pipeline.tokenizer, scratch / "tokenizer")
    for path in scratch.glob("*/config.json"):
        edit_config(path, _name_or_path=None)  # a path on this machine
    (scratch / "triptych.json").write_text(json.dumps(DEFAULTS) + "\n", encoding="utf-8")
    vocabulary = {"model": DEFAULTS["name"], **list_vocabulary()}
    (scratch / "vocabulary.json").write_text(json.dumps(vocabulary) + "\n", encoding="utf-8")
    shutil.copy(run.work / "preview.json", scratch / "preview.json")
    (scratch / "ATTRIBUTION.md").write_text(attribution(), encoding="utf-8")
    if CARD.is_file():
        shutil.copy(CARD, scratch / "MODEL_CARD.md")
    shutil.copytree(LICENCES, scratch / "licences")
    for path in scratch.rglob("*.safetensors"):
        path.chmod(0o644)
    size = sum(path.stat().st_size for path in scratch.rglob("*") if path.is_file())
    if size > MAX_EXPORT_BYTES:
        raise SystemExit(f"{size / 1e6:.1f} MB, more than {MAX_EXPORT_BYTES / 1e6:.0f} MB")
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    parser.add_argument("--output", type=Path, help="default: export/ in the work folder")
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    run = run_from(arguments)
    folder = arguments.output or run.work / "export"
    print(f"{folder}: {export(run, folder) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
