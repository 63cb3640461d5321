"""What the engine's benchmark prints."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any

import psutil
import torch

from benchmarks.arms import NUM_PICTURES, Workshop

_RATIOS = (("C", "A"), ("C", "B"), ("C", "B2"), ("C-fast", "A"))


def find_ratios(arms: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Pictures per second of one arm over another's, per number of users."""
    return {
        f"{one}/{other}": {
            users: figures["images_per_second"] / arms[other][users]["images_per_second"]
            for users, figures in arms[one].items()
        }
        for one, other in _RATIOS
    }


def find_matmul_share(workshop: Workshop, images_per_second: float) -> float | None:
    """Share of the float16 matmul peak, measured now, that so many pictures use; CUDA only."""
    cost, info = workshop.engine._cost_model, workshop.info
    if workshop.device != "cuda" or cost is None:
        return None
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.float16) for _ in range(2))
    started, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.matmul(a, b)
    started.record()
    for _ in range(20):
        torch.matmul(a, b)
    ended.record()
    ended.synchronize()
    peak = 20 * 2 * 8192**3 / (started.elapsed_time(ended) / 1000)
    flop = cost._flop(1, info.num_inference_steps, info.guidance_scale, info.default_sampler)
    return images_per_second * flop / peak


def describe_environment(workshop: Workshop) -> dict[str, Any]:
    """What the figures were taken on."""
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
        "memory_peak_mib": (
            torch.cuda.max_memory_allocated() if on_cuda else psutil.Process().memory_info().rss
        )
        / 2**20,
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "diffusers")},
    }


def describe(report: dict[str, Any]) -> str:
    """Lay the report out as tables."""
    heading = f"{'arm':8}{'users':>6}{'img/s':>8}{'CPU s/img':>11}"
    lines = [heading + f"{'p50 s':>8}{'p95 s':>8}{'preview p95':>13}{'lag p99':>9}"]
    for arm, by_users in report["arms"].items():
        for users, row in by_users.items():
            lines.append(
                f"{arm:8}{users:>6}{row['images_per_second']:8.2f}"
                + "".join(
                    f"{'-' if row[key] is None else format(row[key], f'.{digits}f'):>{width}}"
                    for key, width, digits in (
                        ("cpu_seconds_per_image", 11, 3),
                        ("latency_p50_seconds", 8, 2),
                        ("latency_p95_seconds", 8, 2),
                        ("first_preview_p95_seconds", 13, 2),
                        ("loop_lag_p99_seconds", 9, 3),
                    )
                )
            )
    for name, by_users in report["ratios"].items():
        lines.append(f"{name}: " + ", ".join(f"{u} users {r:.2f}×" for u, r in by_users.items()))
    for name in ("short_behind_long_seconds", "open_loop", "equality", "environment"):
        lines.append(f"{name}: {report[name]}")
    return "\n".join(lines) + f"\n({NUM_PICTURES} pictures per request)\n"
