"""Draws test pictures with models that seem to have failed."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from concurrent.futures import Future

from bot.engine.api import GenerationOutput, GenerationRequest, ModelInfo
from bot.engine.fleet.health import ModelHealth, make_default_recipe
from bot.engine.fleet.seats import Seat, Task
from bot.errors import EngineLost, GenerationCancelled, GenerationFailed

logger = logging.getLogger(__name__)


class ModelTests:
    """Takes models out whose requests fail, and brings back those that work again."""

    def __init__(self, on_change: Callable[[], object]) -> None:
        self._on_change = on_change
        self._numbers = itertools.count(1)

    def judge(self, seat: Seat, task: Task, error: BaseException | None) -> None:
        """Learn from how a request ended whether its model works."""
        health = seat.health.get(task.recipe.model or "")
        if health is None or task.recipe.is_upscaled:
            return
        if error is None:
            health.note_drawn()
        elif isinstance(error, GenerationFailed):
            health.note_failed(task.request_id, str(error))

    def start_due(self, seat: Seat) -> None:
        """Start the tests that are due on an engine."""
        for model in seat.models:
            if model.info is not None and not model.note and seat.health[model.id].needs_test:
                self._start(seat, model.info)

    def _start(self, seat: Seat, model: ModelInfo) -> None:
        health = seat.health[model.id]
        health.begin_test()
        request = GenerationRequest(-next(self._numbers), make_default_recipe(model, 1))

        def end(done: Future[GenerationOutput]) -> None:
            self._end(f"{model.id} on {seat.name}", health, done.exception())

        seat.engine.submit(request).add_done_callback(end)

    def _end(self, name: str, health: ModelHealth, error: BaseException | None) -> None:
        if isinstance(error, EngineLost | GenerationCancelled):
            fault = health.note  # the test was not finished
        else:
            fault = str(error) if error is not None else ""
        if health.end_test(fault):
            logger.error("the model %s %s", name, f"is out: {fault}" if fault else "works again")
        self._on_change()
