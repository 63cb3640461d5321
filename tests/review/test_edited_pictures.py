"""The picture check is stricter for edited pictures of people who may not know of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.jobs import Job, JobStatus
from bot.domain.recipes import StartPicture
from bot.recipes.derive import compose_edit, compose_variation
from bot.texts.reasons import say
from tests.conftest import House
from tests.fakes.classifier import FakeClassifier
from tests.fakes.engine import INFO, FakeEngine
from tests.jobs.test_ancestry import SENT, Sender

SENT_EDIT = StartPicture(0, 0, 1.0, edited=True)
LOOSE = {"nsfw_threshold": 0.9, "picture_action": "spoiler"}


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(info=replace(INFO, edits=True))


async def edit_upload(house: House, **origin: Any) -> Job:
    return await house.submit(
        "make it winter", house.origin(**origin), Sender(), start=SENT_EDIT, upload=SENT
    )


async def are_shown(house: House, job: Job) -> bool:
    """Return whether the pictures of a job are shown, and check that none is only covered."""
    delivered = await house.until_status(job, JobStatus.DELIVERED)
    await house.until_idle()
    assert not delivered.spoiler
    [delivery] = [each for done, each in house.messenger.delivered if done.job_id == job.job_id]
    [shown] = {verdict.shown for verdict in delivery.verdicts}
    return shown


async def test_edited_upload_is_checked_at_half_the_threshold_whatever_the_server_sets(
    open_lane, scores: FakeClassifier, engine: FakeEngine
):
    adult = {"age_restricted": True}
    async with open_lane(engine=engine, **LOOSE) as house:
        await house.start()
        scores.value = 0.24
        mild = await edit_upload(house, **adult)
        assert await are_shown(house, mild)
        scores.value = 0.26  # the bot's own threshold is 0.5
        refused = await edit_upload(house, **adult)
        assert refused.status is JobStatus.REFUSED
        assert "flagged the picture you sent" in say(refused.reason)
        again = await house.services.intake.submit(
            compose_edit(mild, 1, "make it spring"), house.origin(**adult), Sender()
        )
        varied = await house.services.intake.submit(
            compose_variation(mild, 1), house.origin(**adult), Sender()
        )
        assert again is not None
        assert varied is not None
        assert not await are_shown(house, again)
        assert not await are_shown(house, varied)


async def test_stricter_server_is_twice_as_strict(
    open_lane, scores: FakeClassifier, engine: FakeEngine
):
    async with open_lane(engine=engine, nsfw_threshold=0.3) as house:
        await house.start()
        for score, status in ((0.14, JobStatus.DELIVERED), (0.16, JobStatus.REFUSED)):
            scores.value = score
            await house.until_status(await edit_upload(house), status)


async def test_pictures_that_nobody_sent_are_checked_as_before(
    open_lane, scores: FakeClassifier, engine: FakeEngine
):
    scores.value = 0.45
    async with open_lane(engine=engine) as house:
        await house.start()
        drawn = await house.submit("dog")
        assert await are_shown(house, drawn)
        edited = await house.submit("make it winter", start=compose_edit(drawn, 1, "x").start)
        assert await are_shown(house, edited)
        sent = await house.submit(
            "watercolour", caller=Sender(), start=StartPicture(0, 0, 0.7), upload=SENT
        )
        assert await are_shown(house, sent)
