"""What moderators read in the audit log."""

from __future__ import annotations

import json

import pytest

from bot.domain.audit import AuditAction, AuditEntry
from bot.texts.codes import Code
from bot.texts.reasons import because
from bot.views import moderation as moderation_views

A_LOT = "a" * 39 + "…"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            None,
            {"after": "oil paint", "num_inference_steps": 30},
            "text after “oil paint”, steps “30”",
        ),
        ({"after": "oil"}, {"after": "ink"}, "text after “oil” → “ink”"),
        ({"after": "oil", "sampler": "ddim"}, {"after": "oil"}, "sampler “ddim” taken out"),
        ({"after": "oil"}, {"after": "oil", "before": "a print of"}, "text before “a print of”"),
        ({"after": "oil"}, {"after": "oil"}, "as it was"),
        ({"after": "a" * 90}, {"after": "a" * 90 + "b"}, f"text after “{A_LOT}” → “{A_LOT}”"),
        ({"before": "a *bold* print of"}, None, "text before “a \\*bold\\* print of”"),
    ],
)
def test_log_says_what_of_a_style_was_changed(
    old: dict[str, object] | None, new: dict[str, object] | None, words: str
):
    action = AuditAction.STYLE_SAVED if new else AuditAction.STYLE_REMOVED
    values = [json.dumps(each) if each else "" for each in (old, new)]
    entry = AuditEntry(
        action,
        0.0,
        reason=because(Code.STYLE, name="mood"),
        old_value=values[0],
        new_value=values[1],
    )
    shown = moderation_views.describe_entry(entry)
    assert shown.endswith(f"· mood: {words}"), shown
    assert "{" not in shown
