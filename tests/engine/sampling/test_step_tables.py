from __future__ import annotations

import copy
import inspect
from typing import Any

import diffusers
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler

from bot.engine import SAMPLER_IDS
from bot.engine.sampling.samplers import Samplers
from bot.engine.sampling.step_tables import (
    DEPTH,
    PLAIN,
    NotTabled,
    StepTable,
    StepTables,
    _probe_table,
    probe_table,
)
from tests.tiny_models import SCHEDULERS, SD_SCHEDULE

FLOAT32 = ("euler", "dpmpp")
"""The samplers that diffusers computes in float32. The others use the sample's own precision."""

COUNTS = (1, 2, 3, 7, 13, 37, 50)


@pytest.mark.parametrize("strength", [None, 0.6])
@pytest.mark.parametrize("num_inference_steps", COUNTS)
@pytest.mark.parametrize("sampler", SAMPLER_IDS)
def test_table_walks_as_the_scheduler_does(
    sampler: str, num_inference_steps: int, strength: float | None
) -> None:
    check_walk(Samplers(SCHEDULERS["pndm"]()), sampler, num_inference_steps, strength)


@pytest.mark.parametrize("strength", [0.2, 1.0])
@pytest.mark.parametrize("sampler", SAMPLER_IDS)
def test_table_walks_from_any_step_on(sampler: str, strength: float) -> None:
    check_walk(Samplers(SCHEDULERS["pndm"]()), sampler, 7, strength)


@pytest.mark.parametrize("sampler", SAMPLER_IDS)
def test_table_walks_on_a_schedule_that_ends_in_pure_noise(sampler: str) -> None:
    samplers = Samplers(SCHEDULERS["zero_snr"]())
    if sampler not in samplers.choose().ids:
        pytest.skip("its class has no such schedule")
    check_walk(samplers, sampler, 13, None)


def check_walk(
    samplers: Samplers, sampler: str, num_inference_steps: int, strength: float | None
) -> None:
    table = StepTables(samplers.create).get(sampler, num_inference_steps, strength)
    scheduler = samplers.create(sampler)
    scheduler.set_timesteps(num_inference_steps)
    timesteps = scheduler.timesteps
    noise = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0)).double()
    image = noise.flip(-1)
    expected = noise * scheduler.init_noise_sigma
    if strength is not None or hasattr(scheduler, "set_begin_index"):
        kept = 1.0 if strength is None else strength
        num_skipped = num_inference_steps - max(int(num_inference_steps * kept), 1)
        timesteps = timesteps[num_skipped * scheduler.order :]
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(num_skipped * scheduler.order)
    if strength is not None:
        expected = scheduler.add_noise(image, noise, timesteps[:1])
    start = table.start_image * image + table.start_noise * noise
    theirs, ours = (torch.Generator().manual_seed(1) for _ in range(2))
    takes = "generator" in inspect.signature(scheduler.step).parameters
    rest = {"generator": theirs} if takes else {}
    for t in timesteps:
        output = predict(scheduler.scale_model_input(expected, t), t)
        expected = scheduler.step(output, t, expected, return_dict=False, **rest)[0]
    error = float((walk(table, start, ours) - expected).norm() / expected.norm())
    assert error <= (1e-6 if sampler.startswith(FLOAT32) else 1e-12)
    assert torch.equal(ours.get_state(), theirs.get_state()), "the same noise is drawn"


def predict(sample: torch.Tensor, t: Any) -> torch.Tensor:
    """Stand in for a model: a function that is not linear, and different for each time."""
    return torch.tanh(sample.roll(1, -1) * 1.3 + float(t) / 1000)


