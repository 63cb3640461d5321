"""Intake: which prompts are accepted, which are refused with which words, and in which order."""

from __future__ import annotations

import asyncio
import itertools
import math
import sqlite3
import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.cli.terminal import TerminalCaller
from bot.domain.jobs import Job, JobStatus, Origin, Source
from bot.domain.recipes import Ask, StartPicture
from bot.errors import StoreError, UserError
from bot.jobs import intake
from bot.jobs.intake import Intake
from bot.recipes.resolve import complete_recipe
from bot.services import Services
from bot.store import JobRepository
from bot.store.patience import hurry, take_time
from bot.texts.codes import Code
from bot.texts.reasons import because, say
from tests.conftest import GUILD, MEMBER, Clock, FakeCaller, House, OpenHouse
from tests.fakes.engine import INFO, FakeEngine

OPEN = (JobStatus.ACCEPTED, JobStatus.QUEUED, JobStatus.RUNNING)


async def refusal_of(house: House, prompt: str = "dog", **ask: object) -> str:
    """Return the refusal. Check that it is stored, ended, free of charge and ephemeral."""
    caller = FakeCaller()
    origin = ask.pop("origin", None)
    job = await house.submit(prompt, origin, caller, **ask)
    assert job.status is JobStatus.REFUSED, job
    assert caller.journal == ["refused"]
    assert caller.refusals == [say(job.reason)]
    assert (job.cost, job.ended_at is not None, job.origin.token) == (0.0, True, None)
    assert house.services.waitlist.queue.remove(job.job_id) is None
    assert 10 < len(say(job.reason)) <= 2000
    return say(job.reason)


async def test_row_is_on_record_before_the_member_is_answered(quiet_house: House):
    seen: list[Job | None] = []
    caller = FakeCaller()

    async def look(job: Job) -> None:
        seen.append(await quiet_house.services.jobs.fetch_job(job.job_id))
        assert len(quiet_house.services.waitlist.queue) == 0

    caller.at_acknowledge = look
    job = await quiet_house.submit(caller=caller)
    assert [found and found.status for found in seen] == [JobStatus.ACCEPTED]
    assert caller.journal == [f"acknowledged {job.job_id}"]
    assert (job.status, job.message_id) == (JobStatus.QUEUED, 500_000 + job.job_id)
    assert job.queued_at == quiet_house.clock.now
    assert [waiting.job_id for waiting in quiet_house.services.waitlist.queue.walk(0)] == [
        job.job_id
    ]


async def test_a_refusal_is_in_the_audit_log_with_its_rule(open_house: OpenHouse):
    async with open_house(blocked_words=("kale",)) as house:
        await house.load_model()
        job = await house.submit("a plate of k4le")
        await house.submit("a plate of soup")
        (entry,) = await house.services.audit.search(GUILD)
        assert (entry.action, entry.job_id, entry.rule) == ("prompt_refused", job.job_id, "kale")
        assert (entry.member_id, entry.prompt) == (MEMBER, "a plate of k4le")
        assert (job.status, job.rule) == (JobStatus.REFUSED, "kale")


