"""A batch whose rows are learned from its own steps, on a device whose speed is made up."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import pytest
import torch

from bot.engine import EngineOptions, ModelSource
from bot.engine.batch import Batch, open_batch
from bot.engine.capacity import learning
from bot.engine.capacity.autotune import Knee, KneeFile, make_key
from bot.engine.hardware import CPU
from bot.engine.steps.groups import Drawing
from bot.engine.steps.steppers import Stepper
from bot.engine.steps.stopwatch import Stopwatch
from tests.engine.conftest import make_request
from tests.engine.drawing import draw, find_worst, ignore, load, run
from tests.engine.drawing import open_batch as open_frozen
from tests.tiny_models import SIDE

LONG = 50
"""Steps in which something is learned, with so short pauses between trials."""

MANY_TICKS = 3000


class Flat(Stopwatch):
    """Says that every step takes 0.1 s. So more rows are always better."""

    def stop(self) -> float | None:
        return None if super().stop() is None else 0.1


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let steps do nothing, for tests that do not look at the pictures."""
    monkeypatch.setattr(Stepper, "__call__", lambda stepper, plan: None)


@pytest.fixture
def open_kept(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Batch]:
    """Open batches as the engine does. An earlier start has stored 12 rows."""
    monkeypatch.setattr(learning, "_PAUSE", 4)
    family = load(tiny_model).family
    key = make_key(CPU, family.network, family.latent_shape(*family.size))
    KneeFile(tmp_path).write(key, Knee(12))

    def open_one(**options: Any) -> Batch:
        options = {"cache_dir": tmp_path, **options}
        batch = open_batch(ModelSource(str(tiny_model), device="cpu"), EngineOptions(**options))
        batch._stopwatch = Flat(on_cpu=True)
        return batch

    return open_one


def join(batch: Batch, number: int, num_steps: int = LONG, **changes: Any) -> Drawing:
    request = make_request(
        request_id=number, sampler="ddim", num_inference_steps=num_steps, **changes
    )
    return batch.join(request, ignore)


def tick_until_rows(batch: Batch, rows: int) -> None:
    for _ in range(MANY_TICKS):
        if batch.capacity.rows == rows:
            return
        batch.tick()
    raise AssertionError(f"still {batch.capacity.rows} rows")


def test_rows_grow_while_pictures_are_drawn_and_rings_once_they_are_done(
    open_kept: Callable[..., Batch], tiny_model: Path
) -> None:
    batch = open_kept()
    drawings = [join(batch, number, seeds=(number, 50, 60)) for number in range(4)]
    [group] = batch._groups
    tick_until_rows(batch, 16)
    drawings.append(join(batch, 9, 2))
    assert list(batch._groups) == [group], "there is room in the ring, so it stays"
    outcomes = run(batch, drawings)
    assert batch.capacity.rows >= 16

    alone = open_frozen(load(tiny_model), rows=12)
    for drawing in (drawings[0], drawings[-1]):
        ours = outcomes[drawing].images
        assert find_worst(ours, draw(alone, drawing.request).images) <= 1

    join(batch, 10, 2)
    [larger] = batch._groups
    assert larger is not group
    assert larger.num_free + 3 == 2 * batch.capacity.rows > 24


def test_who_finds_no_room_in_a_ring_that_is_drawn_begins_a_larger_one(
    tiny_model: Path,
) -> None:
    batch = open_frozen(load(tiny_model), rows=12)
    crowd = join(batch, 1, 8, seeds=tuple(range(24)), guidance_scale=1.0)
    batch.tick()
    [group] = batch._groups
    assert group.num_free == 0
    batch.capacity.rows = 24
    late = join(batch, 2, 8)
    [same, larger] = batch._groups
    assert (same, same.drawings, larger.drawings) == (group, [crowd], [late])
    outcomes = run(batch, [crowd, late])

    alone = open_frozen(load(tiny_model), rows=12)
    for drawing in (crowd, late):
        ours = outcomes[drawing].images
        assert find_worst(ours, draw(alone, drawing.request).images) <= 1
    assert join(batch, 3, 2) in larger.drawings


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("options", [{"deterministic": True}, {"rows": 12}, {}])
def test_rows_are_frozen_if_they_are_set_or_pictures_must_be_the_same_bit_by_bit(
    open_kept: Callable[..., Batch], options: dict[str, Any], tmp_path: Path
) -> None:
    batch = open_kept(**options)
    kept = (tmp_path / "knee.json").read_text()
    run(batch, [join(batch, number) for number in range(4)])
    assert (batch.capacity.rows == 12) == bool(options)
    assert ((tmp_path / "knee.json").read_text() == kept) == bool(options)


