"""Flow models: their samplers' tables against the schedulers of diffusers themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import (
    DEISMultistepScheduler,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    FlowMatchLCMScheduler,
    UniPCMultistepScheduler,
)

from bot.engine.sampling.samplers import Samplers
from bot.engine.sampling.step_tables import NotTabled, Schedule, StepTables, probe_table
from tests.engine.sampling.test_step_tables import predict, walk
from tests.tiny_models import SCHEDULERS

EVERY = ("dpmpp_2m", "euler", "unipc", "heun", "lcm", "deis")
FLOW = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
CLASSES: dict[str, Any] = {
    "euler": FlowMatchEulerDiscreteScheduler,
    "heun": FlowMatchHeunDiscreteScheduler,
    "lcm": FlowMatchLCMScheduler,
    "dpmpp_2m": DPMSolverMultistepScheduler,
    "deis": DEISMultistepScheduler,
    "unipc": UniPCMultistepScheduler,
}
SHIFTED = {"use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 0.9}


@dataclass(frozen=True)
class Own:
    """A model's own scheduler, and the samplers that must be offered, its own one first."""

    scheduler_class: Any
    settings: dict[str, Any]
    offered: tuple[str, ...]

    def build(self) -> Any:
        return self.scheduler_class(**self.settings)


def put_first(default: str) -> tuple[str, ...]:
    return (default, *(each for each in EVERY if each != default))


OWN = {
    # as in stabilityai/stable-diffusion-3.5-large and Tongyi-MAI/Z-Image-Turbo
    "static": Own(FlowMatchEulerDiscreteScheduler, {"shift": 3.0}, put_first("euler")),
    # as in black-forest-labs/FLUX.1-dev
    "dynamic": Own(
        FlowMatchEulerDiscreteScheduler,
        {**SHIFTED, "shift": 3.0},
        ("euler", "dpmpp_2m", "unipc", "lcm", "deis"),
    ),
    "linear": Own(
        FlowMatchEulerDiscreteScheduler,
        {**SHIFTED, "time_shift_type": "linear"},
        ("euler", "unipc", "lcm"),
    ),
    # as in Qwen/Qwen-Image
    "terminal": Own(
        FlowMatchEulerDiscreteScheduler,
        {**SHIFTED, "shift_terminal": 0.02, "max_image_seq_len": 8192},
        ("euler", "unipc", "lcm"),
    ),
    "karras": Own(
        FlowMatchEulerDiscreteScheduler, {"shift": 3.0, "use_karras_sigmas": True}, ("euler", "lcm")
    ),
    "exponential": Own(
        FlowMatchEulerDiscreteScheduler, {"use_exponential_sigmas": True}, ("euler", "lcm")
    ),
    "stochastic": Own(
        FlowMatchEulerDiscreteScheduler,
        {"shift": 2.0, "stochastic_sampling": True},
        put_first("euler"),
    ),
    "heun": Own(FlowMatchHeunDiscreteScheduler, {"shift": 3.0}, put_first("heun")),
    "lcm": Own(FlowMatchLCMScheduler, {"shift": 3.0}, put_first("lcm")),
    # as in Efficient-Large-Model/Sana_1600M_1024px_diffusers
    "sana": Own(DPMSolverMultistepScheduler, {**FLOW, "flow_shift": 3.0}, put_first("dpmpp_2m")),
}
CASES = [(name, sampler) for name, own in OWN.items() for sampler in own.offered]


def build_reference(own: Any, sampler: str) -> Any:
    """Make a sampler's scheduler as diffusers' documentation does, from the model's own."""
    if type(own) is CLASSES[sampler]:
        return CLASSES[sampler].from_config(own.config)
    shift = own.config.get("shift", own.config.get("flow_shift"))
    name = "shift" if sampler in ("euler", "heun", "lcm") else "flow_shift"
    others = ("_use_default_values", "shift", "flow_shift", "stochastic_sampling")
    config = {key: value for key, value in own.config.items() if key not in others}
    return CLASSES[sampler].from_config(config, **FLOW, **{name: shift})


