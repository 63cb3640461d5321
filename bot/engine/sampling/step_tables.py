"""Step tables: what a diffusers scheduler does, read off the scheduler itself.

One step of a deterministic sampler is linear in what it has seen so far,

    x[k+1] = Σ_j A[k,j]·x[k-j] + Σ_j B[k,j]·e[k-j],   the model being fed s[k]·x[k] at time t[k],

with e the model's (guided) output and j < DEPTH. No formula is copied: the scheduler object is
stepped once in float64 with unit vectors in place of samples and outputs, and what comes out are
its coefficients. Random numbers ride along; if the table does not reproduce them, the sampler is
not of this form (it draws noise, clips, or reaches back further) and is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

Scheduler = Any
"""One of diffusers' scheduler objects: they share methods but no typed base class."""

DEPTH = 5
"""Samples and outputs that a step may look back on, the present ones included."""

_NUM_HEAD_COLUMNS = 2
_NUM_CHECKS = 4
_MAX_RESIDUAL = 1e-5
_MIN_ALPHA = 1e-3


class NotTabled(ValueError):
    """The sampler cannot be written as a table, or not with this number of steps."""


@dataclass(frozen=True, slots=True, eq=False)
class StepTable:
    """One way through the noise, from ``start_index`` of a scheduler's steps to the end.

    rows: float64 (steps, 2 + 2·DEPTH) on the CPU: s, t, A[0..DEPTH), B[0..DEPTH).
    estimate: float64 (steps, 2): p, q of the clean latent's estimate p·x[k] + q·e[k].
    start_image, start_noise: x[0] = start_image·image + start_noise·noise, the image being the
    scaled latent of a picture; without a picture start_noise is the scheduler's
    ``init_noise_sigma``.
    """

    rows: torch.Tensor
    estimate: torch.Tensor
    start_image: float
    start_noise: float

    @property
    def num_steps(self) -> int:
        """UNet calls: PNDM makes one more than the steps, Heun and KDPM2 nearly twice as many."""
        return len(self.rows)


class StepTables:
    """The tables of one model's samplers, each probed once."""

    def __init__(self, create: Callable[[str], Scheduler], max_tables: int = 256) -> None:
        self._create = create
        self.get = lru_cache(max_tables)(self._make)

    def _make(
        self, sampler: str, num_inference_steps: int, strength: float | None = None
    ) -> StepTable:
        """Probe one table; ``strength`` in (0, 1] starts from a picture. Raises NotTabled."""
        try:
            return probe_table(self._create(sampler), num_inference_steps, strength)
        except NotTabled as error:
            raise NotTabled(f"{sampler}: {error}") from None


def probe_table(
    scheduler: Scheduler, num_inference_steps: int, strength: float | None = None
) -> StepTable:
    """Read the table off an unused scheduler. Raises NotTabled.

    The start index is that of ``StableDiffusionImg2ImgPipeline.get_timesteps``, but at least one
    step is run, even if that pipeline would refuse.
    """
    timesteps = _set_timesteps(scheduler, num_inference_steps)
    if hasattr(scheduler, "set_begin_index"):  # else it starts by the first time's last occurrence
        scheduler.set_begin_index(0)
    start_image, start_noise = 0.0, float(scheduler.init_noise_sigma)
    if strength is not None:
        timesteps = _skip_steps(scheduler, num_inference_steps, strength)
        start_image, start_noise = _probe_start(scheduler, timesteps)
    rows = _probe_steps(scheduler, timesteps)
    estimate = _estimate_clean(scheduler, rows[:, 0], rows[:, 1])
    return StepTable(rows, estimate, start_image, start_noise)


def _set_timesteps(scheduler: Scheduler, num_inference_steps: int) -> torch.Tensor:
    limit = scheduler.config.num_train_timesteps
    if num_inference_steps <= limit:
        scheduler.set_timesteps(num_inference_steps)
        if scheduler.timesteps.max() < limit:
            return scheduler.timesteps
    raise NotTabled(f"{num_inference_steps} steps are more than it can take")


def _skip_steps(scheduler: Scheduler, num_inference_steps: int, strength: float) -> torch.Tensor:
    num_kept = max(1, min(int(num_inference_steps * strength), num_inference_steps))
    start = (num_inference_steps - num_kept) * scheduler.order
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(start)
    return scheduler.timesteps[start:]


def _probe_start(scheduler: Scheduler, timesteps: torch.Tensor) -> tuple[float, float]:
    image, noise = torch.eye(2, dtype=torch.float64).reshape(2, 1, 1, 1, 2)
    mixed = scheduler.add_noise(image, noise, timesteps[:1])
    return float(mixed[..., 0]), float(mixed[..., 1])


def _probe_steps(scheduler: Scheduler, timesteps: torch.Tensor) -> torch.Tensor:
    num_steps = len(timesteps)
    random = torch.Generator().manual_seed(0)
    checks = torch.randn(2 * num_steps, _NUM_CHECKS, generator=random, dtype=torch.float64)
    rows = torch.zeros(num_steps, _NUM_HEAD_COLUMNS + 2 * DEPTH, dtype=torch.float64)
    for k, t in enumerate(timesteps):
        sample, output = (_make_probe(i, checks) for i in (2 * k, 2 * k + 1))
        scaled = scheduler.scale_model_input(sample, t)
        after = scheduler.step(output, t, sample, return_dict=False)[0].flatten().double()
        history = torch.arange(k, k - min(DEPTH, k + 1), -1)
        row = rows[k]
        row[0], row[1] = scaled.flatten()[2 * k], float(t)
        samples, outputs = row[_NUM_HEAD_COLUMNS:].split(DEPTH)
        samples[: len(history)] = after[2 * history]
        outputs[: len(history)] = after[2 * history + 1]
        expected = after[2 * history] @ checks[2 * history]
        expected += after[2 * history + 1] @ checks[2 * history + 1]
        residual = float(
            (after[2 * num_steps :] - expected).abs().max() / (1 + row.abs()[2:].max())
        )
        if not residual <= _MAX_RESIDUAL:
            raise NotTabled(f"step {k} leaves a residual of {residual:.1g} outside a linear step")
    return rows


def _make_probe(number: int, checks: torch.Tensor) -> torch.Tensor:
    """Return unit vector ``number`` and its random columns as a latent (1, 1, 1, columns)."""
    unit = torch.zeros(len(checks), dtype=torch.float64)
    unit[number] = 1
    return torch.cat([unit, checks[number]]).reshape(1, 1, 1, -1)


def _estimate_clean(scheduler: Scheduler, scale: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Return p and q, where p·x + q·e estimates the clean latent. Only previews use it.

    The model's input is u = s·x. It is √ᾱ·clean + √(1-ᾱ)·noise, whatever the sampler's own scale;
    v = √ᾱ·noise - √(1-ᾱ)·clean (Salimans and Ho, https://arxiv.org/abs/2202.00512).
    """
    alphas = scheduler.alphas_cumprod.double()
    low = t.floor().long().clamp(0, len(alphas) - 1)
    high = t.ceil().long().clamp(0, len(alphas) - 1)
    alpha = torch.lerp(alphas[low], alphas[high], t - t.floor()).clamp(_MIN_ALPHA, 1)
    signal, noise = alpha.sqrt(), (1 - alpha).sqrt()
    kind = scheduler.config.prediction_type
    if kind == "v_prediction":
        return torch.stack([signal * scale, -noise], dim=1)
    if kind == "epsilon":
        return torch.stack([scale / signal, -noise / signal], dim=1)
    return torch.stack([torch.zeros_like(t), torch.ones_like(t)], dim=1)
