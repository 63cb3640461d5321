"""What moderators read in the audit log."""

from __future__ import annotations

import csv
import io
import json

import pytest

from bot.domain.audit import AuditAction, AuditEntry
from bot.texts.codes import Code
from bot.texts.reasons import because, own_words
from bot.views import audit as audit_views

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
    shown = audit_views.describe_entry(entry)
    assert shown.endswith(f"· mood: {words}"), shown
    assert "{" not in shown


def test_file_of_the_log_has_a_reason_as_code_and_fields_and_sentence():
    reason = because(Code.STRIKES, count=2, last=own_words("=rude"))
    entry = AuditEntry(AuditAction.SUSPENDED, 0.0, reason=reason)
    [row] = csv.DictReader(io.StringIO(audit_views.render_entries([entry])))
    assert (row["reason_code"], row["reason"]) == ("strikes", "2 strikes. The last one: =rude")
    params = json.loads(row["reason_params"])
    assert (params["count"], params["last"]["params"]) == (2, {"text": "=rude"})
    bare = audit_views.list_columns(AuditEntry(AuditAction.DATA_EXPORTED, 0.0))
    assert (bare["reason_code"], bare["reason_params"], bare["reason"]) == ("", "{}", "")


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_nothing_in_the_file_of_the_log_is_a_formula(start: str):
    words = f"{start}1+1"
    entry = AuditEntry(AuditAction.REPORTED, 0.0, prompt=words, reason=own_words(words))
    [row] = csv.DictReader(io.StringIO(audit_views.render_entries([entry])))
    assert (row["prompt"], row["reason"]) == (f"'{words}", f"'{words}")
    assert not [value for value in row.values() if value.startswith(start)]
