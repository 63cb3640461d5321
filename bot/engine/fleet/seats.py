"""An engine of the pool, with the requests that it draws and its record so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.engine.api import EngineApi, EngineState, EngineStatus, GenerationOutput, ModelInfo
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

    note: why it is not drawing. start_at: when it will be started again.
    """

    name: str
    engine: EngineApi
    now: Callable[[], float]
    make: Callable[[], EngineApi] | None = None
    state: EngineState = EngineState.LOADING
    info: ModelInfo | None = None
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

    def serves(self, recipe: Recipe) -> bool:
        """Return whether the engine takes requests with this recipe."""
        if self.state is not EngineState.READY or self.info is None:
            return False
        # any engine can enlarge a picture, also one that a model drew which is gone
        return recipe.is_upscaled or recipe.model in (None, self.info.id)

    def steps_together_with(self, recipe: Recipe) -> bool:
        """Return whether the engine draws pictures of the same size, which could share steps."""
        return any(task.recipe.size == recipe.size for task in self.tasks.values())

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
