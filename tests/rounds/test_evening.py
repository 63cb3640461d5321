"""A round from its theme to the winner, and everything that can come in between."""

from __future__ import annotations

import pytest

from bot.domain.jobs import JobStatus, Source
from bot.domain.rounds import PhraseStatus, RoundAsk, RoundStatus
from bot.errors import UserError
from bot.texts.codes import Code
from bot.texts.reasons import own_words
from tests.conftest import GUILD
from tests.fakes.rounds import MESSAGE
from tests.jobs.test_dispatcher import check_use_is_on_record, used
from tests.rounds.conftest import ANN, BEN, CAI, MODERATOR, STARTER, THEME, Evening, OpenEvening


async def test_many_people_draw_one_picture_and_choose_the_best(evening: Evening):
    round_ = await evening.start()
    await evening.house.until(lambda: evening.shown.posted)
    lanterns = await evening.add(round_, ANN, "paper lanterns")
    await evening.add(round_, BEN, " a sleeping fox, ")
    await evening.add(round_, BEN, "heavy rain")
    assert await evening.choose(round_, CAI, lanterns) == 1

    drawn = await evening.draw(round_)
    job = await evening.job_of(round_)
    assert job.recipe.prompt == f"{THEME}, paper lanterns, a sleeping fox, heavy rain"
    assert (job.origin.source, job.origin.user_id, job.status) == (
        Source.ROUND,
        0,
        JobStatus.DELIVERED,
    )
    assert [(each.user_id, each.share) for each in job.shares] == [(ANN, 0.5), (BEN, 0.5)]
    assert drawn.message_id == job.message_id
    assert job.cost > 0
    spent = used(evening.house)
    assert spent == {(GUILD, ANN): spent[GUILD, ANN], (GUILD, BEN): spent[GUILD, ANN]}
    await check_use_is_on_record(evening.house)

    await evening.vote(round_, 2, ANN, BEN, CAI)
    await evening.vote(round_, 3, CAI)
    ended = await evening.end_vote(round_)
    assert (ended.status, ended.winner, ended.tally) == (RoundStatus.ENDED, 2, (0, 2, 1))
    assert ended.lot_seed is None
    assert [panel for panel, _ in evening.shown.winners] == [2]
    assert ended.winner_message_id == MESSAGE + 1000 + round_.round_id
    state = await evening.rounds.rounds.fetch(round_.round_id, GUILD)
    assert state.authors == (ANN, BEN)
    assert [each.round.round_id for each in await evening.rounds.rounds.list_history(GUILD)] == [1]


async def test_message_is_posted_once_and_shows_the_newest_state(quiet_evening: Evening):
    evening = quiet_evening
    round_ = await evening.start()
    await evening.house.until(lambda: evening.shown.posted)
    await evening.add(round_, ANN, "paper lanterns")
    await evening.rounds.board.show(round_.round_id)
    await evening.tick()
    assert evening.shown.posted == [round_.round_id]
    assert (await evening.fetch(round_)).message_id == MESSAGE + round_.round_id
    last = evening.shown.shown[-1]
    assert [each.text for each in last.phrases] == ["paper lanterns"]
    assert last.words_left is not None and 100 < last.words_left < 300


async def test_one_author_alone_is_drawn_only_if_the_starter_wants_it(evening: Evening):
    round_ = await evening.start()
    await evening.add(round_, ANN, "paper lanterns")
    asking = await evening.end_time(round_)
    assert (asking.status, asking.job_id) == (RoundStatus.ASKING, None)
    await evening.tick()
    await evening.tick()
    assert evening.shown.asked == [STARTER]
    await evening.rounds.rounds.draw_anyway(round_.round_id, GUILD, STARTER)
    await evening.draw(round_)
    job = await evening.job_of(round_)
    assert [(each.user_id, each.share) for each in job.shares] == [(ANN, 1.0)]


