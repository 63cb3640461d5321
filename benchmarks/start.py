"""python -m benchmarks.start [--pairs 5] [--json]: how long `triptych imagine` takes until three
pictures are on the disk, compared with a bare script.

The script imports diffusers' StableDiffusionPipeline, loads the starter model, draws three
pictures with the same steps and seeds and saves them. Both are whole processes, started in turn on
the same machine. All ratios are Triptych's time divided by the script's. ``first_ratio``: the first
run of Triptych in a new data folder, which also creates the database and measures the machine.
``ratio``: the median of later pairs with UPSCALER=off. ``enlarged_ratio``: the same, but with
enlarged pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bot.ops.resources import get_starter_model_folder

_PROMPT = "dog in autumn leaves"
_SCRIPT = """
import sys
import torch
from diffusers import StableDiffusionPipeline
model, folder, prompt = sys.argv[1:]
pipe = StableDiffusionPipeline.from_pretrained(model, use_safetensors=True)
pipe.set_progress_bar_config(disable=True)
generators = [torch.Generator().manual_seed(n) for n in range(3)]
pictures = pipe([prompt] * 3, num_inference_steps=20, guidance_scale=3.0, generator=generators)
for n, picture in enumerate(pictures.images):
    picture.save(f"{folder}/{n}.png")
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = measure(Path(folder), arguments.pairs)
    if arguments.json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        sys.stdout.write("".join(f"{name}: {value:.2f}\n" for name, value in report.items()))


def measure(folder: Path, num_pairs: int) -> dict[str, float]:
    """Run the pairs. Return the ratios and the seconds."""
    # a run that does not count, so that both find the files in the disk's cache
    _run_script(folder)
    first = _run_triptych(folder, "off") / _run_script(folder)
    plain: list[tuple[float, float]] = []
    enlarged: list[float] = []
    for _ in range(num_pairs):
        ours, alone = _run_triptych(folder, "off"), _run_script(folder)
        plain.append((ours, alone))
        enlarged.append(_run_triptych(folder, "") / alone)
    return {
        "ratio": statistics.median(ours / alone for ours, alone in plain),
        "enlarged_ratio": statistics.median(enlarged),
        "first_ratio": first,
        "seconds": statistics.median(ours for ours, _ in plain),
        "script_seconds": statistics.median(alone for _, alone in plain),
    }


def _run_script(folder: Path) -> float:
    model = str(get_starter_model_folder())
    return _time([sys.executable, "-c", _SCRIPT, model, str(folder), _PROMPT], folder)


def _run_triptych(folder: Path, upscaler: str) -> float:
    command = [sys.executable, "-m", "bot", "imagine", "--seed", "0"]
    out = ["--output", str(folder / "pictures")]
    return _time([*command, *out, _PROMPT], folder, UPSCALER=upscaler)


def _time(command: list[str], folder: Path, **settings: str) -> float:
    """Run a process from start to end and return its seconds. It must succeed."""
    root = Path(__file__).resolve().parents[1]
    own = {"DATA_DIR": str(folder / "data"), "PYTHONPATH": str(root), **settings}
    started = time.perf_counter()
    subprocess.run(
        command, env={**os.environ, **own}, cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