async def test_nothing_is_answered_when_nothing_could_be_recorded(
    quiet_house: House, monkeypatch: pytest.MonkeyPatch
):
    async def full(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(quiet_house.services.jobs, "insert_job", full)
    caller = FakeCaller()
    with pytest.raises(StoreError):
        await quiet_house.submit(caller=caller)
    assert caller.journal == []
    assert len(quiet_house.services.waitlist.queue) == 0


async def test_job_that_could_not_be_answered_is_failed_free_and_not_in_line(quiet_house: House):
    job = await quiet_house.submit(caller=FakeCaller(too_late=True))
    assert (job.status, job.cost) == (JobStatus.FAILED, 0.0)
    assert job.reason
    assert len(quiet_house.services.waitlist.queue) == 0
    standing = await quiet_house.services.standing.fetch(job.origin, quiet_house.clock.now)
    assert (standing.member_waiting, standing.member_cost) == (0, 0.0)


async def test_job_cancelled_while_it_is_answered_does_not_get_into_line(quiet_house: House):
    caller = FakeCaller()
    caller.at_acknowledge = lambda job: quiet_house.services.dispatcher.cancel(job.job_id)
    taken = await quiet_house.services.intake.submit(Ask("dog"), quiet_house.origin(), caller)
    assert taken is not None
    assert taken.status is JobStatus.CANCELLED
    assert len(quiet_house.services.waitlist.queue) == 0
    assert quiet_house.messenger.removed[-1] == taken.job_id


async def test_same_interaction_twice_is_one_job_and_one_answer(quiet_house: House):
    origin, first, second = quiet_house.origin(), FakeCaller(), FakeCaller()
    submit = quiet_house.services.intake.submit
    jobs = await asyncio.gather(
        submit(Ask("dog"), origin, first), submit(Ask("dog"), origin, second)
    )
    assert sorted(job is None for job in jobs) == [False, True]
    assert len(first.journal) + len(second.journal) == 1
    assert len(await quiet_house.services.jobs.list_by_status(*JobStatus)) == 1


async def test_refused_interaction_twice_is_one_row_and_one_answer(quiet_house: House):
    origin, caller = quiet_house.origin(), FakeCaller()
    for _ in range(2):
        await quiet_house.services.intake.submit(Ask(""), origin, caller)
    assert caller.journal == ["refused"]


async def test_while_draining_nothing_is_taken(quiet_house: House):
    quiet_house.services.intake.draining = True
    assert "about to restart" in await refusal_of(quiet_house)


BAD_ASKS: list[tuple[dict[str, object], str]] = [
    ({"prompt": ""}, "The prompt is empty"),
    ({"prompt": "   \n\t "}, "The prompt is empty"),
    ({"prompt": "\u200b\u200d\u2060\x00\u202e"}, "The prompt is empty"),
    ({"prompt": "\u0301\u0301"}, "The prompt is empty"),
    ({"prompt": "x" * 6000}, "6,000 characters; the most is 2,000"),
    ({"negative_prompt": "x" * 6000}, "The negative prompt has 6,000"),
    ({"num_inference_steps": 0}, "Steps must be between 1 and 100."),
    ({"num_inference_steps": -3}, "Steps must be between 1 and 100."),
    ({"num_inference_steps": 10_000}, "Steps must be between 1 and 100."),
    ({"num_inference_steps": 10**30}, "Steps must be between 1 and 100."),
    ({"guidance_scale": math.nan}, "Guidance scale must be between 0 and 30."),
    ({"guidance_scale": math.inf}, "Guidance scale must be between 0 and 30."),
    ({"guidance_scale": -math.inf}, "Guidance scale must be between 0 and 30."),
    ({"guidance_scale": -0.5}, "Guidance scale must be between 0 and 30."),
    ({"guidance_scale": 31.0}, "Guidance scale must be between 0 and 30."),
    ({"clip_skip": 4}, "Clip skip must be between 0 and 3."),  # of this model
    ({"seed": -1}, "The seed must be a whole number between 0 and 4,294,967,295."),
    ({"seed": 2**32}, "between 0 and 4,294,967,295."),
    ({"seed": 10**40}, "The seed must be a whole number"),
    ({"width": 0}, "Width and height must be between 64 and 1,536 pixels."),
    ({"width": -64}, "Width and height must be between 64 and 1,536 pixels."),
    ({"height": 10**25}, "Width and height must be between 64 and 1,536 pixels."),
    ({"width": 100}, "instead of 100, use 96 or 104"),
    ({"height": 1021}, "multiples of 8"),
    ({"sampler": "eular a"}, "Did you mean “Euler a”?"),
    ({"sampler": "nonsense"}, "There is no such sampler. Choose one of: Euler a, DPM++ 2M"),
    ({"sampler": "x" * 6000}, "There is no such sampler"),
    ({"sampler": "\ud83d\x00\u202e"}, "There is no such sampler"),
    ({"preset": "x" * 6000}, "There is no such preset"),
    ({"preset": "\ud83d\x00\u202e"}, "There is no such preset"),
    ({"start": StartPicture(0, 0, math.nan)}, "Strength must be more than 0 and at most 1"),
    ({"start": StartPicture(0, 0, math.inf)}, "Strength must be more than 0 and at most 1"),
    ({"clip_skip": 10**30}, "Clip skip must be between 0 and 11."),
    ({"sampler": "heun"}, "fake model cannot use the sampler heun. Choose one of: ddim, euler"),
]


@pytest.mark.parametrize(("ask", "sentence"), BAD_ASKS, ids=[str(bad)[:40] for bad, _ in BAD_ASKS])
async def test_what_cannot_be_drawn_is_refused_with_a_sentence(
    quiet_house: House, ask: dict[str, object], sentence: str
):
    reason = await refusal_of(quiet_house, **({"prompt": "dog"} | ask))
    assert sentence in reason
    assert reason.endswith(".")


@pytest.mark.parametrize(
    ("prompt", "kept"),
    [
        ("  dog \r\n in\tautumn\u2028leaves ", "dog in autumn leaves"),
        ("nul \x00 byte", "nul byte"),
        ("lone \ud83d surrogate", "lone \ufffd surrogate"),
        ("\u202eevil\u202c \u2066dog\u2069", "evil dog"),
        ("שלום עולם", "שלום עולם"),
        ("Z" + "\u0351\u0352\u0353\u0354\u0355\u0356" * 50 + "a", "Z\u0351\u0352\u0353a"),
        ("Z" + "\u0351\u200d" * 50, "Z" + "\u0351\u200d" * 3 + "\u200d" * 47),
        ("**bold** @everyone <@1> [a](http://b.c)", "**bold** @everyone <@1> [a](http://b.c)"),
        ("👩‍👩‍👧‍👦 family", "👩‍👩‍👧‍👦 family"),
        ("e\u0301te\u0301", "e\u0301te\u0301"),
        ("x" * 2000, "x" * 2000),
    ],
)
async def test_strange_prompt_is_kept_in_a_clean_form(quiet_house: House, prompt: str, kept: str):
    job = await quiet_house.submit(prompt, negative_prompt=prompt)
    assert job.status is JobStatus.QUEUED
    assert (job.recipe.prompt, job.recipe.negative_prompt) == (kept, kept)


@pytest.mark.parametrize(
    ("seed", "seeds"), [(0, (0, 1, 2)), (2**32 - 2, (2**32 - 2, 2**32 - 1, 0))]
)
async def test_seeds_follow_one_another_round_the_end(
    quiet_house: House, seed: int, seeds: tuple[int, ...]
):
    assert (await quiet_house.submit(seed=seed)).recipe.seeds == seeds


async def test_unset_seed_is_drawn_anew_each_time(quiet_house: House):
    drawn = {(await quiet_house.submit()).recipe.seeds for _ in range(5)}
    assert len(drawn) == 5


any_int = st.none() | st.integers() | st.integers(-1, 2000)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prompt=st.text(st.characters(), max_size=80),
    negative_prompt=st.text(st.characters(), max_size=80),
    width=any_int,
    height=any_int,
    steps=any_int,
    guidance=st.none() | st.floats(),
    sampler=st.none() | st.text(st.characters(), max_size=20) | st.sampled_from(["ddim", "pndm"]),
    seed=any_int,
    loaded=st.booleans(),
)
async def test_whatever_is_asked_ends_as_a_row_and_an_answer(
    quiet_house: House,
    prompt: str,
    negative_prompt: str,
    width: int | None,
    height: int | None,
    steps: int | None,
    guidance: float | None,
    sampler: str | None,
    seed: int | None,
    loaded: bool,
):
    quiet_house.services.waitlist.info = INFO if loaded else None
    caller = FakeCaller()
    ask = Ask(
        prompt,
        negative_prompt,
        width=width,
        height=height,
        num_inference_steps=steps,
        guidance_scale=guidance,
        sampler=sampler,
        seed=seed,
    )
    job = await quiet_house.services.intake.submit(ask, Origin(source=Source.TERMINAL), caller)
    assert job is not None
    assert len(caller.journal) == 1
    assert await quiet_house.fetch(job) == job
    assert all(unicodedata.category(char) not in {"Cc", "Cs"} for char in job.recipe.prompt)
    if job.status is JobStatus.REFUSED:
        assert caller.refusals == [say(job.reason)]
        assert 10 < len(say(job.reason)) <= 2000
        say(job.reason).encode("utf-8")
    else:
        assert job.status is JobStatus.QUEUED
        assert not loaded or (job.recipe.size[0] > 0 and job.recipe.size[0] % 8 == 0)
        assert not loaded or complete_recipe(job.recipe, INFO) == job.recipe
        await quiet_house.services.dispatcher.cancel(job.job_id)


