"""The interface of what brings more engines to a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bot.engine.pool import EnginePool


class SeatSource(Protocol):
    """Adds engines to a pool and removes them, as machines come and go."""

    @property
    def note(self) -> str:
        """Return what the owner should know, such as that no machine answers; "" if all is well."""
        ...

    def start(self, pool: EnginePool) -> None:
        """Start looking for engines for this pool."""
        ...

    def tend(self) -> None:
        """If a part has ended by itself, start it again. Called about once a second."""
        ...

    def close(self, deadline_seconds: float) -> bool:
        """End everything."""
        ...