@pytest.mark.usefixtures("no_network")
def test_rows_that_were_learned_are_used_at_the_next_start(
    open_kept: Callable[..., Batch],
) -> None:
    batch = open_kept()
    for number in range(4):
        join(batch, number)
    tick_until_rows(batch, 16)
    assert open_kept().capacity.rows == 16
    assert open_kept(deterministic=True).capacity.rows == 16


@pytest.mark.usefixtures("no_network")
def test_other_sizes_are_tried_with_rows_by_their_area(open_kept: Callable[..., Batch]) -> None:
    batch = open_kept()
    for number in range(2):
        join(batch, number, width=2 * SIDE)
    tick_until_rows(batch, 16)
    assert batch.capacity.count_rows(2 * SIDE, SIDE) == 8


def test_trial_that_does_not_fit_in_memory_costs_nothing(
    open_kept: Callable[..., Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = open_kept()
    tried: list[int] = []

    def step(stepper: Stepper, plan: Any) -> None:
        num_rows = plan.rows.shape[1]
        if num_rows > 12 and len(tried) < 9:
            tried.append(num_rows)
            raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Stepper, "__call__", step)
    drawings = [join(batch, number) for number in range(4)]
    run(batch, drawings)
    assert tried == [16], "and it is not tried again"
    assert batch.capacity.count_rows(SIDE, SIDE) == 12


class Recorder(Stopwatch):
    """Remembers which steps counted."""

    counted: list[bool]

    def start(self, kind: Hashable, in_flight: Hashable) -> None:
        self.counted = [*getattr(self, "counted", []), False]
        super().start(kind, in_flight)

    def stop(self) -> float | None:
        seconds = super().stop()
        self.counted[-1] = seconds is not None
        return seconds


def test_step_that_warms_up_does_not_count(open_kept: Callable[..., Batch]) -> None:
    batch = open_kept()
    watch = batch._stopwatch = Recorder(on_cpu=True)
    run(batch, [join(batch, 1, 5, guidance_until=0.5)])
    assert watch.counted == [False, True, True, False, True], "the first one of each bucket"


def test_step_of_an_accelerator_counts_only_if_no_request_came_or_left_before_it(
    open_kept: Callable[..., Batch],
) -> None:
    batch = open_kept()
    watch = batch._stopwatch = Recorder(on_cpu=False)
    first = join(batch, 1, 20)
    join(batch, 2, 20)
    for _ in range(4):
        batch.tick()
    join(batch, 3, 20)
    for _ in range(3):
        batch.tick()
    batch.leave(first)
    for _ in range(3):
        batch.tick()
    assert watch.counted == [False, False, True, True, *[False, False, True] * 2]


def test_accelerator_that_is_one_step_behind_is_timed_between_the_ends_of_steps() -> None:
    now = 0.0
    watch = Stopwatch(on_cpu=False, clock=lambda: now)

    def step(seconds: float) -> float | None:
        nonlocal now
        now += seconds / 2
        watch.start("kind", (1, 2))
        now += seconds / 2
        return watch.stop()

    assert [step(3.0), step(2.0), step(1.0), step(0.5)] == [None, None, 1.0, 0.5]
    watch.interrupt()
    assert [step(2.0), step(2.0), step(1.0)] == [None, None, 1.0], "an enlargement came between"
    watch.reset()
    assert step(1.0) is None, "a step failed"
