"""F17: one member, then one server, sends what costs most; what everybody else feels of it."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.faults.bench import Bench, count_tracebacks, open_bench
from benchmarks.faults.costly import list_costly_pictures, list_costly_rules
from benchmarks.faults.finding import Finding, Plan, Value
from playground import Channel, InteractionHandle, Member, Upload, add_channel, add_guild, add_user

_PAUSE_SECONDS = 0.15  # between two prompts of the others
_GOAL_SECONDS = 0.25
_EXIT_GOAL_SECONDS = 10.0
_MAX_EXIT_SECONDS = 40.0
_PROMPT_LENGTH = 6000
_NUM_FLOODERS = 8


@dataclass(slots=True)
class Siege:
    """Two servers: what comes from one, and how long the first answers in the other took."""

    bench: Bench
    elsewhere: Channel
    neighbours: list[str]
    handles: list[InteractionHandle] = field(default_factory=list)
    sent: int = 0

    def delays(self) -> list[float]:
        """Seconds to the first answer; 3 s, Discord's own limit, where none came."""
        return sorted(
            min((h.interaction.acknowledged_at or 1e12) - h.interaction.created_at, 3.0)
            for h in self.handles
        )


async def measure_neighbours(plan: Plan) -> Finding:
    """F17: others go on, and the bot stops in time, while one sends the worst of each kind."""
    pictures = await _measure_pictures(plan)
    rules = await _measure_rules(plan)
    result: dict[str, Value] = {}
    for name, part in (("pictures", pictures), ("rules", rules)):
        result |= {f"{name}_{key}": value for key, value in part.items()}
    return Finding(
        figure="F17",
        load="members of another server ask all the time; one of them starts from a picture",
        faults="one member sends pictures that are costly to open, then one server has and imports "
        "the costliest rules, and eight of its members prompt at once; SIGTERM in the middle",
        result=result,
        goal="others' first answers p99 <= 250 ms, their pictures drawn meanwhile, "
        "every sender answered, SIGTERM <= 10 s",
        holds=all(_holds(part, plan) for part in (pictures, rules)),
    )


def _holds(part: dict[str, Value], plan: Plan) -> bool:
    is_clean = not (part["others_undelivered"] or part["unanswered"] or part["tracebacks"])
    is_quick = float(part["p99_seconds"]) <= _GOAL_SECONDS or plan.size == "test"
    return is_clean and is_quick and float(part["exit_seconds"]) <= _EXIT_GOAL_SECONDS


async def _measure_pictures(plan: Plan) -> dict[str, Value]:
    costly = list_costly_pictures()
    async with _open_siege(plan, "f17-pictures") as siege:
        server = siege.bench.server
        member = server.person("member")
        places = (server.channel("art"), member.direct_channel)  # two shares of one member

        async def send(number: int) -> None:
            name, data = costly[number // 2 % len(costly)]
            upload = Upload(f"{name}.bin", data, "image/png")
            handle = await member.slash("imagine", places[number % 2], prompt=name, image=upload)
            siege.bench.handles.append(handle)

        return await _measure(siege, plan, [send], at_once=2 * len(costly))


async def _measure_rules(plan: Plan) -> dict[str, Value]:
    async with _open_siege(plan, "f17-rules", MAX_PROMPT_LENGTH=str(_PROMPT_LENGTH)) as siege:
        bench = siege.bench
        imported = await _import_costly(bench)
        flooders = _add_people(bench, bench.server.channel("art"), "flooder", _NUM_FLOODERS)
        texts = [("ab" * _PROMPT_LENGTH)[:_PROMPT_LENGTH], ("xyz a b " * _PROMPT_LENGTH)[:5999]]
        too_many = json.dumps({"rules": list_costly_rules(5000)}).encode()

        async def flood(number: int) -> None:
            text = texts[number % len(texts)]
            await bench.ask(f"{number} {text}"[:_PROMPT_LENGTH], flooders[number % _NUM_FLOODERS])

        async def overload(number: int) -> None:
            bench.handles.append(await _import(bench, too_many))

        found = await _measure(siege, plan, [flood, flood, flood, overload], at_once=_NUM_FLOODERS)
    return {"rules": imported, **found}


async def _measure(
    siege: Siege,
    plan: Plan,
    kinds: list[Callable[[int], Coroutine[Any, Any, None]]],
    *,
    at_once: int,
) -> dict[str, Value]:
    """Send the costly things for a while, always so many at once, and stop in the middle."""
    bench = siege.bench
    seconds = plan.pick(6.0, 15.0, 120.0)
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
    small = list_costly_pictures()[-1][1]  # the last is an ordinary one
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


async def _import_costly(bench: Bench) -> int:
    """Give the server as many of the costliest rules as it may have; how many that are."""
    low, rules = 0, list_costly_rules(512)
    step = len(rules)
    while step:
        part = rules[low : low + step]
        handle = await _import(bench, json.dumps({"rules": part}).encode())
        message = await handle.wait_answered(30.0)
        if message.text().startswith("Added"):
            low += len(part)
        step //= 2
    return low


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
