"""The words of refused forms are kept only for some time, for their author, and up to a limit."""

from __future__ import annotations

from itertools import count

import pytest

from bot.chat.drafts import KEPT_SECONDS, MAX_DRAFTS, MAX_PER_MEMBER, Drafts
from bot.errors import UserError
from bot.texts.faults import TYPED_GONE
from bot.views.components import SentForm
from tests.conftest import Clock

ONE, TWO = 1, 2


def form(prompt: str) -> SentForm:
    return SentForm("remix", (5, 0), {"prompt": prompt})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def drafts(clock: Clock) -> Drafts:
    return Drafts(clock, count(1).__next__)


def is_kept(drafts: Drafts, number: int, user_id: int = ONE) -> bool:
    try:
        drafts.find(number, user_id)
    except UserError as error:
        assert str(error) == TYPED_GONE()
        return False
    return True


def test_only_its_author_finds_a_form_and_only_for_an_hour(drafts: Drafts, clock: Clock):
    number = drafts.keep(ONE, form("dog"))
    assert drafts.find(number, ONE) == form("dog")
    assert not is_kept(drafts, number, TWO)
    clock.now += KEPT_SECONDS - 1
    assert is_kept(drafts, number)
    clock.now += 1
    assert not is_kept(drafts, number)


def test_one_member_keeps_few_forms_and_drives_nobody_elses_out(drafts: Drafts):
    theirs = drafts.keep(TWO, form("cat"))
    own = [drafts.keep(ONE, form(f"dog {n}")) for n in range(MAX_DRAFTS + 5)]
    assert [number for number in own if is_kept(drafts, number)] == own[-MAX_PER_MEMBER:]
    assert is_kept(drafts, theirs, TWO)


def test_all_together_keep_no_more_than_a_bound(drafts: Drafts):
    numbers = {user: drafts.keep(user, form("dog")) for user in range(1, MAX_DRAFTS + 3)}
    assert [u for u, number in numbers.items() if not is_kept(drafts, number, u)] == [1, 2]


def test_what_is_over_leaves_memory_with_the_next_form(drafts: Drafts, clock: Clock):
    drafts.keep(ONE, form("dog"))
    clock.now += KEPT_SECONDS
    drafts.keep(TWO, form("cat"))
    assert len(drafts._drafts) == 1


def test_member_who_deletes_their_data_leaves_nothing(drafts: Drafts):
    own, theirs = drafts.keep(ONE, form("dog")), drafts.keep(TWO, form("cat"))
    drafts.forget(ONE)
    assert not is_kept(drafts, own)
    assert is_kept(drafts, theirs, TWO)


def test_words_are_not_in_what_a_log_would_show():
    assert "dog" not in repr(form("dog"))
