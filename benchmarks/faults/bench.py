"""Runs bots against a playground, and keeps a list of every prompt that was sent."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.faults.finding import Plan
from playground import InteractionHandle, Message, Playground
from playground.api.contract import Contract
from tests.fakes.nursery import Child

TOKEN = "a-secret-token"
START_SECONDS = 90.0
_FINAL = {"delivered", "refused", "failed", "cancelled", "expired", "undeliverable"}
_CANCEL = re.compile(r"v1:cancel:\d+:\d")


@dataclass(slots=True)
class Audit:
    """What became of all prompts: how many were lost, posted twice, and so on."""

    asked: int = 0
    acknowledged: int = 0
    delivered: int = 0
    lost: int = 0
    doubled: int = 0
    unsettled: int = 0
    misbooked: int = 0
    tracebacks: int = 0
    damage: str = "ok"
    notes: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Return whether every prompt was answered once and charged once."""
        wrongs = self.lost + self.doubled + self.unsettled + self.misbooked + self.tracebacks
        return wrongs == 0 and self.damage == "ok"

    def describe(self) -> dict[str, float | int | str]:
        """Return the counts under the names that a figure's result has."""
        return {
            "prompts": self.asked,
            "acknowledged": self.acknowledged,
            "delivered": self.delivered,
            "lost": self.lost,
            "double_posts": self.doubled,
            "unsettled": self.unsettled,
            "debits_unlike_deliveries": self.misbooked,
            "tracebacks": self.tracebacks,
            "integrity": self.damage,
            **({"first_wrong": self.notes[0]} if self.notes else {}),
        }


