"""python -m benchmarks.rounds [--json] [--people N]: many people play one round at once.

The real bot process runs with the playground and the tests' fake engine. Within ten seconds, each
person adds three phrases with the form. Then, within ten more, each votes for three phrases.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

from benchmarks.bot import describe_environment, latency, percentiles, run_bot
from playground import Message, Person, Playground, add_user
from playground.world.world import Member

_TOKEN = "a-token"
_SECONDS = 10.0
_PHRASES = 3
_WINDOW_SECONDS = 60.0
_WAIT_SECONDS = 60.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--people", type=int, default=100)
    arguments = parser.parse_args()
    report = asyncio.run(measure(arguments.people)) | describe_environment()
    if arguments.json:
        print(json.dumps(report))
        return
    for key, value in report.items():
        print(f"{key:28} {value:.3f}" if isinstance(value, float) else f"{key:28} {value}")


async def measure(num_people: int) -> dict[str, Any]:
    """Let people add phrases and vote; return the times and what was counted."""
    async with Playground(_TOKEN) as server, run_bot(server):
        people = _add_people(server, num_people)
        message = await _start(server, people[0])
        adding = await asyncio.gather(
            *(_add_all(person, message, n / num_people) for n, person in enumerate(people))
        )
        voting = await asyncio.gather(
            *(_vote(person, message, n / num_people) for n, person in enumerate(people))
        )
        await asyncio.sleep(_WINDOW_SECONDS)  # until the message shows the last vote
        edits = sorted(record.at for record in server.requests("PATCH /channels/*"))
        presses = [time for times in (*adding, *voting) for time in times]
        text = message.text()
        return {
            "people": num_people,
            "presses": len(presses),
            **{f"acknowledged_{k}_s": v for k, v in percentiles(presses).items()},
            "messages": len(server.requests("POST /channels/*")),
            "edits": len(edits),
            "edits_per_minute_max": max(
                sum(t <= other < t + _WINDOW_SECONDS for other in edits) for t in edits
            ),
            "counts_are_right": f"{num_people * _PHRASES} phrases from {num_people} people" in text,
        }


def _add_people(server: Playground, count: int) -> list[Person]:
    guild = server.world.guilds[server.channel("art").guild_id or 0]
    users = [add_user(server.world, f"person{n}") for n in range(count)]
    guild.members.update((user.id, Member(user)) for user in users)
    return [Person(server.backend, user) for user in users]


async def _start(server: Playground, person: Person) -> Message:
    art = server.channel("art")
    await person.slash("together start", art, theme="a market", minutes=60, phrases=_PHRASES)
    return await server.wait_until(
        lambda: next((m for m in server.messages(art) if "a market" in m.text()), None), 20
    )


async def _add_all(person: Person, message: Message, offset: float) -> list[float]:
    """Add a person's phrases; return how long each press and each form waited for an answer."""
    start, times = asyncio.get_running_loop().time(), list[float]()
    for number in range(_PHRASES):
        due = start + (number + offset) * _SECONDS / _PHRASES
        await asyncio.sleep(due - asyncio.get_running_loop().time())
        opened = await person.press(message, str(message.button("Add a phrase").custom_id))
        await opened.wait_modal(_WAIT_SECONDS)
        sent = await person.submit_modal(opened, {"phrase": f"{person.name} brings {number}"})
        await sent.wait_for(lambda m: not m.is_loading, _WAIT_SECONDS)
        times += [latency(opened), latency(sent)]
    return times


async def _vote(person: Person, message: Message, offset: float) -> list[float]:
    """Vote for three phrases; return how long both presses waited for an answer."""
    await asyncio.sleep(offset * _SECONDS)
    opened = await person.press(message, str(message.button("Vote for phrases").custom_id))
    ballot = await opened.wait_answered(_WAIT_SECONDS)
    [select] = ballot.selects()
    chosen = [option["value"] for option in select.options[:3]]
    sent = await person.select(ballot, select.custom_id, chosen)
    await sent.wait_acknowledged(_WAIT_SECONDS)
    return [latency(opened), latency(sent)]


if __name__ == "__main__":
    main()
