"""Messages about rounds fit into Discord's limits and show people's words only as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import discord
import pytest

from bot.domain.jobs import JobStatus
from bot.domain.rounds import (
    Ballot,
    Choosing,
    Phrase,
    PhraseStatus,
    Round,
    RoundState,
    RoundStatus,
)
from bot.jobs.ports import Delivery, Ended, Hidden, InProgress, InReview, Waiting
from bot.texts import catalog
from bot.texts.catalog import speaking
from bot.texts.codes import Code
from bot.texts.reasons import because
from bot.views import round_answers as answers
from bot.views import rounds as views
from playground.wire.components import check_components, check_modal
from playground.wire.errors import FormErrors
from tests.texts.catalogues import PSEUDO, forget, write_pseudo_locale
from tests.views.test_jobs import buttons_of, make_delivery, make_job, text_of

BIG = 2**63 - 1
NASTY = "**rude** <@1> @everyone `x` [a](https://a.example) discord.gg/abcdef |||| __"
LONGEST = {"plain": "w" * 80, "escaped": "*" * 80, "right to left": "א*" * 40, "nasty": NASTY}
LOCALES = ["en-US", PSEUDO]


@pytest.fixture(scope="module", autouse=True)
def pseudo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("locales")
    write_pseudo_locale(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "LOCALES", folder)
        forget()
        yield
    forget()


def make_round(status: RoundStatus = RoundStatus.OPEN, **changes: Any) -> Round:
    made = Round(
        BIG, BIG, BIG, BIG, "a market on the moon", status, 5, Choosing.VOTES, False, 0.0, 600.0
    )
    return replace(made, message_id=BIG, **changes)


def make_phrase(number: int = 1, text: str = "a sleeping fox", **changes: Any) -> Phrase:
    made = Phrase(number, BIG, BIG, 10**18 + number, text, PhraseStatus.JOINED, 0.0)
    return replace(made, **changes)


def make_state(status: RoundStatus = RoundStatus.OPEN, **changes: Any) -> RoundState:
    return RoundState(make_round(status), (make_phrase(),), **changes)


def make_full(status: RoundStatus, text: str, locale: str) -> RoundState:
    """Return a round with the most and the longest of everything."""
    theme = (text * 3)[:200]
    round_ = make_round(
        status,
        theme=theme,
        guild_locale=locale,
        style="s" * 32,
        asks_until=1.0,
        votes_until=1.0,
        winner=1 if status is RoundStatus.ENDED else None,
        tally=(10**6, 10**6, 10**6),
        lot_seed=3 * 2**30,
        reason=because(Code.ROUND_OUT_OF_REACH, why=because(Code.MESSAGE_OUT_OF_REACH)),
    )
    phrases = tuple(
        make_phrase(n, text, votes=10**6, place=n if status is not RoundStatus.OPEN else None)
        for n in range(1, 301)
    )
    job = None
    if status not in {RoundStatus.OPEN, RoundStatus.ASKING}:
        job = make_job((text * 40)[:2000], status=JobStatus.DELIVERED)
    ancestors = tuple(make_round(RoundStatus.ENDED, theme=theme) for _ in range(50))
    tally = round_.tally
    return RoundState(round_, phrases, 500, 10**6, job, tally, (1, 2, 3), ancestors)


def check(view: discord.ui.LayoutView, *file_names: str) -> None:
    """Check the view as Discord does."""
    errors = FormErrors()
    check_components(view.to_components(), file_names, errors, is_v2=True)
    errors.raise_if_any()


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("text", LONGEST.values(), ids=LONGEST)
@pytest.mark.parametrize("status", RoundStatus)
def test_longest_round_fits_into_its_message(status: RoundStatus, text: str, locale: str):
    state = make_full(status, text, locale)
    check(views.compose_round(state))
    check(views.compose_round(state, "a.png"), "a.png")
    check(views.compose_round(views.withhold_words(state)))


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("text", LONGEST.values(), ids=LONGEST)
def test_longest_round_fits_while_it_is_drawn_and_when_it_is_won(text: str, locale: str):
    state = make_full(RoundStatus.DRAWING, text, locale)
    for update in (Waiting(None), InProgress(1, 2), InReview(), Hidden(), Ended()):
        check(views.compose_progress(state, update))
    check(views.compose_progress(state, InProgress(1, 2), "p.webp"), "p.webp")
    delivery: Delivery = make_delivery()
    check(views.compose_delivery(state, delivery, "a.png"), "a.png")
    check(views.compose_delivery(state, delivery))
    names = ("1.webp", "2.webp", "3.webp")
    check(views.compose_delivery(state, delivery, *names), *names)
    won = make_full(RoundStatus.ENDED, text, locale)
    check(views.compose_winner(won, "w.png"), "w.png")
    check(views.compose_winner(won, "w.png", "https://discord.com/channels/1/2/3"), "w.png")


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("text", LONGEST.values(), ids=LONGEST)
def test_longest_private_answers_and_forms_fit(text: str, locale: str):
    state = make_full(RoundStatus.OPEN, text, locale)
    ballots = [Ballot(each, True) for each in state.phrases]
    with speaking(locale):
        for page in (-1, 0, 5, 19, 10**6):
            check(answers.compose_all(state.round, state.phrases, page))
            check(answers.compose_ballots(BIG, ballots, page, "saved"))
            check(answers.compose_to_strike(BIG, state.phrases, page))
        check(answers.compose_own(BIG, state.phrases[:5]))
        check(answers.compose_confirmation(state.phrases[0], BIG))
        past = [make_full(RoundStatus.ENDED, text, locale)] * answers.HISTORY_PAGE
        check(answers.compose_history(past, older=BIG, is_first=True))
        check(answers.compose_help())
        for form in (
            answers.compose_phrase_form(BIG),
            answers.compose_next_form(state.round),
            answers.compose_reason_form(f"out.{BIG}", gives_strike=True),
        ):
            errors = FormErrors()
            check_modal(form.to_dict(), errors)
            errors.raise_if_any()


def list_all_texts() -> list[str]:
    """List the text of every message and answer that shows people's words."""
    texts: list[str] = []
    for status in RoundStatus:
        state = make_full(status, NASTY, "en-US")
        texts.append(text_of(views.compose_round(state)))
    drawing = make_full(RoundStatus.DRAWING, NASTY, "en-US")
    texts.append(text_of(views.compose_progress(drawing, Waiting(None))))
    won = make_full(RoundStatus.ENDED, NASTY, "en-US")
    texts.append(text_of(views.compose_winner(won, "w.png")))
    texts.append(text_of(answers.compose_all(won.round, won.phrases, 0)))
    texts.append(text_of(answers.compose_history([won], older=None, is_first=True)))
    texts.append(text_of(answers.compose_confirmation(won.phrases[0], 5)))
    texts.append(answers.say_added(won.phrases[0]))
    texts.append(answers.say_taken_back(won.phrases[0]))
    texts.append(answers.say_struck_out(won.phrases[0], gives_strike=False))
    return texts


