"""A transformer file whose other parts are on the Hub."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.engine import ModelSource
from bot.engine.models.checks import check_model
from bot.engine.models.loading import load_model
from tests.engine.fake_hub import FakeHub
from tests.engine.models.test_hub import refuse
from tests.gguf_writer import read_transformer, write_gguf


@pytest.fixture
def folder(tiny_family: Callable[[str], Path], tmp_path: Path) -> Path:
    """What the stand-in for the Hub serves."""
    return Path(shutil.copytree(tiny_family("sd3"), tmp_path / "model"))


@pytest.fixture
def source(folder: Path, tmp_path: Path) -> ModelSource:
    path = write_gguf(tmp_path / "one.gguf", read_transformer(folder), "Q8_0")
    return ModelSource(str(path), model_config="someone/model", hf_token="hf_secret", device="cpu")


def test_everything_but_the_transformer_is_downloaded_once(
    hub: FakeHub, source: ModelSource
) -> None:
    assert "the rest of someone/model is downloaded at the first start" in check_model(source)[0]
    assert "downloaded" in check_model(source, thorough=True)[0]
    assert load_model(source).info.name == "one"
    names = [name for name in hub.downloaded if name.startswith("transformer/")]
    assert set(names) == {"transformer/config.json"}
    assert any(name.startswith("text_encoder_3/") for name in hub.downloaded)
    assert "the other parts from someone/model" in check_model(source, thorough=True)[0]
    downloaded = list(hub.downloaded)
    hub.refuse(404, Error_Code="RepoNotFound")
    assert load_model(source).info.name == "one"
    assert hub.downloaded == downloaded


def test_gated_model_asks_for_a_token(hub: FakeHub, source: ModelSource) -> None:
    hub.refuse(403, Error_Code="GatedRepo")
    assert re.search("someone/model is a gated model: .*then set HF_TOKEN to", refuse(source))


def test_id_that_does_not_exist_blames_model_config(hub: FakeHub, source: ModelSource) -> None:
    hub.refuse(404, Error_Code="RepoNotFound")
    assert re.search("There is no model someone/model .*correct MODEL_CONFIG", refuse(source))
