"""Runs the real bot process with the playground, over real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from bot.domain.recipes import Recipe
from bot.store.rows import parse_reason, parse_recipe
from bot.texts.reasons import say
from playground import Playground, default_world
from tests.e2e.lens import Lens
from tests.fakes.nursery import Child, Nursery
from tests.texts.catalogues import PSEUDO, write_pseudo_locale

TOKEN = "a-token"
ROOT = Path(__file__).resolve().parents[2]
FAKE = "tests.fakes.run_bot"

StartBot = Callable[..., Awaitable["BotProcess"]]


class BotProcess:
    """A child process that runs the bot. Tests can read its log."""

    def __init__(self, process: Child, log_path: Path, data_dir: Path) -> None:
        self.process = process
        self.log_path = log_path
        self.data_dir = data_dir

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    async def stop(self, number: signal.Signals = signal.SIGTERM, within: float = 10.0) -> int:
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), within)

    async def wait(self, within: float = 20.0) -> int:
        return await asyncio.wait_for(self.process.wait(), within)

    def rows(self, sql: str = "SELECT * FROM job ORDER BY job_id") -> list[sqlite3.Row]:
        """Return the job rows. Read them only while the process is stopped, or quickly."""
        uri = f"file:{self.data_dir / 'triptych.sqlite3'}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(sql).fetchall()

    def recipes(self) -> list[Recipe]:
        """Return the recipes of all jobs in the database."""
        return [parse_recipe(row["recipe"]) for row in self.rows()]


async def examine(start: StartBot, **environment: str) -> list[dict[str, Any]]:
    """Run the checks of ``doctor``, without a model, because checking one takes seconds."""
    environment = {"MODEL": "./nothing"} | environment
    bot = await start(arguments=("doctor", "--json"), connected=False, **environment)
    await bot.wait()
    return json.loads(bot.log)["checks"]


def say_of(row: sqlite3.Row) -> str:
    """Return the sentence for the reason in a row."""
    return say(parse_reason("reason", row))


@pytest.fixture(scope="session")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalogues that the bot is started with."""
    folder = tmp_path_factory.mktemp("locales")
    write_pseudo_locale(folder)
    return folder


@pytest.fixture
async def server() -> AsyncIterator[Playground]:
    """A playground whose people use the pseudo-locale. The ``Lens`` turns the texts back into
    English.
    """
    world = default_world(PSEUDO)
    async with Playground(TOKEN, world=world, contract=Lens(world)) as playground:
        yield playground
        problems = {each.problem for each in playground.contract.violations}
        assert not problems, "\n".join(sorted(problems))


@pytest.fixture
def lens(server: Playground) -> Lens:
    assert isinstance(server.contract, Lens)
    return server.contract


@asynccontextmanager
async def open_bots(
    server: Playground, tmp_path: Path, nursery: Nursery, locales: Path
) -> AsyncIterator[StartBot]:
    """``await start(…)`` starts a bot, which is killed at the end of the test."""
    started: list[tuple[BotProcess, bool]] = []

    async def start(
        module: str = FAKE,
        *,
        connected: bool = True,
        may_complain: bool = False,
        arguments: tuple[str, ...] = ("run",),
        **environment: str,
    ) -> BotProcess:
        log_path = tmp_path / f"bot-{len(started)}.log"
        inherited = {
            name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}
        }
        if isinstance(server.contract, Lens):
            server.contract.learn(environment.values())
        data_dir = Path(environment.setdefault("DATA_DIR", str(tmp_path / "data")))
        known = {
            "DISCORD_TOKEN": TOKEN,
            "DISCORD_API_BASE": server.api_base,
            "MAX_WAITING_PER_MEMBER": "100",
            "MAX_WAITING_PER_GUILD": "100",
            "MAX_REFUSED_PER_MEMBER_PER_HOUR": "100000",
            "MAX_ACTIONS_PER_MEMBER_PER_MINUTE": "100000",
            "PYTHONPATH": str(ROOT),
            "FAKE_LOCALES": str(locales),
            "FAKE_PICTURE_CHECK": "0.0",
        }
        process = await nursery.start(
            module, log_path, tmp_path, inherited | known | environment, arguments
        )
        bot = BotProcess(process, log_path, data_dir)
        started.append((bot, may_complain))
        if connected:
            waiting = asyncio.create_task(server.wait_connected(20))
            ending = asyncio.create_task(process.wait())
            await asyncio.wait({waiting, ending}, return_when=asyncio.FIRST_COMPLETED)
            assert process.returncode is None, bot.log
            await waiting
            ending.cancel()
        return bot

    yield start
    for bot, may_complain in started:
        if bot.process.returncode is None:
            bot.process.kill()
            await bot.process.wait()
        assert may_complain or "Traceback" not in bot.log, bot.log


@pytest.fixture
async def start_bot(
    server: Playground, tmp_path: Path, nursery: Nursery, locales: Path
) -> AsyncIterator[StartBot]:
    async with open_bots(server, tmp_path, nursery, locales) as start:
        yield start
