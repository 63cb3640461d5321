"""Faults on demand: a chosen request gets an error or a delay instead of its normal answer."""

from collections.abc import Callable
from dataclasses import dataclass, field

from playground.world.log import RequestRecord
from playground.world.world import Json

Matcher = Callable[[RequestRecord], bool]


@dataclass(slots=True, frozen=True)
class Fault:
    """One way in which a request can fail.

    bytes_per_second: how slowly the body is read. delay_seconds: how long the answer is delayed
    after that. status, body, headers: the false answer; without a status, the client gets the true
    answer. reset, closed: the connection is reset, or closed cleanly, without an answer. applied:
    the request takes effect, although the client does not get the true answer. has_via: whether the
    false answer has the header Via, as Discord's own answers have.
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
    """Answer with an HTTP error and a body like Discord's. applied: the request takes effect."""
    return Fault(status, {"message": message or f"{status}", "code": code}, applied=applied)


def reset(*, applied: bool = False) -> Fault:
    """Reset the connection (TCP RST) without an answer."""
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
    """Answer 429 with its headers. Without `Via`, it looks like a ban by Discord's proxy.

    is_global: for all routes of the bot."""
    headers = {"Retry-After": f"{retry_after:.3f}", "X-RateLimit-Scope": "user"}
    if is_global:
        headers = {"Retry-After": f"{retry_after:.3f}", "X-RateLimit-Global": "true"}
        headers["X-RateLimit-Scope"] = "global"
    message = "You are being rate limited."
    body: Json = {"message": message, "code": 0, "retry_after": retry_after, "global": is_global}
    return Fault(429, body, headers, has_via=has_via)


def matching(pattern: str) -> Matcher:
    """Make a matcher from a pattern such as "PATCH /webhooks/*/@original"; "*" fits any text."""
    method, _, path = pattern.partition(" ")
    return lambda record: record.matches(method, path)


@dataclass(slots=True, eq=False)
class PlannedFault:
    """A fault that lets `skip` matching requests pass and then hits the next `times` of them."""

    matcher: Matcher
    fault: Fault
    times: int | None
    skip: int
    seen: int = 0

    @property
    def struck(self) -> int:
        """Return how many requests this fault has hit so far."""
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
        """Return the first planned fault that hits this request. Each planned fault that matches
        counts the request.

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
