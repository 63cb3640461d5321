"""Models that draw in a few steps are recognised, and get the right number of steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.engine.api import ModelInfo, ModelSource
from bot.engine.models.few_steps import FewSteps, recognise_few_steps
from bot.engine.models.loading import load_model
from tests.engine.conftest import make_request
from tests.engine.drawing import Pair, find_worst
from tests.tiny_models import build_tiny_model, build_tiny_xl_model, edit_json

ANCESTRAL = "EulerAncestralDiscreteScheduler"
TRAILING = {"timestep_spacing": "trailing"}
ZERO_SNR = {**TRAILING, "rescale_betas_zero_snr": True}
VELOCITY = {**TRAILING, "prediction_type": "v_prediction"}


def recognise(
    name: str, scheduler: str = "EulerDiscreteScheduler", *, embeds: bool = False, **settings: Any
) -> FewSteps | None:
    return recognise_few_steps(name, scheduler, settings, embeds_guidance=embeds)


@pytest.mark.parametrize(
    ("found", "label", "steps", "guidance", "sampler"),
    [
        (recognise("LCM_Dreamshaper_v7", "LCMScheduler", embeds=True), "LCM", 4, 8.0, "lcm"),
        (recognise("mine", "LCMScheduler"), "LCM", 6, 1.0, "lcm"),
        (recognise("photonLCM_v1"), "LCM", 6, 1.0, "lcm"),
        (recognise("mine", "TCDScheduler"), "TCD", 4, 1.0, "tcd"),
        (recognise("sdxl_lightning_4step"), "Lightning", 4, 1.0, "euler"),
        (recognise("sdxl_lightning_8step_unet"), "Lightning", 8, 1.0, "euler"),
        (recognise("juggernautXL_v9Rdphoto2Lightning"), "Lightning", 6, 1.0, "euler"),
        (recognise("realvisxlV40_v40LightningBakedvae"), "Lightning", 6, 1.0, "euler"),
        (recognise("Hyper-SD15-8steps"), "Hyper", 8, 1.0, "ddim"),
        (recognise("hyper_sdxl_2steps"), "Hyper", 2, 1.0, "ddim"),
        (
            recognise("sdxl-turbo", ANCESTRAL, **TRAILING),
            "Turbo",
            4,
            1,
            None,
        ),
        (recognise("sd-turbo", **TRAILING), "Turbo", 4, 1.0, None),
        (recognise("renamed", ANCESTRAL, **TRAILING), "Turbo", 4, 1, None),
        (recognise("dreamshaperXL_v2TurboDpmppSDE"), "Turbo", 8, 2.0, "dpmpp_2m_sde_karras"),
    ],
)
def test_each_kind_is_told_by_its_files(
    found: FewSteps | None, label: str, steps: int, guidance: float, sampler: str | None
) -> None:
    assert found is not None
    assert (found.label, found.num_inference_steps) == (label, steps)
    assert (found.guidance_scale, found.sampler) == (guidance, sampler)


@pytest.mark.parametrize(
    "found",
    [
        recognise("stable-diffusion-xl-base-1.0"),
        recognise("noobaiXL_vPred10", **ZERO_SNR),
        recognise("velocity", **VELOCITY),
        recognise("ponyDiffusionV6XL_v6StartWithThisOne"),
        recognise("hyperrealism_v3"),
        recognise("hyperion"),
        recognise("sd15", "DDIMScheduler", **TRAILING),
        recognise("turbofan_engines"),
    ],
)
def test_other_models_are_left_alone(found: FewSteps | None) -> None:
    assert found is None


@pytest.fixture(scope="module")
def turbo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = build_tiny_xl_model(tmp_path_factory.mktemp("few") / "tiny-turbo")
    edit_json(path / "scheduler" / "scheduler_config.json", **TRAILING)
    return path


def open_model(path: Path) -> ModelInfo:
    return load_model(ModelSource(str(path), device="cpu")).info


def test_recognised_model_gets_its_steps_and_guidance_and_says_so(turbo: Path) -> None:
    info = open_model(turbo)
    assert (info.num_inference_steps, info.guidance_scale, info.is_distilled) == (4, 1.0, True)
    assert info.notes[-1] == (
        "tiny-turbo was recognised as a Turbo model: 4 steps, no guidance, unless triptych.json "
        "says otherwise."
    )


def test_owner_knows_better(turbo: Path, tmp_path: Path) -> None:
    own = {"num_inference_steps": 2, "guidance_scale": 3, "sampler": "Euler a"}
    path = tmp_path / "turbo"
    path.symlink_to(turbo)
    (turbo / "triptych.json").write_text(json.dumps(own))
    try:
        info = open_model(path)
    finally:
        (turbo / "triptych.json").unlink()
    assert (info.num_inference_steps, info.guidance_scale) == (2, 3.0)
    assert info.default_sampler == info.samplers[0] == "euler_a"


def test_lightning_in_the_name_spaces_every_samplers_timesteps_from_the_end(
    tmp_path: Path,
) -> None:
    path = build_tiny_model(tmp_path / "tiny_lightning_8step", "pndm")
    model = load_model(ModelSource(str(path), device="cpu"))
    assert model.info.default_sampler == "euler"
    assert model.info.num_inference_steps == 8
    for sampler in ("euler", "dpmpp_2m"):
        assert model.samplers.create(sampler).config["timestep_spacing"] == "trailing"
    (path / "triptych.json").write_text('{"timestep_spacing": "leading"}')
    own = load_model(ModelSource(str(path), device="cpu")).samplers
    assert own.create("euler").config["timestep_spacing"] == "leading"


def test_turbo_draws_what_its_pipeline_draws(turbo: Path) -> None:
    pair = Pair(turbo)
    request = make_request(
        sampler=pair.info.default_sampler,
        num_inference_steps=pair.info.num_inference_steps,
        guidance_scale=pair.info.guidance_scale,
    )
    assert find_worst(pair.draw(request).images, pair.draw_alone(request)) <= 1


@pytest.mark.parametrize(
    "content", ['{"sampler": "eulre"}', '{"timestep_spacing": "back"}', '{"sampler": 3}']
)
def test_faulty_choice_of_an_owner_is_named(tmp_path: Path, content: str) -> None:
    from bot.engine.models.defaults import read_defaults
    from bot.errors import ConfigError

    (tmp_path / "triptych.json").write_text(content)
    with pytest.raises(ConfigError, match=r"must be a JSON object .* stands in the way"):
        read_defaults(tmp_path, "model")