async def test_starter_who_does_not_answer_ends_the_round_and_nobody_pays(evening: Evening):
    round_ = await evening.start()
    await evening.add(round_, ANN, "paper lanterns")
    await evening.end_time(round_)
    evening.clock.now += 3601
    await evening.tick()
    ended = await evening.fetch(round_)
    assert ended.status is RoundStatus.FAILED
    assert ended.reason is not None and ended.reason.code == Code.ROUND_NOT_CONFIRMED
    assert used(evening.house) == {}


async def test_starter_who_deleted_their_data_is_not_asked(evening: Evening):
    round_ = await evening.start()
    await evening.add(round_, ANN, "paper lanterns")
    await evening.end_time(round_)
    await evening.house.services.member_data.delete(STARTER)
    await evening.tick()
    ended = await evening.fetch(round_)
    assert ended.reason is not None and ended.reason.code == Code.ROUND_NOT_CONFIRMED
    assert evening.shown.asked == []


async def test_round_without_phrases_ends(evening: Evening):
    ended = await evening.end_time(await evening.start())
    assert ended.status is RoundStatus.FAILED
    assert ended.reason is not None and ended.reason.code == Code.ROUND_EMPTY


async def test_equal_votes_are_decided_by_a_lot_that_anybody_can_check(evening: Evening):
    round_ = await evening.play()
    await evening.vote(round_, 1, ANN)
    await evening.vote(round_, 3, BEN)
    ended = await evening.end_vote(round_)
    assert ended.lot_seed is not None
    assert ended.winner == (1, 3)[ended.lot_seed % 2]


async def test_next_round_starts_from_the_winner_and_knows_its_ancestors(evening: Evening):
    first = await evening.play()
    await evening.vote(first, 2, ANN)
    await evening.end_vote(first)
    second = await evening.start("at night", previous=first.round_id)
    assert second.start is not None
    assert (second.start.job_id, second.start.panel) == (first.job_id, 2)
    await evening.add(second, ANN, "stars")
    await evening.add(second, BEN, "fireflies")
    await evening.draw(second)
    job = await evening.job_of(second)
    assert job.recipe.start == second.start
    state = await evening.rounds.rounds.fetch(second.round_id, GUILD)
    assert [each.round_id for each in state.ancestors] == [first.round_id]


async def test_round_cannot_go_on_from_one_without_a_winner(evening: Evening):
    first = await evening.play()
    with pytest.raises(UserError) as caught:
        await evening.start("at night", channel_id=78, previous=first.round_id)
    assert caught.value.reason.code == Code.NO_WINNER


async def test_showcase_gets_the_winner_too(evening: Evening):
    await evening.set("showcase_channel_id", 4242)
    round_ = await evening.play()
    await evening.vote(round_, 1, ANN)
    ended = await evening.end_vote(round_)
    assert evening.shown.showcased == [(4242, 1)]
    assert ended.showcase_message_id == MESSAGE + 2000 + round_.round_id


async def test_every_decision_about_a_round_is_in_the_audit_log(quiet_evening: Evening):
    evening = quiet_evening
    round_ = await evening.start()
    await evening.add(round_, ANN, "paper lanterns")
    fox = await evening.add(round_, BEN, "a sleeping fox")
    await evening.rounds.phrases.strike_out(
        fox.phrase_id, GUILD, MODERATOR, reason="off topic", gives_strike=True
    )
    await evening.rounds.rounds.close(round_.round_id, GUILD, MODERATOR)
    await evening.rounds.rounds.cancel(round_.round_id, GUILD, MODERATOR)
    entries = await evening.house.services.audit.search(GUILD, newest_first=False)
    assert [(each.action, each.actor_id, each.member_id) for each in entries] == [
        ("round_started", STARTER, STARTER),
        ("phrase_struck", MODERATOR, BEN),
        ("struck", MODERATOR, BEN),
        ("round_closed", MODERATOR, STARTER),
        ("round_cancelled", MODERATOR, STARTER),
    ]