async def test_blocked_word_is_refused_by_name_in_prompt_and_negative_prompt(open_house: OpenHouse):
    async with open_house(blocked_words="gore, Very Bad") as house:
        assert "“gore”" in await refusal_of(house, "a GORE scene")
        assert "“very bad”" in await refusal_of(house, negative_prompt="very\u200b  bad things")
        assert (await house.submit("gorethorn the cat")).status is JobStatus.QUEUED


async def test_terminal_has_the_same_rules_but_no_quotas(open_house: OpenHouse):
    async with open_house(
        blocked_words="gore", max_waiting=1, max_cost_per_member_per_hour=0.5
    ) as house:
        for _ in range(3):
            job = await house.submit(origin=Origin(source=Source.TERMINAL))
            assert job.status is JobStatus.QUEUED
        with pytest.raises(UserError, match="gore"):
            await house.services.intake.submit(
                Ask("gore"), Origin(source=Source.TERMINAL), TerminalCaller()
            )


async def test_quotas_ask_who_came_and_not_whether_there_is_an_interaction(
    open_house: OpenHouse,
):
    async with open_house(max_waiting_per_member=1) as house:
        together = house.origin(interaction_id=None, source=Source.ROUND)
        await house.submit(origin=together)
        with pytest.raises(UserError, match="You already have 1 prompt in the queue"):
            await house.services.intake.submit(Ask("dog"), together, TerminalCaller())
        assert (await house.submit(origin=house.origin(source=Source.TERMINAL))).status is (
            JobStatus.QUEUED
        )


