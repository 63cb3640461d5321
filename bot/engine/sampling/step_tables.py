"""Step tables describe what a diffusers scheduler does. They are measured on the scheduler itself.

One step of a sampler is a linear function of earlier samples and outputs, plus fresh noise:

    x[k+1] = Σ_j A[k,j]·x[k-j] + Σ_j B[k,j]·e[k-j] + D[k]·z[k]

The model gets s[k]·x[k] at time t[k], e is the model's (guided) output, and j < DEPTH. We copy no
formula. We step the scheduler object once in float64, with unit vectors instead of samples and
outputs, and read its coefficients from the result. We also send random numbers through it. If the
table does not give the same result, the sampler does not have this form (it clips, or uses older
samples), and we refuse it.

Noise: the scheduler draws from a generator of ours. We set the same generator back to see whether
it drew in a step, how much and in which precision. Columns that are otherwise zero show D alone.

Flow models (Liu et al., https://arxiv.org/abs/2209.03003) predict the velocity noise - clean. At
noise level sigma, from 1 at the start to 0, the latent is (1 - sigma)·clean + sigma·noise.

UniPC keeps one more state, the corrected sample c[k], and makes the next sample from it:
x[k+1] = π·c[k] + …. So we can compute c[k] from x[k+1], and the table does not need it.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from bot.engine.sampling.schedules import (
    PLAIN,
    Schedule,
    Scheduler,
    is_flow,
    scale_input,
    set_timesteps,
    skip_steps,
)

DEPTH = 5
"""How many of the last samples and outputs a step may use, including the present ones."""

_NUM_HEAD_COLUMNS = 2
_NUM_CHECKS = 4
_NUM_SILENT = 16
"""Extra columns in which samples and outputs are zero, so that only noise appears there."""
NUM_COLUMNS = _NUM_HEAD_COLUMNS + 2 * DEPTH + 1
_MAX_RESIDUAL = 1e-5
_MIN_ALPHA = 1e-3


class NotTabled(ValueError):
    """The sampler cannot be written as a table, or not with this number of steps."""


@dataclass(frozen=True, slots=True, eq=False)
class StepTable:
    """The coefficients of a scheduler's steps, from the first step that is run to the last.

    rows: float64 (steps, NUM_COLUMNS) on the CPU: s, t, A[0..DEPTH), B[0..DEPTH), D.
    draws: for each step, whether it draws noise (a step may draw noise and multiply it by 0).
    noise_dtype: the dtype in which noise is drawn; None depends on the model's own dtype (see
    ``find_noise_dtype``).
    is_flow: whether the scheduler is for flow models. Their noise has the shape of the latents that
    the family's pipeline steps. For FLUX and Qwen-Image, these are packed tokens (1, tokens,
    channels), so noise must be drawn in that shape and then unpacked.
    estimate: float64 (steps, 2): p and q. The clean latent is estimated as p·x[k] + q·e[k].
    start_image, start_noise: x[0] = start_image·image + start_noise·noise. Here image is the
    scaled latent of a picture. Without a picture, start_noise is the scheduler's
    ``init_noise_sigma`` (flow: 1).
    """

    rows: torch.Tensor
    estimate: torch.Tensor
    start_image: float
    start_noise: float
    draws: tuple[bool, ...]
    noise_dtype: torch.dtype | None
    is_flow: bool = False

    @property
    def num_steps(self) -> int:
        """Return the number of network calls. PNDM makes one more, Heun and KDPM2 nearly double."""
        return len(self.rows)

    def find_noise_dtype(self, dtype: torch.dtype) -> torch.dtype:
        """Return the dtype in which noise is drawn for a model with this dtype."""
        if self.noise_dtype is not None:
            return self.noise_dtype
        # flow schedulers convert the sample to float32 before they draw
        return torch.promote_types(dtype, torch.float32) if self.is_flow else dtype


class StepTables:
    """The step tables of one model's samplers. Each is measured once."""

    def __init__(self, create: Callable[[str], Scheduler], max_tables: int = 256) -> None:
        self._create = create
        self.get = lru_cache(max_tables)(self._make)

    def _make(
        self,
        sampler: str,
        num_inference_steps: int,
        strength: float | None = None,
        schedule: Schedule = PLAIN,
    ) -> StepTable:
        """Measure a table. strength: in (0, 1] if there is a start picture. Raises NotTabled."""
        try:
            return probe_table(self._create(sampler), num_inference_steps, strength, schedule)
        except NotTabled as error:
            raise NotTabled(f"{sampler}: {error}") from None