@pytest.mark.parametrize("moment", ["open", "asking", "waiting", "drawn", "voting"])
async def test_cancelling_ends_a_round_at_any_moment_and_costs_only_what_is_shown(
    open_evening: OpenEvening, moment: str
):
    async with open_evening(draws=moment not in {"waiting"}) as evening:
        round_ = await evening.start()
        await evening.add(round_, ANN, "paper lanterns")
        if moment != "asking":
            await evening.add(round_, BEN, "a sleeping fox")
        if moment in {"asking", "waiting"}:
            await evening.end_time(round_)
        if moment == "drawn":
            evening.house.messenger.posts = False
            evening.house.messenger.reachable = False
            await evening.end_time(round_)
        if moment == "voting":
            await evening.draw(round_)
        ended = await evening.rounds.rounds.cancel(round_.round_id, GUILD, MODERATOR)
        assert ended.status is RoundStatus.CANCELLED
        await evening.house.until_idle()
        if moment == "voting":
            assert (await evening.job_of(round_)).cost > 0
        else:
            assert sum(used(evening.house).values()) == 0
        await check_use_is_on_record(evening.house)
        with pytest.raises(UserError) as caught:
            await evening.rounds.rounds.cancel(round_.round_id, GUILD, MODERATOR)
        assert caught.value.reason.code == Code.ROUND_OVER


async def test_undelivered_round_costs_nothing_and_says_why(evening: Evening):
    round_ = await evening.start()
    await evening.add(round_, ANN, "paper lanterns")
    await evening.add(round_, BEN, "a sleeping fox")
    evening.house.messenger.posts = False
    await evening.end_time(round_)
    await evening.house.until_idle()
    await evening.tick()
    ended = await evening.fetch(round_)
    job = await evening.job_of(round_)
    assert (ended.status, job.status) == (RoundStatus.FAILED, JobStatus.UNDELIVERABLE)
    assert ended.reason == job.reason
    assert job.cost == 0
    assert sum(used(evening.house).values()) == 0
    await check_use_is_on_record(evening.house)


@pytest.mark.parametrize("fault", ["deleted", "forbidden"])
async def test_round_whose_message_is_out_of_reach_ends_before_it_is_drawn(
    evening: Evening, fault: str
):
    if fault == "forbidden":
        evening.shown.may_post = False
    round_ = await evening.start()
    if fault == "deleted":
        await evening.house.until(lambda: evening.shown.posted)
        evening.shown.is_deleted = True
        await evening.add(round_, ANN, "paper lanterns")
        await evening.add(round_, BEN, "a sleeping fox")
        await evening.end_time(round_)
    await evening.rounds.board.show(round_.round_id)
    ended = await evening.fetch(round_)
    assert ended.status is RoundStatus.CANCELLED
    assert ended.reason is not None and ended.reason.code == Code.ROUND_OUT_OF_REACH
    assert ended.job_id is None
    assert used(evening.house) == {}
    [(user_id, said)] = evening.house.messenger.written
    assert user_id == STARTER
    assert "Your round in **The Server** has ended" in said
    assert ended.end_shown


async def test_pictures_that_somebody_deleted_are_not_posted_again(evening: Evening):
    await evening.set("showcase_channel_id", 4242)
    round_ = await evening.play()
    await evening.vote(round_, 1, ANN)
    evening.shown.is_deleted = True
    ended = await evening.end_vote(round_)
    assert (ended.status, ended.winner) == (RoundStatus.ENDED, None)
    assert evening.shown.winners == evening.shown.showcased == []


async def test_outage_of_discord_loses_nothing(evening: Evening):
    round_ = await evening.start()
    await evening.house.until(lambda: evening.shown.posted)
    evening.shown.is_away = True
    await evening.add(round_, ANN, "paper lanterns")
    await evening.add(round_, BEN, "a sleeping fox")
    await evening.rounds.board.show(round_.round_id)
    evening.shown.is_away = False
    drawn = await evening.draw(round_)
    await evening.vote(drawn, 1, ANN)
    evening.shown.is_away = True
    ended = await evening.end_vote(drawn)
    assert (ended.winner, ended.winner_message_id) == (1, None)
    evening.shown.is_away = False
    await evening.tick()
    assert [panel for panel, _ in evening.shown.winners] == [1]


