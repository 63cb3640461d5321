"""Faults on demand: a chosen request gets an error or a delay instead of its normal answer."""

from collections.abc import Callable
from dataclasses import dataclass, field

from playground.world.log import RequestRecord
from playground.world.world import Json

Matcher = Callable[[RequestRecord], bool]


@dataclass(slots=True, frozen=True)
class Fault:
    """One way in which a request can fail.

    First the body is read at `bytes_per_second`, then `delay_seconds` pass. With `applied`, the
    request takes effect although its answer is lost. With `reset` the connection is cut, and with
    `closed` it is closed, both without an answer. Otherwise the answer is `status` with `body`, or
    the true answer if there is no status.
    """

    status: int | None = None
    body: Json = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    applied: bool = False
    reset: bool = False
    closed: bool = False
    has_via: bool = True
    bytes_per_second: float | None = None

    @property
    def is_lost(self) -> bool:
        """Return whether the client does not get the true answer."""
        return self.reset or self.closed or self.status is not None

    def __str__(self) -> str:
        parts = [f"read at {self.bytes_per_second} bytes/s"] if self.bytes_per_second else []
        parts += [f"after {self.delay_seconds} s"] if self.delay_seconds else []
        parts += ["reset"] if self.reset else []
        parts += ["closed"] if self.closed else []
        parts += [str(self.status)] if self.status else []
        return " ".join([*parts, *(["applied"] if self.applied else [])])


def answer(status: int, code: int = 0, message: str = "", *, applied: bool = False) -> Fault:
    """Answer with an HTTP error and Discord's body. `applied`: the request still takes effect."""
    return Fault(status, {"message": message or f"{status}", "code": code}, applied=applied)


def reset(*, applied: bool = False) -> Fault:
    """Cut the connection without an answer."""
    return Fault(reset=True, applied=applied)


def closed(*, applied: bool = False) -> Fault:
    """Close the connection cleanly, but without an answer."""
    return Fault(closed=True, applied=applied)


def slow_reader(bytes_per_second: float) -> Fault:
    """Give the true answer, but read the request's body this slowly, in real seconds."""
    return Fault(bytes_per_second=bytes_per_second)


def delay(seconds: float) -> Fault:
    """Give the true answer, this many real seconds late."""
    return Fault(delay_seconds=seconds)


def rate_limited(retry_after: float, *, is_global: bool = False, has_via: bool = True) -> Fault:
    """Answer 429 with its headers. Without `Via`, it looks like a ban by Discord's proxy."""
    headers = {"Retry-After": f"{retry_after:.3f}", "X-RateLimit-Scope": "user"}
    if is_global:
        headers = {"Retry-After": f"{retry_after:.3f}", "X-RateLimit-Global": "true"}
        headers["X-RateLimit-Scope"] = "global"
    message = "You are being rate limited."
    body: Json = {"message": message, "code": 0, "retry_after": retry_after, "global": is_global}
    return Fault(429, body, headers, has_via=has_via)


def matching(pattern: str) -> Matcher:
    """Make a matcher from "METHOD /path" in shell style: "PATCH /webhooks/*/@original"."""
    method, _, path = pattern.partition(" ")
    return lambda record: record.matches(method, path)


@dataclass(slots=True, eq=False)
class PlannedFault:
    """A planned fault: lets `skip` matching requests pass, then hits `times` of them."""

    matcher: Matcher
    fault: Fault
    times: int | None
    skip: int
    seen: int = 0

    @property
    def struck(self) -> int:
        """Return how many requests had this planned fault so far."""
        strikes = max(0, self.seen - self.skip)
        return strikes if self.times is None else min(self.times, strikes)

    def takes(self, record: RequestRecord) -> bool:
        struck_before = self.struck
        self.seen += bool(self.matcher(record))
        return self.struck > struck_before


class Faults:
    def __init__(self) -> None:
        self._planned: list[PlannedFault] = []

    def plan(
        self, matcher: Matcher | str, fault: Fault, *, times: int | None = 1, skip: int = 0
    ) -> PlannedFault:
        check = matching(matcher) if isinstance(matcher, str) else matcher
        planned = PlannedFault(check, fault, times, skip)
        self._planned.append(planned)
        return planned

    def clear(self) -> None:
        self._planned.clear()

    def waiting(self) -> list[str]:
        """Return the planned faults that will still hit requests."""
        return [
            str(planned.fault)
            for planned in self._planned
            if planned.times is None or planned.struck < planned.times
        ]

    def take(self, record: RequestRecord, *, before_body: bool = False) -> Fault | None:
        """Return the first planned fault for this request. All matching plans count the request.

        Faults that slow the reading are chosen before the body is read, so their matchers cannot
        use the body.
        """
        striking = [
            planned.fault
            for planned in self._planned
            if bool(planned.fault.bytes_per_second) is before_body and planned.takes(record)
        ]
        if not striking:
            return None
        record.fault = str(striking[0])
        return striking[0]
