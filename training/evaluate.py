"""Draw the fixed prompts and let the judge say what it sees: python -m training.evaluate"""

from __future__ import annotations

import argparse
import json
import time
from logging import ERROR, getLogger
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from transformers.utils import logging

from training import judge as judging
from training import near_copies
from training.autoencoder import check_pictures
from training.config import STARTER_MODEL, Run, add_common_arguments, run_from
from training.pictures import psnr, write_grid
from training.prompts import Prompt, evaluation_prompts, looks_prompts

BATCH = 8
DIVERSE_PROMPTS = 8
LOOKS = ("subject", "count", "colour", "style")


def load_pipeline(folder: Path, device: torch.device) -> StableDiffusionPipeline:
    if not (folder / "model_index.json").is_file():
        raise SystemExit(f"{folder} is not a diffusers folder. Name one with --model.")
    # transformers would log at every start that two image processors work without torchvision.
    getLogger("transformers.utils.import_utils").setLevel(ERROR)
    pipeline = StableDiffusionPipeline.from_pretrained(
        str(folder), dtype=torch.float32, safety_checker=None
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def draw(pipeline: StableDiffusionPipeline, texts: list[str], seeds: list[int]) -> torch.Tensor:
    """Draw pictures (n, 3, h, w) in 0…1, each from its own seed, with the model's defaults."""
    defaults = json.loads((Path(pipeline.name_or_path) / "triptych.json").read_text("utf-8"))
    batches = []
    for start in range(0, len(texts), BATCH):
        part = slice(start, start + BATCH)
        pictures = pipeline(
            texts[part],
            num_inference_steps=defaults["num_inference_steps"],
            guidance_scale=defaults["guidance_scale"],
            generator=[torch.Generator().manual_seed(seed) for seed in seeds[part]],
            output_type="pt",
        ).images
        batches.append(pictures.float().cpu())
    return torch.cat(batches)


def _shares(rows: list[tuple[bool, bool]]) -> dict[str, float]:
    count = max(1, len(rows))
    return {
        "subject_accuracy": round(sum(s for s, _ in rows) / count, 4),
        "scene_accuracy": round(sum(p for _, p in rows) / count, 4),
        "both_accuracy": round(sum(s and p for s, p in rows) / count, 4),
    }


def judged(
    prompts: list[Prompt], seen: list[dict[str, str]]
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Return the figures, and a list of the pictures in which the judge saw something else."""
    rows, faults = [], []
    for prompt, row in zip(prompts, seen, strict=True):
        right = (row["subject"] == prompt.subject, row["scene"] == prompt.scene)
        rows.append((right, prompt.held_out))
        if not all(right):
            faults.append({"prompt": prompt.text, "seen": f"{row['subject']} / {row['scene']}"})
    figures = _shares([right for right, _ in rows])
    held_out = _shares([right for right, held in rows if held])
    return {**figures, "held_out": held_out}, faults


def judged_looks(
    prompts: list[Prompt], seen: list[dict[str, str]]
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Return how often the judge saw the number, colour, style and subject that were asked for."""
    hits: dict[str, list[bool]] = {name: [] for name in LOOKS}
    faults = []
    for prompt, row in zip(prompts, seen, strict=True):
        # a prompt for one subject names no number
        count = str(prompt.count) if prompt.count > 1 else ""
        values = (prompt.subject, count, prompt.colour, prompt.style)
        asked = {name: value for name, value in zip(LOOKS, values, strict=True) if value}
        for name, value in asked.items():
            hits[name].append(row[name] == value)
        wrong = [row[name] for name, value in asked.items() if row[name] != value]
        if wrong:
            faults.append({"prompt": prompt.text, "seen": " / ".join(wrong)})
    shares = {f"{name}_accuracy": round(sum(h) / max(1, len(h)), 4) for name, h in hits.items()}
    return {"prompts": len(prompts), **shares}, faults


def diversity(pipeline: StableDiffusionPipeline, prompts: list[Prompt], seed: int) -> float:
    """Return the mean pixel distance between the three pictures of a prompt."""
    distances = []
    for prompt in prompts[:DIVERSE_PROMPTS]:
        pictures = draw(pipeline, [prompt.text] * 3, [seed, seed + 1, seed + 2])
        distances.append(judging.mean_pairwise_distance(pictures))
    return round(sum(distances) / len(distances), 4)


@torch.no_grad()
def round_trip_psnr(pipeline: StableDiffusionPipeline, run: Run) -> float | None:
    """Return the PSNR (dB) of the model's autoencoder on held-back scenes; None without sprites."""
    if not (run.work / "sprites.npz").is_file():
        return None
    vae, truth = pipeline.vae, check_pictures(run)
    made = [vae.decode(vae.encode(part).latent_dist.mean).sample for part in truth.split(BATCH)]
    return round(psnr(torch.cat(made), truth), 2)


def evaluate(arguments: argparse.Namespace) -> tuple[dict[str, Any], list[dict[str, str]]]:
    run = run_from(arguments)
    judge, facts = judging.load(arguments.judge)
    looks_judge, looks_facts = judging.load(arguments.looks_judge)
    began = time.monotonic()
    pipeline = load_pipeline(arguments.model, run.device)
    prompts = evaluation_prompts(quick=arguments.quick)
    looks = looks_prompts(quick=arguments.quick)
    seeds = [run.seed + number for number in range(len(prompts) + len(looks))]
    drawn = draw(pipeline, [prompt.text for prompt in prompts + looks], seeds)
    pictures = drawn[: len(prompts)]
    seen = judge.look(pictures)
    figures, faults = judged(prompts, seen)
    looked, more = judged_looks(looks, looks_judge.look(drawn[len(prompts) :]))
    report: dict[str, Any] = {
        "prompts": len(prompts),
        "held_out_prompts": sum(prompt.held_out for prompt in prompts),
        **figures,
        "ceiling": {name: facts[name] for name in judging.NAMING},
        "looks": {**looked, "ceiling": {name: looks_facts[name] for name in LOOKS}},
        "judge_calls_spoilt_nothing": facts["nothing"],
        "called_nothing": sum(row["subject"] == "nothing" for row in seen),
    }
    if not arguments.quick:
        report["diversity"] = diversity(pipeline, prompts, run.seed)
        report["diversity_of_real_scenes"] = facts["real_diversity"]
        report["near_copy_share"] = near_copies.share(run, prompts, pictures)
        report["round_trip_psnr"] = round_trip_psnr(pipeline, run)
        grid = (drawn * 255).round().byte().permute(0, 2, 3, 1).numpy()
        write_grid(run.path("evaluation", f"{arguments.model.name}.png"), grid, 16)
    report["seconds"] = round(time.monotonic() - began, 1)
    return report, faults + more


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    parser.add_argument("--model", type=Path, default=STARTER_MODEL, help="a diffusers folder")
    parser.add_argument("--judge", type=Path, default=judging.WEIGHTS)
    parser.add_argument("--looks-judge", type=Path, default=judging.LOOKS_WEIGHTS)
    parser.add_argument("--quick", action="store_true", help="16 prompts, within 50 seconds")
    parser.add_argument("--json", action="store_true", help="the figures as one JSON object")
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    report, faults = evaluate(arguments)
    print(json.dumps(report) if arguments.json else json.dumps(report, indent=2))
    if not arguments.json:
        for fault in faults:
            print(f"asked: {fault['prompt']:60} seen: {fault['seen']}")


if __name__ == "__main__":
    main()
