"""Models of full size with random weights, to measure speed and equality. They draw only noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from bot.engine.models.conversion import build_parts
from bot.engine.models.recognition import Kind, find_family_of
from bot.engine.models.rehearsal import assemble
from bot.engine.models.single_files import CONFIGS

KINDS: dict[str, Kind] = {"sd1-random": "sd1", "sd2-random": "sd2", "sdxl-random": "sdxl"}


def make_pipeline(name: str) -> Any:
    """Build a diffusers pipeline in float32 on the CPU, from configs that come with Triptych."""
    torch.manual_seed(0)
    kind = KINDS[name]
    family, config = find_family_of(kind), CONFIGS / kind
    parts = build_parts(family, config)
    for part in parts.values():
        part.eval().requires_grad_(requires_grad=False)
    pipe = assemble(family, config, parts)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def write_model(name: str, folder: Path) -> Path:
    """Write a float16 diffusers folder (2 GB; for SDXL 7 GB) and return it."""
    pipe = make_pipeline(name).to(torch.float16)
    pipe.save_pretrained(folder, safe_serialization=True, variant="fp16")
    return folder