def probe_table(
    scheduler: Scheduler,
    num_inference_steps: int,
    strength: float | None = None,
    schedule: Schedule = PLAIN,
) -> StepTable:
    """Measure the step table of an unused scheduler. Raises NotTabled.

    If the scheduler computes in float32 and large terms cancel, rounding errors make its steps look
    non-linear. So if the first try fails, a second one computes everything in float64.
    """
    spare = copy.deepcopy(scheduler)
    try:
        return _probe_table(scheduler, num_inference_steps, strength, schedule)
    except NotTabled:
        return _probe_table(spare, num_inference_steps, strength, schedule, in_float64=True)


def _probe_table(
    scheduler: Scheduler,
    num_inference_steps: int,
    strength: float | None,
    schedule: Schedule,
    *,
    in_float64: bool = False,
) -> StepTable:
    timesteps = _set_timesteps(scheduler, num_inference_steps, schedule)
    # Without this, the scheduler begins at the last of several steps with the same time.
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    start_image, start_noise = 0.0, float(getattr(scheduler, "init_noise_sigma", 1.0))
    if strength is not None:
        timesteps = skip_steps(scheduler, num_inference_steps, strength)
        start_image, start_noise = _probe_start(scheduler, timesteps)
    probe = _Probe(scheduler, timesteps, in_float64=in_float64)
    estimate = _estimate_clean(scheduler, probe.rows[:, 0], probe.rows[:, 1])
    draws, dtype = tuple(probe.draws), probe.noise_dtype
    return StepTable(
        probe.rows, estimate, start_image, start_noise, draws, dtype, is_flow(scheduler)
    )


def _set_timesteps(
    scheduler: Scheduler, num_inference_steps: int, schedule: Schedule
) -> torch.Tensor:
    if num_inference_steps < 2 and scheduler.config.get("shift_terminal"):
        raise NotTabled("the model's noise schedule needs two")  # it would divide by zero
    limit = scheduler.config.num_train_timesteps
    # LCM and TCD were distilled for a number of steps, and take no more than these
    distilled = scheduler.config.get("original_inference_steps", limit)
    if num_inference_steps <= min(limit, distilled):
        timesteps = set_timesteps(scheduler, num_inference_steps, schedule)
        if is_flow(scheduler) or timesteps.max() < limit:
            return timesteps
    raise NotTabled(f"{num_inference_steps} steps are more than it can take")


def _probe_start(scheduler: Scheduler, timesteps: torch.Tensor) -> tuple[float, float]:
    image, noise = torch.eye(2, dtype=torch.float64).reshape(2, 1, 1, 1, 2)
    if hasattr(scheduler, "scale_noise"):
        mixed = scheduler.scale_noise(image, timesteps[:1], noise)
    else:
        mixed = scheduler.add_noise(image, noise, timesteps[:1])
    return float(mixed[..., 0]), float(mixed[..., 1])


class _Float64(torch.Tensor):
    """A tensor that stays in float64 even if a scheduler asks for float32."""

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.Tensor.float:
            return args[0]
        if func is torch.Tensor.to:
            args = tuple(torch.float64 if each is torch.float32 else each for each in args)
        return super().__torch_function__(func, types, args, kwargs or {})


