"""Where weights are while a model draws. A stand-in for a card lets the CPU take that path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.hooks.group_offloading import ModuleGroup

from bot.engine import ModelSource
from bot.engine.hardware import CPU, Hardware
from bot.engine.models import placement
from bot.engine.models.loading import LoadedModel, load_model
from bot.engine.runner import ModelRunner
from bot.engine.sharing.weights import list_tensors
from bot.engine.steps.steppers import Stepper
from tests.engine.conftest import make_request
from tests.engine.drawing import draw, open_batch


class Card(Hardware):
    """A card that computes on the CPU and says how much memory it has."""

    free = 10**9

    def read_memory(self) -> tuple[int, int]:
        return self.free, 10**9


CARD = Card("card", "cpu", "card", torch.float32, has_graphs=True, has_peaks=True)


class Whereabouts:
    """Knows which groups of weights are on the device."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.here: dict[int, int] = {}
        self.known: dict[int, set[int]] = {}
        self.most = 0
        onload, offload = ModuleGroup.onload_, ModuleGroup.offload_

        def come(group: ModuleGroup) -> None:
            onload(group)
            tensors = self._list(group)
            self.here[id(group)] = sum(each.nbytes for each in tensors)
            self.most = max(self.most, sum(self.here.values()))

        def go(group: ModuleGroup) -> None:
            offload(group)
            self.known[id(group)] = {id(each) for each in self._list(group)}
            self.here.pop(id(group), None)

        monkeypatch.setattr(ModuleGroup, "onload_", come)
        monkeypatch.setattr(ModuleGroup, "offload_", go)

    def is_managed(self, part: Any) -> bool:
        """Return whether all weights of a part come and go."""
        known = set().union(*self.known.values())
        return all(id(each) in known for each in part.parameters())

    @staticmethod
    def _list(group: ModuleGroup) -> list[torch.Tensor]:
        inside = [each for module in group.modules for each in module.parameters()]
        return [*inside, *group.parameters]


@pytest.fixture(autouse=True)
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.engine.models.loading.find_hardware", lambda wish: CARD)
    monkeypatch.setattr("bot.engine.models.loading.name_engine", lambda hardware: "a card")


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch) -> Whereabouts:
    return Whereabouts(monkeypatch)


@pytest.fixture
def folder(tiny_family: Callable[[str], Path]) -> Path:
    return tiny_family("sd3")


def load(folder: Path, offload: str, **changes: Any) -> LoadedModel:
    return load_model(ModelSource(str(folder), offload=offload, **changes))


def list_encoders(model: LoadedModel) -> list[Any]:
    return [part for name, part in model.pipe.components.items() if name.startswith("text_enc")]


def make_batch(model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("bot.engine.runner.GraphStepper", Stepper)  # the CPU has no graphs
    return open_batch(model)


REQUEST = make_request(
    width=64, height=64, seeds=(7,), num_inference_steps=3, sampler="euler", guidance_scale=4.0
)


@pytest.mark.parametrize("offload", ["none", "encoders", "model"])
def test_offloading_changes_no_picture(
    offload: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = draw(make_batch(load(folder, offload), monkeypatch), REQUEST).images
    monkeypatch.setattr("bot.engine.models.loading.find_hardware", lambda wish: CPU)
    assert np.array_equal(drawn, draw(open_batch(load(folder, "none")), REQUEST).images)


def test_text_encoders_are_on_the_device_only_while_they_encode(
    folder: Path, where: Whereabouts
) -> None:
    model = load(folder, "encoders")
    encoders = list_encoders(model)
    assert len(encoders) == 3
    assert all(where.is_managed(each) for each in encoders)
    assert not where.is_managed(model.family.network)
    model.family.encode(REQUEST.recipe)
    assert not where.here
    size = sum(each.nbytes for part in encoders for each in part.parameters())
    assert 0 < where.most < size / 3


def test_network_is_on_the_device_block_by_block(
    folder: Path, where: Whereabouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(folder, "model")
    assert where.is_managed(model.family.network)
    draw(make_batch(model, monkeypatch), REQUEST)
    assert not where.here


def test_stable_diffusion_offloads_too(
    tiny_model: Path, where: Whereabouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(tiny_model, "model")
    request = replace(REQUEST, recipe=replace(REQUEST.recipe, sampler=model.info.default_sampler))
    drawn = draw(make_batch(model, monkeypatch), request).images
    assert where.is_managed(model.family.network)
    assert not where.here
    monkeypatch.setattr("bot.engine.models.loading.find_hardware", lambda wish: CPU)
    assert np.array_equal(drawn, draw(open_batch(load(tiny_model, "none")), request).images)


@pytest.mark.parametrize(("offload", "num_captured"), [("none", 1), ("encoders", 1), ("model", 0)])
def test_steps_whose_weights_move_are_not_captured(
    offload: str, num_captured: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []

    class Graphs(Stepper):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr("bot.engine.runner.GraphStepper", Graphs)
    runner = ModelRunner(load(folder, offload))
    runner.make_group(64, 64, 2, 333)
    assert len(made) == num_captured
    assert runner.pad(3, 8) == (4 if num_captured else None)


def test_auto_chooses_by_the_free_memory(
    folder: Path, where: Whereabouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for free in (10**12, 10**6):
        monkeypatch.setattr(Card, "free", free)
        found[free] = load(folder, "auto").info.notes
    assert found[10**12] == ()
    assert "the network wait in host memory" in " ".join(found[10**6])


def test_cpu_offloads_nothing(
    folder: Path, where: Whereabouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.engine.models.loading.find_hardware", lambda wish: CPU)
    model = load(folder, "model")
    assert not where.known
    assert not model.runs_eagerly


@pytest.mark.parametrize(("free", "pins"), [(10**12, True), (1000, False), (None, False)])
def test_weights_are_pinned_only_if_host_memory_has_room(
    free: int | None, pins: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(placement, "read_host_memory", lambda: free)
    monkeypatch.setattr(placement, "apply_group_offloading", lambda part, **how: calls.append(how))
    placement._offload(torch.nn.Linear(100, 100), CARD, torch.device("cpu"), "leaf_level")
    assert calls[0]["low_cpu_mem_usage"] is not pins


def test_resting_model_leaves_offloaded_weights_to_their_hooks(folder: Path) -> None:
    model = load(folder, "encoders")
    listed = {id(each) for each in list_tensors(model.pipe)}
    assert all(id(each) in listed for each in model.family.network.parameters())
    assert not any(
        id(each) in listed for part in list_encoders(model) for each in part.parameters()
    )
