"""Plays one group round in a process of its own, which may be killed at any call of the database.

Each run goes on where the run before it ended, and writes down what people were answered. At the
end, it compares these answers with the database.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiosqlite

from bot import services as composition
from bot.domain.jobs import Job, JobStatus
from bot.domain.rounds import Round, RoundStatus
from bot.errors import UserError
from bot.jobs.ports import Delivery
from bot.moderation import PictureCheck
from bot.ops.resources import get_migrations_folder
from bot.services import compose_services
from bot.settings import Settings
from bot.store import Database
from bot.texts.codes import Code
from tests.conftest import GUILD, Clock, FakeMessenger, House
from tests.fakes.classifier import FakeClassifier
from tests.fakes.engine import FakeEngine
from tests.rounds.conftest import ANN, BEN, CAI, Evening

PHRASES = ((ANN, "paper lanterns"), (BEN, "a sleeping fox"), (CAI, "heavy rain"))
_VOTES = ((ANN, 2), (BEN, 3), (CAI, 2), (BEN, 2))
_MAX_TICKS = 50


@dataclass(frozen=True, slots=True)
class Run:
    """kill_at: the number of the database call at which the process is killed; 0 for never."""

    folder: Path
    kill_at: int = 0

    def note(self, *what: object) -> None:
        """Write down what people were answered or shown."""
        with (self.folder / "said").open("a") as file:
            file.write(json.dumps(what) + "\n")

    def read(self) -> list[list[Any]]:
        """Return what was written down, in order."""
        path = self.folder / "said"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]


class _Messenger(FakeMessenger):
    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    async def deliver(self, job: Job, delivery: Delivery, *, can_repost: bool = True) -> int | None:
        self._run.note("posted", job.job_id, job.message_id)
        await super().deliver(job, delivery, can_repost=can_repost)
        return job.message_id


def play(run: Run) -> None:
    """Play the round to its end. The exit status is 1 if something is lost or is there twice."""
    _count_calls(run)
    faults = asyncio.run(_play(run))
    (run.folder / "faults").write_text("\n".join(faults))
    os._exit(1 if faults else 0)


def _count_calls(run: Run) -> None:
    calls = 0

    def wrap(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: aiosqlite.Connection, *arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == run.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            (run.folder / "calls").write_text(str(calls))
            return method(self, *arguments)

        return call

    for name in ("execute", "executemany", "execute_fetchall", "commit"):
        setattr(aiosqlite.Connection, name, wrap(getattr(aiosqlite.Connection, name)))


async def _play(run: Run) -> list[str]:
    async with _open(run) as evening:
        round_ = await _start(evening)
        if round_.status is RoundStatus.OPEN:
            await _add_phrases(run, evening, round_)
            evening.clock.now = round_.closes_at
        await _tick_until(evening, round_, RoundStatus.VOTING, RoundStatus.ENDED)
        await _vote(run, evening, round_)
        until = (await evening.fetch(round_)).votes_until or 0.0
        evening.clock.now = max(evening.clock.now, until)
        await _tick_until(evening, round_, RoundStatus.ENDED)
        await evening.tick()
        return await _audit(run, evening, round_)


@asynccontextmanager
async def _open(run: Run) -> AsyncIterator[Evening]:
    composition.make_picture_check = lambda settings: PictureCheck(1.0, FakeClassifier)
    settings = Settings(_env_file=None, data_dir=run.folder / "data")  # type: ignore[call-arg]
    database = await Database.open(settings.data_dir, get_migrations_folder())
    engine, clock, messenger = FakeEngine(), Clock(), _Messenger(run)
    try:
        house = House(None, database, engine, messenger, clock)  # type: ignore[arg-type]
        house.services = services = compose_services(
            settings, database, engine, messenger, clock, house.round_messenger
        )
        await house.start()
        await services.recovery.run()
        yield Evening(house)
        await services.dispatcher.stop(1.0, 1.0)
        await services.status_messages.close()
        services.reading.close()
        await services.workers.close()
        services.writer.close()
    finally:
        await database.close()


async def _start(evening: Evening) -> Round:
    """Start the round, or find it in the database if an earlier run has started it."""
    found = await evening.rounds.rounds._rounds.fetch(1)
    return found or await evening.start()


async def _add_phrases(run: Run, evening: Evening, round_: Round) -> None:
    for user_id, text in PHRASES:
        try:
            phrase = await evening.add(round_, user_id, text)
        except UserError as error:
            assert error.reason.code == Code.PHRASE_DOUBLE, error
            continue
        run.note("joined", phrase.phrase_id, text)
    found = await evening.rounds.phrases.list_all(round_.round_id, GUILD)
    await evening.choose(round_, ANN, found[-1])
    run.note("chosen", found[-1].phrase_id)


async def _vote(run: Run, evening: Evening, round_: Round) -> None:
    for user_id, panel in _VOTES:
        with suppress(UserError):  # the vote may be over
            await evening.vote(round_, panel, user_id)
            run.note("voted", user_id, panel)


async def _tick_until(evening: Evening, round_: Round, *statuses: RoundStatus) -> None:
    for _ in range(_MAX_TICKS):
        await evening.tick()
        await evening.house.until_idle()
        if (await evening.fetch(round_)).status in statuses:
            return
    raise RuntimeError(f"round {round_.round_id} does not end")


async def _audit(run: Run, evening: Evening, round_: Round) -> list[str]:
    """Compare what was answered with the database."""
    said, database = run.read(), evening.house.database
    state = await evening.rounds.rounds.fetch(round_.round_id, GUILD)
    jobs = await evening.house.services.jobs.list_by_status(*JobStatus)
    kept = {each.phrase_id: each for each in state.phrases}
    votes = await database.fetch_all("SELECT user_id, panel FROM picture_vote")
    last = {each[1]: each[2] for each in said if each[0] == "voted"}
    places = sorted(each.place or 0 for each in state.phrases)
    chosen = [each[1] for each in said if each[0] == "chosen"]
    held = {
        "one job": len(jobs) == 1 and jobs[0].status is JobStatus.DELIVERED,
        "shares are whole": [each.share for each in jobs[0].shares] == [1 / 3] * 3,
        "one message": len({each[2] for each in said if each[0] == "posted"}) == 1,
        "every phrase once": sorted(each.text for each in state.phrases)
        == sorted(text for _, text in PHRASES),
        "no phrase lost": all(each[1] in kept for each in said if each[0] == "joined"),
        "no choice lost": not chosen or kept[chosen[-1]].votes == 1,
        "places": places == [1, 2, 3],
        "no vote lost": {row["user_id"]: row["panel"] for row in votes}.items() >= last.items(),
        "tally": sum(state.round.tally) == len(votes) and state.round.winner is not None,
        "winner posted": bool(state.round.winner_message_id),
    }
    return [what for what, is_so in held.items() if not is_so]
