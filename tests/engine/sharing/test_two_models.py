"""Two real, tiny models on one device: side by side, and in turns."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bot.engine import Engine, EnginePool, ModelSource, RemoteEngine
from bot.engine.fleet.processes import start_engine
from bot.engine.models.loading import load_model
from bot.engine.options import EngineOptions
from bot.engine.sharing import device_models, swap_policy
from bot.engine.sharing.device_models import DeviceModels, HostedModel
from bot.engine.sharing.weights import HostWeights, Weights
from bot.errors import ConfigError, EngineGone, GenerationRejected, ModelOut
from tests.engine.conftest import STARTER, make_request
from tests.tiny_models import build_tiny_model

OpenEngine = Callable[..., Engine]
TIMEOUT = 60.0


@pytest.fixture(autouse=True)
def load_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load the second model without a pause."""
    monkeypatch.setattr(device_models, "_IDLE_SECONDS", 0.0)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("two")
    return {name: build_tiny_model(folder / name, seed=n) for n, name in enumerate("ab")}


@pytest.fixture
def sources(folders: dict[str, Path]) -> list[ModelSource]:
    return [ModelSource(str(path), device="cpu", id=name) for name, path in folders.items()]


@pytest.fixture
def open_engine(sources: list[ModelSource]) -> Iterator[OpenEngine]:
    engines: list[Engine] = []

    def open_one(models: list[ModelSource] | None = None, **options: object) -> Engine:
        engine = Engine(models or sources, rows=12, **options)  # type: ignore[arg-type]
        engines.append(engine)
        engine.start().result(TIMEOUT)
        return engine

    yield open_one
    assert all([engine.close(30) for engine in engines])


@pytest.fixture(scope="module")
def alone(folders: dict[str, Path]) -> dict[str, np.ndarray]:
    """The pictures of the same request by each model, alone in an engine."""
    drawn: dict[str, np.ndarray] = {}
    for name, path in folders.items():
        engine = Engine(ModelSource(str(path), device="cpu", id=name), rows=12)
        engine.start()
        drawn[name] = engine.submit(make_request(model=name)).result(TIMEOUT).images
        assert engine.close(30)
    assert (drawn["a"] != drawn["b"]).any()
    return drawn


def await_models(engine: Engine, *ids: str) -> None:
    """Wait until these models, and no others, can draw."""
    until = time.monotonic() + TIMEOUT
    while {each.id for each in engine.models if not each.note} != set(ids):
        assert time.monotonic() < until, engine.models
        time.sleep(0.01)


def watch_swaps(engine: Engine) -> list[str | None]:
    """Return a list that grows with each model that comes onto the device."""
    loaded: list[str | None] = []

    def note() -> None:
        estimator = engine.estimator
        swapping = estimator.swapping if estimator is not None else None
        if swapping is not None and swapping.loaded not in loaded[-1:]:
            loaded.append(swapping.loaded)

    engine.on_change = note
    return loaded


def draw_both(engine: Engine, count: int = 4) -> dict[str, list[np.ndarray]]:
    """Submit requests for both models at once, and return their pictures."""
    futures = {
        name: [engine.submit(make_request(request_id=10 * n + k, model=name)) for k in range(count)]
        for n, name in enumerate("ab")
    }
    return {name: [each.result(TIMEOUT).images for each in some] for name, some in futures.items()}


def check(drawn: dict[str, list[np.ndarray]], alone: dict[str, np.ndarray]) -> None:
    for name, pictures in drawn.items():
        for each in pictures:
            worst = np.abs(each.astype(int) - alone[name].astype(int)).max()
            assert worst <= 1, name


