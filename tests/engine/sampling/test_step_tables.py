from __future__ import annotations

from typing import Any

import diffusers
import pytest
import torch

from bot.engine import SAMPLER_IDS
from bot.engine.sampling.samplers import Samplers
from bot.engine.sampling.step_tables import DEPTH, NotTabled, StepTable, StepTables, probe_table
from tests.tiny_models import SCHEDULERS, SD_SCHEDULE

DOUBLE = ("pndm", "ddim", "deis", "heun", "kdpm2")
"""Samplers that diffusers steps in the sample's own precision; the others use float32."""


@pytest.mark.parametrize("strength", [None, 0.2, 0.6, 1.0])
@pytest.mark.parametrize("num_inference_steps", [1, 2, 7, 50])
@pytest.mark.parametrize("sampler", SAMPLER_IDS)
def test_table_walks_as_the_scheduler_does(
    sampler: str, num_inference_steps: int, strength: float | None
) -> None:
    samplers = Samplers(SCHEDULERS["pndm"]())
    table = StepTables(samplers.create).get(sampler, num_inference_steps, strength)
    scheduler = samplers.create(sampler)
    scheduler.set_timesteps(num_inference_steps)
    timesteps = scheduler.timesteps
    noise = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0)).double()
    image = noise.flip(-1)
    expected = noise * scheduler.init_noise_sigma
    if strength is not None:
        num_skipped = num_inference_steps - max(int(num_inference_steps * strength), 1)
        timesteps = timesteps[num_skipped * scheduler.order :]
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(num_skipped * scheduler.order)
        expected = scheduler.add_noise(image, noise, timesteps[:1])
    start = table.start_image * image + table.start_noise * noise
    for t in timesteps:
        output = predict(scheduler.scale_model_input(expected, t), t)
        expected = scheduler.step(output, t, expected, return_dict=False)[0]
    error = float((walk(table, start) - expected).norm() / expected.norm())
    assert error <= (1e-12 if sampler in DOUBLE else 1e-6)


def predict(sample: torch.Tensor, t: Any) -> torch.Tensor:
    """Stand in for a model: not linear, and different at every time."""
    return torch.tanh(sample.roll(1, -1) * 1.3 + float(t) / 1000)


def walk(table: StepTable, start: torch.Tensor) -> torch.Tensor:
    samples, outputs = [start], []
    for row in table.rows:
        outputs.insert(0, predict(row[0] * samples[0], row[1]))
        after = sum(a * x for a, x in zip(row[2 : 2 + DEPTH], samples, strict=False))
        after += sum(b * e for b, e in zip(row[2 + DEPTH :], outputs, strict=False))
        samples.insert(0, after)
    return samples[0]


@pytest.mark.parametrize(
    "scheduler",
    [
        diffusers.UniPCMultistepScheduler(**SD_SCHEDULE),
        diffusers.EulerAncestralDiscreteScheduler(**SD_SCHEDULE),
        diffusers.DDPMScheduler(**SD_SCHEDULE),
        diffusers.DDIMScheduler(**SD_SCHEDULE, clip_sample=True),
        diffusers.DDIMScheduler(**SD_SCHEDULE, clip_sample=False, thresholding=True),
        diffusers.DPMSolverMultistepScheduler(**SD_SCHEDULE, algorithm_type="sde-dpmsolver++"),
    ],
    ids=lambda scheduler: type(scheduler).__name__,
)
def test_scheduler_that_is_not_linear_in_the_ring_is_refused(scheduler: Any) -> None:
    with pytest.raises(NotTabled, match="leaves a residual"):
        probe_table(scheduler, 10)


@pytest.mark.parametrize("sampler", SAMPLER_IDS)
def test_strength_that_leaves_no_step_runs_the_last_one(sampler: str) -> None:
    tables = StepTables(Samplers(SCHEDULERS["pndm"]()).create)
    least, half = tables.get(sampler, 2, 0.01), tables.get(sampler, 2, 0.5)
    assert torch.equal(least.rows, half.rows)
    assert (least.start_image, least.start_noise) == (half.start_image, half.start_noise)


def test_schedule_that_begins_with_the_same_time_twice_starts_at_its_first_step() -> None:
    scheduler = Samplers(SCHEDULERS["zero_snr"]()).create("dpmpp_2m_karras")
    table = probe_table(scheduler, 50)
    assert table.rows[:2, 1].tolist() == [999.0, 999.0]
    assert scheduler.step_index == 50


@pytest.mark.parametrize("kind", ["pndm", "zero_snr"])
@pytest.mark.parametrize("sampler", ["ddim", "euler", "dpmpp_2m"])
def test_estimate_finds_the_clean_latent_of_a_perfect_prediction(sampler: str, kind: str) -> None:
    scheduler = SCHEDULERS[kind]()
    table = probe_table(Samplers(scheduler).create(sampler), 10)
    clean, noise = torch.tensor(0.7).double(), torch.tensor(-1.1).double()
    k = 6
    scale, t = table.rows[k, 0], table.rows[k, 1]
    alphas = Samplers(scheduler).create(sampler).alphas_cumprod.double()
    alpha = torch.lerp(alphas[int(t)], alphas[min(int(t) + 1, 999)], t - int(t))
    fed = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
    output = noise if kind == "pndm" else alpha.sqrt() * noise - (1 - alpha).sqrt() * clean
    p, q = table.estimate[k]
    assert float(p * fed / scale + q * output) == pytest.approx(0.7, abs=1e-6)


def test_table_is_probed_once() -> None:
    samplers = Samplers(SCHEDULERS["pndm"]())
    tables = StepTables(samplers.create)
    assert tables.get("ddim", 10) is tables.get("ddim", 10)
    assert tables.get("ddim", 10) is not tables.get("ddim", 10, 1.0)