async def test_hidden_pictures_have_no_winner_until_a_moderator_restores_them(evening: Evening):
    round_ = await evening.play()
    await evening.vote(round_, 1, ANN)
    job = await evening.job_of(round_)
    await evening.house.services.jobs.mark_hidden(job.job_id, hidden=True)
    with pytest.raises(UserError) as caught:
        await evening.vote(round_, 2, BEN)
    assert caught.value.reason.code == Code.NO_SUCH_PANEL
    assert (await evening.end_vote(round_)).status is RoundStatus.VOTING
    await evening.house.services.jobs.mark_hidden(job.job_id, hidden=False)
    assert (await evening.end_vote(round_)).winner == 1


async def test_winner_that_is_hidden_later_is_taken_down(evening: Evening):
    await evening.set("showcase_channel_id", 4242)
    round_ = await evening.play()
    ended = await evening.end_vote(round_)
    job = await evening.job_of(round_)
    await evening.house.services.jobs.mark_hidden(job.job_id, hidden=True)
    await evening.tick()
    assert evening.house.messenger.removed_messages == [
        (77, ended.winner_message_id),
        (4242, ended.showcase_message_id),
    ]
    await evening.tick()
    assert len(evening.house.messenger.removed_messages) == 2


async def test_rounds_go_on_after_a_restart(open_evening: OpenEvening):
    async with open_evening(draws=False) as evening:
        round_ = await evening.start()
        await evening.add(round_, ANN, "paper lanterns")
        await evening.add(round_, BEN, "a sleeping fox")
        await evening.end_time(round_)
        clock = evening.clock
    async with open_evening(clock=clock) as evening:
        await evening.house.services.recovery.run()
        drawn = await evening.draw(round_)
        await evening.vote(drawn, 3, CAI)
    async with open_evening(clock=clock) as evening:
        ended = await evening.end_vote(drawn)
        assert (ended.winner, ended.tally) == (3, (0, 0, 1))
        assert len(await evening.house.services.jobs.list_by_status(*JobStatus)) == 1


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("rounds_on", False, Code.ROUNDS_OFF),
        ("round_channel_ids", [5], Code.ROUND_OTHER_CHANNELS),
        ("round_role_ids", [5], Code.ROUND_OTHER_ROLES),
        ("is_paused", True, Code.SERVER_PAUSED),
    ],
)
async def test_server_says_who_may_start_a_round_and_where(
    quiet_evening: Evening, setting: str, value: object, code: Code
):
    await quiet_evening.set(setting, value)
    with pytest.raises(UserError) as caught:
        await quiet_evening.start()
    assert caught.value.reason.code == code
    await quiet_evening.set(setting, None)
    assert (await quiet_evening.start()).status is RoundStatus.OPEN


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (RoundAsk("  \u200b "), Code.THEME_EMPTY),
        (RoundAsk("a" * 201), Code.THEME_TOO_LONG),
        (RoundAsk("moon", minutes=1), Code.ROUND_MINUTES),
        (RoundAsk("moon", minutes=1441), Code.ROUND_MINUTES),
        (RoundAsk("moon", phrases_each=0), Code.ROUND_PHRASES_EACH),
        (RoundAsk("moon", phrases_each=6), Code.ROUND_PHRASES_EACH),
        (RoundAsk("moon", style="cubism"), Code.STYLE_UNKNOWN),
        (RoundAsk("moon", previous=7), Code.NO_WINNER),
    ],
)
async def test_round_that_cannot_be_is_not_started(
    quiet_evening: Evening, ask: RoundAsk, code: Code
):
    with pytest.raises(UserError) as caught:
        await quiet_evening.rounds.rounds.start(ask, quiet_evening.house.origin(STARTER))
    assert caught.value.reason.code == code
    assert "Nothing was started" in str(caught.value) or code is Code.STYLE_UNKNOWN
    assert await quiet_evening.rounds.rounds.find_in_channel(77) is None


