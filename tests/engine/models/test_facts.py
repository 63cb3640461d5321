"""The bot finds out once what a model can do, and keeps the result for the next start."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.engine.api import ModelSource
from bot.engine.models import facts
from bot.engine.models.loading import LoadedModel, load_model
from tests.tiny_models import build_tiny_model, edit_json


def load(model: Path, cache_dir: Path | None) -> LoadedModel:
    return load_model(ModelSource(str(model), device="cpu"), cache_dir=cache_dir)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list of the models for which the samplers were tried out."""
    models: list[str] = []
    choose = facts.choose_samplers

    def note(samplers: object, model: str) -> object:
        models.append(model)
        return choose(samplers, model)

    monkeypatch.setattr(facts, "choose_samplers", note)
    return models


def test_second_start_finds_nothing_out_and_says_the_same(
    tiny_model: Path, tmp_path: Path, asked: list[str]
) -> None:
    first, second = (load(tiny_model, tmp_path) for _ in range(2))
    assert len(asked) == 1
    assert second.info == first.info
    assert second.cost_model == first.cost_model
    assert load(tiny_model, None).info == first.info
    assert len(asked) == 2, "without a folder nothing is kept"


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("scheduler/scheduler_config.json", {"timestep_spacing": "trailing"}),
        ("scheduler/scheduler_config.json", {"beta_end": 0.02}),
        ("unet/config.json", {"sample_size": 24}),
        ("vae/config.json", {"sample_size": 64}),
    ],
)
def test_change_of_the_model_is_noticed(
    tmp_path: Path, asked: list[str], part: str, changes: dict[str, object]
) -> None:
    model = build_tiny_model(tmp_path / "model")
    load(model, tmp_path)
    edit_json(model / part, **changes)
    load(model, tmp_path)
    assert len(asked) == 2


def test_fine_tune_of_the_same_shape_shares_what_is_kept(tmp_path: Path, asked: list[str]) -> None:
    for name, seed in (("one", 0), ("two", 1)):
        load(build_tiny_model(tmp_path / name, seed=seed), tmp_path)
    assert len(asked) == 1


@pytest.mark.parametrize("changed", ["torch", "diffusers", "triptych"])
def test_another_version_finds_out_anew(
    tiny_model: Path,
    tmp_path: Path,
    asked: list[str],
    monkeypatch: pytest.MonkeyPatch,
    changed: str,
) -> None:
    load(tiny_model, tmp_path)
    if changed == "triptych":
        monkeypatch.setattr(facts, "version", lambda name: "99.0")
    else:
        monkeypatch.setattr(facts, changed, SimpleNamespace(__version__="99.0"))
    load(tiny_model, tmp_path)
    assert len(asked) == 2


@pytest.mark.parametrize("content", ["", "[]", '{"choice": 3}', "lost"])
def test_damaged_file_is_written_anew(
    tiny_model: Path, tmp_path: Path, asked: list[str], content: str
) -> None:
    info = load(tiny_model, tmp_path).info
    path = tmp_path / "facts.json"
    if content == "lost":
        kept = json.loads(path.read_text())
        for each in kept.values():
            each["choice"]["ids"].append("no such sampler")
        content = json.dumps(kept)
    path.write_text(content)
    assert load(tiny_model, tmp_path).info == info
    assert load(tiny_model, tmp_path).info == info
    assert len(asked) == 2


def test_folder_that_cannot_be_written_delays_the_next_start_and_nothing_else(
    tiny_model: Path, tmp_path: Path, asked: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = tmp_path / "engine"
    in_the_way.write_text("a file")
    first, second = (load(tiny_model, in_the_way).info for _ in range(2))
    assert first == second
    assert len(asked) == 2
    assert "could not be written, so the next start is slower" in caplog.text
