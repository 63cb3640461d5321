"""The real huggingface_hub client with a stand-in on loopback that refuses like the Hub."""

from __future__ import annotations

import errno
import re
import shutil
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from bot.engine import ModelSource
from bot.engine.models.checks import check_model
from bot.engine.models.loading import _load_from_hub, load_model
from bot.errors import ConfigError
from tests.engine.fake_hub import FakeHub
from tests.tiny_models import build_tiny_model, edit_json

SOURCE = ModelSource("someone/model", hf_token="hf_secret", device="cpu")
CARD = "https://huggingface.co/someone/model"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return build_tiny_model(tmp_path / "model")


def say(ask: Callable[[ModelSource], object], source: ModelSource) -> str:
    with pytest.raises(ConfigError) as caught:
        ask(source)
    assert "hf_secret" not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


def refuse(source: ModelSource = SOURCE) -> str:
    """Return the message of doctor, and check that the start gives the same."""
    said = say(partial(check_model, thorough=True), source)
    assert said == say(load_model, source)
    return said


def test_model_is_downloaded_once_and_then_needs_no_network(hub: FakeHub) -> None:
    assert "not on this machine yet" in check_model(SOURCE)[0]
    assert load_model(SOURCE).info.name == "model"
    assert "Bearer hf_secret" in hub.tokens
    assert "is in the local cache" in check_model(SOURCE)[0]
    downloaded = list(hub.downloaded)
    hub.refuse(404, Error_Code="RepoNotFound")
    assert load_model(SOURCE).info.name == "model"
    assert hub.downloaded == downloaded


def test_licence_comes_with_the_model_and_is_kept(hub: FakeHub, folder: Path) -> None:
    (folder / "README.md").write_text("---\nlicense: openrail\n---\n")
    assert load_model(SOURCE).info.licence == "openrail"
    assert "its licence, openrail, allows" in check_model(SOURCE)[-1]
    hub.close()
    assert load_model(SOURCE).info.licence == "openrail"


def test_model_without_fp16_variant_is_downloaded_without_it(hub: FakeHub) -> None:
    loaded = _load_from_hub(SOURCE, torch.float16)
    assert loaded.family.pipe.unet.dtype == torch.float16
    assert loaded.notes == ("someone/model has no fp16 variant: its weights were cast to float16.",)


ANSWERS = [
    (
        (401, {"Error_Message": "Invalid credentials in Authorization header"}),
        "does not accept HF_",
    ),
    ((403, {"Error_Code": "GatedRepo"}), "{repo} is a gated model: .*accept its terms at {card}, "),
    ((403, {}), r"does not let this account read {repo} \(403\): .*the permission to read it"),
    ((404, {"Error_Code": "RepoNotFound"}), "There is no model {repo} on the Hugging Face Hub"),
    ((404, {"Error_Code": "EntryNotFound"}), "{repo} has no "),
    ((429, {}), r"too many requests from this address \(429\), so {repo}.*wait a few minutes"),
    ((500, {}), r"a fault of its own \(500\), so {repo} did not come: .*wait a few minutes"),
    ((503, {}), r"a fault of its own \(503\), so {repo} did not come: .*wait a few minutes"),
]


@pytest.mark.parametrize(("answer", "words"), ANSWERS, ids=lambda value: str(value)[:30])
def test_each_answer_of_the_hub_has_a_sentence_of_its_own(
    hub: FakeHub, answer: tuple[int, dict[str, str]], words: str
) -> None:
    hub.refuse(answer[0], **answer[1])
    assert re.search(words.format(repo="someone/model", card=CARD), refuse())


def test_hub_that_cannot_be_reached_is_not_blamed_for_anything_else(hub: FakeHub) -> None:
    hub.close()
    assert "cannot be reached from this machine" in refuse()


