"""The report that the engine's benchmark prints."""

from __future__ import annotations

import os
import platform
import statistics
from importlib.metadata import version
from typing import Any

import torch

from benchmarks.arms import NUM_PICTURES, Workshop
from benchmarks.inside import get_batch

_RATIOS = (("C", "A"), ("C", "B"), ("C", "B2"), ("C-fast", "A"))
_COLUMNS = (
    ("pictures/s", "images_per_second", 2),
    ("CPU s/pict.", "cpu_seconds_per_image", 3),
    ("p50 s", "latency_p50_seconds", 2),
    ("p95 s", "latency_p95_seconds", 2),
    ("preview p95", "first_preview_p95_seconds", 2),
    ("wait p50", "wait_p50_seconds", 2),
    ("wait p95", "wait_p95_seconds", 2),
    ("lag p99 s", "loop_lag_p99_seconds", 3),
    ("memory MiB", "memory_peak_mib", 0),
)


def find_ratios(arms: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the ratio of two arms' pictures per second, for each number of users."""
    return {
        f"{one}/{other}": {
            users: figures["images_per_second"] / arms[other][users]["images_per_second"]
            for users, figures in arms[one].items()
        }
        for one, other in _RATIOS
        if other in arms
    }


def find_matmul_share(workshop: Workshop, images_per_second: float) -> float | None:
    """Return the share of the device's peak FLOP per second that this speed uses."""
    cost, info = get_batch(workshop.engine).runner.cost_model, workshop.info
    peak = _measure_peak_on_cuda() if workshop.device == "cuda" else _measure_peak(workshop)
    flop = cost._flop(1, info.num_inference_steps, info.guidance_scale, info.default_sampler)
    return images_per_second * flop / peak


def _measure_peak_on_cuda() -> float:
    """Return the FLOP per second of a large float16 matrix product."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.float16) for _ in range(2))
    started, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.matmul(a, b)
    started.record()
    for _ in range(20):
        torch.matmul(a, b)
    ended.record()
    ended.synchronize()
    return 20 * 2 * 8192**3 / (started.elapsed_time(ended) / 1000)


def _measure_peak(workshop: Workshop) -> float:
    """Return the median FLOP per second of 20 float32 matrix products, with one arm's threads."""
    torch.set_num_threads(workshop.num_threads)
    a, b = (torch.randn(1024, 1024) for _ in range(2))
    seconds = []
    for _ in range(20):
        started = workshop.clock.now()
        torch.matmul(a, b)
        seconds.append(workshop.clock.now() - started)
    return 2 * 1024**3 / statistics.median(seconds)


def describe_environment(workshop: Workshop) -> dict[str, Any]:
    """Describe the machine and the versions."""
    on_cuda = workshop.device == "cuda"
    return {
        "device": torch.cuda.get_device_name() if on_cuda else "cpu",
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "threads_per_arm": workshop.num_threads,
        "model": workshop.model,
        "capacity_rows": workshop.capacity.rows if workshop.capacity else None,
        "seconds_alone_A": workshop.seconds_alone,
        "cold_start_seconds": workshop.cold_start,
        "compiled_B": workshop.compiled_b,
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "diffusers")},
    }


def describe(report: dict[str, Any]) -> str:
    """Format the report as tables."""
    lines = [f"{'arm':8}{'users':>6}" + "".join(f"{head:>13}" for head, _, _ in _COLUMNS)]
    for kind in ("arms", "open_loop"):
        for arm, by_users in report[kind].items():
            lines += [f"{arm:8}{users:>6}" + _lay_out(row) for users, row in by_users.items()]
    for name, by_users in report["ratios"].items():
        lines.append(f"{name}: " + ", ".join(f"{u} users {r:.2f}×" for u, r in by_users.items()))
    lines += [f"{name}: {report[name]}" for name in ("short_behind_long_seconds", "equality")]
    lines += [f"{name}: {found}" for name, found in report["environment"].items()]
    return (
        "\n".join(lines)
        + f"\n({NUM_PICTURES} pictures per request; % of A's capacity: open loop)\n"
    )


def _lay_out(row: dict[str, float | None]) -> str:
    cells = [(row[key], digits) for _, key, digits in _COLUMNS]
    return "".join(f"{'-' if x is None else format(x, f'.{n}f'):>13}" for x, n in cells)
