"""Measures at the first start which number of rows per step is best, and stores the result."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import diffusers
import torch

from bot.engine.capacity.buckets import BUCKETS
from bot.engine.capacity.learning import find_knee
from bot.engine.hardware import CPU, Hardware, name_engine
from bot.engine.kept_file import KeptFile
from bot.engine.sampling.step_tables import NUM_COLUMNS
from bot.engine.steps.slots import Entry, Slots
from bot.engine.steps.steppers import Stepper

logger = logging.getLogger(__name__)

_REPEATS = 3
_BUDGET_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Knee:
    """The best number of rows per step.

    rows: the smallest number that reaches 95 % of the best speed. max_rows: the most that fit in
    memory; None if that is unknown.
    """

    rows: int
    max_rows: int | None = None


def measure_knee(
    hardware: Hardware,
    make_slots: Callable[[int], Slots],
    make_stepper: Callable[[Slots], Stepper],
    decode_one: Callable[[], None],
    least_rows: int,
    budget_seconds: float = _BUDGET_SECONDS,
) -> Knee:
    """Time steps with more and more rows, until speed stops growing, or memory or time runs out.

    decode_one: decodes one picture. The memory that this takes is kept free, if the device reports
    how much it is. least_rows: the first number to try, because a batch always has room for that
    many.
    """
    rates: dict[int, float] = {}
    started = time.perf_counter()
    slots = make_slots(BUCKETS[-1])
    stepper = make_stepper(slots)
    device = hardware.module if hardware.has_peaks else None
    reserve = _measure_peak(device, decode_one) if device else 0
    max_rows = None
    for num_rows in [bucket for bucket in BUCKETS if bucket >= least_rows]:
        try:
            rates[num_rows] = num_rows / time_step(slots, stepper, num_rows)
            if device:
                max_rows = _bound_by_memory(device, slots, stepper, num_rows, reserve)
        except torch.OutOfMemoryError:
            max_rows = max(rates, default=max(1, least_rows // 2))
            break
        spent = time.perf_counter() - started
        if spent > budget_seconds or num_rows == max_rows or _is_flat(rates):
            break
    logger.info("rows per second: %s", {rows: round(rate, 1) for rows, rate in rates.items()})
    return Knee(find_knee(rates) if rates else 1, max_rows)


def _is_flat(rates: Mapping[int, float]) -> bool:
    """Return whether the last two numbers of rows were slower than the best before them."""
    *before, last, final = [0.0, 0.0, *rates.values()]
    return max(last, final) < max(before, default=0.0)


def time_step(slots: Slots, stepper: Stepper, num_rows: int) -> float:
    """Take a few steps on noise, and return the seconds of the fastest one.

    On the CPU this is processor time, so that other programs do not disturb it.
    """
    clock = time.process_time if slots.device.type == "cpu" else time.perf_counter
    slots.rings.normal_()
    row = torch.tensor([1.0, 500.0, 1.0, *[0.0] * (NUM_COLUMNS - 3)], dtype=torch.float64)
    entries = [Entry(slot, row, None) for slot in range(num_rows)]
    plan = slots.plan(entries, num_rows)
    times = []
    for _ in range(_REPEATS + 1):  # the first step is not timed, because it warms up
        _synchronize(slots.device)
        started = clock()
        stepper(plan)
        _synchronize(slots.device)
        times.append(clock() - started)
    return min(times[1:])


def _bound_by_memory(
    device: Any, slots: Slots, stepper: Stepper, num_rows: int, reserve: int
) -> int | None:
    """Measure one batch, and estimate how many rows fit beside the weights and ``reserve`` bytes.

    device: torch's functions for the device (``Hardware.module``).
    """
    plan = slots.plan([], num_rows).to(slots.device)
    per_row = _measure_peak(device, lambda: Stepper.__call__(stepper, plan)) / num_rows
    free, total = device.mem_get_info()
    free += device.memory_reserved() - device.memory_allocated()
    return max(1, int((free - reserve - 0.05 * total) / max(per_row, 1)))


def _measure_peak(device: Any, work: Callable[[], None]) -> int:
    device.synchronize()
    before = device.memory_allocated()
    device.reset_peak_memory_stats()
    work()
    device.synchronize()
    return device.max_memory_allocated() - before


def _synchronize(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize()


class KneeFile:
    """The file ``knee.json``: one knee for each device, model, size and set of versions."""

    def __init__(self, folder: Path) -> None:
        self._file = KeptFile(folder / "knee.json")

    def read(self, key: str) -> Knee | None:
        """Return what an earlier start measured or learned; None if the file has nothing usable."""
        try:
            return Knee(**self._file.read(key))
        except TypeError:
            return None

    def write(self, key: str, knee: Knee) -> None:
        """Store a knee in the file. It replaces an earlier one."""
        self._file.write(key, asdict(knee))


def make_key(hardware: Hardware, unet: Any, latent_shape: tuple[int, ...]) -> str:
    """Make the key under which a knee is stored: device, model, size, dtype, threads, versions."""
    on_cpu = hardware is CPU
    device = f"cpu×{os.cpu_count()}" if on_cpu else name_engine(hardware)
    config = sha256(json.dumps(unet.config, sort_keys=True, default=str).encode()).hexdigest()[:12]
    size = "×".join(map(str, latent_shape))
    threads = f"{torch.get_num_threads()} threads" if on_cpu else ""
    versions = f"torch {torch.__version__}, diffusers {diffusers.__version__}"
    return ", ".join(filter(None, [device, config, size, str(unet.dtype), threads, versions]))
