"""Phrases: what joins, what is refused, what waits for a moderator, and votes for them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.domain.review import CardKind, Case, Decision
from bot.domain.rounds import Choosing, Phrase, PhraseStatus, Round, RoundStatus
from bot.domain.rules import Outcome, Rule, RuleKind
from bot.errors import StoreError, UserError
from bot.texts.codes import Code
from bot.texts.reasons import say
from tests.conftest import GUILD
from tests.rounds.conftest import (
    ANN,
    BEN,
    CAI,
    MODERATOR,
    REVIEW_CHANNEL,
    STARTER,
    Evening,
    OpenEvening,
)

# harmless alone, refused together
APART = ("a naked woman", "an eight year old schoolgirl")


async def texts_of(evening: Evening, round_: Round) -> list[str]:
    found = await evening.rounds.phrases.list_all(round_.round_id, GUILD)
    return [each.text for each in found]


async def refusal_of(evening: Evening, round_: Round, text: str, user_id: int = ANN) -> Any:
    """Return the reason. Check that nothing joined."""
    before = await texts_of(evening, round_)
    with pytest.raises(UserError) as caught:
        await evening.add(round_, user_id, text)
    assert await texts_of(evening, round_) == before
    assert 10 < len(str(caught.value)) <= 2000
    return caught.value.reason


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Code.PHRASE_EMPTY),
        (" , .\u200b", Code.PHRASE_EMPTY),
        ("a" * 81, Code.PHRASE_TOO_LONG),
        ("a plate of k4le", Code.RULE_REFUSES),
    ],
)
async def test_phrase_that_cannot_be_is_refused(open_evening: OpenEvening, text: str, code: Code):
    async with open_evening(draws=False, blocked_words=("kale",)) as evening:
        round_ = await evening.start()
        assert (await refusal_of(evening, round_, text)).code == code


async def test_phrase_is_one_clean_line(quiet_evening: Evening):
    round_ = await quiet_evening.start()
    phrase = await quiet_evening.add(round_, ANN, "  **bold**\n\u202efox discord.gg/abc @everyone,")
    assert phrase.text == "**bold** fox discord.gg/abc @everyone"
    assert (await quiet_evening.add(round_, BEN, "x" * 80)).text == "x" * 80


async def test_phrase_that_is_harmless_alone_is_refused_in_company(quiet_evening: Evening):
    evening = quiet_evening
    for text in APART:
        alone = await evening.start("people", channel_id=hash(text) % 1000 + 1000)
        assert (await evening.add(alone, ANN, text)).status is PhraseStatus.JOINED
    round_ = await evening.start("people")
    await evening.add(round_, ANN, APART[0])
    reason = await refusal_of(evening, round_, APART[1], BEN)
    assert reason.code == Code.PHRASE_IN_COMPANY
    assert "naked" not in say(reason)
    entries = await evening.house.services.audit.search(GUILD)
    assert (entries[0].action, entries[0].member_id) == ("phrase_refused", BEN)
    assert "naked" not in entries[0].prompt


async def test_phrases_that_come_at_once_are_judged_with_each_other(quiet_evening: Evening):
    evening = quiet_evening
    round_ = await evening.start("people")
    results = await asyncio.gather(
        evening.add(round_, ANN, APART[0]),
        evening.add(round_, BEN, APART[1]),
        return_exceptions=True,
    )
    assert sorted(isinstance(each, Phrase) for each in results) == [False, True]
    assert len(await texts_of(evening, round_)) == 1


async def test_phrase_is_judged_with_the_theme(quiet_evening: Evening):
    round_ = await quiet_evening.start(APART[1])
    assert (await refusal_of(quiet_evening, round_, APART[0])).code == Code.PHRASE_IN_COMPANY


async def test_whole_prompt_is_judged_before_it_is_drawn(open_evening: OpenEvening):
    async with open_evening(draws=False) as evening:
        round_ = await evening.start()
        await evening.add(round_, ANN, "paper lanterns")
        await evening.add(round_, BEN, "a plate of kale")
        await evening.add(round_, CAI, "a sleeping fox")
        await add_rule(evening, "kale")
        assert (await evening.end_time(round_)).status is RoundStatus.DRAWING
        job = await evening.job_of(round_)
        assert job.recipe.prompt.endswith("paper lanterns, a sleeping fox")
        assert [each.user_id for each in job.shares] == [ANN, CAI]
        entries = await evening.house.services.audit.search(GUILD)
        assert (entries[0].action, entries[0].member_id) == ("phrase_refused", BEN)
        [(user_id, said)] = evening.house.messenger.written
        assert entries[0].reason is not None
        assert user_id == BEN and "a phrase of yours was left out" in said
        assert say(entries[0].reason.params["why"]) in said


async def test_room_of_a_phrase_that_is_left_out_goes_to_the_next(
    open_evening: OpenEvening, monkeypatch: pytest.MonkeyPatch
):
    async with open_evening(draws=False, max_prompt_length=60) as evening:
        round_ = await evening.start()
        await evening.add(round_, ANN, "a plate of kale")
        await evening.add(round_, BEN, "a sleeping fox")
        await evening.add(round_, CAI, "two pale moons")
        await add_rule(evening, "kale")
        await evening.end_time(round_)
        prompt = (await evening.job_of(round_)).recipe.prompt
        assert prompt == f"{round_.theme}, a sleeping fox, two pale moons"


async def test_phrases_are_judged_in_the_order_in_which_they_are_drawn(quiet_evening: Evening):
    evening = quiet_evening
    await add_rule(evening, "fox.{0,3}paper", RuleKind.PATTERN)
    round_ = await evening.start()
    await evening.add(round_, ANN, "paper lanterns")
    fox = await evening.add(round_, BEN, "a sleeping fox")
    await evening.add(round_, STARTER, "two pale moons")
    await evening.choose(round_, CAI, fox)
    await evening.end_time(round_)
    prompt = (await evening.job_of(round_)).recipe.prompt
    assert prompt == f"{round_.theme}, paper lanterns, two pale moons"


async def test_theme_that_is_not_allowed_any_more_ends_the_round(quiet_evening: Evening):
    evening = quiet_evening
    round_ = await evening.start("a plate of kale")
    await evening.add(round_, ANN, "paper lanterns")
    await evening.add(round_, BEN, "a sleeping fox")
    await add_rule(evening, "kale")
    ended = await evening.end_time(round_)
    assert ended.status is RoundStatus.FAILED
    assert ended.reason is not None and ended.reason.code == Code.RULE_REFUSES
    entries = await evening.house.services.audit.search(GUILD)
    assert (entries[0].action, entries[0].member_id) == ("theme_refused", STARTER)
    assert not {ANN, BEN} & {each.member_id for each in entries}


async def test_nobody_is_to_blame_if_the_server_has_nowhere_to_review(quiet_evening: Evening):
    evening = quiet_evening
    round_ = await evening.start()
    await evening.add(round_, ANN, "paper lanterns")
    await evening.add(round_, BEN, "a sleeping fox")
    await evening.set("review_rounds", True)
    ended = await evening.end_time(round_)
    assert ended.reason is not None and ended.reason.code == Code.NO_REVIEW_HERE
    entries = await evening.house.services.audit.search(GUILD)
    assert not {ANN, BEN} & {each.member_id for each in entries}


@pytest.mark.parametrize("setting", ["review_rounds", "review_everything"])
async def test_round_starts_only_if_its_prompt_can_be_reviewed(
    quiet_evening: Evening, setting: str
):
    evening = quiet_evening
    await evening.set(setting, True)
    with pytest.raises(UserError) as caught:
        await evening.start()
    assert caught.value.reason.code == Code.NO_REVIEW_HERE
    await evening.set("review_channel_id", REVIEW_CHANNEL)
    assert (await evening.start()).status is RoundStatus.OPEN


async def add_rule(evening: Evening, word: str, kind: RuleKind = RuleKind.WORD) -> None:
    editor = evening.house.services.guilds.rule_editor
    await editor.adopt(GUILD, [Rule(kind, word, Outcome.REFUSE)], MODERATOR)


async def test_theme_is_judged_like_a_prompt(open_evening: OpenEvening):
    async with open_evening(draws=False, blocked_words=("kale",)) as evening:
        with pytest.raises(UserError) as caught:
            await evening.start("a plate of kale")
        assert caught.value.reason.code == Code.RULE_REFUSES
        [entry] = await evening.house.services.audit.search(GUILD)
        assert (entry.action, entry.rule) == ("theme_refused", "kale")
        await evening.set("review_channel_id", REVIEW_CHANNEL)
        await evening.set("review_newcomer_days", 3)
        with pytest.raises(UserError) as caught:
            await evening.start("a market")
        assert caught.value.reason.code == Code.THEME_NEEDS_REVIEW


async def test_many_refused_phrases_use_up_the_attempts(open_evening: OpenEvening):
    async with open_evening(
        draws=False, blocked_words=("kale",), max_refused_per_member_per_hour=4
    ) as evening:
        round_ = await evening.start()
        await refusal_of(evening, round_, "kale soup")
        reason = await refusal_of(evening, round_, "a sleeping fox")
        assert reason.code == Code.TOO_MANY_REFUSED
        assert (await evening.add(round_, BEN, "a sleeping fox")).status is PhraseStatus.JOINED


async def test_same_phrase_is_not_added_twice(quiet_evening: Evening):
    round_ = await quiet_evening.start()
    first = await quiet_evening.add(round_, ANN, "A sleeping fox")
    reason = await refusal_of(quiet_evening, round_, "a  SLEEPING fox.", BEN)
    assert reason.code == Code.PHRASE_DOUBLE
    await quiet_evening.rounds.phrases.withdraw(first.phrase_id, ANN)
    await quiet_evening.add(round_, BEN, "a sleeping fox")


async def test_member_has_only_so_many_phrases_also_at_once(quiet_evening: Evening):
    round_ = await quiet_evening.start(phrases_each=2)
    results = await asyncio.gather(
        *(quiet_evening.add(round_, ANN, f"fox number {n}") for n in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, Phrase) for each in results) == 2
    assert len(await texts_of(quiet_evening, round_)) == 2
    reason = await refusal_of(quiet_evening, round_, "one more")
    assert reason.code == Code.PHRASES_SPENT


async def test_only_its_author_takes_a_phrase_back(quiet_evening: Evening):
    round_ = await quiet_evening.start()
    phrase = await quiet_evening.add(round_, ANN, "a sleeping fox")
    for user_id, code in ((BEN, Code.PHRASE_NOT_YOURS), (ANN, None), (ANN, Code.PHRASE_UNKNOWN)):
        if code is None:
            await quiet_evening.rounds.phrases.withdraw(phrase.phrase_id, user_id)
            continue
        with pytest.raises(UserError) as caught:
            await quiet_evening.rounds.phrases.withdraw(phrase.phrase_id, user_id)
        assert caught.value.reason.code == code
    assert await quiet_evening.rounds.phrases.list_own(round_.round_id, ANN) == []


async def test_nothing_joins_after_the_end_and_nobody_else_learns_of_a_round(
    quiet_evening: Evening,
):
    round_ = await quiet_evening.start()
    with pytest.raises(UserError) as caught:
        await quiet_evening.add(round_, ANN, "a fox", guild_id=GUILD + 1)
    assert caught.value.reason.code == Code.ROUND_UNKNOWN
    quiet_evening.clock.now = round_.closes_at
    assert (await refusal_of(quiet_evening, round_, "a fox")).code == Code.ROUND_NOT_OPEN


async def test_round_that_takes_all_phrases_is_full_when_the_prompt_is(quiet_evening: Evening):
    evening = quiet_evening
    round_ = await evening.start(choosing=Choosing.ALL, phrases_each=5)
    word = "extraordinarily "
    n = 0
    while (await evening.fetch(round_)).closes_at > evening.clock.now:
        n += 1
        try:
            await evening.add(round_, 100 + n, f"{word * 4}{n}")
        except UserError as error:
            assert error.reason.code == Code.PHRASE_NO_ROOM
            room = error.reason.params["count"]
            assert 0 < room < 20
            await evening.add(round_, 100 + n, " ".join(str(n % 10) for _ in range(room)))
        assert n < 60
    state = await evening.rounds.rounds.fetch(round_.round_id, GUILD)
    assert state.words_left == 0
    ended = await evening.end_time(round_)
    assert ended.status is RoundStatus.DRAWING


async def test_phrases_with_the_most_votes_come_first_and_only_as_many_as_fit(
    quiet_evening: Evening,
):
    evening = quiet_evening
    round_ = await evening.start(phrases_each=5)
    long = " ".join(["extraordinarily"] * 4)
    phrases = [await evening.add(round_, 100 + n, f"{long} {n:02}") for n in range(40)]
    last, middle = phrases[-1], phrases[20]
    await evening.choose(round_, ANN, last, middle)
    await evening.choose(round_, BEN, last)
    await evening.end_time(round_)
    job = await evening.job_of(round_)
    drawn = job.recipe.prompt.split(", ")
    assert drawn[1:4] == [last.text, middle.text, phrases[0].text]
    assert 10 < len(drawn) < 40
    used = [each for each in phrases if each.text in drawn]
    assert {each.user_id for each in job.shares} == {each.user_id for each in used}


async def test_one_vote_a_member_and_phrase_and_none_for_own_ones(quiet_evening: Evening):
    evening = quiet_evening
    round_ = await evening.start()
    fox = await evening.add(round_, ANN, "a sleeping fox")
    rain = await evening.add(round_, BEN, "heavy rain")
    assert await evening.choose(round_, ANN, fox, rain) == 1
    assert await evening.choose(round_, ANN, rain) == 1
    await evening.choose(round_, CAI, fox)
    assert [each.is_chosen for each in await evening.rounds.phrases.list_ballots(1, CAI)] == [
        True,
        False,
    ]
    found = await evening.rounds.phrases.list_all(round_.round_id, GUILD)
    assert [(each.text, each.votes) for each in found] == [
        ("a sleeping fox", 1),
        ("heavy rain", 1),
    ]
    assert await evening.choose(round_, CAI) == 0
    await evening.set("round_own_votes", True)
    assert await evening.choose(round_, ANN, fox, rain) == 2


async def test_votes_outside_the_page_of_a_select_stay(quiet_evening: Evening):
    evening = quiet_evening
    round_ = await evening.start()
    fox = await evening.add(round_, ANN, "a sleeping fox")
    rain = await evening.add(round_, BEN, "heavy rain")
    await evening.choose(round_, CAI, fox, rain)
    vote = evening.rounds.phrases.vote
    origin = evening.house.origin(CAI)
    # fox is not on this page, so it can be neither taken nor chosen here
    await vote(round_.round_id, origin, chosen=[fox.phrase_id], among=[rain.phrase_id])
    found = await evening.rounds.phrases.list_all(round_.round_id, GUILD)
    assert [each.votes for each in found] == [1, 0]


async def test_authors_of_an_anonymous_round_are_hidden_until_it_is_over(evening: Evening):
    await evening.set("rounds_anonymous", True)
    round_ = await evening.start()
    await evening.add(round_, ANN, "paper lanterns")
    await evening.add(round_, BEN, "a sleeping fox")
    state = await evening.rounds.rounds.fetch(1, GUILD)
    assert {each.user_id for each in state.phrases} == {0}
    assert {each.user_id for each in await evening.rounds.phrases.list_all(1, GUILD)} == {0}
    ballots = await evening.rounds.phrases.list_ballots(1, CAI)
    assert {each.phrase.user_id for each in ballots} == {0}
    await evening.draw(round_)
    assert (await evening.rounds.rounds.fetch(1, GUILD)).authors == ()
    await evening.end_vote(round_)
    assert (await evening.rounds.rounds.fetch(1, GUILD)).authors == (ANN, BEN)


async def held(evening: Evening, round_: Round) -> tuple[Phrase, Case]:
    """Let a newcomer add a phrase, which a moderator has to look at."""
    await evening.set("review_channel_id", REVIEW_CHANNEL)
    await evening.set("review_newcomer_days", 3)
    phrase = await evening.add(round_, ANN, "a sleeping fox")
    assert phrase.status is PhraseStatus.HELD
    assert await texts_of(evening, round_) == []
    return phrase, evening.house.messenger.cards[-1]


@pytest.mark.parametrize(
    ("decision", "status", "told"),
    [
        (Decision.APPROVE, PhraseStatus.JOINED, "it is in the round now"),
        (Decision.REFUSE, PhraseStatus.REFUSED, "was not approved"),
        (Decision.SUSPEND, PhraseStatus.REFUSED, "You cannot make pictures"),
    ],
)
async def test_held_phrase_waits_for_a_moderator(
    quiet_evening: Evening, decision: Decision, status: PhraseStatus, told: str
):
    evening = quiet_evening
    round_ = await evening.start()
    phrase, case = await held(evening, round_)
    assert (case.card.kind, case.theme) == (CardKind.PHRASE, round_.theme)
    assert case.phrase is not None and case.phrase.held_for is not None
    assert (await evening.rounds.rounds.fetch(round_.round_id, GUILD)).num_held == 1
    await evening.house.services.decisions.decide(
        case.card.card_id, decision, MODERATOR, GUILD, "fine" if status is not None else ""
    )
    present = await evening.rounds.phrases._phrases.fetch(phrase.phrase_id)
    assert present is not None and present.status is status
    [(user_id, said)] = evening.house.messenger.written
    assert user_id == ANN and told in said
    entries = await evening.house.services.audit.search(GUILD, newest_first=False)
    assert [each.action for each in entries][:2] == ["round_started", "phrase_held"]
    assert entries[2].actor_id == MODERATOR
    assert await texts_of(evening, round_) == [phrase.text] * (decision is Decision.APPROVE)


async def test_phrase_cannot_be_approved_after_the_round_has_closed(quiet_evening: Evening):
    evening = quiet_evening
    round_ = await evening.start()
    phrase, case = await held(evening, round_)
    evening.clock.now = round_.closes_at
    with pytest.raises(UserError):
        await evening.house.services.decisions.decide(
            case.card.card_id, Decision.APPROVE, MODERATOR, GUILD
        )
    await evening.house.services.decisions.sweep()
    present = await evening.rounds.phrases._phrases.fetch(phrase.phrase_id)
    assert present is not None and present.status is PhraseStatus.REFUSED


async def test_card_of_a_phrase_that_was_taken_back_is_closed(quiet_evening: Evening):
    evening = quiet_evening
    round_ = await evening.start()
    phrase, _ = await held(evening, round_)
    await evening.rounds.phrases.withdraw(phrase.phrase_id, ANN)
    await evening.house.services.decisions.sweep()
    assert evening.house.messenger.cards[-1].card.decision is Decision.WITHDRAW
    assert evening.house.messenger.written == []


async def test_held_phrase_whose_card_nobody_sees_is_refused(quiet_evening: Evening):
    evening = quiet_evening
    evening.house.messenger.has_review_channel = False
    round_ = await evening.start()
    await evening.set("review_channel_id", REVIEW_CHANNEL)
    await evening.set("review_newcomer_days", 3)
    phrase = await evening.add(round_, ANN, "a sleeping fox")
    present = await evening.rounds.phrases._phrases.fetch(phrase.phrase_id)
    assert present is not None and present.status is PhraseStatus.REFUSED
    await evening.house.services.decisions.sweep()
    [(user_id, said)] = evening.house.messenger.written
    assert user_id == ANN and "was not approved" in said


async def test_prompt_of_a_round_can_be_reviewed_as_a_whole(quiet_evening: Evening):
    evening = quiet_evening
    await evening.set("review_channel_id", REVIEW_CHANNEL)
    await evening.set("review_rounds", True)
    round_ = await evening.start()
    await evening.add(round_, ANN, "paper lanterns")
    await evening.add(round_, BEN, "a sleeping fox")
    await evening.end_time(round_)
    job = await evening.job_of(round_)
    assert (job.status, job.held_for and job.held_for.code) == ("held", Code.ROUND_REVIEWED)
    card = evening.house.messenger.cards[-1].card
    assert (card.kind, card.member_id) == (CardKind.HELD, 0)
    decisions = evening.house.services.decisions
    with pytest.raises(UserError) as caught:
        await decisions.decide(card.card_id, Decision.SUSPEND, MODERATOR, GUILD)
    assert caught.value.reason.code == Code.SEVERAL_AUTHORS
    await decisions.decide(card.card_id, Decision.REFUSE, MODERATOR, GUILD)
    await evening.tick()
    ended = await evening.fetch(round_)
    assert ended.status is RoundStatus.FAILED
    assert ended.reason == (await evening.job_of(round_)).reason
    assert (await evening.job_of(round_)).cost == 0
    assert evening.house.messenger.written == []
    prompts = [each.prompt for each in await evening.house.services.audit.search(GUILD)]
    assert not any("fox" in prompt for prompt in prompts)


async def test_phrase_that_is_not_on_record_is_not_answered(
    quiet_evening: Evening, monkeypatch: pytest.MonkeyPatch
):
    evening = quiet_evening
    round_ = await evening.start()

    async def full(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(evening.rounds.phrases._phrases, "insert", full)
    with pytest.raises(StoreError):
        await evening.add(round_, ANN, APART[0])
    monkeypatch.undo()
    # it is not part of the company any more
    assert (await evening.add(round_, BEN, APART[1])).status is PhraseStatus.JOINED
