"""F17: how long others wait while one member, or one server, sends the costliest input."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.faults.bench import Bench, count_tracebacks, open_bench
from benchmarks.faults.costly import list_costly_pictures
from benchmarks.faults.finding import Measurement, Plan, Value
from benchmarks.moderation import make_worst_rules
from bot.domain.rules import Rule, RuleKind
from bot.moderation.rules import render_rules
from playground import Channel, InteractionHandle, Member, Upload, add_channel, add_guild, add_user

_PAUSE_SECONDS = 0.15  # seconds between two prompts in the other server
_GOAL_SECONDS = 0.25
_EXIT_GOAL_SECONDS = 10.0
_MAX_EXIT_SECONDS = 40.0
_LONGEST = 2000  # the default limit for the length of a prompt
_COSTLY_RULES = {"patterns": "small", "phrases": "phrases that begin alike"}
_NUM_FLOODERS = 8


@dataclass(slots=True)
class Siege:
    """Two servers. One sends costly input, and we time the first answers in the other."""

    bench: Bench
    elsewhere: Channel
    neighbours: list[str]
    handles: list[InteractionHandle] = field(default_factory=list)
    sent: int = 0

    def delays(self) -> list[float]:
        """Return the seconds to each first answer; 3 s (Discord's limit) if there was none."""
        return sorted(
            min((h.interaction.acknowledged_at or 1e12) - h.interaction.created_at, 3.0)
            for h in self.handles
        )


async def measure_neighbours(plan: Plan) -> Measurement:
    """F17: while one member sends costly input, others are served and the bot stops in time."""
    parts = {"pictures": await _measure_pictures(plan)}
    for name, kind in _COSTLY_RULES.items():
        parts[name] = await _measure_rules(plan, kind)
    result: dict[str, Value] = {
        f"{name}_{key}": value for name, part in parts.items() for key, value in part.items()
    }
    return Measurement(
        figure="F17",
        load="members of another server ask all the time; one of them starts from a picture",
        faults="one member sends pictures that are costly to open, then one server has and imports "
        "the costliest rules, and eight of its members prompt at once; SIGTERM in the middle",
        result=result,
        goal="others' first answers p99 <= 250 ms, their pictures drawn meanwhile, "
        "every sender answered, SIGTERM <= 10 s",
        holds=all(_holds(part, plan) for part in parts.values()),
    )


def _holds(part: dict[str, Value], plan: Plan) -> bool:
    is_clean = not (part["others_undelivered"] or part["tracebacks"])
    is_quick = float(part["p99_seconds"]) <= _GOAL_SECONDS and not part["unanswered"]
    is_quick &= float(part["exit_seconds"]) <= _EXIT_GOAL_SECONDS
    return is_clean and (is_quick or plan.size == "test")


async def _measure_pictures(plan: Plan) -> dict[str, Value]:
    costly = list_costly_pictures()
    async with _open_siege(plan, "f17-pictures") as siege:
        server = siege.bench.server
        member = server.person("member")
        places = (
            server.channel("art"),
            member.direct_channel,
        )  # each of them may use one worker process, so together they use both

        async def send(number: int) -> None:
            name, data = costly[number // 2 % len(costly)]
            upload = Upload(f"{name}.bin", data, "image/png")
            handle = await member.slash("imagine", places[number % 2], prompt=name, image=upload)
            siege.bench.handles.append(handle)

        return await _measure(siege, plan, [send], at_once=2 * len(costly))


async def _measure_rules(plan: Plan, kind: str) -> dict[str, Value]:
    rules, text = make_worst_rules()[kind]
    async with _open_siege(plan, f"f17-{kind.replace(' ', '-')}") as siege:
        bench = siege.bench
        document = render_rules(rules).encode()
        answer = await (await _import(bench, document)).wait_answered(30.0)
        if not answer.text().startswith("Added"):
            raise RuntimeError(f"the bot did not accept the costliest rules: {answer.text()}")
        flooders = _add_people(bench, bench.server.channel("art"), "flooder", _NUM_FLOODERS)
        too_many = render_rules(Rule(RuleKind.PATTERN, f"a[ab]{{90}}{n}") for n in range(5000))

        async def flood(number: int) -> None:
            words = {"prompt": text[number:][:_LONGEST], "negative_prompt": text[:_LONGEST]}
            await bench.ask(**words, who=flooders[number % _NUM_FLOODERS])

        async def overload(number: int) -> None:
            bench.handles.append(await _import(bench, too_many.encode()))

        return await _measure(siege, plan, [flood] * 7 + [overload], at_once=_NUM_FLOODERS)


async def _measure(
    siege: Siege,
    plan: Plan,
    kinds: Sequence[Callable[[int], Coroutine[Any, Any, None]]],
    *,
    at_once: int,
) -> dict[str, Value]:
    """Send costly input, always this many at once, and stop the bot while input is waiting."""
    bench = siege.bench
    seconds = plan.pick(1.5, 15.0, 120.0)
    asking = asyncio.create_task(_ask_elsewhere(siege))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        waiting = sum(not _is_answered(handle) for handle in bench.handles)
        for _ in range(at_once - waiting):
            await kinds[siege.sent % len(kinds)](siege.sent)
            siege.sent += 1
        await asyncio.sleep(0.05)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    others = list(siege.handles)
    undelivered = await _count_undelivered(siege, others)
    for number in range(at_once):
        await kinds[number % len(kinds)](siege.sent + number)
    await asyncio.sleep(0.5)
    exit_seconds = await _time_exit(bench)
    answered = bench.handles[: siege.sent]
    delays = siege.delays()
    return {
        "sent": siege.sent,
        "unanswered": sum(not handle.messages for handle in answered),
        "others": len(others),
        "others_undelivered": undelivered,
        "p50_seconds": round(delays[len(delays) // 2], 3),
        "p99_seconds": round(delays[min(len(delays) * 99 // 100, len(delays) - 1)], 3),
        "exit_seconds": round(exit_seconds, 2),
        "tracebacks": count_tracebacks(bench.log),
    }


async def _time_exit(bench: Bench) -> float:
    began = time.monotonic()
    try:
        await bench.stop(signal.SIGTERM, _MAX_EXIT_SECONDS)
    except TimeoutError:
        await bench.stop(signal.SIGKILL)
    return time.monotonic() - began


async def _ask_elsewhere(siege: Siege) -> None:
    server, number = siege.bench.server, 0
    small = list_costly_pictures()[-1][1]  # the last one is an ordinary picture
    while True:
        options: dict[str, Any] = {"prompt": f"dog {number}"}
        if number % 10 == 9:
            options["image"] = Upload("photo.png", small, "image/png")
        person = server.person(siege.neighbours[number % len(siege.neighbours)])
        siege.handles.append(await person.slash("imagine", siege.elsewhere, **options))
        number += 1
        await asyncio.sleep(_PAUSE_SECONDS)


async def _count_undelivered(siege: Siege, handles: list[InteractionHandle]) -> int:
    def count() -> int:
        return sum(not any(m.attachments for m in handle.messages) for handle in handles)

    try:
        await siege.bench.server.wait_until(lambda: count() == 0, 20.0, "the others' pictures")
    except TimeoutError:
        return count()
    return 0


def _is_answered(handle: InteractionHandle) -> bool:
    message = handle.original()
    return handle.has_failed if message is None else not message.is_loading


async def _import(bench: Bench, document: bytes) -> InteractionHandle:
    server = bench.server
    upload = Upload("rules.json", document, "application/json")
    return await server.person("owner").slash("rules import", server.channel("art"), file=upload)


@asynccontextmanager
async def _open_siege(plan: Plan, name: str, **environment: str) -> AsyncIterator[Siege]:
    async with open_bench(plan, name) as bench:
        world = bench.server.world
        guild = add_guild(world, "Elsewhere", owner=bench.server.person("owner").user)
        guild.members[world.bot.id] = Member(world.bot)
        elsewhere = add_channel(world, guild, "drawings")
        neighbours = _add_people(bench, elsewhere, "neighbour", 5)
        await bench.start(connected=True, FAKE_STEP_SECONDS="0.005", **environment)
        yield Siege(bench, elsewhere, neighbours)


def _add_people(bench: Bench, channel: Channel, name: str, count: int) -> list[str]:
    world = bench.server.world
    assert channel.guild_id is not None
    names = [f"{name}{number}" for number in range(count)]
    for each in names:
        user = add_user(world, each)
        world.guilds[channel.guild_id].members[user.id] = Member(user)
    return names
