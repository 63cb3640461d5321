"""Who begins if the first prompt in line finds no engine, and how much may begin before it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from bot.domain.jobs import Job
from bot.engine.api import GenerationRequest, ModelStatus, Swapping
from bot.engine.pool import EnginePool
from bot.jobs.queue import turns
from bot.jobs.queue.fair_queue import JobQueue
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because, say
from tests.engine.fleet.asks import make_recipe
from tests.engine.fleet.puppets import Puppet, Rig
from tests.fakes.engine import INFO
from tests.jobs.queue.swap_simulation import SimEstimator
from tests.jobs.queue.test_fair_queue import NOW, make_job, make_queue


@dataclass
class Line:
    """What ``Turns`` sees of the waitlist."""

    queue: JobQueue
    unfit: dict[int, Reason] = field(default_factory=dict)


def ask(number: int, cost: float = 1.0, side: int = 64, model: str = INFO.id) -> Job:
    recipe = make_recipe(round(cost * INFO.num_inference_steps), side, model)
    return make_job(number, user_id=number, cost=cost, recipe=recipe)


class Turns:
    """``Turns`` with a pool of engines. ``begin`` draws the chosen jobs."""

    def __init__(self, pool: EnginePool, *jobs: Job) -> None:
        self.pool = pool
        self.line = Line(make_queue(*jobs))
        self._turns = turns.Turns(self.line, pool, lambda: NOW)  # pyright: ignore[reportArgumentType]

    def choose(self) -> int | None:
        job = self._turns.choose()
        return job and job.job_id

    def begin(self) -> list[int]:
        """Begin as many as can begin now."""
        begun: list[int] = []
        while (job := self._turns.choose()) is not None:
            self.line.queue.remove(job.job_id)
            self.pool.submit(GenerationRequest(job.job_id, job.recipe))
            begun.append(job.job_id)
        return begun


@pytest.fixture
def rig() -> Rig:
    """A fast engine that is busy with one request, and a slow idle one."""
    rig = Rig("fast", "slow")
    rig.start()
    rig.teach("fast", pace=10.0)
    rig.teach("slow", pace=1.0)
    rig.submit(500)
    assert list(rig["fast"].drawing) == [500]
    return rig


def test_all_engines_are_given_work():
    rig = Rig("a", "b", "c")
    rig.start()
    assert Turns(rig.pool, *map(ask, range(1, 6))).begin() == [1, 2, 3]


def test_nobody_overtakes_on_a_single_engine():
    rig = Rig("a", room=4)
    rig.start()
    rig.submit(500)
    line = Turns(rig.pool, ask(1, side=128), ask(2))
    assert line.begin() == []
    rig["a"].finish(500)
    assert line.begin() == [1]


def test_large_prompt_that_waits_does_not_idle_other_engines():
    rig = Rig("a", "b", room=2)
    rig.start()
    rig.submit(500)
    line = Turns(rig.pool, ask(1, side=128), ask(2), ask(3))
    assert line.begin() == [1, 2]  # the large one takes the empty engine
    rig["b"].finish(1)
    assert line.begin() == [3]


def test_short_prompt_waits_for_the_fast_engine_if_that_is_sooner(rig: Rig):
    line = Turns(rig.pool, ask(1))
    assert line.begin() == []
    rig["fast"].finish(500)
    assert line.begin() == [1]
    assert list(rig["fast"].drawing) == [1]


def test_slow_engine_draws_what_the_fast_one_would_come_to_late(rig: Rig):
    line = Turns(rig.pool, *(ask(number) for number in range(1, 13)))
    assert line.begin() == [9]  # eight are sooner done by the fast engine, one after the other
    assert list(rig["slow"].drawing) == [9]


def test_waiting_prompt_is_overtaken_by_one_default_request_for_each_idle_engine(rig: Rig):
    line = Turns(rig.pool, *(ask(number) for number in range(1, 13)))
    assert line.begin() == [9]
    rig["slow"].finish(9, seconds=1.0)
    assert line.begin() == []  # the first one was overtaken once already
    rig["fast"].finish(500)
    assert line.begin()[0] == 1


def test_prompt_is_overtaken_once_also_if_the_first_in_line_begins_meanwhile(rig: Rig):
    line = Turns(rig.pool, *(ask(number) for number in range(1, 13)))
    assert line.begin() == [9]
    rig["slow"].finish(9, seconds=1.0)
    rig["fast"].finish(500, seconds=0.1)
    assert line.begin() == [1]  # the others were overtaken by 9 already
    assert rig["slow"].drawing == {}
    for number in range(1, 8):
        rig["fast"].finish(number, seconds=0.1)
        assert line.begin()[0] == number + 1


def test_nothing_is_kept_of_prompts_that_have_begun(rig: Rig):
    line = Turns(rig.pool, *(ask(number) for number in range(1, 13)))
    assert line.begin() == [9]
    rig["fast"].finish(500, seconds=0.1)
    assert line.begin() == [1]
    rig["fast"].finish(1, seconds=0.1)
    assert line.begin() == [2]
    assert set(line._turns._overtaken) == set(range(2, 9))  # 2 until the next one begins


def test_costly_prompt_does_not_overtake(rig: Rig):
    line = Turns(rig.pool, *(ask(number) for number in range(1, 9)), ask(9, cost=1.5))
    assert line.begin() == []


def test_engine_of_another_model_overtakes_freely():
    engines = {"a": Puppet(), "b": Puppet(room=9)}
    engines["b"].info = Puppet(model="another model").info
    pool = EnginePool({name: lambda name=name: engines[name] for name in engines})
    pool.start()
    for engine in engines.values():
        engine.load()
    there = [ask(number, 1.0, 64, "another model") for number in range(3, 9)]
    line = Turns(pool, ask(1), ask(2), *there)
    assert line.begin() == [1, *range(3, 9)]


def test_prompt_that_no_model_can_draw_is_refused_in_its_turn():
    rig = Rig("a")
    rig.start()
    line = Turns(rig.pool, ask(1), ask(2))
    line.line.unfit[1] = because(Code.CANCELLED)
    rig.submit(500)
    assert line.choose() == 1


def test_few_prompts_are_looked_at(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(turns, "MAX_PASSED", 8)
    line = Turns(rig.pool, *(ask(number) for number in range(1, 13)))
    assert line.begin() == []


def open_swapping(room: int = 2) -> tuple[Puppet, EnginePool]:
    """Open a pool with one engine on which two models take turns."""
    engine = Puppet()
    engine.others = (ModelStatus("resting", replace(INFO, id="resting", is_default=False)),)
    engine.estimator = SimEstimator(Swapping(INFO.id, 4.0, 20.0), room)
    pool = EnginePool({}, alone=engine)
    pool.start()
    engine.load()
    return engine, pool


def test_full_model_does_not_hold_up_the_one_that_takes_turns_with_it():
    engine, pool = open_swapping()
    there = [ask(number, 1.0, 64, "resting") for number in range(1, 101)]
    line = Turns(pool, *there, *(ask(number) for number in range(101, 105)))
    assert line.begin() == [1, 2, 101, 102]
    engine.finish(2)
    assert line.begin() == [3]
    engine.finish(101)
    assert line.begin() == [103]


def test_prompt_for_a_failed_model_is_refused_and_the_others_go_on():
    engine, pool = open_swapping()
    info = replace(INFO, id="resting", name="Resting model", is_default=False)
    engine.others = (ModelStatus("resting", info, "its files are gone", is_out=True),)
    engine.on_change()
    line = Turns(pool, ask(1, 1.0, 64, "resting"), ask(2))
    assert line.choose() == 1
    assert say(line.line.unfit[1]) == (
        "The model Resting model does not work at the moment. Choose another one: fake model. Or "
        "try again later. Nothing was charged."
    )
    line.line.queue.remove(1)
    assert line.choose() == 2


def test_prompt_for_a_model_that_is_not_there_is_refused():
    _, pool = open_swapping()
    line = Turns(pool, ask(1, 1.0, 64, "gone"))
    assert line.choose() == 1
    assert line.line.unfit[1].code is Code.MODEL_NOT_LOADED


def test_prompt_for_a_model_that_is_being_loaded_waits_and_holds_up_nobody():
    engine, pool = open_swapping()
    engine.others = (ModelStatus("resting", None, "It is being loaded."),)
    engine.on_change()
    line = Turns(pool, ask(1, 1.0, 64, "resting"), ask(2), ask(3), ask(4))
    assert line.begin() == [2, 3]
    assert line.line.unfit == {}