async def test_member_may_have_so_many_waiting(open_house: OpenHouse):
    async with open_house(max_waiting_per_member=2) as house:
        await house.load_model()
        first = await house.submit()
        await house.submit(origin=house.origin(guild_id=GUILD + 1))
        reason = await refusal_of(house)
        assert reason.startswith(
            "You already have 2 prompts in the queue, the most one member may have"
        )
        assert (await house.submit(origin=house.origin(MEMBER + 1))).status is JobStatus.QUEUED
        await house.services.dispatcher.cancel(first.job_id)
        assert (await house.submit()).status is JobStatus.QUEUED


async def test_server_may_have_so_many_waiting(open_house: OpenHouse):
    async with open_house(max_waiting_per_guild=1) as house:
        await house.submit()
        reason = await refusal_of(house, origin=house.origin(MEMBER + 1))
        assert reason.startswith("This server already has 1 prompt in the queue")
        elsewhere = await house.submit(origin=house.origin(guild_id=GUILD + 1))
        assert elsewhere.status is JobStatus.QUEUED


async def test_direct_messages_share_a_place_and_are_not_called_a_server(open_house: OpenHouse):
    async with open_house(max_waiting_per_guild=1) as house:
        await house.submit(origin=house.origin(guild_id=None))
        reason = await refusal_of(house, origin=house.origin(MEMBER + 1, guild_id=None))
        assert "server" not in reason
        assert reason.startswith("Direct messages already have 1 prompt in the queue")


