"""A whole bot without Discord: a fake engine and fake people, but a real database."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from bot import services as composition
from bot.domain.jobs import Job, JobStatus, Origin
from bot.domain.recipes import Ask
from bot.domain.review import Case
from bot.jobs.ports import Delivery, NoMessage, Undeliverable, Unreachable, Update, Waiting
from bot.moderation import PictureCheck
from bot.services import Services, compose_services
from bot.settings import Settings
from bot.store import Database
from bot.texts import catalog
from bot.texts.reasons import Reason, say
from tests.fakes.classifier import FakeClassifier
from tests.fakes.engine import FakeEngine
from tests.fakes.hatchery import Hatchery
from tests.fakes.languages import Marked
from tests.fakes.nursery import Nursery
from tests.fakes.rounds import FakeRoundMessenger
from tests.fakes.virtual_time import VirtualLoop
from tests.store.conftest import open_database

hypothesis.settings.register_profile("triptych", deadline=None)  # tests assert behaviour, not speed
hypothesis.settings.load_profile("triptych")

START = 1_800_000_000.0
GUILD, MEMBER = 2**60 + 1, 2**61 + 1


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    del config
    is_virtual = item.get_closest_marker("virtual_time") is not None
    return {"loop": VirtualLoop if is_virtual else asyncio.new_event_loop}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: list[Any]) -> None:
    """Fork the workers from one process that has imported the tests."""
    if (
        sys.platform == "linux"
        and len(specs) > 1
        and all(each.popen and not each.python for each in specs)
    ):
        exits = ExitStack()
        config.add_cleanup(exits.close)
        command = exits.enter_context(Hatchery(config.invocation_params.args)).command
        for each in specs:
            each.python = command


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Tell the garbage collector to ignore the million objects that imports have made."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that start Ray: they wait most of the time, one after the other, so all
    the others can run beside them.
    """
    items.sort(key=lambda item: item.path.parent.name != "cluster")