async def test_channel_has_one_round_and_a_server_only_so_many(quiet_evening: Evening):
    await quiet_evening.set("max_rounds", 2)
    await quiet_evening.start()
    with pytest.raises(UserError) as caught:
        await quiet_evening.start()
    assert caught.value.reason.code == Code.ROUND_RUNS_HERE
    await quiet_evening.start(channel_id=78)
    with pytest.raises(UserError) as caught:
        await quiet_evening.start(channel_id=79)
    assert caught.value.reason.code == Code.ROUNDS_AT_ONCE


async def test_due_round_waits_for_room_in_the_queue_but_not_for_ever(open_evening: OpenEvening):
    async with open_evening(draws=False, max_waiting=1) as evening:
        waiting = await evening.house.submit("dog")
        round_ = await evening.start()
        await evening.add(round_, ANN, "paper lanterns")
        await evening.add(round_, BEN, "a sleeping fox")
        assert (await evening.end_time(round_)).status is RoundStatus.OPEN
        await evening.house.services.dispatcher.cancel(waiting.job_id)
        assert (await evening.end_time(round_)).status is RoundStatus.DRAWING
        await evening.rounds.rounds.cancel(round_.round_id, GUILD, MODERATOR)
        await evening.house.submit("cat")
        late = await evening.start()
        await evening.end_time(late)
        evening.clock.now += 3601
        await evening.tick()
        ended = await evening.fetch(late)
        assert ended.reason is not None and ended.reason.code == Code.QUEUE_FULL


async def test_files_of_a_round_hold_nobodys_words(evening: Evening):
    round_ = await evening.play()
    folder = evening.house.services.writer.folder_of((await evening.job_of(round_)).job_id)
    for path in folder.iterdir():
        assert b"lanterns" not in path.read_bytes()


async def test_struck_and_withdrawn_phrases_are_not_drawn(evening: Evening):
    round_ = await evening.start()
    await evening.add(round_, ANN, "paper lanterns")
    fox = await evening.add(round_, BEN, "a sleeping fox")
    await evening.add(round_, BEN, "heavy rain")
    moon = await evening.add(round_, CAI, "two moons")
    await evening.rounds.phrases.strike_out(fox.phrase_id, GUILD, MODERATOR)
    await evening.rounds.phrases.withdraw(moon.phrase_id, CAI)
    await evening.draw(round_)
    job = await evening.job_of(round_)
    assert job.recipe.prompt == f"{THEME}, paper lanterns, heavy rain"
    assert [each.user_id for each in job.shares] == [ANN, BEN]


async def test_phrases_of_suspended_members_go(evening: Evening):
    round_ = await evening.start()
    for user_id, text in ((ANN, "paper lanterns"), (BEN, "a sleeping fox"), (CAI, "two moons")):
        await evening.add(round_, user_id, text)
    await evening.house.services.sanctions.suspend(
        GUILD, BEN, by=MODERATOR, reason=own_words("rude")
    )
    [phrase] = await evening.house.services.rounds.phrases._phrases.list_of_round(
        round_.round_id, PhraseStatus.STRUCK
    )
    assert phrase.user_id == BEN
    with pytest.raises(UserError) as caught:
        await evening.add(round_, BEN, "heavy rain")
    assert caught.value.reason.code == Code.SUSPENDED
    await evening.draw(round_)
    assert "fox" not in (await evening.job_of(round_)).recipe.prompt
    with pytest.raises(UserError) as caught:
        await evening.vote(round_, 1, BEN)
    assert caught.value.reason.code == Code.SUSPENDED