class Bench:
    """Keeps one data directory and one playground, and starts, stops and kills bots."""

    def __init__(self, plan: Plan, server: Playground, folder: Path) -> None:
        self.plan = plan
        self.server = server
        self.folder = folder
        self.data_dir = folder / "data"
        self.handles: list[InteractionHandle] = []
        self.bot: Child | None = None
        self._environment: dict[str, str] = {}
        self.log_path = folder / "bot.log"
        self._clock_path = folder / "clock"
        self.set_clock(0.0)

    def set_clock(self, wrong_seconds: float) -> None:
        """Make the bot's wall clock jump now."""
        with self._clock_path.open("r+b" if self._clock_path.exists() else "wb") as file:
            file.write(struct.pack("d", wrong_seconds))

    @property
    def log(self) -> str:
        """Return everything that this bench's bots have logged."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    async def start(self, *, connected: bool = True, **environment: str) -> Child:
        """Start a bot. ``connected``: wait until it is online, and raise if it ends before."""
        inherited = {
            name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}
        }
        known = {
            "DISCORD_TOKEN": TOKEN,
            "DISCORD_API_BASE": self.server.api_base,
            "DATA_DIR": str(self.data_dir),
            "MAX_WAITING_PER_MEMBER": "1000",
            "MAX_WAITING_PER_GUILD": "10000",
            "MAX_REFUSED_PER_MEMBER_PER_HOUR": "100000",
            "MAX_ACTIONS_PER_MEMBER_PER_MINUTE": "100000",
            "MAX_WAITING": "2000",
            "MAX_COST_PER_MEMBER_PER_HOUR": "1000000",
            "FAKE_PICTURE_CHECK": "0.0",
            "CLOCK": str(self._clock_path),
        }
        self._environment = inherited | known | environment
        self.bot = await self._fork(self.log_path)
        if connected:
            await self.wait_connected()
        return self.bot

    async def _fork(self, log_path: Path) -> Child:
        return await self.plan.nursery.start(
            "benchmarks.faults.run_bot", log_path, self.folder, self._environment
        )

    async def wait_connected(self) -> None:
        """Wait until the bot is online. Raises RuntimeError if it ends before."""
        assert self.bot is not None
        online = asyncio.create_task(self.server.wait_connected(START_SECONDS))
        ended = asyncio.create_task(self.bot.wait(START_SECONDS + 1))
        try:
            await asyncio.wait({online, ended}, return_when=asyncio.FIRST_COMPLETED)
            if self.bot.returncode is not None:
                raise RuntimeError(f"the bot ended: {self.log[-2000:]}")
            await online
        finally:
            for task in (online, ended):
                task.cancel()
            await asyncio.gather(online, ended, return_exceptions=True)

    async def intrude(self) -> int:
        """Try to start a second process on the same data directory. Return its exit status."""
        intruder = await self._fork(self.folder / "other.log")
        try:
            return await intruder.wait(10)
        except TimeoutError:
            intruder.send_signal(signal.SIGKILL)
            return await intruder.wait(10)

    async def ask(self, prompt: str = "dog", who: str = "member", **options: Any) -> None:
        """Send a prompt, and remember it for the audit."""
        server = self.server
        handle = await server.person(who).slash(
            "imagine", server.channel("art"), prompt=prompt, **options
        )
        self.handles.append(handle)

    async def stop(
        self, number: signal.Signals = signal.SIGTERM, within_seconds: float = 20.0
    ) -> int:
        """Stop the bot and wait until the playground has noticed. Return the exit status."""
        assert self.bot is not None
        self.bot.send_signal(number)
        code = await self.bot.wait(within_seconds)
        await self.server.wait_disconnected()
        return code

    async def settle(self, timeout_seconds: float = 60.0) -> None:
        """Wait until every acknowledged prompt shows how it ended, or until the timeout."""
        open_handles = [handle for handle in self.handles if not is_settled(handle)]

        def look() -> bool:
            while open_handles and is_settled(open_handles[-1]):
                open_handles.pop()
            return not open_handles

        try:
            await self.server.wait_until(look, timeout_seconds, "all prompts to end")
        except TimeoutError:
            return

    def rows(self) -> list[sqlite3.Row]:
        """Return the rows of the job table. Call it only while no bot runs."""
        uri = f"file:{self.data_dir / 'triptych.sqlite3'}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute("SELECT * FROM job ORDER BY job_id").fetchall()

    def check_integrity(self) -> str:
        """Ask SQLite to check the file: "ok", or the first fault."""
        with closing(sqlite3.connect(self.data_dir / "triptych.sqlite3")) as connection:
            return str(connection.execute("PRAGMA integrity_check").fetchone()[0])

    def audit(self) -> Audit:
        """Compare the sent prompts with the channel and the database. Call it while no bot runs."""
        record = self.rows()
        rows = {row["interaction_id"]: row for row in record}
        audit = Audit(asked=len(self.handles), damage=self.check_integrity())
        audit.tracebacks = count_tracebacks(self.log)
        shown = 0
        for handle in self.handles:
            message = find_answer(handle)
            if message is None:
                continue
            audit.acknowledged += 1
            shown += not message.is_ephemeral
            self._audit_one(audit, handle, message, rows.get(handle.id))
        public = [m for m in self.server.messages(self.server.channel("art")) if not m.is_ephemeral]
        audit.doubled = max(0, len(public) - shown) + len(record) - len(rows)
        return audit

    def _audit_one(
        self, audit: Audit, handle: InteractionHandle, message: Message, row: sqlite3.Row | None
    ) -> None:
        what = f"interaction {handle.id}: {message.text()[:80]!r}"
        has_grid = bool(message.attachments)
        audit.delivered += has_grid
        if row is None and not message.is_ephemeral:
            audit.lost += 1
            audit.notes.append(f"{what} has no row")
        elif not is_settled(handle):
            audit.unsettled += 1
            audit.notes.append(f"{what} shows no end, row {row['status'] if row else None}")
        elif row is not None:
            is_paid = row["cost"] > 0
            if row["status"] not in _FINAL or is_paid != has_grid:
                audit.misbooked += 1
                audit.notes.append(f"{what}: row {row['status']}, cost {row['cost']}")


def count_tracebacks(log: str) -> int:
    """Count tracebacks, except those that discord.py logs with every planned reconnection."""
    records = re.split(r"^(?=\d{4}-\d\d-\d\d )", log, flags=re.MULTILINE)
    return sum(
        "Traceback" in record and "Attempting a reconnect" not in record.partition("\n")[0]
        for record in records
    )


def find_answer(handle: InteractionHandle) -> Message | None:
    """Find the answer to a prompt. If it was removed, find the message that only the member saw."""
    return handle.original() or next(iter(handle.followups()), None)


def is_settled(handle: InteractionHandle) -> bool:
    """Return whether a prompt has its final answer, or expired before it got any answer."""
    message = find_answer(handle)
    if message is None:
        return handle.has_failed
    if message.is_loading:
        return False
    return not any(_CANCEL.match(button.custom_id or "") for button in message.buttons())


@asynccontextmanager
async def open_bench(
    plan: Plan, name: str, *, checks_contract: bool = True
) -> AsyncIterator[Bench]:
    """Open a bench with a new world. At the end, stop its bot."""
    folder = plan.folder / name
    folder.mkdir(parents=True)
    async with Playground(TOKEN, contract=Contract(is_on=checks_contract)) as server:
        bench = Bench(plan, server, folder)
        try:
            yield bench
        finally:
            if bench.bot is not None:
                bench.bot.send_signal(signal.SIGKILL)
                await bench.bot.wait(10)
        if checks_contract:
            contract = plan.contract
            contract.reason = server.contract.reason
            contract.checked += sum(record.body is not None for record in server.log.requests)
            contract.violations += [
                f"{each.method} {each.route}: {each.problem} {json.dumps(each.body)[:200]}"
                for each in server.contract.violations
            ]
