"""A model that fails is taken out of the list, the others go on, and it is tried again."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace

import pytest

from bot.domain.recipes import Recipe, StartPicture
from bot.engine.api import GenerationOutput, GenerationRequest, ModelStatus
from bot.engine.fleet.health import NUM_FAILURES
from bot.engine.pool import EnginePool
from bot.errors import EngineGone, GenerationCancelled, GenerationFailed, ModelOut
from bot.texts.codes import Code
from tests.engine.fleet.asks import make_recipe
from tests.engine.fleet.puppets import Puppet
from tests.fakes.engine import INFO

OTHER = replace(INFO, id="other", name="Other model", is_default=False)


class Cards:
    """A pool of cards that all have two models. The test moves the clock."""

    def __init__(self, *names: str, models: int = 2) -> None:
        self.now = 0.0
        self.engines = {name: Puppet(room=9) for name in names}
        for engine in self.engines.values():
            engine.others = (ModelStatus(OTHER.id, OTHER),)[: models - 1]
        makers = {name: lambda name=name: self.engines[name] for name in names}
        self.pool = EnginePool(makers, now=lambda: self.now)
        self.pool.start()
        for engine in self.engines.values():
            engine.load()

    def submit(self, number: int, model: str = OTHER.id) -> Future[GenerationOutput]:
        return self.pool.submit(GenerationRequest(number, make_recipe(model=model)))

    def end(self, number: int, fault: Exception | None = None) -> None:
        """End a request wherever it is drawn."""
        for engine in self.engines.values():
            if number in engine.drawing:
                if fault is None:
                    engine.finish(number)
                else:
                    engine.drawing.pop(number)[2].set_exception(fault)

    def fail(self, *numbers: int, cause: str = "no key conv_in") -> None:
        for number in numbers:
            self.submit(number)
            self.end(number, GenerationFailed(cause))

    def list_tests(self) -> list[int]:
        self.pool.tend()
        return [each for engine in self.engines.values() for each in engine.drawing if each < 0]

    def break_down(self) -> None:
        self.fail(1, 2, 3)
        [test] = self.list_tests()
        self.end(test, GenerationFailed("no key conv_in"))

    def status(self) -> ModelStatus:
        return self.pool.list_models()[1]


def recipe_of(model: str) -> Recipe:
    return make_recipe(model=model)


def test_model_whose_requests_and_test_picture_fail_is_out_and_the_other_goes_on():
    cards = Cards("a")
    changes: list[int] = []
    cards.pool.on_change = lambda: changes.append(1)
    cards.break_down()
    assert cards.status() == ModelStatus(OTHER.id, OTHER, "no key conv_in", is_out=True)
    assert "other is out" in cards.pool.list_notes()[0]
    assert "no key conv_in" in cards.pool.list_notes()[0]
    assert cards.pool.ready_models == {INFO.id}
    refusal = cards.pool.find_refusal(recipe_of(OTHER.id))
    assert refusal is not None
    assert refusal.code is Code.MODEL_OUT
    assert refusal.params == {"model": "Other model", "others": [INFO.id]}
    assert cards.pool.find_refusal(recipe_of(INFO.id)) is None
    assert cards.pool.find_engine(recipe_of(INFO.id)) == "a"
    assert changes


def test_picture_is_enlarged_as_long_as_any_model_is_loaded():
    cards = Cards("a")
    engine = cards.engines["a"]
    enlarging = replace(recipe_of(OTHER.id), start=StartPicture(0, 0, 1.0, upscaled=2))
    cards.break_down()
    engine.note = "no room"
    engine.on_change()
    assert cards.pool.find_engine(enlarging) == "a", "only its requests show the other to be out"
    engine.others = (ModelStatus(OTHER.id, OTHER, "no room", is_out=True),)
    engine.on_change()
    assert cards.pool.find_engine(enlarging) is None
    refusal = cards.pool.find_refusal(enlarging)
    assert refusal is not None
    assert refusal.code is Code.MODEL_OUT_ALONE


def test_model_that_is_out_is_tested_again_after_pauses_that_double():
    cards = Cards("a")
    cards.break_down()
    for at, is_tested in [(59, False), (60, True), (179, False), (180, True)]:
        cards.now = at
        tests = cards.list_tests()
        assert bool(tests) == is_tested, at
        for test in tests:
            cards.end(test, GenerationFailed("still no key"))
    assert cards.status().note == "still no key"
    cards.now = 420
    [test] = cards.list_tests()
    cards.end(test)
    assert cards.status() == ModelStatus(OTHER.id, OTHER)
    assert cards.pool.list_notes() == []
    assert cards.pool.find_engine(recipe_of(OTHER.id)) == "a"


def test_model_that_draws_its_test_picture_stays():
    """Members may ask for what no model can draw, such as a guidance that gives not-a-number."""
    cards = Cards("a")
    cards.fail(1, 2, 3)
    [test] = cards.list_tests()
    cards.end(test)
    assert cards.status().note == ""
    assert cards.list_tests() == []
    cards.fail(4, 5)
    assert cards.list_tests() == []


def test_request_that_is_tried_again_counts_once():
    cards = Cards("a")
    cards.fail(*[1] * NUM_FAILURES, 2)
    assert cards.list_tests() == []


def test_failures_for_different_causes_and_refused_requests_do_not_count():
    cards = Cards("a")
    for number, cause in enumerate("abababab"):
        cards.fail(number, cause=cause)
    for number in range(10, 20):
        cards.submit(number)
        cards.end(number, GenerationCancelled("cancelled"))
    assert cards.list_tests() == []


def test_request_that_is_drawn_in_between_clears_the_model():
    cards = Cards("a")
    cards.fail(1, 2)
    cards.submit(3)
    cards.end(3)
    cards.fail(4, 5)
    assert cards.list_tests() == []


def test_only_model_is_never_taken_out():
    cards = Cards("a", models=1)
    for number in range(9):
        cards.submit(number, INFO.id)
        cards.end(number, GenerationFailed("no key conv_in"))
    assert cards.list_tests() == []


def test_card_on_which_the_model_works_draws_it():
    cards = Cards("a", "b")
    for number in (1, 2, 3):
        cards.pool._seats["a"].health[OTHER.id].note_failed(number, "no key")
    [test] = cards.list_tests()
    cards.end(test, GenerationFailed("no key"))
    assert cards.status().note == ""
    assert cards.pool.find_refusal(recipe_of(OTHER.id)) is None
    assert cards.pool.find_engine(recipe_of(OTHER.id)) == "b"


def test_request_goes_back_to_the_queue_if_its_model_fails_to_load_again():
    cards = Cards("a")
    future = cards.submit(1)
    cards.end(1, ModelOut("its files are gone"))
    with pytest.raises(EngineGone, match="files are gone"):
        future.result(0)
    assert cards.status().note == ""  # the engine itself says so


def test_lost_engine_leaves_its_models_in_the_list_and_nobody_is_refused():
    cards = Cards("a", "b")
    for engine in cards.engines.values():
        engine.lose()
    cards.pool.tend()
    assert all(each.note for each in cards.pool.list_models())
    assert cards.pool.find_refusal(recipe_of(OTHER.id)) is None