def test_no_words_of_people_are_markdown_mentions_or_links():
    for text in list_all_texts():
        assert r"\*\*rude\*\*" in text
        for live in ("**rude", " <@1>", "@everyone", "[a](", "https://a.example", "discord.gg/"):
            assert live not in text, (live, text)


def test_open_round_shows_the_newest_phrases_and_counts_the_others():
    state = make_full(RoundStatus.OPEN, "w" * 80, "en-US")
    text = text_of(views.compose_round(state))
    shown = text.count("• ")
    assert shown > 20
    assert f"and {300 - shown} older phrases" in text
    assert "<@1000000000000000300>" in text
    assert "<@1000000000000000001>" not in text


def test_open_round_says_how_much_there_is_and_how_much_fits():
    phrases = (make_phrase(1, votes=1), make_phrase(2, "red lanterns"))
    state = replace(make_state(words_left=12, num_held=2), phrases=phrases)
    text = text_of(views.compose_round(state))
    assert "Closes <t:600:R>" in text
    assert "**2 phrases from 2 people.**" in text
    assert "room for about 12 more words" in text
    assert "2 phrases wait for a moderator" in text
    assert "• a sleeping fox · <@1000000000000000001> · 1 vote" in text
    full = text_of(views.compose_round(replace(state, words_left=0)))
    assert "The prompt is full" in full
    assert "room for" not in text_of(views.compose_round(replace(state, words_left=None)))


def test_anonymous_round_names_no_author_before_its_end():
    round_ = make_round(is_anonymous=True)
    state = RoundState(round_, (make_phrase(user_id=0),))
    text = text_of(views.compose_round(state))
    assert text.count("<@") == 1  # the starter
    assert "The authors are named when the round ends" in text
    assert "people" not in text.partition("\n**1 phrase")[2]


def test_round_in_which_all_phrases_count_has_no_votes():
    state = RoundState(make_round(choosing=Choosing.ALL), (make_phrase(),))
    view = views.compose_round(state)
    assert "vote" not in text_of(view)
    assert not [each for each in buttons_of(view) if "roundvote" in each]


@pytest.mark.parametrize("status", [RoundStatus.FAILED, RoundStatus.CANCELLED])
def test_round_without_pictures_says_why_and_has_no_buttons(status: RoundStatus):
    round_ = make_round(status, reason=because(Code.ROUND_EMPTY))
    view = views.compose_round(RoundState(round_))
    assert "without a phrase that can be drawn" in text_of(view)
    assert buttons_of(view) == []


