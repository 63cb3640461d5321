from __future__ import annotations

from typing import Any

import diffusers
import pytest
import torch

from bot.domain.samplers import SAMPLERS
from bot.engine import SAMPLER_IDS
from bot.engine.sampling.samplers import _SAMPLERS, Samplers
from tests.tiny_models import SCHEDULERS, SD_SCHEDULE, build_tiny_pipeline


def choose(scheduler: Any) -> Any:
    return Samplers(scheduler).choose()


def test_model_like_stable_diffusion_1_is_offered_every_sampler() -> None:
    choice = choose(SCHEDULERS["pndm"]())
    assert choice.ids == ("pndm", *(name for name in SAMPLER_IDS if name != "pndm"))
    assert (choice.default, choice.notes) == ("pndm", ())


def test_model_with_trailing_spacing_is_offered_every_sampler_its_own_first() -> None:
    scheduler = diffusers.DDIMScheduler(
        **SD_SCHEDULE,
        clip_sample=False,
        steps_offset=1,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
    )
    assert choose(scheduler).ids == ("ddim", *(s for s in SAMPLER_IDS if s != "ddim"))


def test_zero_snr_model_is_not_offered_samplers_that_would_ignore_it() -> None:
    ids = choose(SCHEDULERS["zero_snr"]()).ids
    assert {name.removesuffix("_karras").removesuffix("_exponential") for name in ids} == {
        *("ddim", "ddpm", "euler", "euler_a", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m"),
        *("unipc", "lcm", "tcd"),
    }


def test_sampler_that_knows_a_setting_but_not_its_value_is_not_offered() -> None:
    scheduler = diffusers.DDIMScheduler(
        **SD_SCHEDULE, clip_sample=False, steps_offset=1, prediction_type="sample"
    )
    ids = choose(scheduler).ids
    assert ids[0] == "ddim"
    assert not {"pndm", "kdpm2"} & set(ids)


@pytest.mark.parametrize(
    ("settings", "sampler"),
    [
        ({}, "dpmpp_2m"),
        ({"use_karras_sigmas": True}, "dpmpp_2m_karras"),
        ({"use_exponential_sigmas": True}, "dpmpp_2m_exponential"),
        ({"solver_order": 3}, "dpmpp_3m"),
        ({"algorithm_type": "sde-dpmsolver++"}, "dpmpp_2m_sde"),
        (
            {"algorithm_type": "sde-dpmsolver++", "use_karras_sigmas": True},
            "dpmpp_2m_sde_karras",
        ),
    ],
)
def test_own_scheduler_is_recognised_with_its_settings(
    settings: dict[str, Any], sampler: str
) -> None:
    scheduler = diffusers.DPMSolverMultistepScheduler(**SD_SCHEDULE, steps_offset=1, **settings)
    assert choose(scheduler).default == sampler


def test_scheduler_without_an_id_is_replaced_with_a_note() -> None:
    choice = choose(diffusers.DPMSolverSinglestepScheduler(**SD_SCHEDULE))
    assert choice.default == "euler"
    assert "DPMSolverSinglestepScheduler" in choice.notes[0]


def test_own_scheduler_whose_steps_are_not_linear_is_refused_by_name() -> None:
    choice = choose(diffusers.DDIMScheduler(**SD_SCHEDULE, steps_offset=1, clip_sample=True))
    assert "ddim" not in choice.ids
    assert choice.default == "euler"
    assert any("sampler ddim is not offered: step" in note for note in choice.notes)


def test_model_that_no_sampler_can_draw_says_why_for_each() -> None:
    thresholding = diffusers.DDIMScheduler(**SD_SCHEDULE, clip_sample=False, thresholding=True)
    with pytest.raises(ValueError, match="sampler ddim is not offered: step 0 leaves a residual"):
        choose(thresholding)


def test_default_sampler_keeps_the_models_own_settings() -> None:
    own = diffusers.EulerDiscreteScheduler(**SD_SCHEDULE, steps_offset=1, use_karras_sigmas=True)
    scheduler = Samplers(own).create("euler_karras")
    assert scheduler is not own
    assert dict(scheduler.config) == dict(own.config)


def test_other_samplers_follow_the_models_schedule_but_not_its_samplers_habits() -> None:
    own = diffusers.DPMSolverMultistepScheduler(
        **SD_SCHEDULE, steps_offset=1, timestep_spacing="leading", use_karras_sigmas=True
    )
    plain = Samplers(own).create("dpmpp_2m")
    assert not plain.config.use_karras_sigmas
    assert plain.config.beta_schedule == "scaled_linear"
    plain.set_timesteps(50)
    assert int(plain.timesteps[0]) == 951  # with linspace, the class's own default, it would be 999


@pytest.mark.parametrize("sampler", ["pndm", "ddim"])
def test_settings_patched_by_the_pipeline_survive(sampler: str) -> None:
    outdated = diffusers.PNDMScheduler.from_config({**SD_SCHEDULE, "skip_prk_steps": True})
    with pytest.warns(FutureWarning, match="steps_offset"):
        pipe = build_tiny_pipeline(outdated)
    scheduler = Samplers(pipe.scheduler).create(sampler)
    scheduler.set_timesteps(50)
    assert (int(scheduler.timesteps[0]), int(scheduler.timesteps[-1])) == (981, 1)


def test_ddim_does_not_clip_the_samples_of_another_schedulers_model() -> None:
    assert Samplers(SCHEDULERS["pndm"]()).create("ddim").config.clip_sample is False


def test_each_request_gets_an_unused_scheduler() -> None:
    samplers = Samplers(SCHEDULERS["pndm"]())
    first, second = samplers.create("pndm"), samplers.create("pndm")
    first.set_timesteps(5)
    assert second.num_inference_steps is None


@pytest.mark.parametrize(
    ("sampler", "num_evaluations"),
    [("pndm", 21), ("ddim", 20), ("dpmpp_3m", 20), ("heun", 39), ("kdpm2", 39)],
)
def test_unet_calls_are_counted_by_number_of_steps(sampler: str, num_evaluations: int) -> None:
    assert Samplers(SCHEDULERS["pndm"]()).count_evaluations(sampler, 20) == num_evaluations


def test_every_sampler_with_a_name_has_a_scheduler() -> None:
    assert set(_SAMPLERS) == set(SAMPLERS)


@pytest.mark.parametrize("sampler", ["heun_karras", "kdpm2", "kdpm2_exponential", "kdpm2_a_karras"])
def test_quick_constructor_leaves_the_steps_of_the_class_itself(sampler: str) -> None:
    kind = _SAMPLERS[sampler]
    made = Samplers(SCHEDULERS["pndm"]()).create(sampler)
    assert len(made.timesteps) <= kind.scheduler_class.order * 2
    theirs = kind.scheduler_class(**{name: made.config[name] for name in kind.knows()})
    for scheduler in (made, theirs):
        scheduler.set_timesteps(7)
    assert torch.equal(made.timesteps, theirs.timesteps)
    assert torch.equal(made.sigmas, theirs.sigmas)
    assert made.init_noise_sigma == theirs.init_noise_sigma