class _Probe:
    """Runs a scheduler's steps once and reads its coefficients. Raises NotTabled.

    A probe is a latent (1, 1, 1, columns). The first columns are unit vectors, one for each sample,
    output and hidden state. Then come columns of random numbers as a check, then zeros.
    """

    def __init__(
        self, scheduler: Scheduler, timesteps: torch.Tensor, *, in_float64: bool = False
    ) -> None:
        self._scheduler = scheduler
        self._in_float64 = in_float64
        self._random = torch.Generator().manual_seed(0)
        self._num_marks = 3 * len(timesteps)
        self._checks = torch.randn(
            self._num_marks, _NUM_CHECKS, generator=self._random, dtype=torch.float64
        )
        self._takes_generator = "generator" in inspect.signature(scheduler.step).parameters
        self._corrected: torch.Tensor | None = None
        self.rows = torch.zeros(len(timesteps), NUM_COLUMNS, dtype=torch.float64)
        self.draws: list[bool] = []
        self.noise_dtype: torch.dtype | None = None
        for k, t in enumerate(timesteps):
            self._probe_step(k, t)

    def _probe_step(self, k: int, t: torch.Tensor) -> None:
        scheduler = self._scheduler
        sample, output, hidden = (self._mark(3 * k + n) for n in range(3))
        is_corrected = getattr(scheduler, "last_sample", None) is not None
        if is_corrected:
            scheduler.last_sample = hidden
        scaled = scale_input(scheduler, sample, t)
        noise_scale, after = self._step(output, t, sample)
        row = self.rows[k]
        row[0], row[1], row[-1] = scaled.flatten()[3 * k], float(t), noise_scale
        coefficients = self._read(k, after, noise_scale)
        row[_NUM_HEAD_COLUMNS:-1] = coefficients[:-1]
        if self._corrected is not None:
            row[_NUM_HEAD_COLUMNS:-1] += coefficients[-1] * self._corrected
        if hasattr(scheduler, "last_sample") and k + 1 < len(self.rows):
            self._corrected = self._express_corrected(k, coefficients)

    def _step(
        self, output: torch.Tensor, t: torch.Tensor, sample: torch.Tensor
    ) -> tuple[float, torch.Tensor]:
        """Take a step. Return D and the sample without its noise."""
        state = self._random.get_state()
        rest = {"generator": self._random} if self._takes_generator else {}
        after = self._scheduler.step(output, t, sample, return_dict=False, **rest)[0]
        after = after.flatten().double()
        drawn = self._random.get_state()
        self.draws.append(not torch.equal(state, drawn))
        if not self.draws[-1]:
            return 0.0, after
        silent = after[-_NUM_SILENT:]
        for dtype in (torch.float64, torch.float32):
            self._random.set_state(state)
            noise = torch.randn(sample.shape, generator=self._random, dtype=dtype).flatten()
            noise = noise.double()
            scale = float(silent @ noise[-_NUM_SILENT:] / noise[-_NUM_SILENT:].square().sum())
            fits = (silent - scale * noise[-_NUM_SILENT:]).abs().max() <= _MAX_RESIDUAL
            if fits and torch.equal(self._random.get_state(), drawn):
                self.noise_dtype = None if dtype == torch.float64 else dtype
                return scale, after - scale * noise
        raise NotTabled("it draws more noise than one picture's in a step")

    def _read(self, k: int, after: torch.Tensor, noise_scale: float) -> torch.Tensor:
        """Return A, B and the hidden state's coefficient. Raises NotTabled if there are others."""
        history = 3 * torch.arange(k, k - min(DEPTH, k + 1), -1)
        found = torch.zeros(2 * DEPTH + 1, dtype=torch.float64)
        found[: len(history)] = after[history]
        found[DEPTH : DEPTH + len(history)] = after[history + 1]
        found[-1] = after[3 * k + 2]
        marks = torch.cat([history, history + 1, torch.tensor([3 * k + 2])])
        expected = after[marks] @ self._checks[marks]
        errors = after[self._num_marks : self._num_marks + _NUM_CHECKS] - expected
        residual = float(errors.abs().max() / (1 + max(found.abs().max(), abs(noise_scale))))
        if not residual <= _MAX_RESIDUAL:
            raise NotTabled(f"step {k} leaves a residual of {residual:.1g} outside a linear step")
        return found

    def _express_corrected(self, k: int, coefficients: torch.Tensor) -> torch.Tensor:
        """Express the new corrected sample by samples and outputs that the next step still has."""
        corrected = self._read(k, self._scheduler.last_sample.flatten().double(), 0.0)
        ratio = float(corrected[-1] / coefficients[-1]) if coefficients[-1] else 0.0
        rest = corrected[:-1] - ratio * coefficients[:-1]
        if rest[DEPTH - 1] or rest[-1]:
            raise NotTabled("it reaches back too far")
        # the first sample is that of the next step, which has no output yet
        expressed = rest.roll(1)
        expressed[0] = ratio
        return expressed

    def _mark(self, number: int) -> torch.Tensor:
        """Return unit vector ``number`` with its random checks as a latent (1, 1, 1, columns)."""
        unit = torch.zeros(self._num_marks, dtype=torch.float64)
        unit[number] = 1
        silent = torch.zeros(_NUM_SILENT, dtype=torch.float64)
        mark = torch.cat([unit, self._checks[number], silent]).reshape(1, 1, 1, -1)
        return mark.as_subclass(_Float64) if self._in_float64 else mark


def _estimate_clean(scheduler: Scheduler, scale: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Return p and q, where p·x + q·e estimates the clean latent. Only previews use them.

    The model's input is u = s·x. It is √ᾱ·clean + √(1-ᾱ)·noise, whatever the sampler's own scale;
    v = √ᾱ·noise - √(1-ᾱ)·clean (Salimans and Ho, https://arxiv.org/abs/2202.00512).
    For flow models, see the top of this file.
    """
    if is_flow(scheduler):
        sigmas = scheduler.sigmas[-1 - len(t) : -1].double()
        return torch.stack([torch.ones_like(sigmas), -sigmas], dim=1)
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