def test_waiting_request_is_drawn_before_the_next_model_is_loaded(
    open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(device_models, "_IDLE_SECONDS", 60.0)
    engine = open_engine()
    assert engine.submit(make_request(model="a")).result(TIMEOUT).images.any()
    assert [each.info is None for each in engine.models] == [False, True]


def test_models_that_fit_draw_side_by_side(open_engine: OpenEngine, alone: dict[str, np.ndarray]):
    engine = open_engine()
    await_models(engine, "a", "b")
    check(draw_both(engine), alone)
    assert engine.estimator is not None
    assert engine.estimator.swapping is None


@pytest.mark.parametrize("free_bytes", [1 << 40, 0], ids=["host memory", "disk"])
def test_models_that_do_not_fit_take_turns_within_requests(
    free_bytes: int,
    open_engine: OpenEngine,
    alone: dict[str, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
):
    """Here a turn is a single step, so requests are interrupted at every step."""
    monkeypatch.setattr(swap_policy, "MIN_TURN_SECONDS", 0.0)
    monkeypatch.setattr(swap_policy, "_SWAPS_PER_TURN", 0.0)
    monkeypatch.setattr(device_models, "read_host_memory", lambda: free_bytes)
    engine = open_engine(weight_bytes=0)
    await_models(engine, "a", "b")
    loaded = watch_swaps(engine)
    check(draw_both(engine, count=1 if free_bytes == 0 else 4), alone)
    assert len(loaded) >= 6


def test_model_that_is_loaded_again_is_offloaded_as_before(
    open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []

    def load(source: ModelSource, *rest: object) -> object:
        asked.append(source.offload)
        return load_model(source, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(device_models, "read_host_memory", lambda: 0)
    monkeypatch.setattr(device_models, "load_model", load)
    engine = open_engine(weight_bytes=0)
    await_models(engine, "a", "b")
    engine.submit(make_request(model="a")).result(TIMEOUT)
    assert asked == ["none"]  # as the CPU needs; the source says "auto"


def test_swap_waits_for_the_end_of_a_turn(open_engine: OpenEngine, alone: dict[str, np.ndarray]):
    engine = open_engine(weight_bytes=0)
    await_models(engine, "a", "b")
    loaded = watch_swaps(engine)
    check(draw_both(engine), alone)  # takes far less than a turn of 20 s
    assert len(loaded) <= 2


def test_model_that_rests_has_room_and_one_that_shares_the_device_does_not(
    open_engine: OpenEngine,
):
    for weight_bytes in (0, None):
        engine = open_engine(weight_bytes=weight_bytes)
        await_models(engine, "a", "b")
        estimator = engine.estimator
        assert estimator is not None
        a, b = (make_request(model=name).recipe for name in "ab")
        full = [a] * 4
        assert not estimator.fits(full, a)
        assert estimator.fits(full, b) == (weight_bytes == 0)


def test_model_that_cannot_be_loaded_leaves_the_others_alone(
    open_engine: OpenEngine,
    sources: list[ModelSource],
    folders: dict[str, Path],
    tmp_path: Path,
    alone: dict[str, np.ndarray],
):
    late = tmp_path / "late"
    engine = open_engine([sources[0], ModelSource(str(late), device="cpu", id="b")])
    future = engine.submit(make_request(request_id=2, model="b"))
    with pytest.raises(ModelOut):
        future.result(TIMEOUT)
    [a, b] = engine.models
    assert (a.note, a.is_out) == ("", False)
    assert b.is_out
    assert str(late) in b.note
    drawn = engine.submit(make_request(request_id=3, model="a")).result(TIMEOUT).images
    check({"a": [drawn]}, alone)

    shutil.copytree(folders["b"], late)  # the owner puts it there, and it is tried again later
    assert engine._models is not None
    engine._models.hosted[1].load_at = 0.0
    engine.forget_prompts()  # wakes the thread, which would wait for a minute
    await_models(engine, "a", "b")
    drawn = engine.submit(make_request(request_id=4, model="b")).result(TIMEOUT).images
    check({"b": [drawn]}, alone)


def test_default_model_that_failed_is_the_default_again(
    open_engine: OpenEngine, alone: dict[str, np.ndarray]
):
    engine = open_engine(weight_bytes=0)
    await_models(engine, "a", "b")
    models = engine._models
    assert models is not None
    before = [each.info for each in models.statuses]
    models.fail(models.hosted[0], ConfigError("it broke"))  # the engine thread waits
    models.hosted[0].load_at = 0.0
    engine.forget_prompts()  # wakes the thread
    await_models(engine, "a", "b")
    assert [each.info for each in models.statuses] == before
    check(draw_both(engine, 1), alone)


def test_failed_model_is_out_before_its_requests_end(sources: list[ModelSource]):
    """Otherwise, the pool would send them to the same model again."""
    seen: list[tuple[bool, ...]] = []

    def settle(hosted: HostedModel, outcome: object) -> None:
        seen.append((True, hosted.is_out))

    models = DeviceModels(sources, EngineOptions(), settle, lambda: seen.append((False,)))
    models.hosted[0].drawn[object()] = object()  # type: ignore[index, assignment]
    models.fail(models.hosted[0], ConfigError("it broke"))
    assert seen == [(False,), (True, True)]


def test_first_copy_of_a_models_weights_counts_as_loading(
    open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
):
    """It may take longer than any step, and must not look like a device that hangs."""
    seen: list[bool] = []
    copy = device_models.make_weights

    def copy_slowly(*args: object, **how: object) -> Weights:
        assert engine._models is not None
        seen.append(engine.is_loading)
        return copy(*args, **how)  # type: ignore[arg-type]

    engine = open_engine(weight_bytes=0)
    monkeypatch.setattr(device_models, "make_weights", copy_slowly)
    await_models(engine, "a", "b")
    engine.submit(make_request(model="a")).result(TIMEOUT)
    assert seen[-1:] == [True]
    assert not engine.is_loading


def test_models_that_no_longer_fit_are_out_with_a_remedy_and_come_back(
    open_engine: OpenEngine, alone: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    engine = open_engine(weight_bytes=0)
    await_models(engine, "a", "b")
    with monkeypatch.context() as patch:
        patch.setattr(HostWeights, "wake", raise_out_of_memory)
        for model in ("a", "b", None):
            with pytest.raises(ModelOut, match=r"do not fit .* OFFLOAD=encoders"):
                engine.submit(make_request(model=model)).result(TIMEOUT)
    assert engine._models is not None
    for hosted in engine._models.hosted:
        hosted.load_at = 0.0
    engine.forget_prompts()  # wakes the thread
    await_models(engine, "a", "b")
    check(draw_both(engine, 1), alone)


def raise_out_of_memory(weights: HostWeights) -> None:
    raise torch.OutOfMemoryError("there is no room")


def test_model_is_downloaded_while_the_other_one_draws(
    open_engine: OpenEngine, alone: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    begun, may_end = threading.Event(), threading.Event()

    def fetch(source: ModelSource) -> None:
        begun.set()
        assert may_end.wait(TIMEOUT)

    monkeypatch.setattr(device_models, "fetch_model", fetch)
    monkeypatch.setattr(device_models, "_LOOK_SECONDS", 0.01)
    engine = open_engine()
    assert begun.wait(TIMEOUT)
    later = engine.submit(make_request(request_id=2, model="b"))
    drawn = engine.submit(make_request(request_id=1, model="a")).result(TIMEOUT).images
    check({"a": [drawn]}, alone)
    assert not later.done()
    may_end.set()
    check({"b": [later.result(TIMEOUT).images]}, alone)


def test_model_that_cannot_be_downloaded_is_out(
    open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
):
    def fetch(source: ModelSource) -> None:
        raise ConfigError("the Hub does not answer")

    monkeypatch.setattr(device_models, "fetch_model", fetch)
    engine = open_engine()
    with pytest.raises(ModelOut, match="does not answer"):
        engine.submit(make_request(model="b")).result(TIMEOUT)


def test_second_model_takes_over_if_the_default_one_cannot_be_loaded(
    sources: list[ModelSource], tmp_path: Path
):
    engine = Engine([ModelSource(str(tmp_path / "gone"), device="cpu", id="a"), sources[1]])
    info = engine.start().result(TIMEOUT)
    assert (info.id, info.is_default, info.cost_factor) == ("b", True, 1.0)
    assert engine.submit(make_request()).result(TIMEOUT).images.any()
    assert engine.close(30)


def test_engine_does_not_start_without_any_model(tmp_path: Path):
    gone = [ModelSource(str(tmp_path / name), device="cpu", id=name) for name in ("x", "y")]
    engine = Engine(gone)
    with pytest.raises(ConfigError) as caught:
        engine.start().result(TIMEOUT)
    assert all(str(tmp_path / name) in str(caught.value) for name in ("x", "y"))
    assert engine.close(30)


def test_request_for_an_unknown_model_says_what_there_is(open_engine: OpenEngine):
    engine = open_engine()
    await_models(engine, "a", "b")
    with pytest.raises(GenerationRejected, match=r"nobody is not here. Choose one of: a, b"):
        engine.submit(make_request(model="nobody")).result(TIMEOUT)


def test_same_files_under_two_ids_share_nothing(
    open_engine: OpenEngine, folders: dict[str, Path], alone: dict[str, np.ndarray]
):
    path = str(folders["a"])
    twins = [
        ModelSource(path, device="cpu", id="a"),
        ModelSource(path, device="cpu", id="b", label="Twin", num_inference_steps=7),
    ]
    engine = open_engine(twins, weight_bytes=0)
    await_models(engine, "a", "b")
    check(draw_both(engine, 1), {"a": alone["a"], "b": alone["a"]})
    infos = [each.info for each in engine.models]
    assert [info and (info.id, info.name) for info in infos] == [("a", "a"), ("b", "Twin")]
    assert [info and info.num_inference_steps for info in infos] == [50, 7]


def test_cancelled_request_of_a_resting_model_ends(open_engine: OpenEngine):
    engine = open_engine(weight_bytes=0)
    await_models(engine, "a", "b")
    futures = [
        engine.submit(make_request(request_id=n, model=name, num_inference_steps=50))
        for n, name in enumerate("ab")
    ]
    for n in range(2):
        engine.cancel(n)
    done, _ = wait(futures, TIMEOUT)
    assert len(done) == 2


def test_prompts_of_a_resting_model_are_forgotten_too(open_engine: OpenEngine):
    engine = open_engine(weight_bytes=0)
    await_models(engine, "a", "b")
    draw_both(engine, 1)
    assert engine._models is not None
    batches = [each.batch for each in engine._models.hosted if each.batch is not None]
    assert sorted(each.is_awake for each in engine._models.hosted) == [False, True]
    families: list[Any] = [batch.runner.family for batch in batches]
    assert all(family.num_prompts for family in families)
    engine.forget_prompts()
    engine.submit(make_request(model="nobody")).exception(TIMEOUT)  # is answered after that
    assert not any(family.num_prompts for family in families)
    slots = [group._slots for batch in batches for group in batch._groups]
    assert not any(each.any() for slot in slots for each in slot.conditioning.values())


def test_child_process_tells_the_bot_about_all_its_models(
    sources: list[ModelSource], tmp_path: Path, alone: dict[str, np.ndarray]
):
    gone = ModelSource(str(tmp_path / "gone"), device="cpu", id="c")
    make = partial(Engine, [*sources, gone], rows=12, weight_bytes=0)
    engine = RemoteEngine("card", partial(start_engine, make, {}))
    pool = EnginePool({}, alone=engine)
    assert pool.start().result(TIMEOUT).id == "a"
    until = time.monotonic() + TIMEOUT
    while not (len(pool.ready_models) == 2 and pool.list_models()[2].is_out):
        assert time.monotonic() < until, pool.list_models()
        time.sleep(0.05)
    try:
        assert pool.ready_models == {"a", "b"}
        assert str(tmp_path / "gone") in pool.list_notes()[0]
        recipes = [make_request(model=name).recipe for name in "abc"]
        swapping = pool.find_swapping(recipes[1])
        assert swapping is not None
        assert [pool.find_refusal(recipe) is None for recipe in recipes] == [True, True, False]
        drawn = {
            name: [pool.submit(make_request(request_id=n, model=name)).result(TIMEOUT).images]
            for n, name in enumerate("ab")
        }
        check(drawn, alone)
        with pytest.raises(EngineGone):
            pool.submit(make_request(request_id=9, model="c")).result(TIMEOUT)
    finally:
        assert pool.close(30)


def test_starter_model_takes_turns_with_a_model_of_another_size(
    open_engine: OpenEngine,
    folders: dict[str, Path],
    alone: dict[str, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(swap_policy, "MIN_TURN_SECONDS", 0.0)
    monkeypatch.setattr(swap_policy, "_SWAPS_PER_TURN", 0.0)
    starter = ModelSource(str(STARTER), device="cpu", id="starter")
    request = make_request(request_id=5, model="starter", width=128, height=128, sampler="ddim")
    engine = open_engine([starter])
    expected = engine.submit(request).result(TIMEOUT).images
    tiny = ModelSource(str(folders["a"]), device="cpu", id="a", is_default=False)
    engine = open_engine([starter, tiny], weight_bytes=0)
    await_models(engine, "starter", "a")
    future = engine.submit(request)
    drawn = engine.submit(make_request(request_id=6, model="a")).result(TIMEOUT).images
    check(
        {"a": [drawn], "starter": [future.result(TIMEOUT).images]}, {**alone, "starter": expected}
    )
    costs = [each.info.cost_factor for each in engine.models if each.info is not None]
    assert costs[0] == 1.0
    assert 0.0 < costs[1] < 1.0  # in default requests of the starter model
