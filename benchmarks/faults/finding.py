"""The result of one figure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from tests.fakes.nursery import Nursery

T = TypeVar("T")
Size = Literal["test", "quick", "full"]
Value = float | int | str


@dataclass(slots=True)
class Contract:
    """Counts how many requests of all figures were checked against Discord's API description."""

    checked: int = 0
    violations: list[str] = field(default_factory=list)
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Says how much a figure measures, and which seed, tools and folder it uses."""

    size: Size
    seed: int
    nursery: Nursery
    folder: Path
    contract: Contract = field(default_factory=Contract)

    def pick(self, test: T, quick: T, full: T) -> T:
        """Return the value for the plan's size."""
        return {"test": test, "quick": quick, "full": full}[self.size]


@dataclass(frozen=True, slots=True)
class Measurement:
    """The result of a figure. holds: None if it could not be measured; then the result says why."""

    figure: str
    load: str
    faults: str
    result: dict[str, Value]
    goal: str
    holds: bool | None
    seed: int = 0
    size: Size = "full"
    seconds: float = 0.0


Measure = Callable[[Plan], Awaitable[Measurement]]