def set_reference(scheduler: Any, sampler: str, num_steps: int, schedule: Schedule) -> None:
    mu = {"mu": schedule.mu} if scheduler.config.get("use_dynamic_shifting") else {}
    if schedule.sigmas is not None and sampler in ("euler", "lcm", "unipc"):
        scheduler.set_timesteps(sigmas=np.array(schedule.sigmas), **mu)
    else:
        scheduler.set_timesteps(num_steps, **mu)
    if sampler == "deis":
        scheduler.sigmas[-1] = 0.001


def make_even(num_steps: int) -> tuple[float, ...]:
    return tuple(np.linspace(1, 1 / num_steps, num_steps).tolist())


def skip_steps(scheduler: Any, num_steps: int, strength: float) -> torch.Tensor:
    get_timesteps = diffusers.StableDiffusion3Img2ImgPipeline.get_timesteps
    pipe: Any = SimpleNamespace(scheduler=scheduler)
    return get_timesteps(pipe, num_steps, strength, "cpu")[0]


@pytest.mark.parametrize(("name", "sampler"), CASES)
def test_table_walks_as_the_scheduler_does(name: str, sampler: str) -> None:
    own = OWN[name].build()
    tables = StepTables(Samplers(own).create)
    for num_steps in (1, 2, 4, 20):
        if name == "terminal" and num_steps == 1:
            continue
        schedules = [Schedule(mu=0.8), Schedule(1.3, make_even(num_steps))]
        for strength, schedule in zip((None, 0.33, 0.75, 1.0), schedules * 2, strict=True):
            reference = build_reference(own, sampler)
            set_reference(reference, sampler, num_steps, schedule)
            table = tables.get(sampler, num_steps, strength, schedule)
            check_walk(table, reference, sampler, num_steps, strength)


def check_walk(
    table: Any, scheduler: Any, sampler: str, num_steps: int, strength: float | None
) -> None:
    noise = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0)).double()
    image = noise.flip(-1)
    timesteps, expected = scheduler.timesteps, noise
    scheduler.set_begin_index(0)
    if strength is not None:
        timesteps = skip_steps(scheduler, num_steps, strength)
        sigma = scheduler.sigmas[scheduler.begin_index].double()
        expected = sigma * noise + (1 - sigma) * image
    start = table.start_image * image + table.start_noise * noise
    theirs, ours = (torch.Generator().manual_seed(1) for _ in range(2))
    draws = sampler == "lcm" or scheduler.config.get("stochastic_sampling")
    rest = {"generator": theirs} if draws else {}
    for t in timesteps:
        expected = scheduler.step(predict(expected, t), t, expected, return_dict=False, **rest)[0]
    assert table.rows[:, 1].tolist() == timesteps.double().tolist()
    error = float((walk(table, start, ours) - expected).norm() / expected.norm())
    assert error <= (1e-12 if sampler in ("unipc", "deis") else 1e-6)
    assert torch.equal(ours.get_state(), theirs.get_state()), "the same noise is drawn"
    sigmas = scheduler.sigmas[-1 - len(timesteps) : -1].double()
    assert torch.equal(table.estimate, torch.stack([torch.ones_like(sigmas), -sigmas], dim=1))


@pytest.mark.parametrize("name", OWN)
def test_model_is_offered_the_samplers_that_follow_its_shift(name: str) -> None:
    choice = Samplers(OWN[name].build()).choose()
    assert choice.ids == OWN[name].offered
    assert choice.default == choice.ids[0]
    refused = [each for each in EVERY if each not in choice.ids]
    assert [note.split()[2] for note in choice.notes] == refused


@pytest.mark.parametrize(
    ("name", "sampler", "setting"),
    [
        ("dynamic", "heun", "use_dynamic_shifting"),
        ("linear", "dpmpp_2m", "time_shift_type"),
        ("terminal", "deis", "shift_terminal"),
        ("karras", "unipc", "use_karras_sigmas"),
    ],
)
def test_owner_is_told_why_a_sampler_is_not_offered(name: str, sampler: str, setting: str) -> None:
    why = f"its scheduler does not follow the model's setting {setting}"
    notes = Samplers(OWN[name].build()).choose().notes
    assert f"The sampler {sampler} is not offered: {why}." in notes


