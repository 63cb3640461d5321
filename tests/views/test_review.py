"""Reasons that people wrote are shown to others only as text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.review import Card, CardKind, Case, Strike, Suspension
from bot.texts.codes import Code
from bot.texts.reasons import because, own_words
from bot.views import audit as audit_views
from bot.views import review as review_views
from tests.views.test_jobs import make_job, text_of

WHY = own_words("**rude** <@1> @everyone [here](https://a.example)")
QUOTED = r"\*\*rude\*\* \<@"
SUSPENSION = Suspension(1, 2, 3, WHY, 4, 0.0, 1.0)
HELD = because(Code.STRIKES, count=2, last=WHY)  # any reason that contains another one
CARD = Card(1, CardKind.HELD, 2, 3, 0.0, job_id=5)


@pytest.mark.parametrize(
    "text",
    [
        review_views.describe_suspension(SUSPENSION),
        review_views.say_strikes(3, [Strike(1, 3, WHY, 4, 0.0, 1.0)], None),
        text_of(
            review_views.compose_card(Case(CARD, replace(make_job(), is_held=True, held_for=HELD)))[
                0
            ]
        ),
        audit_views.describe_entry(AuditEntry(AuditAction.STRUCK, 0.0, reason=WHY)),
        audit_views.describe_entry(
            AuditEntry(AuditAction.SETTING_CHANGED, 0.0, reason=WHY, new_value="on")
        ),
    ],
    ids=["suspension", "strikes", "card", "audit", "change"],
)
def test_reason_in_a_persons_own_words_has_no_live_markdown_or_mention(text: str):
    assert QUOTED in text
    assert "**rude**" not in text
    assert "@everyone" not in text
    assert "[here](" not in text


def test_one_strike_is_one_strike_and_a_reason_ends_its_line():
    why = because(Code.STRUCK_FOR_REPORTED)
    assert review_views.say_struck(3, None, 1) == "<@3> has 1 strike now."
    assert review_views.say_struck(3, None, 2) == "<@3> has 2 strikes now."
    text = review_views.say_strikes(3, [Strike(1, 3, why, 4, 0.0, 60.0)], None)
    assert text.splitlines()[1] == (
        "• `#1` by <@4>, expires <t:60:R>: A moderator removed pictures of yours that members had "
        "reported."
    )
    for count, said in ((1, "· 1 strike ·"), (2, "· 2 strikes ·")):
        view, _ = review_views.compose_card(Case(CARD, make_job(), strikes=count))
        assert said in text_of(view)
