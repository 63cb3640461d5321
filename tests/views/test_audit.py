"""The texts of the audit log for moderators."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from bot.domain.audit import AuditAction, AuditEntry
from bot.texts.catalog import speaking
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
        ({"after": "oil", "sampler": "ddim"}, {"after": "oil"}, "sampler “ddim” removed"),
        ({"after": "oil"}, {"after": "oil", "before": "a print of"}, "text before “a print of”"),
        ({"after": "oil"}, {"after": "oil"}, "unchanged"),
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


def entry_of(action: AuditAction, old: object = None, new: object = None, **rest: Any) -> str:
    values = ["" if each is None else json.dumps(each) for each in (old, new)]
    entry = AuditEntry(action, 0.0, old_value=values[0], new_value=values[1], **rest)
    return audit_views.describe_entry(entry).partition("**")[2]


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("review_everything", None, True, "Review everything: default → on"),
        ("review_everything", True, False, "Review everything: on → off"),
        ("review_hours", 24, 48, "Hours until a card expires: 24 → 48"),
        ("nsfw_threshold", 0.5, None, "Score that flags a picture: 0.5 → default"),
        ("review_channel_id", None, 7, "Review channel: default → <#7>"),
        ("allowed_channel_ids", [7], [7, 8], "Channels to prompt in: <#7> → <#7>, <#8>"),
        ("moderator_role_ids", None, [1, 2, 3, 4, 5], "default → <@&1>, <@&2>, <@&3>, and 2 more"),
        ("picture_action", "hold", "spoiler", "hold it for a moderator → show it under a spoiler"),
        (
            "role_quotas",
            None,
            [{"role_id": 9, "max_cost_per_day": 2.5, "max_waiting": None, "weight": 2, "newer": 1}],
            "Quotas by role: default → <@&9>: cost 2.5 in 24 hours, weight 2",
        ),
        ("of_a_newer_version", None, {"a": 1}, "of\\_a\\_newer\\_version: default → {'a': 1}"),
    ],
)
def test_log_says_what_of_a_setting_was_changed(name: str, old: object, new: object, words: str):
    reason = because(Code.SETTING, name=name)
    assert entry_of(AuditAction.SETTING_CHANGED, old, new, reason=reason).endswith(words)


def test_log_names_the_channel_of_a_setting():
    reason = because(Code.SETTING_OF_CHANNEL, name="review_everything", channel_id=7)
    text = entry_of(AuditAction.SETTING_CHANGED, None, True, reason=reason)
    assert text.endswith("· Review everything (in <#7>): default → on")


@pytest.mark.parametrize(
    ("action", "old", "new", "words"),
    [
        ("struck", None, {"strike": 3, "lapses_at": 86400}, "strike `#3`, expires <t:86400:R>"),
        ("strike_removed", {"strike": 3}, None, "strike `#3`"),
        ("suspended", None, {"until": 86400}, "until <t:86400:f>"),
    ],
)
def test_log_says_which_strike_and_until_when(action: str, old: object, new: object, words: str):
    why = own_words("Rude.")
    text = entry_of(AuditAction(action), old, new, member_id=5, reason=why)
    assert text.endswith(f"** · member <@5> · {words} · Rude.")


def test_log_says_what_retention_has_deleted():
    text = entry_of(AuditAction.RETENTION_ENDED, None, {"prompts": 1, "audit_rows": 2000})
    assert text == "old data deleted** · 1 prompt, 2,000 rows of the audit log"


@pytest.mark.parametrize(
    ("action", "new", "rest", "text"),
    [
        ("paused", True, {"reason": because(Code.SETTING, name="is_paused")}, "paused**"),
        ("rule_added", {"rule_id": 1}, {"rule": "kale"}, "rule added** · rule “kale”"),
        (
            "pictures_held",
            "0.9, unchecked",
            {"rule": "picture check", "reason": because(Code.PICTURES_FLAGGED)},
            "pictures held for review** · rule “picture check” · The picture check has flagged "
            "these pictures.",
        ),
    ],
)
def test_log_says_nothing_twice(action: str, new: object, rest: dict[str, Any], text: str):
    assert entry_of(AuditAction(action), None, new, **rest) == text


@pytest.mark.usefixtures("marked")
def test_what_is_built_in_has_a_name_in_each_language_and_rules_of_people_do_not():
    with speaking("de"):
        assert "de[picture check]" in entry_of(AuditAction.PICTURES_HIDDEN, rule="picture check")
        assert "de[kale]" not in entry_of(AuditAction.PROMPT_REFUSED, rule="kale")


def test_row_about_a_round_names_its_number_and_who_decided():
    entry = AuditEntry(
        AuditAction.PHRASE_STRUCK,
        0.0,
        actor_id=4,
        member_id=3,
        prompt="rude words",
        reason=own_words("be kind"),
        new_value="5",
    )
    first, second = audit_views.describe_entry(entry).splitlines()
    assert first.endswith("**phrase struck out** · member <@3> · by <@4> · round 5 · be kind")
    assert second == "> rude words"
    changed = audit_views.describe_entry(
        AuditEntry(
            AuditAction.SETTING_CHANGED,
            0.0,
            reason=because(Code.SETTING, name="round_role_ids"),
            new_value="[7, 8]",
        )
    )
    assert changed.endswith("Roles that may start a round: default → <@&7>, <@&8>")
