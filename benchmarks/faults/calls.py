"""F2 and F3: each call of the database, and each request to Discord, fails once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field

from benchmarks.faults.bench import START_SECONDS, Audit, Bench, open_bench
from benchmarks.faults.finding import Measurement, Plan
from playground import Fault, answer, closed, people, rate_limited, reset

_STORE_FAULTS = ("full", "busy", "ioerr")
_SEND_SECONDS = 2.0
_LATE_SECONDS = 3.5
_WAYS: dict[str, Fault] = {
    "reset": reset(),
    "reset, applied": reset(applied=True),
    "close": closed(),
    "timeout": Fault(delay_seconds=_LATE_SECONDS, reset=True),
    "429 route": rate_limited(0.2),
    "429 global": rate_limited(0.2, is_global=True),
    "429 of the proxy": rate_limited(0.2, has_via=False),
    "500": answer(500),
    "502, applied": answer(502, applied=True),
    "503": answer(503),
    "401": answer(401, 0, "401: Unauthorized"),
    "403": answer(403, 50013, "Missing Permissions"),
    "404": answer(404, 10008, "Unknown Message"),
}
_FINAL_STATUSES = {401, 403, 404}
_EXPLAINED_EXITS = {2, 75}


@dataclass(slots=True)
class Tally:
    """Sums over the runs of one figure."""

    runs: int = 0
    stopped_at_start: int = 0
    unanswered: int = 0
    repeated: int = 0
    audits: list[Audit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, what: str, audit: Audit) -> None:
        """Add a run. If it had faults, describe only the first."""
        self.runs += 1
        self.audits.append(audit)
        if not audit.is_clean:
            first = audit.notes[0] if audit.notes else f"tracebacks {audit.tracebacks}"
            self.notes.append(f"{what}: {first}")

    @property
    def is_clean(self) -> bool:
        """Return whether no run lost, repeated or overcharged anything."""
        return not self.notes and self.unanswered == self.repeated == 0

    def describe(self) -> dict[str, float | int | str]:
        """Return the sums under the names that a figure's result has."""
        names = ("acknowledged", "delivered", "lost", "doubled", "unsettled", "misbooked")
        sums = {name: sum(getattr(audit, name) for audit in self.audits) for name in names}
        return {
            "runs": self.runs,
            "explained_exits": self.stopped_at_start,
            "unanswered": self.unanswered,
            **sums,
            "tracebacks": sum(audit.tracebacks for audit in self.audits),
            "wrongs": len(self.notes),
            **({"first_wrong": " | ".join(self.notes[:3])} if self.notes else {}),
        }


async def measure_store(plan: Plan) -> Measurement:
    """F2: call N of the database fails, for N = 1, 2, … until a run has fewer than N calls."""
    tally = Tally()
    num_calls = await _count_store_calls(plan)

    async def break_call(number: int, kind: str) -> None:
        async with open_bench(plan, f"f2-{number}-{kind}") as bench:
            is_up = await _start(bench, STORE_FAULT=kind, STORE_FAULT_AT=str(number))
            tally.stopped_at_start += not is_up
            if is_up:
                await _ask_twice(bench)
                tally.unanswered += sum(not handle.is_acknowledged for handle in bench.handles)
                await bench.stop()
            tally.add(f"{kind} at call {number}", await _finish(bench))

    await _side_by_side(plan, tally, break_call, _choose_store_faults(plan, num_calls))
    return Measurement(
        figure="F2",
        load="two prompts a run",
        faults=f"{', '.join(_STORE_FAULTS)} at the {num_calls} database calls of a run, "
        f"{tally.runs} runs",
        result={"calls": num_calls, **tally.describe()},
        goal="every prompt answered at once, no crash without a sentence, no half state",
        holds=tally.is_clean,
    )


async def _side_by_side(
    plan: Plan,
    tally: Tally,
    run: Callable[[int, str], Awaitable[None]],
    choices: Iterable[tuple[int, str]],
) -> None:
    """Do a run for each choice, several at once, because a run mostly waits. Note failed runs."""
    left = iter(choices)

    async def work() -> None:
        for number, what in left:
            try:
                await run(number, what)
            except (TimeoutError, RuntimeError) as error:
                tally.notes.append(f"{what} at {number} broke off: {error!r}")

    async with asyncio.TaskGroup() as group:
        for _ in range(plan.pick(1, 4, 4)):
            group.create_task(work())


