"""Pictures that wait for a moderator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.domain.audit import AuditAction
from bot.domain.jobs import JobStatus
from bot.domain.review import Decision
from bot.jobs.ports import InProgress
from bot.jobs.previews import Previews
from bot.policy.pictures import PictureJudge
from bot.texts.reasons import say
from tests.fakes.engine import INFO, FakeEngine
from tests.review.conftest import MODERATOR, actions, decide, set_values


def shown_greys(path: Path) -> set[int]:
    from PIL import Image

    with Image.open(path) as grid:
        width, height = grid.size
        pixels = [
            grid.convert("RGB").getpixel((width * (2 * n + 1) // 6, height // 4)) for n in range(3)
        ]
    return {pixel[0] for pixel in pixels if len(set(pixel)) == 1}


async def test_flagged_pictures_are_held_and_shown_when_approved(open_lane, scores):
    scores.value = 0.9
    async with open_lane(picture_action="hold") as house:
        await house.start()
        job = await house.submit("dog", seed=200)
        held = await house.until_status(job, JobStatus.HELD)
        await house.until(lambda: house.messenger.cards)
        assert held.cost > 0
        assert house.messenger.delivered == []
        public = house.services.writer.folder_of(job.job_id) / "grid.png"
        assert not {200, 201, 202} & shown_greys(public)
        assert await actions(house) == [AuditAction.PICTURES_HELD]
        await decide(house, Decision.APPROVE)
        await house.until_status(job, JobStatus.DELIVERED)
        [(_, delivery)] = house.messenger.delivered
        assert shown_greys(delivery.grid) == {200, 201, 202}
        assert [verdict.nsfw_score for verdict in delivery.verdicts] == [0.9] * 3
        assert all(verdict.shown for verdict in delivery.verdicts)


async def test_approval_survives_a_stop_before_the_files_were_moved(open_lane, scores):
    scores.value = 0.9
    async with open_lane(picture_action="hold") as house:
        await house.start()
        job = await house.submit("dog", seed=200)
        await house.until_status(job, JobStatus.HELD)
        await house.until(lambda: house.messenger.cards)
        await house.services.jobs.mark_approved(
            job.job_id, approved_by=MODERATOR, spoiler=False, now=0
        )
    async with open_lane(picture_action="hold") as house:
        await house.services.recovery.run()
        await house.until_status(job, JobStatus.DELIVERED)
        [(_, delivery)] = house.messenger.delivered
        assert shown_greys(delivery.grid) == {200, 201, 202}


async def test_refused_pictures_are_refunded_and_leave_the_disk(open_lane, scores):
    scores.value = 0.9
    async with open_lane(picture_action="hold") as house:
        await house.start()
        job = await house.submit("dog")
        await house.until_status(job, JobStatus.HELD)
        await house.until(lambda: house.messenger.cards)
        await decide(house, Decision.REFUSE)
        ended = await house.fetch(job)
        assert (ended.status, ended.cost) == (JobStatus.REFUSED, 0)
        assert await house.services.writer.locate_grid(job.job_id) is None


async def test_flagged_pictures_are_covered_where_that_is_set(open_lane, scores):
    scores.value = 0.9
    async with open_lane(picture_action="spoiler") as house:
        await house.start()
        job = await house.submit("dog", house.origin(age_restricted=True), seed=200)
        assert (await house.until_status(job, JobStatus.DELIVERED)).spoiler
        [(_, delivery)] = house.messenger.delivered
        assert shown_greys(delivery.grid) == {200, 201, 202}
        assert await actions(house) == [AuditAction.PICTURES_COVERED]


async def test_flagged_pictures_are_never_covered_where_everybody_looks(open_lane, scores):
    scores.value = 0.9
    async with open_lane(picture_action="spoiler") as house:
        await house.start()
        job = await house.submit("dog", seed=200)
        assert not (await house.until_status(job, JobStatus.DELIVERED)).spoiler
        [(_, delivery)] = house.messenger.delivered
        assert not {200, 201, 202} & shown_greys(delivery.grid)


@pytest.mark.parametrize("action", ["refuse", "spoiler", "hold"])
async def test_checker_that_crashes_holds_everything(open_lane, scores, action: str):
    scores.value = None
    async with open_lane(picture_action=action) as house:
        await house.start()
        job = await house.submit("dog", seed=200)
        await house.until_status(job, JobStatus.HELD)
        await house.until(lambda: house.messenger.cards)
        assert house.messenger.delivered == []
        public = house.services.writer.folder_of(job.job_id) / "grid.png"
        assert not {200, 201, 202} & shown_greys(public)


@pytest.mark.parametrize("action", ["refuse", "spoiler", "hold"])
async def test_checker_that_crashes_shows_nothing_where_nobody_can_look(
    open_lane, scores, action: str
):
    scores.value = None
    async with open_lane(picture_action=action) as house:
        await set_values(house, review_channel_id=None)
        await house.start()
        job = await house.submit("dog", seed=200)
        await house.until_status(job, JobStatus.DELIVERED)
        [(_, delivery)] = house.messenger.delivered
        assert not {200, 201, 202} & shown_greys(delivery.grid)


@pytest.mark.parametrize(
    ("threshold", "origin", "shown"),
    [
        (0.8, {"age_restricted": True}, True),
        (0.8, {}, False),
        (0.2, {}, False),
        (0.2, {"age_restricted": True}, False),
        (0.8, {"guild_id": None}, False),
    ],
)
async def test_threshold_is_looser_only_in_age_restricted_channels(
    open_lane, scores, threshold: float, origin: dict[str, Any], shown: bool
):
    scores.value = 0.6
    async with open_lane(nsfw_threshold=threshold) as house:
        await house.start()
        job = await house.submit("dog", house.origin(**origin))
        await house.until_status(job, JobStatus.DELIVERED)
        [(_, delivery)] = house.messenger.delivered
        assert {verdict.shown for verdict in delivery.verdicts} == {shown}


async def test_stricter_threshold_hides_what_the_instance_would_show(open_lane, scores):
    scores.value = 0.3
    async with open_lane(nsfw_threshold=0.2) as house:
        await house.start()
        job = await house.submit("dog")
        await house.until_status(job, JobStatus.DELIVERED)
        assert not any(verdict.shown for verdict in house.messenger.delivered[0][1].verdicts)
        assert await actions(house) == [AuditAction.PICTURES_HIDDEN]


async def test_all_pictures_of_a_reviewed_model_wait_for_a_moderator(open_lane):
    async with open_lane(reviewed_models=["another", "fake model"]) as house:
        await house.start()
        job = await house.submit("dog", seed=200)
        held = await house.until_status(job, JobStatus.HELD)
        await house.until(lambda: house.messenger.cards)
        assert "all pictures of the model fake model" in say(held.held_for)
        assert house.messenger.delivered == []
        public = house.services.writer.folder_of(job.job_id) / "grid.png"
        assert not {200, 201, 202} & shown_greys(public)
        assert await actions(house) == [AuditAction.PICTURES_HELD]
        await decide(house, Decision.APPROVE)
        await house.until_status(job, JobStatus.DELIVERED)
        [(_, delivery)] = house.messenger.delivered
        assert shown_greys(delivery.grid) == {200, 201, 202}


async def test_pictures_of_other_models_are_only_checked(open_lane):
    async with open_lane(reviewed_models=["another"]) as house:
        await house.start()
        await house.until_status(await house.submit("dog"), JobStatus.DELIVERED)


async def test_reviewed_model_without_a_review_channel_is_refused_uncharged(open_lane):
    async with open_lane(reviewed_models=["fake model"]) as house:
        await set_values(house, review_channel_id=None)
        await house.start()
        ended = await house.until_status(await house.submit("dog"), JobStatus.REFUSED)
        assert ended.cost == 0
        assert "please tell a moderator" in say(ended.reason)
        assert house.messenger.delivered == []


async def test_reviewed_model_has_no_preview_and_takes_uploads(open_lane):
    async with open_lane(reviewed_models=["fake model"]) as house:
        job = await house.submit("dog")
        sketch = np.full((3, 8, 8, 3), 200, np.uint8)
        judge = PictureJudge(house.services.check, house.services.gate)
        drawing = InProgress(1, 4, sketch)
        assert await Previews(judge, house.services.writer).develop(job, drawing) is drawing
        uploaded = await judge.judge(job, sketch[:1], [None])
        assert uploaded.held_for is None


async def test_pictures_that_are_shown_enlarged_are_judged_as_drawn_and_held_in_both_sizes(
    open_lane, scores
):
    scores.value = 0.9
    engine = FakeEngine(info=replace(INFO, shows_enlarged=True))
    async with open_lane(picture_action="hold", engine=engine) as house:
        await house.start()
        job = await house.submit("dog", seed=200)
        await house.until_status(job, JobStatus.HELD)
        assert (64, 64) in {shape[:2] for shape in scores.shapes}
        assert max(scores.shapes)[0] == 64, "the large pictures are not judged"
        await house.until(lambda: house.messenger.cards)
        public = house.services.writer.folder_of(job.job_id)
        assert not {200, 201, 202} & shown_greys(public / "grid.png")
        assert await house.services.writer.load_shown(job.job_id, 1) is not None
        await decide(house, Decision.APPROVE)
        await house.until_status(job, JobStatus.DELIVERED)
        [(_, delivery)] = house.messenger.delivered
        assert shown_greys(delivery.grid) == {200, 201, 202}
        assert [path.name for path in delivery.images] == [f"{n}.large.png" for n in (1, 2, 3)]
        assert len(delivery.verdicts) == 3