def test_vote_has_a_button_for_each_picture_that_people_may_see():
    job = make_job(status=JobStatus.DELIVERED)
    state = make_state(RoundStatus.VOTING, job=job, panels=(1, 3))
    view = views.compose_round(state, "a.png")
    disabled = {
        item.item.label: item.item.disabled
        for item in view.walk_children()
        if isinstance(item, discord.ui.DynamicItem)
    }
    assert disabled["Vote for 1"] is disabled["Vote for 3"] is False
    assert disabled["Vote for 2"] is True
    hidden = views.compose_round(replace(state, job=replace(job, hidden=True)))
    assert str(hidden.to_components()).count("'disabled': True") == 3


@pytest.mark.parametrize("status", [RoundStatus.VOTING, RoundStatus.ENDED])
@pytest.mark.parametrize("change", [{"hidden": True}, {"deleted_at": 1.0, "deleted_by": 5}])
def test_words_of_pictures_that_nobody_may_see_are_left_out(
    status: RoundStatus, change: dict[str, Any]
):
    job = make_job(status=JobStatus.DELIVERED, **change)
    state = RoundState(make_round(status), (make_phrase(place=1),), job=job)
    assert "sleeping fox" not in text_of(views.compose_round(state))


@pytest.mark.parametrize("status", [RoundStatus.FAILED, RoundStatus.CANCELLED])
def test_round_that_ended_without_pictures_shows_no_prompt(status: RoundStatus):
    job = make_job("a sleeping fox", status=JobStatus.REFUSED, reason=because(Code.DELETED))
    round_ = make_round(status, reason=because(Code.ROUND_CANCELLED))
    state = RoundState(round_, (make_phrase(place=1),), job=job)
    assert "sleeping fox" not in text_of(views.compose_round(state))
    assert "sleeping fox" not in text_of(views.compose_progress(state, Ended()))
    drawn = replace(state, job=replace(job, status=JobStatus.DELIVERED))
    assert "sleeping fox" in text_of(views.compose_round(drawn, "a.png"))


def test_lot_is_explained_so_that_anybody_can_check_it():
    round_ = make_round(RoundStatus.ENDED, winner=3, tally=(2, 1, 2), lot_seed=7)
    state = RoundState(round_, (make_phrase(place=1),), job=make_job(), tally=(2, 1, 2))
    text = text_of(views.compose_round(state))
    assert "**Picture 3 has won**, with 2 votes." in text
    assert "Pictures 1 and 3 had the same number of votes" in text
    assert "The number 7 was drawn. Divided by 2, it leaves the remainder 1." in text
    assert "Phrases by <@1000000000000000001>" in text
    assert "Picture 1: 2 votes · Picture 2: 1 vote · Picture 3: 2 votes" in text


@pytest.mark.parametrize(
    "changes", [{"status": JobStatus.REFUSED}, {"status": JobStatus.DELIVERED, "hidden": True}]
)
def test_prompt_that_is_refused_or_hidden_is_not_shown(changes: dict[str, Any]):
    job = replace(make_job("a sleeping fox", status=JobStatus.REFUSED), **changes)
    state = RoundState(make_round(RoundStatus.FAILED), (make_phrase(place=1),), job=job)
    assert "fox" not in text_of(views.compose_round(state))
    assert "fox" not in text_of(views.compose_progress(state, Ended()))


def test_deleted_phrase_leaves_the_others():
    phrases = (make_phrase(1, "", user_id=0, place=1), make_phrase(2, place=1))
    state = RoundState(make_round(RoundStatus.VOTING, votes_until=1.0), phrases, job=make_job())
    text = text_of(views.compose_round(state))
    assert "• (deleted by its author)" in text
    assert "• a sleeping fox" in text


def test_deleted_starter_is_not_named():
    round_ = make_round(theme="", starter_id=0)
    text = text_of(views.compose_round(RoundState(round_, (make_phrase(),))))
    assert "Together: (deleted by its author)" in text
    assert "<@0>" not in text


def test_round_is_in_the_language_of_its_server(monkeypatch: pytest.MonkeyPatch):
    state = RoundState(make_round(guild_locale=PSEUDO))
    with speaking("en-US"):
        assert "⟦" in text_of(views.compose_round(state))
        assert "⟦" in views.compose_question(state, "https://discord.com")


def test_words_that_discord_refuses_can_be_left_out():
    state = make_full(RoundStatus.VOTING, "secret", "en-US")
    bare = views.withhold_words(state)
    shown = str(views.compose_round(bare, "a.png").to_components())
    assert "secret" not in shown
    assert "AutoMod" in shown


def test_members_choose_among_pages_of_25_phrases():
    ballots = [Ballot(make_phrase(n), n in {1, 26}) for n in range(1, 52)]
    view = answers.compose_ballots(7, ballots, 1)
    [select] = [
        each.item
        for each in view.walk_children()
        if isinstance(each, discord.ui.DynamicItem) and isinstance(each.item, discord.ui.Select)
    ]
    assert [option.value for option in select.options] == [str(n) for n in range(26, 51)]
    assert [option.value for option in select.options if option.default] == ["26"]
    assert select.custom_id == "v1:round:vote.7.1.26.50"
    assert "Page 2 of 3" in text_of(view)