async def test_line_may_be_so_long(open_house: OpenHouse):
    async with open_house(max_waiting=2) as house:
        for number in range(2):
            await house.submit(origin=house.origin(number, guild_id=number))
        reason = await refusal_of(house, origin=house.origin(9, guild_id=9))
        assert reason.startswith("The queue is full (2 prompts). Nothing was charged")


async def test_member_may_draw_so_much_an_hour(open_house: OpenHouse):
    clock = Clock()
    async with open_house(clock=clock, max_cost_per_member_per_hour=3) as house:
        await house.load_model()
        await house.submit(num_inference_steps=8)
        reason = await refusal_of(house, num_inference_steps=8)
        assert "would cost 2.0 and you have 1.0 of 3 left this hour" in reason
        assert (await house.submit(num_inference_steps=4)).status is JobStatus.QUEUED
        assert "you have 0.0 of 3 left" in await refusal_of(house, num_inference_steps=1)
        clock.now += 3600
        for job in await house.services.jobs.list_waiting_of(MEMBER):
            await house.services.dispatcher.cancel(job.job_id)
        assert (await house.submit(num_inference_steps=12)).status is JobStatus.QUEUED


async def test_refused_and_cancelled_prompts_cost_nothing(open_house: OpenHouse):
    async with open_house(max_cost_per_member_per_hour=1) as house:
        await house.load_model()
        for _ in range(3):
            await refusal_of(house, "")
            job = await house.submit()
            await house.services.dispatcher.cancel(job.job_id)
        assert (await house.submit()).status is JobStatus.QUEUED


async def test_fifty_prompts_at_once_never_exceed_a_quota(open_house: OpenHouse):
    async with open_house(
        max_waiting_per_member=4, max_waiting_per_guild=9, max_waiting=13
    ) as house:
        await house.load_model()
        origins = [house.origin(n % 7, guild_id=GUILD + n % 2) for n in range(50)]
        jobs = await asyncio.gather(*(house.submit(origin=origin) for origin in origins))
        taken = [job for job in jobs if job.status is JobStatus.QUEUED]
        assert len(taken) == 13
        assert all(sum(job.origin.user_id == user for job in taken) <= 4 for user in range(7))
        assert all(
            sum(job.origin.guild_id == GUILD + guild for job in taken) <= 9 for guild in range(2)
        )
        assert len(house.services.waitlist.queue) == 13
        assert {job.status for job in jobs} == {JobStatus.QUEUED, JobStatus.REFUSED}


async def test_fifty_prompts_at_once_never_exceed_the_hourly_cost(open_house: OpenHouse):
    async with open_house(max_cost_per_member_per_hour=7.5) as house:
        await house.load_model()
        jobs = await asyncio.gather(*(house.submit() for _ in range(50)))
        assert sum(job.status is JobStatus.QUEUED for job in jobs) == 7
        standing = await house.services.standing.fetch(jobs[0].origin, house.clock.now)
        assert standing.member_cost == 7.0


async def test_long_wait_is_refused_where_only_the_token_reaches_the_reply(quiet_house: House):
    services: Services = quiet_house.services
    services.waitlist.paces.of(quiet_house.engine.info.engine).add(1.0, 100.0)
    for number in range(7):
        await quiet_house.submit(origin=quiet_house.origin(number))
    outside = {"bot_in_channel": False, "guild_id": None}
    reason = await refusal_of(quiet_house, origin=quiet_house.origin(50, **outside))
    assert reason.startswith("The wait is about 13 minutes")
    assert (await quiet_house.submit(origin=quiet_house.origin(50))).status is JobStatus.QUEUED


