"""The two built-in classes also count the earlier prompts that led to a start picture."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from bot.cli.terminal import TerminalCaller
from bot.domain.jobs import Job, JobStatus, Origin, Source
from bot.domain.recipes import Ask, StartPicture, Upload
from bot.domain.review import Decision
from bot.domain.rules import MINORS, Rule, RuleKind
from bot.engine.api import GenerationRequest
from bot.errors import UserError
from bot.moderation.classes import REAL_PEOPLE
from bot.recipes.derive import (
    compose_again,
    compose_base,
    compose_redraw,
    compose_upscale,
    compose_variation,
)
from bot.texts.reasons import say
from tests.conftest import GUILD, FakeCaller, House, OpenHouse
from tests.fakes.engine import SHIPPED, FakeEngine
from tests.review.conftest import MODERATOR, REVIEW_CHANNEL

OWN, SENT = StartPicture(0, 0, 0.7), Upload("https://cdn.example/mine.png", 100)


class Sender(FakeCaller):
    """A member who sends a picture."""

    async def fetch_upload(self, upload: Upload) -> bytes:
        buffer = BytesIO()
        Image.new("RGB", (64, 64), "white").save(buffer, "PNG")
        return buffer.getvalue()


async def draw(house: House, prompt: str, start: StartPicture | None = None, **ask: Any) -> Job:
    asked = await house.submit(prompt, start=start, **ask)
    job = await house.until_status(asked, JobStatus.DELIVERED)
    await house.until_idle()
    return job


async def refuse(house: House, ask: Ask, rule: str) -> str:
    """Submit a prompt and return why it is refused. Check that only its member is told."""
    caller = FakeCaller()
    num_drawn, num_shown = len(house.engine.drawn), len(house.messenger.shown)
    job = await house.services.intake.submit(ask, house.origin(), caller)
    assert job is not None
    assert (job.status, job.rule, job.cost) == (JobStatus.REFUSED, rule, 0.0)
    assert caller.journal == ["refused"]
    assert house.services.waitlist.queue.remove(job.job_id) is None
    await house.until_idle()
    assert (len(house.engine.drawn), len(house.messenger.shown)) == (num_drawn, num_shown)
    assert house.messenger.cards == []
    return say(job.reason)


def start_from(job: Job) -> StartPicture:
    return StartPicture(job.job_id, 1, 0.7)


async def put_behind(house: House, source: Job, prompt: str) -> None:
    """Store a job as if an older version had drawn it. That version judged only the new words."""
    await house.database.execute(
        "UPDATE job SET recipe = json_set(recipe, '$.prompt', ?) WHERE job_id = ?",
        (prompt, source.job_id),
    )


@pytest.mark.parametrize(("half", "other"), [("nude statue", "child"), ("child", "nude statue")])
async def test_other_half_is_refused_after_any_number_of_steps(
    house: House, half: str, other: str, caplog: pytest.LogCaptureFixture
):
    job = await draw(house, half)
    for between in ("dog", "oil painting"):
        job = await draw(house, between, start_from(job))
    caplog.set_level("INFO")
    reason = await refuse(house, Ask(other, start=start_from(job)), MINORS)
    assert "earlier prompts that led to" in reason
    assert half not in caplog.text
    assert other not in caplog.text


async def test_buttons_that_keep_the_words_are_judged_with_what_is_behind(house: House):
    source = await draw(house, "dog")
    job = await draw(house, "child", start_from(source))
    await put_behind(house, source, "nude statue")
    for ask in (
        compose_again(job),
        compose_variation(job, 3),
        compose_upscale(job, 1, SHIPPED, 1024),
        compose_redraw(job, 1),
    ):
        await refuse(house, ask, MINORS)


async def test_remix_that_keeps_its_start_is_judged_with_what_is_behind_it(house: House):
    nude = await draw(house, "nude statue")
    varied = await draw(house, "marble", StartPicture(nude.job_id, 2, 0.7))
    await refuse(house, replace(compose_base(varied), prompt="child"), MINORS)
    await refuse(house, replace(compose_again(varied), prompt="emma smith"), REAL_PEOPLE)
    enlarged = await draw(house, "marble", StartPicture(nude.job_id, 2, 0.2, factor=2))
    kept = await house.submit("child", start=compose_base(enlarged).start)
    assert kept.status is JobStatus.QUEUED  # a remix of an enlarged picture starts from nothing


async def test_negative_prompt_behind_a_picture_undresses(house: House):
    beach = await draw(house, "at the beach", negative_prompt="clothes")
    start = start_from(beach)
    reason = await refuse(house, Ask("child", start=start), MINORS)
    assert "no review channel" in reason


async def test_rules_of_the_server_judge_new_words_alone(house: House):
    job = await draw(house, "a leek")
    rule = Rule(RuleKind.WORD, "leek")
    await house.services.guilds.rules.add(GUILD, [rule], actor_id=MODERATOR, now=house.clock())
    assert (await draw(house, "a dog", start_from(job))).status is JobStatus.DELIVERED
    await refuse(house, Ask("a leek", start=start_from(job)), "leek")


async def test_nothing_sexual_from_an_upload_or_what_came_of_it(house: House):
    for words in (Ask("sexy dog"), Ask("bikini"), Ask("dog", "clothes")):
        asked = replace(words, start=OWN, upload=SENT)
        assert "people send" in await refuse(house, asked, REAL_PEOPLE)
    with pytest.raises(UserError, match="people send"):
        await house.services.intake.submit(
            Ask("nude", start=OWN, upload=SENT), Origin(source=Source.TERMINAL), TerminalCaller()
        )
    job = await house.submit("dog", caller=Sender(), start=OWN, upload=SENT)
    await house.until_status(job, JobStatus.DELIVERED)
    varied = await draw(house, "oil painting", compose_variation(job, 1).start)
    for ask in (
        compose_again(job),
        compose_base(job),
        compose_upscale(job, 1, SHIPPED, 1024),
        compose_redraw(job, 1),
        compose_variation(job, 2),
        compose_variation(varied, 1),
    ):
        assert "people send" in await refuse(house, replace(ask, prompt="nude"), REAL_PEOPLE)


async def test_words_behind_that_were_deleted_count_as_a_picture_sent(house: House):
    first = await draw(house, "dog")
    second = await house.submit("wolf", house.origin(5), start=start_from(first))
    await house.until_status(second, JobStatus.DELIVERED)
    start = start_from(second)
    assert (await draw(house, "nude statue", start)).status is JobStatus.DELIVERED
    await house.services.member_data.delete(first.origin.user_id)
    assert "prompts were deleted" in await refuse(
        house, Ask("nude statue", start=start), REAL_PEOPLE
    )
    assert (await draw(house, "marble", start)).status is JobStatus.DELIVERED


def wait_for(event: threading.Event) -> Callable[[GenerationRequest], None]:
    def wait(_: GenerationRequest) -> None:
        assert event.wait(10)

    return wait


async def test_what_waits_is_judged_so_before_its_pictures_are_posted(open_house: OpenHouse):
    may_draw = threading.Event()
    may_draw.set()
    async with open_house(FakeEngine(flaw=wait_for(may_draw))) as house:
        await house.start()
        source = await draw(house, "dog")
        may_draw.clear()
        job = await house.submit("child", start=start_from(source))
        await put_behind(house, source, "nude statue")
        may_draw.set()
        ended = await house.until_status(job, JobStatus.REFUSED)
        assert ended.rule == MINORS
        await house.until_idle()
        assert [each.job_id for each, _ in house.messenger.delivered] == [source.job_id]
        assert not house.services.writer.folder_of(job.job_id).exists()


@pytest.mark.parametrize("is_worse", [False, True], ids=["as it was held", "always refused now"])
async def test_moderator_is_asked_about_the_whole_and_approves_no_more_than_that(
    house: House, is_worse: bool
):
    await house.services.settings.put(GUILD, "review_channel_id", REVIEW_CHANNEL)
    source = await draw(house, "nude statue")
    job = await house.submit("girl", start=start_from(source))
    assert (job.status, job.rule) == (JobStatus.HELD, MINORS)
    assert "earlier prompts that led to" in say(job.held_for)
    [case] = house.messenger.cards
    card_id, decide = case.card.card_id, house.services.decisions.decide
    await put_behind(house, source, "nude child" if is_worse else "nude statue")
    if is_worse:
        with pytest.raises(UserError, match="nobody can approve"):
            await decide(card_id, Decision.APPROVE, MODERATOR, GUILD)
        await decide(card_id, Decision.REFUSE, MODERATOR, GUILD)
        await house.until_status(job, JobStatus.REFUSED)
    else:
        await decide(card_id, Decision.APPROVE, MODERATOR, GUILD)
        await house.until_status(job, JobStatus.DELIVERED)
    await house.until_idle()
    assert len(house.messenger.delivered) == (1 if is_worse else 2)