@pytest.fixture(scope="session")
def tiny_family(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that gives a tiny model's folder. It is made once: change only a copy."""
    from tests.tiny_families import make_tiny

    return cache(lambda name: make_tiny(name, tmp_path_factory.mktemp(name)))


class Clock:
    """Time that moves only when a test says so."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class FakeMessenger:
    """Remembers everything that people were shown.

    reachable: False if their message is gone. is_away: whether Discord does not answer at all.
    """

    def __init__(self) -> None:
        self.shown: list[tuple[int, Update, Job]] = []
        self.delivered: list[tuple[Job, Delivery]] = []
        self.told: list[tuple[int, str]] = []
        self.removed: list[int] = []
        self.written: list[tuple[int, str]] = []
        self.cards: list[Case] = []
        self.removed_messages: list[tuple[int, int]] = []
        self.has_review_channel = True
        self.reachable = True
        self.refuses = False
        self.is_away = False
        self.posts = True
        self.edit_seconds = 0.0
        self.guild_locale: str | None = None
        self.departed: set[int] = set()
        self.deaf: set[int] = set()
        self.asked_about: list[int] = []
        self.answer_seconds = 0.0

    def find_locale(self, guild_id: int) -> str | None:
        return self.guild_locale

    def find_guild_name(self, guild_id: int) -> str | None:
        return "The Server" if guild_id == GUILD else None

    async def has_left(self, guild_id: int, user_id: int) -> bool:
        self.asked_about.append(user_id)
        await asyncio.sleep(self.answer_seconds)
        if self.is_away:
            raise Unreachable("no answer")
        return user_id in self.departed

    async def is_refused(self, job: Job) -> bool:
        if self.is_away:
            raise Unreachable("no answer")
        if not self.reachable:
            raise NoMessage("the message is gone")
        return self.refuses

    async def progress(self, job: Job, update: Update) -> None:
        await asyncio.sleep(self.edit_seconds)
        if self.is_away:
            raise Unreachable("no answer")
        if not self.reachable:
            raise NoMessage("the message is gone")
        self.shown.append((job.job_id, update, job))

    async def deliver(self, job: Job, delivery: Delivery, *, can_repost: bool = True) -> int | None:
        if not (self.reachable and self.posts):
            raise Undeliverable("nowhere to post")
        assert delivery.grid.is_file()
        self.delivered.append((job, delivery))
        return 900_000 + job.job_id

    async def remove(self, job: Job) -> None:
        await asyncio.sleep(self.edit_seconds)
        if self.is_away:
            raise Unreachable("no answer")
        if not self.reachable:
            raise Undeliverable("it may not be deleted")
        self.removed.append(job.job_id)

    async def tell(self, job: Job, reason: Reason | None) -> None:
        if self.is_away:
            raise Unreachable("no answer")
        self.told.append((job.job_id, say(reason)))

    async def write_to(self, user_id: int, text: str, nonce: str) -> None:
        await asyncio.sleep(self.edit_seconds)
        if self.is_away:
            raise Unreachable("no answer")
        if user_id in self.deaf:
            raise Undeliverable("no direct messages")
        self.written.append((user_id, text))

    async def remove_message(self, channel_id: int, message_id: int) -> None:
        if self.is_away:
            raise Unreachable("no answer")
        if not self.reachable:
            raise NoMessage("the message is gone")
        self.removed_messages.append((channel_id, message_id))

    async def show_card(self, case: Case, channel_id: int) -> int:
        if self.is_away:
            raise Unreachable("no answer")
        if not self.has_review_channel:
            raise Undeliverable("nowhere to post")
        self.cards.append(case)
        return case.card.message_id or 700_000 + case.card.card_id

    def updates_of(self, job_id: int) -> list[Update]:
        return [update for shown, update, _ in self.shown if shown == job_id]


@dataclass
class FakeCaller:
    """A member who asks. ``journal`` records what happened, in order."""

    journal: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    appeals: list[bool] = field(default_factory=list)
    too_late: bool = False
    at_acknowledge: Callable[[Job], Any] | None = None

    async def acknowledge(self, job: Job) -> int | None:
        if self.at_acknowledge is not None:
            await self.at_acknowledge(job)
        if self.too_late:
            raise Undeliverable("10062: unknown interaction")
        self.journal.append(f"acknowledged {job.job_id}")
        return 500_000 + job.job_id

    async def refuse(self, reason: Reason, *, can_appeal: bool = False) -> None:
        self.journal.append("refused")
        self.refusals.append(say(reason))
        self.appeals.append(can_appeal)


class House:
    """All parts of one bot process. ``restart`` makes the next process, with the same database."""

    def __init__(
        self,
        services: Services,
        database: Database,
        engine: FakeEngine,
        messenger: FakeMessenger,
        clock: Clock,
        round_messenger: FakeRoundMessenger | None = None,
    ) -> None:
        self.services = services
        self.database = database
        self.engine = engine
        self.messenger = messenger
        self.round_messenger = round_messenger or FakeRoundMessenger()
        self.clock = clock
        self.drawing: asyncio.Task[None] | None = None
        self._interactions = iter(range(10**17 + 1, 10**18))

    async def start(self) -> None:
        """Start the dispatcher, with the model loaded."""
        await self.services.waitlist.load()
        self.drawing = asyncio.create_task(self.services.dispatcher.run())
        await self.until(lambda: self.services.waitlist.info is not None)

    async def load_model(self) -> None:
        """Make the model known, but draw nothing, for tests of intake and the queue."""
        await self.services.waitlist.welcome(self.engine.info)

    def origin(self, user_id: int = MEMBER, **changes: Any) -> Origin:
        number = next(self._interactions)
        origin = Origin(user_id, number, f"token-{number}", GUILD, 77)
        return replace(origin, **changes)

    async def submit(
        self,
        prompt: str = "dog in autumn leaves",
        origin: Origin | None = None,
        caller: FakeCaller | None = None,
        **ask: Any,
    ) -> Job:
        job = await self.services.intake.submit(
            Ask(prompt, **ask), origin or self.origin(), caller or FakeCaller()
        )
        assert job is not None
        return job

    async def fetch(self, job: Job | int) -> Job:
        found = await self.services.jobs.fetch_job(job if isinstance(job, int) else job.job_id)
        assert found is not None
        return found

    async def until(self, condition: Callable[[], object], within: float = 10.0) -> None:
        async with asyncio.timeout(within):
            while not condition():
                if self.drawing is not None and self.drawing.done():
                    self.drawing.result()
                await asyncio.sleep(0.002)

    async def until_status(self, job: Job, *statuses: JobStatus) -> Job:
        async with asyncio.timeout(10):
            while (found := await self.fetch(job)).status not in statuses:  # noqa: ASYNC110
                await asyncio.sleep(0.004)
        return found

    async def until_idle(self) -> None:
        """Wait until no job waits, is being drawn or is being delivered."""
        dispatcher, line = self.services.dispatcher, self.services.waitlist
        await self.until(lambda: not (len(line.queue) or line.running or dispatcher._tasks))

    def places_shown(self, job: Job) -> list[Waiting]:
        updates = self.messenger.updates_of(job.job_id)
        return [update for update in updates if isinstance(update, Waiting)]


OpenHouse = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Starts the bots of ``tests/e2e`` and ``tests/browser``."""
    with Nursery("onnxruntime") as nursery:
        yield nursery


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a catalogue in which every text names its language."""
    monkeypatch.setattr(catalog, "load_catalog", cache(Marked))


@pytest.fixture
def open_house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenHouse:
    """Use as ``async with open_house(engine=…, clock=…, max_waiting=3) as house``."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(
        composition,
        "make_picture_check",
        lambda settings: PictureCheck(settings.nsfw_threshold, FakeClassifier),
    )

    @asynccontextmanager
    async def open_(
        engine: FakeEngine | None = None,
        clock: Clock | None = None,
        messenger: FakeMessenger | None = None,
        **settings: Any,
    ) -> AsyncIterator[House]:
        engine, clock = engine or FakeEngine(), clock or Clock()
        messenger = messenger or FakeMessenger()
        database = await open_database(tmp_path / "data")
        try:
            values = {
                "data_dir": tmp_path / "data",
                "max_waiting_per_member": 1000,
                "max_refused_per_member_per_hour": 100_000,
            } | settings
            round_messenger = FakeRoundMessenger()
            services = compose_services(
                Settings(**values), database, engine, messenger, clock, round_messenger
            )
            house = House(services, database, engine, messenger, clock, round_messenger)
            try:
                yield house
            finally:
                await services.dispatcher.stop(1.0, 1.0)
                await services.status_messages.close()
                services.reading.close()
                await services.workers.close()
                services.writer.close()
                if house.drawing is not None:
                    house.drawing.cancel()
                    await asyncio.gather(house.drawing, return_exceptions=True)
                    await asyncio.to_thread(engine.close, 2.0)
        finally:
            await database.close()

    return open_


@pytest.fixture
async def house(open_house: OpenHouse) -> AsyncIterator[House]:
    """A running bot whose model is loaded."""
    async with open_house() as running:
        await running.start()
        yield running


@pytest.fixture
async def quiet_house(open_house: OpenHouse) -> AsyncIterator[House]:
    """A bot whose model is known, but which never draws."""
    async with open_house() as waiting:
        await waiting.load_model()
        yield waiting