async def test_short_wait_is_taken_where_only_the_token_reaches_the_reply(quiet_house: House):
    quiet_house.services.waitlist.paces.of(quiet_house.engine.info.engine).add(1.0, 100.0)
    for number in range(6):
        await quiet_house.submit(origin=quiet_house.origin(number))
    job = await quiet_house.submit(origin=quiet_house.origin(50, bot_in_channel=False))
    assert job.status is JobStatus.QUEUED


async def test_prompt_taken_while_the_model_loads_waits_with_open_settings(open_house: OpenHouse):
    async with open_house(FakeEngine()) as house:
        job = await house.submit(sampler="heun", width=72)
        assert job.status is JobStatus.QUEUED
        assert replace(job.recipe, seeds=()) == replace(
            job.recipe, seeds=(), height=None, num_inference_steps=None, model=None
        )
        assert job.cost == 1.0


async def test_record_locked_after_the_first_answer_is_tried_again(
    quiet_house: House, monkeypatch: pytest.MonkeyPatch
):
    lock_record(monkeypatch, times=3)
    job = await quiet_house.submit()
    assert job.status is JobStatus.QUEUED
    assert len(quiet_house.services.waitlist.queue) == 1


async def test_member_hears_of_a_record_that_stays_locked_and_the_prompt_comes_into_line(
    quiet_house: House, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as broken:
        lock_record(broken)
        with pytest.raises(
            StoreError, match=r"was accepted.*not in the queue yet.*Nothing was charged"
        ):
            await quiet_house.submit()
        [job] = await quiet_house.services.jobs.list_by_status(JobStatus.ACCEPTED)
        assert len(quiet_house.services.waitlist.queue) == 0
    await quiet_house.until(lambda: len(quiet_house.services.waitlist.queue) == 1)
    waiting = await quiet_house.fetch(job)
    assert (waiting.status, waiting.message_id) == (JobStatus.QUEUED, 500_000 + job.job_id)


async def test_fault_after_the_member_was_told_is_in_the_log_with_its_job(
    quiet_house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    with monkeypatch.context() as broken:
        lock_record(broken)
        with pytest.raises(StoreError):
            await quiet_house.submit()

        async def fault(*_: object, **__: object) -> None:
            raise RuntimeError("a bug")

        broken.setattr(JobRepository, "mark_answered", fault)
        await quiet_house.until(
            lambda: "job 1: is left as it is until the bot starts again" in caplog.text
        )
    assert "a bug" in caplog.text


async def test_stop_while_the_record_is_locked_leaves_the_prompt_to_the_next_start(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
):
    async with open_house() as before:
        await before.load_model()
        with monkeypatch.context() as broken:
            lock_record(broken)
            with pytest.raises(StoreError):
                await before.submit()
            await before.services.intake.drain(0.1)
        [job] = await before.services.jobs.list_by_status(JobStatus.ACCEPTED)
    async with open_house() as after:
        await after.services.recovery.run()
        assert (await after.fetch(job)).status is JobStatus.QUEUED


class SlowCommits:
    """Lets every commit wait until ``go_on``, while callers wait only for a moment."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        connection = house.database._connection
        commit, self.go_on = connection.commit, asyncio.Event()
        self.fault: sqlite3.Error | None = None

        async def commit_slowly() -> None:
            await self.go_on.wait()
            if (fault := self.fault) is not None:
                self.fault = None
                raise fault
            await commit()

        monkeypatch.setattr(connection, "commit", commit_slowly)

    async def submit(self, house: House, caller: FakeCaller, origin: Origin) -> None:
        hurry(0.3, lambda: False)
        try:
            with pytest.raises(StoreError, match=r"not done.*[Nn]othing was .*charged"):
                await house.submit(origin=origin, caller=caller)
        finally:
            take_time()


async def test_row_that_is_committed_too_late_is_ended_and_nobody_is_charged(
    quiet_house: House, monkeypatch: pytest.MonkeyPatch
):
    commits, caller, origin = SlowCommits(quiet_house, monkeypatch), FakeCaller(), None
    origin = quiet_house.origin()
    await commits.submit(quiet_house, caller, origin)
    assert caller.journal == []
    commits.go_on.set()
    job = await quiet_house.until_status(await quiet_house.fetch(1), JobStatus.FAILED)
    assert (job.cost, job.reason, job.message_id) == (0.0, because(Code.TOO_BUSY), None)
    assert job.origin.interaction_id == origin.interaction_id
    assert len(quiet_house.services.waitlist.queue) == 0
    standing = await quiet_house.services.standing.fetch(origin, quiet_house.clock.now)
    assert (standing.member_waiting, standing.member_cost) == (0, 0.0)
    assert (await quiet_house.submit()).status is JobStatus.QUEUED


async def test_number_of_a_row_that_was_never_committed_may_go_to_another_prompt(
    quiet_house: House, monkeypatch: pytest.MonkeyPatch
):
    commits = SlowCommits(quiet_house, monkeypatch)
    retract, is_shown, caller = Intake._retract, asyncio.Event(), FakeCaller()

    async def retract_meanwhile(self: Intake, job: Job) -> Job | None:
        await is_shown.wait()
        return await retract(self, job)

    async def show(_: Job) -> None:
        is_shown.set()
        await quiet_house.until(lambda: not quiet_house.services.intake._settling)

    monkeypatch.setattr(Intake, "_retract", retract_meanwhile)
    await commits.submit(quiet_house, FakeCaller(), quiet_house.origin())
    commits.fault = sqlite3.OperationalError("disk I/O error")
    caller.at_acknowledge = show
    origin = quiet_house.origin(MEMBER + 1)
    other = asyncio.create_task(quiet_house.submit("cat", origin, caller))
    await asyncio.sleep(0)
    commits.go_on.set()
    taken = await other
    assert (taken.job_id, taken.status) == (1, JobStatus.QUEUED)


@pytest.mark.parametrize("is_told", [True, False], ids=["told", "not told"])
async def test_late_row_that_a_stop_left_behind_is_not_drawn_by_the_next_process(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch, is_told: bool
):
    async with open_house() as before:
        await before.load_model()
        with monkeypatch.context() as broken:
            commits = SlowCommits(before, broken)
            await commits.submit(before, FakeCaller(), before.origin())
            await before.services.intake.drain(0.1)
            commits.go_on.set()
        assert (await before.fetch(1)).status is JobStatus.ACCEPTED
    async with open_house() as after:
        after.messenger.refuses, after.messenger.reachable = is_told, is_told
        await after.services.recovery.run()
        job = await after.fetch(1)
        assert (job.status, job.cost) == (JobStatus.FAILED, 0.0)
        assert after.messenger.shown == []
        assert len(after.services.waitlist.queue) == 0


async def test_prompt_that_is_judged_too_slowly_is_not_taken_and_leaves_no_row(
    quiet_house: House, monkeypatch: pytest.MonkeyPatch
):
    async def judge(*_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(quiet_house.services.gate, "judge", judge)
    commits = SlowCommits(quiet_house, monkeypatch)
    commits.go_on.set()
    await commits.submit(quiet_house, FakeCaller(), quiet_house.origin())
    assert await quiet_house.services.jobs.list_by_status(*JobStatus) == []


def lock_record(monkeypatch: pytest.MonkeyPatch, times: int = 10**9) -> None:
    """Let jobs be inserted, but this many times not be marked as answered."""
    mark, tries = JobRepository.mark_answered, itertools.count()

    async def locked(jobs: JobRepository, job_id: int, **values: Any) -> Job | None:
        if next(tries) < times:
            raise StoreError("The database could not be written (database is locked).")
        return await mark(jobs, job_id, **values)

    monkeypatch.setattr(JobRepository, "mark_answered", locked)
    monkeypatch.setattr(intake, "_AGAIN_SECONDS", 0.001)
    monkeypatch.setattr(intake, "_PATIENCE_SECONDS", 0.1)