@pytest.mark.parametrize(
    ("scheduler", "why"),
    [
        (FlowMatchEulerDiscreteScheduler(invert_sigmas=True), "with its setting invert_sigmas"),
        (FlowMatchLCMScheduler(scale_factors=[0.5, 1.0]), "with its setting scale_factors"),
        (DPMSolverMultistepScheduler(**FLOW, use_lu_lambdas=True), "setting use_lu_lambdas"),
        (DPMSolverMultistepScheduler(use_flow_sigmas=True), "not one of the flow schedulers"),
        (diffusers.FlowMapEulerDiscreteScheduler(), "not one of the flow schedulers"),
    ],
)
def test_flow_scheduler_that_is_not_understood_is_refused(scheduler: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Samplers(scheduler).choose()


def test_flow_scheduler_without_an_id_is_replaced_by_euler_with_the_same_shift() -> None:
    own = diffusers.DPMSolverSinglestepScheduler(**FLOW, flow_shift=5.0)
    samplers = Samplers(own)
    choice = samplers.choose()
    assert (choice.default, set(choice.ids)) == ("euler", {*EVERY})
    assert "DPMSolverSinglestepScheduler" in choice.notes[0]
    assert samplers.create("euler").config.shift == 5.0


def test_settings_of_a_scheduler_itself_stay_with_it() -> None:
    samplers = Samplers(OWN["stochastic"].build())
    assert samplers.create("euler").config.stochastic_sampling
    own = DPMSolverMultistepScheduler(**FLOW, flow_shift=3.0, solver_type="heun")
    assert Samplers(own).create("dpmpp_2m").config.solver_type == "heun"


def test_diffusion_model_is_offered_no_flow_scheduler() -> None:
    samplers = Samplers(SCHEDULERS["pndm"]())
    for sampler in EVERY:
        scheduler = samplers.create(sampler)
        assert not hasattr(scheduler, "scale_noise")
        assert not scheduler.config.get("use_flow_sigmas")


@pytest.mark.parametrize(
    ("name", "sampler", "num_evaluations"),
    [("static", "heun", 39), ("static", "euler", 20), ("dynamic", "dpmpp_2m", 20)],
)
def test_calls_of_the_network_are_counted(name: str, sampler: str, num_evaluations: int) -> None:
    assert Samplers(OWN[name].build()).count_evaluations(sampler, 20) == num_evaluations


@pytest.mark.parametrize("sampler", OWN["dynamic"].offered)
def test_each_request_has_the_shift_of_its_own_size(sampler: str) -> None:
    """sigma' = e^mu / (e^mu + 1/sigma - 1), as in the FLUX paper's schedule."""
    tables = StepTables(Samplers(OWN["dynamic"].build()).create)
    plain = tables.get(sampler, 8, None, Schedule(mu=0.0)).estimate[:, 1].neg()
    for mu in (0.5, 1.15):
        shifted = tables.get(sampler, 8, None, Schedule(mu=mu)).estimate[:, 1].neg()
        expected = math.exp(mu) / (math.exp(mu) + 1 / plain - 1)
        assert torch.allclose(shifted, expected, atol=2e-6)


def test_table_is_probed_once_for_each_schedule() -> None:
    tables = StepTables(Samplers(OWN["dynamic"].build()).create)
    first = tables.get("euler", 4, None, Schedule(0.5, make_even(4)))
    assert first is tables.get("euler", 4, None, Schedule(0.5, make_even(4)))
    assert first is not tables.get("euler", 4, None, Schedule(0.6, make_even(4)))
    assert first is not tables.get("euler", 4, None, Schedule(0.5))


def test_schedule_that_does_not_fit_is_an_error() -> None:
    create = Samplers(OWN["dynamic"].build()).create
    for sampler in OWN["dynamic"].offered:
        with pytest.raises(ValueError, match="needs mu"):
            probe_table(create(sampler), 4)
    with pytest.raises(ValueError, match="3 sigmas are given for 4 steps"):
        probe_table(create("euler"), 4, None, Schedule(0.5, make_even(3)))


@pytest.mark.parametrize("sampler", OWN["terminal"].offered)
def test_one_step_is_refused_if_the_schedule_needs_two(sampler: str) -> None:
    scheduler = Samplers(OWN["terminal"].build()).create(sampler)
    with pytest.raises(NotTabled, match="needs two"):
        probe_table(scheduler, 1, None, Schedule(mu=0.8))


def test_first_step_may_be_at_the_last_training_time() -> None:
    table = probe_table(Samplers(OWN["static"].build()).create("euler"), 4)
    assert table.rows[0, :2].tolist() == [1.0, 1000.0]
    assert (table.start_image, table.start_noise) == (0.0, 1.0)


@pytest.mark.parametrize(("name", "sampler"), [("static", "lcm"), ("stochastic", "euler")])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_noise_is_drawn_in_the_dtype_of_the_scheduler(
    name: str, sampler: str, dtype: torch.dtype
) -> None:
    scheduler = Samplers(OWN[name].build()).create(sampler)
    table = probe_table(scheduler, 4)
    assert table.draws == (True,) * 4
    assert table.rows[:, -1].tolist() == pytest.approx([*(-table.estimate[1:, 1]).tolist(), 0.0])
    theirs, ours = (torch.Generator().manual_seed(1) for _ in range(2))
    scheduler.set_timesteps(4)
    nothing = torch.zeros(1, 4, 8, 8, dtype=dtype)
    after = scheduler.step(nothing, scheduler.timesteps[0], nothing, generator=theirs)[0]
    noise = torch.randn(1, 4, 8, 8, generator=ours, dtype=table.find_noise_dtype(dtype))
    assert torch.allclose(after, (table.rows[0, -1] * noise).to(dtype))
    assert torch.equal(ours.get_state(), theirs.get_state())


@pytest.mark.parametrize("strength", [0.01, 0.3, 0.5, 0.55, 0.999, 1.0])
def test_pipelines_of_all_families_start_at_the_same_step(strength: float) -> None:
    scheduler = OWN["static"].build()
    table = probe_table(Samplers(scheduler).create("euler"), 10, strength)
    for family in ("Flux", "QwenImage", "ZImage", "Chroma", "StableDiffusion3"):
        scheduler.set_timesteps(10)
        pipe = SimpleNamespace(scheduler=scheduler)
        kind = getattr(diffusers, f"{family}Img2ImgPipeline")
        timesteps, num_steps = kind.get_timesteps(pipe, 10, strength, "cpu")
        assert table.num_steps == num_steps
        assert table.rows[:, 1].tolist() == timesteps.double().tolist()


@pytest.mark.parametrize("sampler", ["euler", "heun", "dpmpp_2m", "deis", "unipc"])
def test_sampler_finds_the_end_of_the_flow(sampler: str) -> None:
    """The data are two clusters, so the exact velocity is known, and with it the flow's end."""
    start = torch.linspace(-2, 2, 41, dtype=torch.float64)
    levels, expected = np.linspace(1, 0, 1001), start
    for level, following in pairwise(levels):
        expected = expected + (following - level) * find_velocity(expected, level)
    table = probe_table(Samplers(OWN["static"].build()).create(sampler), 50)
    samples, outputs = [start], []
    for row in table.rows:
        outputs.insert(0, find_velocity(row[0] * samples[0], float(row[1]) / 1000))
        a, b = row[2:-1].chunk(2)
        after = [c * x for c, x in zip(a, samples, strict=False)]
        after += [c * x for c, x in zip(b, outputs, strict=False)]
        samples.insert(0, torch.stack(after).sum(0))
    assert float((samples[0] - expected).abs().mean()) < 0.03


def find_velocity(sample: torch.Tensor, sigma: float) -> torch.Tensor:
    """Return the mean of noise - clean, where clean is near -1 (40 %) or near 0.6 (60 %)."""
    centres, spread = torch.tensor([-1.0, 0.6]).double(), 0.2
    variance = ((1 - sigma) * spread) ** 2 + sigma**2
    distance = sample[:, None] - (1 - sigma) * centres
    weights = torch.softmax(torch.tensor([0.4, 0.6]).log() - distance**2 / variance / 2, dim=1)
    clean = centres + (1 - sigma) * spread**2 / variance * distance
    return (weights * (sigma / variance * distance - clean)).sum(1)
