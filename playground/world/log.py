"""Records requests and gateway frames, for tests and for the page."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class RequestRecord:
    """One HTTP request. `path` has no API base and no query. `route` is the path without ids."""

    at: float
    method: str
    path: str
    route: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    filenames: list[str] = field(default_factory=list)
    status: int | None = None
    code: int | None = None
    answer: Any = None
    fault: str | None = None
    is_finished: bool = False
    violations: list[str] = field(default_factory=list)

    def matches(self, method: str, path: str) -> bool:
        """Compare with shell-style patterns, in which "*" also matches slashes."""
        return fnmatchcase(self.method, method) and fnmatchcase(self.path, path)


@dataclass(slots=True, eq=False)
class GatewayRecord:
    """One gateway frame, or the end of a connection; then `data` is the close code."""

    at: float
    direction: Literal["sent", "received", "closed"]
    opcode: int | None
    event: str | None
    data: Any
    session_id: str | None


class Log:
    """Keeps the newest requests and frames, and wakes everybody who waits for a change."""

    def __init__(self, size: int) -> None:
        self.requests: deque[RequestRecord] = deque(maxlen=size)
        self.gateway: deque[GatewayRecord] = deque(maxlen=size)
        self.bells: set[asyncio.Event] = set()
        self._waiting: dict[asyncio.Future[Any], Callable[[], Any]] = {}
        self._is_rung = False

    def find(self, method: str = "*", path: str = "*") -> list[RequestRecord]:
        """List finished requests that fit both patterns, oldest first."""
        return [r for r in self.requests if r.is_finished and r.matches(method, path)]

    def ring(self) -> None:
        """Wake everybody who waits for a change. Changes that come together wake them only once."""
        for bell in self.bells:
            bell.set()
        if self._waiting and not self._is_rung:
            self._is_rung = True
            asyncio.get_running_loop().call_soon(self._look)

    async def wait_until(
        self, look: Callable[[], T | None], timeout_seconds: float, what: str
    ) -> T:
        """Call `look` at every change until it returns a true value. Return this value. Raises
        TimeoutError, which names `what`.
        """
        if found := look():
            return found
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting[future] = look
        try:
            async with asyncio.timeout(timeout_seconds):
                return await future
        except TimeoutError:
            raise TimeoutError(f"waited {timeout_seconds} s for {what}") from None
        finally:
            del self._waiting[future]

    def _look(self) -> None:
        self._is_rung = False
        for future, look in self._waiting.items():
            if not future.done() and (found := look()):
                future.set_result(found)
