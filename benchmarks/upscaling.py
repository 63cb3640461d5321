"""python -m benchmarks.upscaling [FILE]: measures how long enlarging takes.

FILE: an upscaler; without it, the one that comes with Triptych. Pictures of each size are enlarged
in tiles as in the engine, with one thread, and also with Pillow's interpolation. The program prints
the median seconds of processor time of five runs. This is how long people wait if nothing else uses
the core.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bot.engine.process import keep_freed_memory
from bot.engine.upscaling.upscaler import Enlarging, Upscaler, load_upscaler
from bot.ops.resources import choose_upscaler
from bot.settings import Settings

LANCZOS = Image.Resampling.LANCZOS
SIDES = (128, 256, 512)
ROUNDS = 5


def measure(work: Callable[[], object]) -> float:
    """Return the median processor seconds of five calls."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return statistics.median(seconds)


def enlarge(upscaler: Upscaler, picture: np.ndarray) -> list[float]:
    """Enlarge a picture. Return the processor seconds of each tile."""
    enlarging, seconds = Enlarging(upscaler, picture[None], upscaler.factor), []
    while not enlarging.is_done:
        started = time.process_time()
        enlarging.step()
        seconds.append(time.process_time() - started)
    return seconds


def main() -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    wish = Settings(upscaler=sys.argv[1] if len(sys.argv) > 1 else None)
    path = choose_upscaler(wish) or Path()
    upscaler = load_upscaler(path, torch.device("cpu"))
    print(f"{path.stem}, ×{upscaler.factor}, margin {upscaler.margin} pixels, one thread")
    for side in SIDES:
        picture = np.random.default_rng(1).integers(0, 255, (side, side, 3)).astype(np.uint8)
        large = side * upscaler.factor
        tiles = enlarge(upscaler, picture)
        spent = measure(lambda picture=picture: enlarge(upscaler, picture))
        image = Image.fromarray(picture)
        plain = measure(lambda image=image, large=large: image.resize((large, large), LANCZOS))
        longest = max(tiles)
        print(
            f"{side} → {large}: {spent:.2f} s in {len(tiles)} tiles, the longest {longest:.2f} s; "
            f"interpolation {plain * 1000:.0f} ms"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"largest resident memory of the process: {peak / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
