"""An engine of the pool, with the requests that it draws and its record so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.engine.api import (
    EngineApi,
    EngineState,
    EngineStatus,
    GenerationOutput,
    ModelInfo,
    ModelStatus,
    Swapping,
)
from bot.engine.fleet.health import ModelHealth
from bot.engine.fleet.pace import Pace
from bot.engine.fleet.watchdog import Watchdog

if TYPE_CHECKING:
    from bot.domain.recipes import Recipe

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
_HOUR_SECONDS = 3600.0


@dataclass(slots=True, eq=False)
class Task:
    """A request being drawn. cost: in default requests. done: the finished share of its steps."""

    request_id: int
    recipe: Recipe
    cost: float
    done: float = 0.0
    future: Future[GenerationOutput] = field(default_factory=Future)


@dataclass(slots=True, eq=False)
class Seat:
    """An engine of the pool. make: makes a new engine in its place; None if that is impossible.

    info: its default model. models: all its models, as it last described them. swapping: how they
    take turns, if they do. health: what their requests say about each of them.
    note: why it is not drawing. start_at: when it will be started again.
    """

    name: str
    engine: EngineApi
    now: Callable[[], float]
    make: Callable[[], EngineApi] | None = None
    state: EngineState = EngineState.LOADING
    info: ModelInfo | None = None
    models: tuple[ModelStatus, ...] = ()
    swapping: Swapping | None = None
    health: dict[str, ModelHealth] = field(default_factory=dict[str, ModelHealth])
    note: str = ""
    start_at: float = 0.0
    num_faults: int = 0
    pause_seconds: float = _FIRST_PAUSE_SECONDS
    tasks: dict[int, Task] = field(default_factory=dict[int, Task])
    pace: Pace = field(default_factory=Pace)
    drawn: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])
    watchdog: Watchdog = field(init=False)

    def __post_init__(self) -> None:
        self.watchdog = Watchdog(self.now)

    @property
    def outstanding(self) -> float:
        """Return the work that is left to do, in default requests."""
        return sum(task.cost * (1 - task.done) for task in self.tasks.values())

    @property
    def statuses(self) -> list[ModelStatus]:
        """Describe its models, also those that only their requests show to be out."""
        if self.state is not EngineState.READY:
            return [
                replace(each, note=each.note or "Its engine is not ready.") for each in self.models
            ]
        return [
            replace(each, note=note, is_out=True) if (note := self.health[each.id].note) else each
            for each in self.models
        ]

    def serves(self, recipe: Recipe) -> bool:
        """Return whether the engine takes requests for the recipe's model.

        A picture can be enlarged with any model that is loaded.
        """
        if self.state is not EngineState.READY:
            return False
        if recipe.model is None or recipe.is_upscaled:
            return any(not each.note for each in self.models)
        return any(each.id == recipe.model and not each.note for each in self.statuses)

    def steps_together_with(self, recipe: Recipe) -> bool:
        """Return whether the engine draws pictures that could share steps with these."""
        ours = [task.recipe for task in self.tasks.values()]
        return any(each.size == recipe.size and each.model == recipe.model for each in ours)

    def count_swap_seconds(self, recipe: Recipe) -> float:
        """Estimate how long a request waits until its model is on the device."""
        swapping = self.swapping
        if swapping is None or recipe.is_upscaled or recipe.model in {None, swapping.loaded}:
            return 0.0
        is_taken = any(task.recipe.model == swapping.loaded for task in self.tasks.values())
        return swapping.swap_seconds + (swapping.turn_seconds if is_taken else 0.0)

    def take_over(self, models: tuple[ModelStatus, ...], swapping: Swapping | None) -> None:
        """Note which models the engine has now."""
        for each in models:
            self.health.setdefault(each.id, ModelHealth(self.now))
        self.models, self.swapping = models, swapping

    def note_drawn(self, task: Task, output: GenerationOutput) -> None:
        """Count a finished request."""
        self.pause_seconds = _FIRST_PAUSE_SECONDS
        self.pace.add(task.cost, output.gpu_seconds)
        self.drawn.append((self.now(), len(output.images)))
        while self.drawn[0][0] < self.now() - _HOUR_SECONDS:
            self.drawn.popleft()

    def fall(self, note: str, state: EngineState = EngineState.LOST) -> None:
        """Note that the engine has stopped drawing, and when to start it again."""
        self.state, self.note = state, note
        self.num_faults += 1
        self.start_at = self.now() + self.pause_seconds
        self.pause_seconds = min(2 * self.pause_seconds, _LONGEST_PAUSE_SECONDS)

    def describe(self) -> EngineStatus:
        """Describe the engine for the owner."""
        since = self.now() - _HOUR_SECONDS
        return EngineStatus(
            name=self.name,
            state=self.state,
            info=self.info,
            num_drawing=len(self.tasks),
            outstanding_cost=self.outstanding,
            pictures_last_hour=sum(count for at, count in self.drawn if at >= since),
            num_faults=self.num_faults,
            note=self.note,
        )
