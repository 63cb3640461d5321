"""python -m benchmarks.knee [--json]: how soon the engine finds the best number of rows after it
had chosen too few.

At its first start, the engine measures how many rows one step should have. The program starts it
three times on the idle machine; the median is the goal. Then it starts an engine while busy
processes load the machine for 30 seconds, and last an engine whose folder says 12 rows, the fewest
that it may choose. With both, eight people draw with the starter model, and ask again as soon as
their pictures are done. ``recovered_seconds``: how long they drew until the number of rows reached
the goal; null if that took longer than ``--limit``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.inside import get_batch
from bot.domain.recipes import Recipe
from bot.engine import Engine, GenerationRequest, ModelInfo, ModelSource
from bot.ops.resources import get_starter_model_folder

_NUM_STARTS = 3
_NUM_PEOPLE = 8
_BUSY_SECONDS = 30.0
_BUSY_PROCESSES = 6
_BUSY = "import torch\na = torch.randn(900, 900)\nwhile True: a @ a"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--limit", type=float, default=180.0, help="seconds of drawing at most")
    arguments = parser.parse_args()
    report = measure(arguments.limit)
    if arguments.json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        sys.stdout.write("".join(f"{name}: {value}\n" for name, value in report.items()))


def measure(limit: float) -> dict[str, Any]:
    """Return the rows that idle starts chose, and how the rows changed after the other starts."""
    at_rest = [_choose_rows() for _ in range(_NUM_STARTS)]
    wanted = int(statistics.median(at_rest))
    with tempfile.TemporaryDirectory() as folder:
        busy = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(_BUSY_PROCESSES)]
        busy_until = time.monotonic() + _BUSY_SECONDS
        try:
            after_busy = _recover(_open(Path(folder)), wanted, limit, busy, busy_until)
        finally:
            _end(busy)
        file = Path(folder) / "knee.json"
        [key] = json.loads(file.read_text("utf-8"))
        file.write_text(json.dumps({key: {"rows": 12, "max_rows": None}}), "utf-8")
        after_least = _recover(_open(Path(folder)), wanted, limit, [], 0.0)
    return {"rows_at_rest": at_rest, "after_busy_start": after_busy, "after_12_rows": after_least}


def _open(folder: Path) -> Engine:
    return Engine(ModelSource(str(get_starter_model_folder()), device="cpu"), cache_dir=folder)


def _choose_rows() -> int:
    with tempfile.TemporaryDirectory() as folder:
        engine = _open(Path(folder))
        engine.start().result()
        rows = _read_rows(engine)
        engine.close(60)
        return rows


def _read_rows(engine: Engine) -> int:
    return get_batch(engine).capacity.rows


def _recover(
    engine: Engine,
    wanted: int,
    limit: float,
    busy: list[subprocess.Popen[bytes]],
    busy_until: float,
) -> dict[str, Any]:
    """Let people draw until the rows reach ``wanted``, and a little longer."""
    info = engine.start().result()
    began = time.monotonic()
    rows = [(0.0, _read_rows(engine))]
    recovered = None
    _People(engine, info).begin()
    while (now := time.monotonic()) < began + limit:
        if now > busy_until:
            _end(busy)
        if _read_rows(engine) != rows[-1][1]:
            rows.append((round(now - began, 1), _read_rows(engine)))
        if recovered is None and rows[-1][1] >= wanted:
            recovered = rows[-1][0]
        if recovered is not None and now > max(began + recovered, busy_until) + limit / 6:
            break
        time.sleep(0.1)
    engine.close(60)
    return {"recovered_seconds": recovered, "rows": rows}


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.kill()
        process.wait()


class _People:
    """Draw all the time, until the engine is closed."""

    def __init__(self, engine: Engine, info: ModelInfo) -> None:
        self._engine = engine
        self._numbers = count(1)
        self._recipe = Recipe(
            prompt="dog in autumn leaves",
            width=info.width,
            height=info.height,
            num_inference_steps=info.num_inference_steps,
            guidance_scale=info.guidance_scale,
            sampler=info.default_sampler,
            seeds=(1, 2, 3),
        )

    def begin(self) -> None:
        for _ in range(_NUM_PEOPLE):
            self._ask()

    def _ask(self) -> None:
        request = GenerationRequest(next(self._numbers), self._recipe)
        self._engine.submit(request).add_done_callback(self._ask_again)

    def _ask_again(self, future: Future[Any]) -> None:
        if future.exception() is None:  # an error means that the engine was closed
            self._ask()


if __name__ == "__main__":
    main()