def _choose_store_faults(plan: Plan, num_calls: int) -> Iterator[tuple[int, str]]:
    numbers = range(1, num_calls + 1)
    if plan.size == "full":
        yield from ((number, kind) for number in numbers for kind in _STORE_FAULTS)
        return
    chance = random.Random(plan.seed)
    for number in sorted(chance.sample(numbers, min(plan.pick(2, 18, 0), num_calls))):
        yield number, chance.choice(_STORE_FAULTS)


async def _count_store_calls(plan: Plan) -> int:
    async with open_bench(plan, "f2-count") as bench:
        count = bench.folder / "calls"
        await bench.start(STORE_CALLS=str(count))
        await _ask_twice(bench)
        await bench.stop()
        return int(count.read_text())


async def _start(bench: Bench, **environment: str) -> bool:
    """Start the bot and return whether it is online. Raises if its exit status is undocumented."""
    await bench.start(connected=False, **environment)
    try:
        await bench.wait_connected()
    except RuntimeError:
        assert bench.bot is not None
        if bench.bot.returncode not in _EXPLAINED_EXITS:
            raise
        return False
    return True


async def _ask_twice(bench: Bench) -> None:
    if not bench.server.commands:  # registering the commands failed; the next start tries again
        return
    await bench.ask("dog")
    await asyncio.sleep(0.05)
    await bench.ask("cat", who="newcomer")
    for handle in bench.handles:
        try:
            await handle.wait_acknowledged(people.FIRST_RESPONSE_SECONDS + 1.0)
        except TimeoutError:
            continue
    await bench.settle(8.0)


async def _finish(bench: Bench) -> Audit:
    """Run a bot without faults until all prompts have ended; then count."""
    await bench.start(SEND_SECONDS=str(_SEND_SECONDS))
    await bench.server.wait_synced("imagine", START_SECONDS)
    await bench.settle(START_SECONDS)
    await bench.stop()
    return bench.audit()


async def measure_requests(plan: Plan) -> Measurement:
    """F3: request N to Discord fails in several ways, for N = 1, 2, … up to the last request."""
    tally = Tally()
    num_requests = await _count_requests(plan)

    async def break_request(number: int, way: str) -> None:
        name = f"f3-{number}-{way.replace(' ', '-').replace(',', '')}"
        async with open_bench(plan, name) as bench:
            bench.server.fault("* *", _WAYS[way], skip=number - 1)
            is_up = await _start(bench, SEND_SECONDS=str(_SEND_SECONDS))
            tally.stopped_at_start += not is_up
            if is_up:
                await _ask_twice(bench)
                await bench.stop()
            tally.add(f"{way} at request {number}", await _finish(bench))
            tally.repeated += _count_repeats(bench)

    await _side_by_side(plan, tally, break_request, _choose_ways(plan, num_requests))
    return Measurement(
        figure="F3",
        load="two prompts a run",
        faults=f"{len(_WAYS)} ways ({', '.join(_WAYS)}) at each of {num_requests} requests, "
        f"{tally.runs} runs",
        result={"requests": num_requests, "final_repeated": tally.repeated, **tally.describe()},
        goal="at most one message a prompt, every end shown, 401/403/404 never repeated",
        holds=tally.is_clean,
    )


def _choose_ways(plan: Plan, num_requests: int) -> Iterator[tuple[int, str]]:
    choices = [(number, way) for number in range(1, num_requests + 1) for way in _WAYS]
    if plan.size == "full":
        yield from choices
        return
    chance = random.Random(plan.seed)
    # the bot's start makes the first half of the requests
    answers = range(num_requests // 2, num_requests + 1)
    ways = list(_WAYS)[:: plan.pick(5, 1, 1)]
    chosen = [(chance.choice(answers), way) for way in ways]
    yield from dict.fromkeys(chosen + chance.sample(choices, plan.pick(0, 4, 0)))


async def _count_requests(plan: Plan) -> int:
    async with open_bench(plan, "f3-count") as bench:
        await bench.start()
        await _ask_twice(bench)
        count = len(bench.server.requests())
        await bench.stop()
        return count


def _count_repeats(bench: Bench) -> int:
    """Count requests that the bot sent again although the answer had a final status.

    Requests that the bot sends at every start, such as the list of commands, do not count.
    """
    requests = list(bench.server.log.requests)
    for index, struck in enumerate(requests):
        is_of_starts = struck.method in {"GET", "PUT"}
        if struck.fault and struck.status in _FINAL_STATUSES and not is_of_starts:
            return sum(
                (later.method, later.path, later.body) == (struck.method, struck.path, struck.body)
                for later in requests[index + 1 :]
            )
    return 0