def walk(table: StepTable, start: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    samples, outputs = [start], []
    for row, draws in zip(table.rows, table.draws, strict=True):
        outputs.insert(0, predict(row[0] * samples[0], row[1]))
        after = sum(a * x for a, x in zip(row[2 : 2 + DEPTH], samples, strict=False))
        after += sum(b * e for b, e in zip(row[2 + DEPTH : -1], outputs, strict=False))
        if draws:
            dtype = table.noise_dtype or start.dtype
            after += row[-1] * torch.randn(start.shape, generator=generator, dtype=dtype)
        samples.insert(0, after)
    return samples[0]


@pytest.mark.parametrize(
    ("sampler", "draws", "dtype"),
    [
        ("euler", [0, 0, 0, 0], None),
        ("euler_a", [1, 1, 1, 1], None),
        ("kdpm2_a", [0, 1, 0, 1, 0, 1, 0], None),
        ("dpmpp_2m_sde", [1, 1, 1, 1], torch.float32),
        ("lcm", [1, 1, 1, 0], None),
        ("tcd", [1, 1, 1, 0], None),
    ],
)
def test_table_says_where_noise_is_drawn_and_in_what(
    sampler: str, draws: list[int], dtype: torch.dtype | None
) -> None:
    table = probe_table(Samplers(SCHEDULERS["pndm"]()).create(sampler), 4)
    assert table.draws == tuple(map(bool, draws))
    assert table.noise_dtype is dtype


def test_unipc_needs_no_more_than_the_ring_holds() -> None:
    """UniPC's corrected sample follows from samples and outputs, so the table is enough."""
    table = probe_table(Samplers(SCHEDULERS["pndm"]()).create("unipc"), 25)
    samples, outputs = table.rows[:, 2 : 2 + DEPTH], table.rows[:, 2 + DEPTH : -1]
    assert (samples[2:-1, 1] != 0).all()
    assert (samples[:, -1] == 0).all() and (outputs[:, -1] == 0).all()


@pytest.mark.parametrize("sampler", ["lcm", "tcd"])
def test_distilled_sampler_takes_no_more_steps_than_it_was_distilled_to(sampler: str) -> None:
    scheduler = Samplers(SCHEDULERS["pndm"]()).create(sampler)
    with pytest.raises(NotTabled, match="51 steps are more than it can take"):
        probe_table(scheduler, 51)


class DrawsTwice(diffusers.EulerAncestralDiscreteScheduler):
    def step(self, *args: Any, generator: torch.Generator, **rest: Any) -> Any:
        torch.randn(7, generator=generator)
        return super().step(*args, generator=generator, **rest)


def test_scheduler_that_draws_more_than_one_picture_is_refused() -> None:
    with pytest.raises(NotTabled, match="draws more noise"):
        probe_table(DrawsTwice(**SD_SCHEDULE), 4)


@pytest.mark.parametrize(
    "scheduler",
    [
        diffusers.UniPCMultistepScheduler(**SD_SCHEDULE, thresholding=True),
        diffusers.DDPMScheduler(**SD_SCHEDULE, clip_sample=True),
        diffusers.DDIMScheduler(**SD_SCHEDULE, clip_sample=True),
        diffusers.DDIMScheduler(**SD_SCHEDULE, clip_sample=False, thresholding=True),
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


@pytest.mark.filterwarnings("ignore:.*algorithm_types? dpmsolver")
@pytest.mark.parametrize("num_inference_steps", [10, 50])
def test_rounding_errors_of_float32_do_not_make_a_scheduler_less_linear(
    num_inference_steps: int,
) -> None:
    """With this schedule, the terms of the first steps cancel; in float32, an error of 3e-4 is
    left.
    """
    scheduler = DPMSolverMultistepScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        algorithm_type="dpmsolver",
        final_sigmas_type="sigma_min",
    )
    with pytest.raises(NotTabled, match="residual"):
        _probe_table(copy.deepcopy(scheduler), num_inference_steps, None, PLAIN)
    samplers = Samplers(scheduler)
    table = StepTables(samplers.create).get("dpmpp_2m", num_inference_steps)
    own = samplers.create("dpmpp_2m")
    own.set_timesteps(num_inference_steps)
    sample = noise = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0)).double()
    for t in own.timesteps:
        sample = own.step(predict(sample, t), t, sample, return_dict=False)[0]
    ours = walk(table, noise * table.start_noise, torch.Generator())
    assert float((ours - sample).norm() / sample.norm()) < 1e-3