def test_offline_mode_is_named_as_the_setting_that_it_is(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set, and someone/model is not" in refuse()


def test_doctor_keeps_nothing_of_what_it_asked_the_hub(hub: FakeHub, tmp_path: Path) -> None:
    check_model(SOURCE, thorough=True)
    assert not (tmp_path / "cache").exists()
    assert "Bearer hf_secret" in hub.tokens


def test_weights_that_are_gone_from_the_cache_come_again_or_are_named(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_model(SOURCE)
    [snapshot] = (tmp_path / "cache" / "models--someone--model" / "snapshots").iterdir()
    weights = snapshot / "unet" / "diffusion_pytorch_model.safetensors"
    weights.resolve().unlink()
    [line] = check_model(SOURCE, thorough=True)
    assert "the start downloads the rest" in line
    assert load_model(SOURCE).info.name == "model"
    weights.resolve().unlink()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    text = refuse()
    assert "HF_HUB_OFFLINE" in text


def test_cached_model_that_does_not_fit_its_config_names_the_folder_to_delete(
    hub: FakeHub, folder: Path
) -> None:
    edit_json(folder / "unet" / "config.json", cross_attention_dim=64)
    text = say(load_model, SOURCE)
    assert "does not fit its config files" in text
    assert "cache/models--someone--model and start again" in text
    assert refuse() == text


def test_safety_checker_of_pickle_files_is_not_downloaded(hub: FakeHub, folder: Path) -> None:
    shutil.rmtree(folder)
    build_tiny_model(folder, safety_checker=True)
    weights = folder / "safety_checker" / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    assert check_model(SOURCE, thorough=True)
    loaded = load_model(SOURCE)
    assert loaded.pipe.safety_checker is None
    assert "was left out" in loaded.info.notes[0]
    assert not [name for name in hub.downloaded if "pytorch_model.bin" in name]


def test_inpainting_model_is_refused_before_its_weights_arrive(hub: FakeHub, folder: Path) -> None:
    edit_json(folder / "model_index.json", _class_name="StableDiffusionInpaintPipeline")
    edit_json(folder / "unet" / "config.json", in_channels=9)
    assert "9 channels, as for inpainting" in refuse()
    assert not [name for name in hub.downloaded if name.endswith(".safetensors")]


def test_model_whose_files_alone_are_gated_names_the_card(hub: FakeHub) -> None:
    hub.refuse(403, Error_Code="GatedRepo")
    hub.only_files_refused = True
    assert f"accept its terms at {CARD}, then set HF_TOKEN" in refuse()


def test_token_that_no_header_can_carry_is_never_shown(hub: FakeHub) -> None:
    source = ModelSource("someone/model", hf_token="hf_secret\n", device="cpu")
    with pytest.raises(ConfigError, match="does not accept HF_TOKEN") as caught:
        load_model(source)
    assert "hf_secret" not in "".join(traceback.format_exception(caught.value))


def test_repository_without_an_index_is_said_so(hub: FakeHub, folder: Path) -> None:
    (folder / "model_index.json").unlink()
    assert "has no model_index.json: choose a model in the diffusers format" in refuse()


def test_other_family_is_refused_before_its_weights_arrive(hub: FakeHub, folder: Path) -> None:
    edit_json(folder / "model_index.json", _class_name="HunyuanDiTPipeline")
    assert "cannot draw with someone/model (it is a model of Hunyuan-DiT)" in refuse()
    assert set(hub.downloaded) == {"model_index.json"}


def test_model_of_pickle_files_is_refused_before_they_arrive(hub: FakeHub, folder: Path) -> None:
    for path in folder.rglob("*.safetensors"):
        path.rename(path.with_suffix(".bin"))
    assert "offers only pickle files" in refuse()
    assert set(hub.downloaded) == {"model_index.json"}


def test_broken_download_names_the_folder_to_delete(hub: FakeHub, folder: Path) -> None:
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    text = say(load_model, SOURCE)
    assert refuse() == text, "once it is here, doctor knows"
    assert "is incomplete" in text
    assert "cache/models--someone--model and start again" in text


def test_full_disk_is_said_so(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_up(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(StableDiffusionPipeline, "download", fill_up)  # we cannot fill a real disk
    text = say(load_model, SOURCE)
    assert "The disk is full" in text
    assert "HF_HOME" in text


@pytest.fixture
def with_vae(hub: FakeHub, tiny_model: Path, folder: Path) -> ModelSource:
    """A model on this machine whose VAE is on the Hub."""
    for place in folder.iterdir():
        shutil.rmtree(place) if place.is_dir() and place.name != "vae" else None
    return ModelSource(str(tiny_model), vae="someone/vae", hf_token="hf_secret", device="cpu")


@pytest.mark.parametrize("is_alone", [True, False], ids=["alone", "in a model"])
def test_vae_is_downloaded_once_and_then_needs_no_network(
    hub: FakeHub, with_vae: ModelSource, folder: Path, is_alone: bool
) -> None:
    if is_alone:
        hub.folder = folder / "vae"
    assert "VAE someone/vae is not on this machine yet" in check_model(with_vae, thorough=True)[1]
    assert not hub.downloaded
    assert load_model(with_vae)
    start = "" if is_alone else "vae/"
    wanted = {f"{start}config.json", f"{start}diffusion_pytorch_model.safetensors"}
    assert set(hub.downloaded) == wanted
    assert hub.tokens == {"Bearer hf_secret"}
    hub.refuse(500)
    assert "in place of the model's own" in check_model(with_vae, thorough=True)[1]
    assert load_model(with_vae)


def test_vae_on_the_hub_that_cannot_be_had_names_the_setting(
    hub: FakeHub, with_vae: ModelSource, folder: Path
) -> None:
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    assert "VAE names someone/vae, which has no config.json with .safetensors" in refuse(with_vae)
    hub.refuse(404, Error_Code="RepoNotFound")
    text = refuse(with_vae)
    assert "There is no model someone/vae on the Hugging Face Hub" in text
    assert "correct VAE, or set HF_TOKEN" in text


def test_broken_vae_in_the_cache_names_the_folder_to_delete(
    hub: FakeHub, with_vae: ModelSource, folder: Path
) -> None:
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    text = say(load_model, with_vae)
    assert "is incomplete" in text
    assert "cache/models--someone--vae and start again" in text
    assert refuse(with_vae) == text, "once it is here, doctor knows"


def test_vae_on_the_hub_for_another_kind_of_model_is_refused(
    hub: FakeHub, with_vae: ModelSource, folder: Path
) -> None:
    edit_json(folder / "vae" / "config.json", scaling_factor=0.13025)
    assert "another kind of model" in say(load_model, with_vae)
    assert "another kind of model" in refuse(with_vae), "once it is here, doctor knows"


@pytest.mark.parametrize("is_cut", [True, False], ids=["cut short", "of another shape"])
def test_vae_is_not_blamed_on_the_models_cache(hub: FakeHub, tmp_path: Path, is_cut: bool) -> None:
    load_model(SOURCE)
    path = tmp_path / "vae.safetensors"
    [snapshot] = (tmp_path / "cache" / "models--someone--model" / "snapshots").iterdir()
    weights = load_file(snapshot / "vae" / "diffusion_pytorch_model.safetensors")
    save_file({**weights, "decoder.conv_out.bias": torch.zeros(5)}, path)
    if is_cut:
        path.write_bytes(path.read_bytes()[:-10])
    text = refuse(replace(SOURCE, vae=str(path)))
    assert text.startswith(f"VAE: {path} is incomplete" if is_cut else f"The VAE {path} does not")
    assert "delete" not in text
