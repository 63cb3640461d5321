"""A server with a review channel, and its moderators."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot import services as composition
from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.jobs import Job, JobStatus
from bot.domain.review import Decision
from bot.moderation import PictureCheck
from tests.conftest import GUILD, Clock, FakeMessenger, House, OpenHouse
from tests.fakes.classifier import FakeClassifier
from tests.fakes.engine import FakeEngine

REVIEW_CHANNEL, MODERATOR, OTHER = 4242, 31, 32
HOUR, DAY = 3600.0, 86400.0


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> FakeClassifier:
    classifier = FakeClassifier(0.1)
    monkeypatch.setattr(
        composition, "make_picture_check", lambda _: PictureCheck(0.5, lambda: classifier)
    )
    return classifier


@pytest.fixture
async def open_lane(open_house: OpenHouse, scores: FakeClassifier, tmp_path: Path):
    """Use as ``async with open_lane(review_hours=2) as house``. The model is known, but never
    draws.
    """
    path = tmp_path / "rules.json"
    path.write_text('{"rules": [{"kind": "word", "text": "leek", "action": "hold"}]}')

    @asynccontextmanager
    async def open_(
        clock: Clock | None = None,
        messenger: FakeMessenger | None = None,
        engine: FakeEngine | None = None,
        **values: Any,
    ):
        async with open_house(engine, clock, messenger, rules_file=path) as house:
            await set_values(house, review_channel_id=REVIEW_CHANNEL, **values)
            await house.load_model()
            yield house

    return open_


async def set_values(house: House, **values: Any) -> None:
    for name, value in values.items():
        await house.services.settings.put(GUILD, name, value)


async def hold(house: House, prompt: str = "leek", **origin: Any) -> Job:
    job = await house.submit(prompt, house.origin(**origin))
    assert job.status is JobStatus.HELD
    return job


async def decide(house: House, decision: Decision, by: int = MODERATOR, card: int = -1) -> None:
    card_id = house.messenger.cards[card].card.card_id
    await house.services.decisions.decide(card_id, decision, by, GUILD)


async def records(house: House) -> list[AuditEntry]:
    return await house.services.audit.search(GUILD, newest_first=False)


async def actions(house: House) -> list[AuditAction]:
    return [entry.action for entry in await records(house)]


async def deliver(house: House, **ask: Any) -> Job:
    job = await house.submit("dog", **ask)
    return await house.until_status(job, JobStatus.DELIVERED)
