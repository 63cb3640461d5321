"""Several engines behave as one: each request goes to the engine that finishes it first."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import pairwise

import pytest

from bot.domain.recipes import Recipe
from bot.engine.api import EngineState, Progress
from bot.engine.fleet.watchdog import FIRST_STEP_SECONDS
from bot.engine.pool import EnginePool
from bot.errors import (
    ConfigError,
    EngineGone,
    EngineLost,
    GenerationCancelled,
    GenerationFailed,
)
from tests.engine.fleet.asks import make_recipe, make_request
from tests.engine.fleet.puppets import Puppet, PuppetEstimator, Rig
from tests.fakes.engine import INFO


@pytest.fixture
def rig() -> Rig:
    rig = Rig("a", "b")
    rig.start()
    return rig


def test_pool_is_ready_with_the_first_engine():
    rig = Rig("a", "b")
    ready = rig.pool.start()
    assert not rig.pool.find_engine(make_recipe())
    rig["b"].load()
    assert ready.result(0) == INFO
    assert rig.pool.find_engine(make_recipe())
    rig.submit(1)
    assert list(rig["b"].drawing) == [1]
    assert rig.states() == {"a": EngineState.LOADING, "b": EngineState.READY}


def test_two_engines_that_load_in_the_same_moment_are_both_told_of():
    rig = Rig("a", "b")
    ready = rig.pool.start()
    rig["a"].load()
    ready.done = lambda: False  # so it was a moment ago
    before = rig.num_changes
    rig["b"].load()
    assert rig.num_changes == before + 1
    assert ready.result(0) == INFO


def test_requests_are_spread_over_idle_engines(rig: Rig):
    first, second = rig.submit(1), rig.submit(2)
    assert [list(rig[name].drawing) for name in "ab"] == [[1], [2]]
    assert not rig.pool.find_engine(make_recipe())
    rig["b"].finish(2)
    second.result(0)
    assert not first.done()
    rig.submit(3)
    assert list(rig["b"].drawing) == [3]


def test_engine_with_the_least_work_left_gets_the_next_request():
    rig = Rig("a", "b", room=9)
    rig.start()
    rig.submit(1, num_steps=40)
    rig.submit(2, num_steps=8)
    rig.submit(3)
    assert [list(rig[name].drawing) for name in "ab"] == [[1], [2, 3]]
    rig["a"].step(1, 39, 40)  # a quarter of a request is left there
    rig.submit(4)
    assert 4 in rig["a"].drawing


def test_pictures_of_one_size_are_drawn_together_if_that_costs_little_time():
    rig = Rig("a", "b", room=9)
    rig.start()
    rig.submit(1, num_steps=40, side=64)
    rig.submit(2, num_steps=36, side=96)
    assert [list(rig[name].drawing) for name in "ab"] == [[1], [2]]
    rig.submit(3, side=64)  # b would finish it a little sooner, but a draws this size already
    assert 3 in rig["a"].drawing
    rig.submit(4, num_steps=40, side=96)
    rig.submit(5, side=64)
    assert 5 in rig["a"].drawing


def test_sixty_four_engines_share_the_work_and_lose_one():
    rig = Rig(*(f"machine {number}" for number in range(64)))
    rig.start()
    futures = [rig.submit(number) for number in range(1, 65)]
    assert all(len(engines[-1].drawing) == 1 for engines in rig.made.values())
    assert not rig.pool.find_engine(make_recipe())
    rig["machine 63"].lose()
    lost = [future for future in futures if future.done()]
    assert [type(future.exception(0)) for future in lost] == [EngineGone]
    for engines in rig.made.values():
        for number in list(engines[-1].drawing):
            engines[-1].finish(number)
    assert all(future.done() for future in futures)
    assert rig.pool.num_idle == 63


def test_slow_engine_gets_less(rig: Rig):
    rig.teach("a", pace=10.0)
    rig.teach("b", pace=1.0)
    rig.submit(1)
    assert list(rig["a"].drawing) == [1]
    assert not rig.pool.find_engine(make_recipe())  # a finishes a second one sooner than b does
    assert rig.pool.find_engine(make_recipe(), ahead_cost=20.0)
    rig["a"].finish(1)
    assert rig.pool.find_engine(make_recipe())


def test_request_goes_to_an_engine_with_its_model():
    other = Puppet(model="another model")
    pool = EnginePool({"a": lambda: other, "b": Puppet})
    pool.start()
    other.load()
    assert not pool.find_engine(make_recipe())
    assert pool.find_engine(make_recipe(model="another model"))
    assert pool.find_engine(make_recipe(model=None))
    assert len(pool.ready_models) == 1
    with pytest.raises(EngineGone):
        pool.submit(make_request(1)).result(0)


class _Dear(PuppetEstimator):
    def cost(self, recipe: Recipe) -> float:
        return 99.0


def test_model_that_the_owner_of_another_machine_chose_does_not_become_the_default():
    foreign, own = Puppet(model="another model"), Puppet()
    foreign.info = replace(foreign.info, is_default=False)
    foreign.estimator = _Dear(1)
    engines = {"a": foreign, "b": own}
    pool = EnginePool({name: lambda name=name: engines[name] for name in engines})
    ready = pool.start()
    foreign.load()
    assert not ready.done()
    assert pool.list_engines()[0].state is EngineState.READY
    own.load()
    assert ready.result(0) == own.info
    assert pool.cost(make_recipe(model=None)) == pytest.approx(1.0)


def test_engine_is_found_for_each_model():
    engines = {"a": Puppet(room=1), "b": Puppet(room=1, model="another model")}
    pool = EnginePool({name: lambda name=name: engines[name] for name in engines})
    pool.start()
    for engine in engines.values():
        engine.load()
    here, there = make_recipe(), make_recipe(model="another model")
    assert pool.find_engine(here) == "a"
    assert pool.find_engine(there) == "b"
    assert pool.delays("a", here, here)
    assert not pool.delays("b", here, here)
    assert not pool.delays("c", here, here)
    assert len(pool.ready_models) == 2


def test_progress_and_cancel_reach_the_right_engine(rig: Rig):
    heard: list[Progress] = []
    future = rig.pool.submit(make_request(1), heard.append)
    rig.submit(2)
    rig["a"].step(1, 3)
    assert [each.step for each in heard] == [3]
    rig.pool.cancel(1)
    rig.pool.cancel(99)
    with pytest.raises(GenerationCancelled):
        future.result(0)
    assert list(rig["b"].drawing) == [2]


def test_fault_of_one_request_is_its_own(rig: Rig):
    future = rig.submit(1)
    rig["a"].drawing.pop(1)[2].set_exception(GenerationFailed("not finite"))
    with pytest.raises(GenerationFailed):
        future.result(0)
    assert rig.states()["a"] is EngineState.READY


def test_lost_engine_gives_its_requests_back_and_starts_again(
    rig: Rig, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.CRITICAL)
    lost, kept = rig.submit(1), rig.submit(2)
    rig["a"].lose()
    with pytest.raises(EngineGone, match="fell off"):
        lost.result(0)
    assert not kept.done()
    assert rig.pool.lost is None
    assert rig.states()["a"] is EngineState.LOST
    assert not rig.pool.find_engine(make_recipe())
    rig.tend(0.9)
    assert len(rig.made["a"]) == 1
    rig.tend(1.1)
    assert rig.states()["a"] is EngineState.LOADING
    rig["a"].load()
    assert rig.pool.find_engine(make_recipe())
    rig.submit(1)
    assert list(rig["a"].drawing) == [1]
    [status] = [each for each in rig.pool.list_engines() if each.name == "a"]
    assert (status.num_faults, status.note) == (1, "")


def test_engine_that_is_lost_while_idle_starts_again(rig: Rig, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.CRITICAL)
    rig["b"].lose()
    rig.tend(0.5)
    assert rig.states()["b"] is EngineState.LOST
    rig.tend(2.0)
    rig["b"].load()
    assert rig.states()["b"] is EngineState.READY


def test_engine_that_keeps_failing_is_started_more_and_more_seldom(
    rig: Rig, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.CRITICAL)
    started_at: list[float] = []
    rig["a"].lose()
    for tenth in range(20_000):
        count = len(rig.made["a"])
        rig.tend(tenth / 10)
        if len(rig.made["a"]) > count:
            started_at.append(rig.now)
            rig["a"].loading.set_exception(ConfigError("no memory"))
    pauses = [later - sooner for sooner, later in pairwise(started_at)]
    assert pauses[:4] == pytest.approx([2.0, 4.0, 8.0, 16.0], abs=0.2)
    assert max(pauses) == pytest.approx(60.0, abs=0.2)
    rig.submit(1)  # the other one draws meanwhile
    rig["b"].finish(1)


def test_same_fault_at_every_start_is_logged_once(rig: Rig, caplog: pytest.LogCaptureFixture):
    rig["a"].lose()
    rig.tend(0.0)
    caplog.clear()
    for second in range(1, 400):
        count = len(rig.made["a"])
        rig.tend(float(second))
        if len(rig.made["a"]) > count:
            rig["a"].loading.set_exception(ConfigError("no memory"))
    assert len(rig.made["a"]) > 5
    assert [record.message for record in caplog.records] == ["the engine a cannot start: no memory"]


def test_engine_that_hangs_is_killed_and_its_request_drawn_elsewhere(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr("bot.engine.fleet.watchdog.HUNG_SECONDS", 5.0)
    monkeypatch.setattr("bot.engine.fleet.watchdog.FIRST_STEP_SECONDS", 5.0)
    rig.tend(1000.0)  # idle time does not count
    hung, fine = rig.submit(1), rig.submit(2)
    puppet = rig["a"]
    rig.now += 4.0
    rig["b"].step(2, 1)
    rig.tend(rig.now + 2.0)
    assert puppet.abandoned == ["The device has not finished a step in 6 s."]
    with pytest.raises(EngineGone):
        hung.result(0)
    assert not fine.done()


def test_engine_that_was_started_again_may_tune_or_compile_again(
    rig: Rig, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.CRITICAL)
    rig.submit(1)
    for step in (1, 2, 3):
        rig["a"].step(1, step)
    rig["a"].lose()
    rig.tend(2.0)
    rig["a"].load()
    rig.submit(1)
    rig.tend(2.0 + FIRST_STEP_SECONDS)
    assert rig["a"].abandoned == []
    rig.tend(3.0 + FIRST_STEP_SECONDS)
    assert rig["a"].abandoned


def test_engine_that_is_replaced_is_ended_first(rig: Rig, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.CRITICAL)
    rig["a"].lose()
    for second in range(1, 100):
        count = len(rig.made["a"])
        rig.tend(float(second))
        if len(rig.made["a"]) > count:
            assert all(each.abandoned for each in rig.made["a"][:-1])
            assert not rig["a"].abandoned
            rig["a"].loading.set_exception(ConfigError("There is no card 7."))
    assert len(rig.made["a"]) > 4


def test_drained_engine_that_hangs_is_given_up_too(rig: Rig, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.CRITICAL)
    future = rig.submit(1)
    rig["a"].is_draining = True
    rig.tend(1.0)
    rig.tend(FIRST_STEP_SECONDS + 1.0)
    with pytest.raises(EngineGone, match="has not finished a step"):
        future.result(0)


def test_request_in_the_moment_in_which_the_last_engine_is_lost_goes_back(
    rig: Rig, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.CRITICAL)
    for name in "ab":
        rig[name].lose()
    rig.tend(0.1)
    with pytest.raises(EngineGone):
        rig.submit(1).result(0)


def test_start_fails_only_if_no_engine_has_a_model(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.CRITICAL)
    rig = Rig("a", "b")
    ready = rig.pool.start()
    rig["a"].loading.set_exception(ConfigError("There is no card 7."))
    assert not ready.done()
    rig["b"].loading.set_exception(ConfigError("There is no card 8."))
    with pytest.raises(ConfigError, match="card 8"):
        ready.result(0)


def test_start_goes_on_with_the_card_that_is_there(caplog: pytest.LogCaptureFixture):
    rig = Rig("a", "b")
    ready = rig.pool.start()
    rig["a"].loading.set_exception(ConfigError("There is no card 7."))
    rig["b"].load()
    assert ready.result(0) == INFO
    assert rig.states() == {"a": EngineState.REFUSED, "b": EngineState.READY}
    assert "There is no card 7." in caplog.text


def test_engine_of_this_process_that_is_lost_ends_it():
    puppet = Puppet()
    pool = EnginePool.of(puppet)
    pool.start()
    puppet.load()
    future = pool.submit(make_request(1))
    puppet.lose("the context is dead")
    with pytest.raises(EngineLost, match="context is dead"):
        future.result(0)
    assert isinstance(pool.lost, EngineLost)
    assert EnginePool.of(pool) is pool


def test_drained_engine_finishes_and_gets_nothing_more(rig: Rig):
    future = rig.submit(1)
    rig["a"].is_draining = True
    rig.tend(1.0)
    rig.submit(2)
    assert not rig.pool.find_engine(make_recipe())
    rig["a"].finish(1)
    future.result(0)
    assert not rig.pool.find_engine(make_recipe())
    assert rig.states()["a"] is EngineState.DRAINING


def test_engine_of_a_machine_that_left_is_gone_and_may_come_back(rig: Rig):
    rig.pool.add("far", lambda: rig.make("far"))
    rig["far"].load()
    for number in range(3):
        future = rig.submit(number)
    assert list(rig["far"].drawing) == [2]
    rig.pool.drop("far", "its machine is gone")
    rig.pool.drop("far", "its machine is gone")
    with pytest.raises(EngineGone, match="machine is gone"):
        future.result(0)
    assert "far" not in rig.states()
    rig.tend(100.0)
    assert len(rig.made["far"]) == 1
    rig.pool.add("far", lambda: rig.make("far"))
    rig["far"].load()
    assert rig.states()["far"] is EngineState.READY


def test_change_is_told_when_there_is_room_again(rig: Rig):
    rig.submit(1)
    before = rig.num_changes
    rig["a"].finish(1)
    assert rig.num_changes == before + 1


def test_all_engines_forget_and_close(rig: Rig):
    rig.pool.forget_prompts()
    assert [rig[name].num_forgotten for name in "ab"] == [1, 1]
    assert rig.pool.close(3.0)
    assert [rig[name].closed_after for name in "ab"] == [[3.0], [3.0]]
    with pytest.raises(GenerationCancelled):
        rig.submit(1).result(0)


def test_pictures_of_the_last_hour_are_counted(rig: Rig):
    for number in range(2):
        rig.submit(number)
        rig["a"].finish(number)
        rig.now += 1900.0
    [status] = [each for each in rig.pool.list_engines() if each.name == "a"]
    assert status.pictures_last_hour == 3


def test_engine_that_loads_a_model_does_not_count_as_hung(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.CRITICAL)
    rig = Rig("a")
    rig.start()
    rig.submit(1)
    rig["a"].is_loading = True
    for at in range(0, 2 * int(FIRST_STEP_SECONDS), 100):
        rig.tend(float(at))
    assert rig["a"].abandoned == []
    rig["a"].is_loading = False
    rig.tend(rig.now + FIRST_STEP_SECONDS + 1.0)
    assert rig["a"].abandoned
