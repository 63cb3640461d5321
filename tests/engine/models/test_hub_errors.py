"""The real huggingface_hub client against a loopback stand-in that refuses as the Hub does."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.hf_api
import pytest
import torch
from diffusers import StableDiffusionPipeline
from huggingface_hub import constants

from bot.engine import ModelSource
from bot.engine.models.checks import check_model
from bot.engine.models.loading import _load_from_hub, load_model
from bot.errors import ConfigError
from tests.engine.fake_hub import FakeHub
from tests.tiny_models import build_tiny_model, build_tiny_pipeline, edit_json, write_single_file

SOURCE = ModelSource("someone/model", hf_token="hf_secret", device="cpu")
CARD = "https://huggingface.co/someone/model"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return build_tiny_model(tmp_path / "model")


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    hub = FakeHub(folder)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", hub.url)
    yield hub
    hub.close()


def refuse() -> str:
    with pytest.raises(ConfigError) as caught:
        load_model(SOURCE)
    assert "hf_secret" not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


def test_model_is_downloaded_once_and_then_needs_no_network(hub: FakeHub) -> None:
    assert "not on this machine yet" in check_model(SOURCE)[0]
    assert load_model(SOURCE).info.name == "model"
    assert "Bearer hf_secret" in hub.tokens
    assert "is in the local cache" in check_model(SOURCE)[0]
    downloaded = list(hub.downloaded)
    hub.refuse(404, Error_Code="RepoNotFound")
    assert load_model(SOURCE).info.name == "model"
    assert hub.downloaded == downloaded


def test_model_without_fp16_variant_is_downloaded_without_it(hub: FakeHub) -> None:
    loaded = _load_from_hub(SOURCE, torch.float16)
    assert loaded.pipe.unet.dtype == torch.float16
    assert loaded.notes == ("someone/model has no fp16 variant: its weights were cast to float16.",)


def test_gated_model_names_the_card_and_the_token(hub: FakeHub) -> None:
    hub.refuse(403, Error_Code="GatedRepo")
    assert f"accept its terms at {CARD}, then set HF_TOKEN" in refuse()


def test_model_whose_files_alone_are_gated_names_the_card(hub: FakeHub) -> None:
    hub.refuse(403, Error_Code="GatedRepo")
    hub.only_files_refused = True
    assert f"accept its terms at {CARD}, then set HF_TOKEN" in refuse()


def test_wrong_token_is_named_but_never_shown(hub: FakeHub) -> None:
    hub.refuse(401, Error_Message="Invalid credentials in Authorization header")
    assert "does not accept HF_TOKEN" in refuse()


def test_token_that_no_header_can_carry_is_never_shown(hub: FakeHub) -> None:
    source = ModelSource("someone/model", hf_token="hf_secret\n", device="cpu")
    with pytest.raises(ConfigError, match="does not accept HF_TOKEN") as caught:
        load_model(source)
    assert "hf_secret" not in "".join(traceback.format_exception(caught.value))


def test_missing_model_is_named(hub: FakeHub) -> None:
    hub.refuse(404, Error_Code="RepoNotFound")
    assert "There is no model someone/model" in refuse()


def test_hub_out_of_reach_is_said_so(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "the Hugging Face Hub cannot be reached" in refuse()


def test_repository_without_an_index_is_said_so(hub: FakeHub, folder: Path) -> None:
    (folder / "model_index.json").unlink()
    assert "has no model_index.json: choose a model in the diffusers format" in refuse()


def test_other_family_is_refused_before_its_weights_arrive(hub: FakeHub, folder: Path) -> None:
    edit_json(folder / "model_index.json", _class_name="StableDiffusionXLPipeline")
    assert "someone/model is not a text-to-image model" in refuse()
    assert hub.downloaded == ["model_index.json"]


def test_model_of_pickle_files_is_refused_before_they_arrive(hub: FakeHub, folder: Path) -> None:
    for path in folder.rglob("*.safetensors"):
        path.rename(path.with_suffix(".bin"))
    assert "offers only pickle files" in refuse()
    assert hub.downloaded == ["model_index.json"]


def test_broken_download_names_the_folder_to_delete(hub: FakeHub, folder: Path) -> None:
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    text = refuse()
    assert "is incomplete" in text
    assert "cache/models--someone--model and start again" in text


def test_full_disk_is_said_so(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_up(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(StableDiffusionPipeline, "download", fill_up)  # no disk to fill here
    text = refuse()
    assert "The disk is full" in text
    assert "HF_HOME" in text


def test_single_file_without_config_says_where_its_config_comes_from(
    hub: FakeHub, tmp_path: Path
) -> None:
    path = write_single_file(build_tiny_pipeline(), tmp_path / "one.safetensors")
    hub.refuse(404, Error_Code="RepoNotFound")
    with pytest.raises(ConfigError, match=r"come from the Hugging Face Hub.*set MODEL_CONFIG"):
        load_model(ModelSource(str(path), hf_token="hf_secret", device="cpu"))
