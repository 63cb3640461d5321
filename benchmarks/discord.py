"""python -m benchmarks.discord [--json] [--seconds N]: counts edits, times button presses.

It runs the real bot process with the playground. For the edits, 50 prompts of ten people wait in
one channel (with the tests' fake engine, 8 s per prompt). For the presses, people press the buttons
of a grid while the starter model draws.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
from collections import Counter
from typing import Any

from benchmarks.bot import describe_environment, latency, percentiles, run_bot
from playground import Message, Person, Playground, add_user
from playground.world.world import Member

_TOKEN = "a-token"
_NUM_PROMPTS = 50
_NUM_PEOPLE = 10
_WINDOW_SECONDS = 60.0


def main() -> None:
    """Run both measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seconds", type=float, default=150.0, help="how long edits are counted")
    arguments = parser.parse_args()
    report = {
        "edits": asyncio.run(measure_edits(arguments.seconds)),
        "presses": asyncio.run(measure_presses()),
        "environment": describe_environment(),
    }
    if arguments.json:
        print(json.dumps(report))
        return
    for name, figures in report.items():
        print(name)
        for key, value in figures.items():
            print(f"  {key:36} {value:.1f}" if isinstance(value, float) else f"  {key:36} {value}")


async def measure_edits(seconds: float) -> dict[str, Any]:
    """Count the message edits that reach the playground while 50 prompts wait in one channel."""
    async with (
        Playground(_TOKEN) as server,
        run_bot(server, FAKE_STEP_SECONDS="0.4") as _,
    ):
        art = server.channel("art")
        people = itertools.cycle(_add_people(server))
        handles = [
            await next(people).slash("imagine", art, prompt="dog", steps=20)
            for _ in range(_NUM_PROMPTS)
        ]
        await asyncio.sleep(seconds)
        edits = server.requests("PATCH *")
        first = [
            handle.history[1].at - handle.interaction.created_at
            for handle in handles
            if len(handle.history) > 1
        ]
    times = sorted(record.at for record in edits)
    windows = [sum(t <= other < t + _WINDOW_SECONDS for other in times) for t in times]
    per_message = Counter(record.path for record in edits)
    counts = [per_message.get(path, 0) for path in per_message]
    return {
        "prompts_waiting": _NUM_PROMPTS,
        "edits": len(edits),
        "edits_per_minute_max": max(windows),
        "edits_per_prompt_median": statistics.median(counts),
        "edits_per_prompt_max": max(counts),
        "prompts_that_showed_their_place": len(first),
        "first_text_after_seconds_max": max(first),
    }


async def measure_presses(num_presses: int = 200) -> dict[str, Any]:
    """Measure the time from a press to its acknowledgement while the starter model draws."""
    async with Playground(_TOKEN) as server, run_bot(server, module="bot") as _:
        art = server.channel("art")
        people = _add_people(server)
        grid = await _draw(people[0], server)
        alone = [latency(await _press(people[0], grid, "more")) for _ in range(20)]
        for person in people:
            for _ in range(3):
                await person.slash("imagine", art, prompt="dog in autumn leaves", steps=100)
        presser = itertools.cycle(people)
        latencies: dict[str, list[float]] = {"more": [], "pick": [], "remix": [], "reroll": []}
        for number in range(num_presses):
            action = list(latencies)[number % len(latencies)]
            latencies[action].append(latency(await _press(next(presser), grid, action)))
            await asyncio.sleep(0.1)
        answered = [value for values in latencies.values() for value in values]
    return {
        "alone_p50_ms": statistics.median(alone) * 1000,
        **{f"drawing_{k}_ms": value * 1000 for k, value in percentiles(answered).items()},
        **{f"{k}_p50_ms": statistics.median(v) * 1000 for k, v in latencies.items()},
        "presses": len(answered),
    }


async def _draw(person: Person, server: Playground) -> Message:
    handle = await person.slash("imagine", server.channel("art"), prompt="dog in autumn leaves")
    return await handle.wait_for(
        lambda message: any(a.filename.endswith(".png") for a in message.attachments), 300
    )


async def _press(person: Person, grid: Message, action: str) -> Any:
    panel = 1 if action == "pick" else 0
    handle = await person.press(grid, f"v1:{action}:1:{panel}")
    await handle.wait_acknowledged()
    return handle


def _add_people(server: Playground) -> list[Person]:
    guild = server.world.guilds[server.channel("art").guild_id or 0]
    users = [add_user(server.world, f"person{n}") for n in range(_NUM_PEOPLE)]
    guild.members.update((user.id, Member(user)) for user in users)
    return [Person(server.backend, user) for user in users]


if __name__ == "__main__":
    main()
