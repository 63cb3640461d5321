"""What changes while a round is judged, closed or counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.domain.jobs import JobStatus
from bot.domain.rounds import Round, RoundAsk, RoundStatus
from bot.errors import UserError
from bot.ops.chores import Chores, SomeFailed
from bot.rounds.voting import HIDDEN_SECONDS
from bot.services import list_chores
from bot.texts.codes import Code
from bot.texts.reasons import own_words
from tests.conftest import GUILD
from tests.jobs.test_dispatcher import used
from tests.rounds.conftest import ANN, BEN, CAI, MODERATOR, STARTER, Evening, OpenEvening


def before(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, act: Callable[[], Awaitable[object]]
) -> None:
    """Act once, just before a method of a service begins."""
    method = getattr(where, name)

    async def first(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(where, name, method)
        await act()
        return await method(*args, **kwargs)

    monkeypatch.setattr(where, name, first)


async def open_with_two(evening: Evening) -> Round:
    round_ = await evening.start()
    await evening.house.until(lambda: evening.shown.posted)
    await evening.add(round_, ANN, "paper lanterns")
    await evening.add(round_, BEN, "a sleeping fox")
    return round_


async def suspend(evening: Evening, user_id: int) -> None:
    sanctions = evening.house.services.sanctions
    await sanctions.suspend(GUILD, user_id, by=MODERATOR, reason=own_words("rude"))


async def test_member_who_is_suspended_while_a_phrase_is_judged_adds_nothing(
    quiet_evening: Evening, monkeypatch: pytest.MonkeyPatch
):
    evening = quiet_evening
    round_ = await evening.start()
    phrases = evening.rounds.phrases
    before(monkeypatch, phrases._gate, "judge_phrase", lambda: suspend(evening, ANN))
    with pytest.raises(UserError) as caught:
        await evening.add(round_, ANN, "paper lanterns")
    assert caught.value.reason.code == Code.SUSPENDED
    assert await phrases.list_all(round_.round_id, GUILD) == []


async def test_phrase_that_is_judged_too_long_comes_too_late(
    quiet_evening: Evening, monkeypatch: pytest.MonkeyPatch
):
    evening = quiet_evening
    round_ = await evening.start()

    async def end() -> None:
        evening.clock.now = round_.closes_at

    before(monkeypatch, evening.rounds.phrases._gate, "judge_phrase", end)
    with pytest.raises(UserError) as caught:
        await evening.add(round_, ANN, "paper lanterns")
    assert caught.value.reason.code == Code.ROUND_NOT_OPEN
    assert await evening.rounds.phrases.list_all(round_.round_id, GUILD) == []


async def test_round_that_is_cancelled_while_it_closes_is_not_drawn(
    quiet_evening: Evening, monkeypatch: pytest.MonkeyPatch
):
    evening = quiet_evening
    round_ = await open_with_two(evening)
    commit = evening.rounds.upkeep._closing
    cancel = evening.rounds.rounds.cancel
    before(monkeypatch, commit, "_commit", lambda: cancel(round_.round_id, GUILD, MODERATOR))
    assert (await evening.end_time(round_)).status is RoundStatus.CANCELLED
    assert await evening.house.services.jobs.list_by_status(*JobStatus) == []
    assert used(evening.house) == {}


@pytest.mark.parametrize("way", ["deletion", "suspension"])
async def test_phrase_that_goes_while_the_round_closes_is_not_drawn(
    quiet_evening: Evening, monkeypatch: pytest.MonkeyPatch, way: str
):
    evening = quiet_evening
    round_ = await open_with_two(evening)
    await evening.add(round_, CAI, "two moons")

    def go() -> Awaitable[object]:
        if way == "deletion":
            return evening.house.services.member_data.delete(BEN)
        return suspend(evening, BEN)

    before(monkeypatch, evening.rounds.upkeep._closing, "_commit", go)
    assert (await evening.end_time(round_)).status is RoundStatus.OPEN
    await evening.tick()
    job = await evening.job_of(round_)
    assert "fox" not in job.recipe.prompt
    assert [each.user_id for each in job.shares] == [ANN, CAI]


async def test_quota_that_is_used_up_while_the_round_closes_holds(
    open_evening: OpenEvening, monkeypatch: pytest.MonkeyPatch
):
    async with open_evening(draws=False, max_cost_per_member_per_hour=1.2) as evening:
        round_ = await open_with_two(evening)
        await evening.add(round_, CAI, "two moons")
        house = evening.house
        submit = house.submit("dog", house.origin(BEN))
        before(monkeypatch, evening.rounds.upkeep._closing, "_commit", lambda: submit)
        assert (await evening.end_time(round_)).status is RoundStatus.OPEN
        await evening.tick()
        assert [each.user_id for each in (await evening.job_of(round_)).shares] == [ANN, CAI]


async def test_cancelled_round_is_not_drawn_if_the_bot_stopped_at_once(
    open_evening: OpenEvening, monkeypatch: pytest.MonkeyPatch
):
    async def stop(round_: Round) -> None:
        raise SystemError

    async with open_evening(draws=False) as evening:
        round_ = await open_with_two(evening)
        await evening.end_time(round_)
        monkeypatch.setattr(evening.rounds.rounds, "_cancel_job", stop)
        with pytest.raises(SystemError):
            await evening.rounds.rounds.cancel(round_.round_id, GUILD, MODERATOR)
        clock = evening.clock
    async with open_evening(draws=False, clock=clock) as evening:
        await evening.house.services.recovery.run()
        await evening.tick()
        assert (await evening.job_of(round_)).status is JobStatus.CANCELLED
        assert sum(used(evening.house).values()) == 0


async def test_round_is_not_drawn_before_its_message_is_there(quiet_evening: Evening):
    evening = quiet_evening
    evening.shown.is_away = True
    round_ = await evening.start()
    await evening.add(round_, ANN, "paper lanterns")
    await evening.add(round_, BEN, "a sleeping fox")
    assert (await evening.end_time(round_)).status is RoundStatus.OPEN
    evening.shown.is_away = False
    await evening.tick()
    assert (await evening.fetch(round_)).status is RoundStatus.DRAWING


async def test_press_that_comes_after_the_end_does_not_count(evening: Evening):
    round_ = await evening.play()
    await evening.vote(round_, 1, ANN)
    assert round_.votes_until is not None
    evening.clock.now = round_.votes_until
    with pytest.raises(UserError) as caught:
        await evening.vote(round_, 2, BEN)
    assert caught.value.reason.code == Code.NOT_VOTING
    assert (await evening.end_vote(round_)).tally == (1, 0, 0)
    with pytest.raises(UserError) as caught:
        await evening.vote(round_, 2, BEN)
    assert caught.value.reason.code == Code.NOT_VOTING


async def test_vote_counts_as_soon_as_the_pictures_are_there(evening: Evening):
    round_ = await open_with_two(evening)
    await evening.end_time(round_)
    await evening.house.until_idle()
    assert (await evening.fetch(round_)).status is RoundStatus.DRAWING
    await evening.vote(round_, 1, ANN)
    assert (await evening.end_vote(round_)).tally == (1, 0, 0)


async def test_vote_before_the_pictures_are_there_does_not_count(quiet_evening: Evening):
    round_ = await open_with_two(quiet_evening)
    await quiet_evening.end_time(round_)
    with pytest.raises(UserError) as caught:
        await quiet_evening.vote(round_, 1, ANN)
    assert caught.value.reason.code == Code.NO_SUCH_PANEL


async def test_pictures_that_stay_hidden_do_not_win(evening: Evening):
    round_ = await evening.play()
    await evening.vote(round_, 1, ANN)
    job = await evening.job_of(round_)
    await evening.house.services.jobs.mark_hidden(job.job_id, hidden=True)
    await evening.end_vote(round_)
    evening.clock.now += HIDDEN_SECONDS
    ended = await evening.end_vote(round_)
    assert (ended.status, ended.winner) == (RoundStatus.ENDED, None)
    assert ended.reason is not None and ended.reason.code == Code.ROUND_WITHOUT_PICTURES


async def test_end_of_a_job_leaves_the_message_of_its_round(quiet_evening: Evening):
    evening = quiet_evening
    round_ = await open_with_two(evening)
    await evening.end_time(round_)
    job = await evening.job_of(round_)
    assert job.message_id == (await evening.fetch(round_)).message_id
    await evening.rounds.rounds.cancel(round_.round_id, GUILD, MODERATOR)
    assert (await evening.job_of(round_)).status is JobStatus.CANCELLED
    assert evening.house.messenger.removed == []
    assert evening.house.messenger.told == []
    await evening.house.until(lambda: evening.shown.last_status() is RoundStatus.CANCELLED)


async def test_own_phrase_gets_no_vote_whatever_is_pressed(quiet_evening: Evening):
    evening = quiet_evening
    round_ = await evening.start()
    fox = await evening.add(round_, ANN, "a sleeping fox")
    ids = [fox.phrase_id]
    vote = evening.rounds.phrases.vote
    assert await vote(1, evening.house.origin(ANN), chosen=ids, among=ids) == 0
    assert await vote(1, evening.house.origin(BEN), chosen=ids, among=ids) == 1


async def test_starts_at_once_in_one_channel_make_one_round(quiet_evening: Evening):
    starts = (quiet_evening.start(f"theme {n}") for n in range(4))
    results = await asyncio.gather(*starts, return_exceptions=True)
    assert sum(isinstance(each, Round) for each in results) == 1


async def test_asking_round_is_drawn_once_however_often_the_starter_presses(evening: Evening):
    round_ = await evening.start()
    await evening.add(round_, ANN, "paper lanterns")
    await evening.end_time(round_)
    for _ in range(2):
        await evening.rounds.rounds.draw_anyway(round_.round_id, GUILD, STARTER)
    await evening.draw(round_)
    with pytest.raises(UserError) as caught:
        await evening.rounds.rounds.draw_anyway(round_.round_id, GUILD, STARTER)
    assert caught.value.reason.code == Code.ROUND_NOT_ASKING
    assert len(await evening.house.services.jobs.list_by_status(*JobStatus)) == 1


async def test_end_that_could_not_be_shown_is_shown_after_a_restart(open_evening: OpenEvening):
    async with open_evening(draws=False) as evening:
        round_ = await open_with_two(evening)
        evening.shown.is_away = True
        await evening.rounds.rounds.cancel(round_.round_id, GUILD, MODERATOR)
        assert not (await evening.fetch(round_)).end_shown
        clock = evening.clock
    async with open_evening(draws=False, clock=clock) as evening:
        await evening.tick()
        await evening.house.until(lambda: evening.shown.last_status() is RoundStatus.CANCELLED)
        async with asyncio.timeout(5):
            while not (await evening.fetch(round_)).end_shown:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_no_server_waits_for_the_rounds_of_another(
    quiet_evening: Evening, monkeypatch: pytest.MonkeyPatch
):
    evening = quiet_evening
    slow = await open_with_two(evening)
    elsewhere = evening.house.origin(STARTER, guild_id=GUILD + 1, channel_id=500)
    quick = await evening.rounds.rounds.start(RoundAsk("a market"), elsewhere)
    go_on = asyncio.Event()
    close = evening.rounds.upkeep._closing.close
    begun: list[int] = []

    async def hang(round_: Round) -> None:
        begun.append(round_.round_id)
        if round_.round_id == slow.round_id:
            await go_on.wait()
        await close(round_)

    monkeypatch.setattr(evening.rounds.upkeep._closing, "close", hang)
    monkeypatch.setattr(evening.rounds.upkeep._lanes, "patience_seconds", 0.0)
    evening.clock.now = slow.closes_at

    async def tick_until(round_: Round, status: RoundStatus, guild_id: int) -> None:
        fetch = evening.rounds.rounds.fetch
        async with asyncio.timeout(5):
            while (await fetch(round_.round_id, guild_id)).round.status is not status:
                await evening.tick()
                await asyncio.sleep(0.01)

    await tick_until(quick, RoundStatus.FAILED, GUILD + 1)
    elsewhere = evening.house.origin(STARTER, guild_id=GUILD + 1, channel_id=500)
    later = await evening.rounds.rounds.start(RoundAsk("a fair"), elsewhere)
    evening.clock.now = later.closes_at
    await tick_until(later, RoundStatus.FAILED, GUILD + 1)
    assert begun.count(slow.round_id) == 1
    go_on.set()
    await tick_until(slow, RoundStatus.DRAWING, GUILD)


async def test_rounds_that_hang_end_with_the_bot(
    quiet_evening: Evening, monkeypatch: pytest.MonkeyPatch
):
    evening = quiet_evening
    round_ = await open_with_two(evening)
    hangs, ended = asyncio.Event(), asyncio.Event()

    async def hang(round_: Round) -> None:
        hangs.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    upkeep = evening.rounds.upkeep
    monkeypatch.setattr(upkeep._closing, "close", hang)
    monkeypatch.setattr(upkeep._lanes, "patience_seconds", 0.0)
    evening.clock.now = round_.closes_at
    ticked = asyncio.Event()

    async def sleep(_: float) -> None:
        ticked.set()
        await asyncio.Event().wait()

    watch = cast(Any, SimpleNamespace(look=None))
    listed = list_chores(evening.house.services, cast(Any, None), watch, cast(Any, None))
    chores = Chores(sleep)
    chores.online.set()
    running = asyncio.create_task(chores.run([each for each in listed if each.name == "rounds"]))
    async with asyncio.timeout(5):
        await hangs.wait()
        await ticked.wait()
        running.cancel()
        await asyncio.wait({running})
    assert ended.is_set()


async def test_round_that_fails_is_named_and_the_others_go_on(
    quiet_evening: Evening, monkeypatch: pytest.MonkeyPatch
):
    evening = quiet_evening
    broken = await open_with_two(evening)
    other = await evening.start("a market", channel_id=78)
    close = evening.rounds.upkeep._closing.close

    async def fail(round_: Round) -> None:
        if round_.round_id == broken.round_id:
            raise RuntimeError("a fault of ours")
        await close(round_)

    monkeypatch.setattr(evening.rounds.upkeep._closing, "close", fail)
    evening.clock.now = broken.closes_at
    with pytest.raises(SomeFailed) as caught:
        await evening.tick()
    assert list(caught.value.errors) == [f"guild {GUILD}, round {broken.round_id}"]
    assert (await evening.fetch(other)).status is RoundStatus.FAILED
    monkeypatch.undo()
    evening.clock.now += 60
    await evening.tick()
    assert (await evening.fetch(broken)).status is RoundStatus.DRAWING
