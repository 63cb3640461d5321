"""What the bot says to moderators, and to members about their own data."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import discord

from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.jobs import Job
from bot.domain.rules import GuildRule, Outcome, Rule, Verdict
from bot.moderation import Explanation
from bot.policy.rule_editor import Preview
from bot.texts import rules as texts
from bot.texts.lists import AND_MORE
from bot.texts.reasons import Reason, describe, say
from bot.views.components import PanelItem
from bot.views.escape import quote

RULES_PER_PAGE = 15
_TEXT_MAX = 2000
_VIEW_TEXT_MAX = 4000
_SHOWN = 80
_EXCEPTIONS_SHOWN = 3
PAUSED = (
    "Triptych is paused in this server: new prompts are refused with a sentence, what waits stays "
    "in the queue and is drawn. `/resume` ends it."
)
RESUMED = "Triptych takes prompts in this server again."
ALREADY_PAUSED = "Triptych is paused here already. Nothing was changed."
NOT_PAUSED = "Triptych is not paused here. Nothing was changed."
NO_ENTRIES = "Nothing on record fits."
PRIVACY = (
    "**What Triptych keeps of you**\n"
    "• Your prompts with their settings, the pictures, when and where you asked, what it cost.\n"
    "• Decisions about your prompts, for the moderators of the server in which you asked.\n"
    "• Your reports and appeals, your strikes and suspensions.\n"
    "In a server all of it goes when its time is over (90 days, unless the server chose another); "
    "a strike or suspension that still counts stays until it does not. What is of direct messages "
    "goes after 90 days. Messages in channels stay: ⋯ under your pictures deletes them while they "
    "are on record, later a moderator can. Nothing leaves this machine but what you see in "
    "Discord. The owner's daily backups keep what was deleted for up to a week more, and copies "
    "from an upgrade, a restore or a rescue until the owner deletes them.\n"
    "`/privacy export` gives you the record as a file. `/privacy delete` deletes it."
)
CONFIRM_DELETION = (
    "This deletes all your prompts and pictures, in every server and in direct messages, and what "
    "you wrote in reports and appeals, and cancels what waits or is being drawn. It cannot be "
    "undone. Kept are: that a prompt was there, and its cost, without its words, for one more day, "
    "so that quotas hold; and decisions of moderators, without the words, until each server's time "
    "for them is over."
)


def say_deleted(num_jobs: int) -> str:
    """After /privacy delete."""
    what = "one prompt" if num_jobs == 1 else f"{num_jobs} prompts"
    return f"Done: the words and pictures of {what} are deleted."


def describe_rule(rule: Rule) -> str:
    """One line."""
    what = texts.KINDS[rule.kind](text=quote(rule.text, _SHOWN))
    text = texts.RULES[rule.action](what=what)
    shown = ", ".join(f"“{quote(each, 30)}”" for each in rule.exceptions[:_EXCEPTIONS_SHOWN])
    if len(rule.exceptions) > _EXCEPTIONS_SHOWN:
        rest = len(rule.exceptions) - _EXCEPTIONS_SHOWN
        return texts.EXCEPT_MORE(rule=text, shown=shown, count=rest)
    return texts.EXCEPT(rule=text, shown=shown) if shown else text


def describe_rules(rules: Sequence[GuildRule], page: int, beyond: Collection[int] = ()) -> str:
    """The private answer to /rules list. page: from 1. beyond: those that do not apply."""
    if not rules:
        return texts.NO_RULES()
    num_pages = -(-len(rules) // RULES_PER_PAGE)
    page = min(max(page, 1), num_pages)
    shown = rules[(page - 1) * RULES_PER_PAGE : page * RULES_PER_PAGE]
    head = texts.LISTED(count=len(rules), page=page, num_pages=num_pages)
    if beyond:
        head += f"\n{texts.LISTED_BEYOND(count=len(beyond))}"
    lines = [_describe_numbered(each, is_off=each.rule_id in beyond) for each in shown]
    tail = f"-# {texts.NEXT_PAGE(page=page + 1)}" if page < num_pages else ""
    return _join(head, lines, tail)


def _describe_numbered(rule: GuildRule, *, is_off: bool) -> str:
    text = f"`#{rule.rule_id}` {describe_rule(rule.rule)}"
    return texts.SWITCHED_OFF(rule=text) if is_off else text


def say_added(added: Sequence[GuildRule], asked: int) -> str:
    """After /rules add and the imports."""
    if not added:
        return texts.ALL_IN_FORCE(count=asked)
    said = [texts.ADDED_MANY(count=len(added))]
    if len(added) == 1:
        said = [texts.ADDED(rule_id=added[0].rule_id, rule=describe_rule(added[0].rule))]
    if len(added) < asked:
        said.append(texts.SOME_IN_FORCE(count=asked - len(added)))
    return " ".join(said)


def say_removed(removed: GuildRule) -> str:
    """After /rules remove."""
    return texts.REMOVED(rule_id=removed.rule_id, rule=describe_rule(removed.rule))


def say_copied(text: str, notes: Sequence[str]) -> str:
    """After /rules import-automod; text: ``say_added``. notes: what cannot be copied."""
    if not notes:
        return text
    return _join(f"{text}\n{texts.NOT_COPIED()}", [f"• {quote(note, 200)}" for note in notes], "")


def describe_explanation(explanation: Explanation, *, has_review: bool) -> str:
    """The private answer to /rules test."""
    verdict = explanation.verdict
    lines = [f"__{texts.HOW_READ()}__"]
    lines += [f"• {_say_form(each.form)}: {quote(each.text, 150)}" for each in explanation.readings]
    lines += [f"__{texts.FOUND()}__", *_list_found(explanation)]
    is_refused = verdict.outcome is Outcome.HOLD and not has_review
    tail = f"-# {texts.NO_LANE()}" if is_refused else ""
    return _join(_describe_verdict(verdict), lines, tail)


def _describe_verdict(verdict: Verdict) -> str:
    if not verdict.rule:
        return texts.VERDICTS[verdict.outcome]()
    text = texts.VERDICTS_BY[verdict.outcome](rule=name_rule(verdict.rule))
    return f"{text} ({_say_form(verdict.form)})" if verdict.form else text


def name_rule(rule: str) -> str:
    """What decided, as it is on record: the text of a rule, or something built in."""
    known = texts.BUILT_IN.get(rule)
    return quote(rule if known is None else known(), _SHOWN)


def _list_found(explanation: Explanation) -> list[str]:
    """Each once."""
    found: dict[str, None] = {}
    for each in explanation.findings:
        text = f"{describe_rule(each.rule)} ({_say_form(each.form)})"
        found[texts.EXCEPTED(finding=text) if each.is_excepted else text] = None
    verdict = explanation.verdict
    if not found:
        is_allowed = verdict.outcome is Outcome.ALLOW
        found[texts.FOUND_NONE() if is_allowed else name_rule(verdict.rule)] = None
    return [f"• {text}" for text in found]


def _say_form(form: str) -> str:
    return texts.FORMS[form]()


def describe_preview(rule: Rule, preview: Preview) -> str:
    """The private answer to /rules preview."""
    said = (
        texts.PREVIEWED(count=preview.num_prompts),
        texts.WOULD_BE[rule.action](count=len(preview.met)),
        texts.NOTHING_SAVED(),
    )
    head = f"{describe_rule(rule)}\n{' '.join(said)}"
    return _join(head, [_describe_met(job) for job in preview.met], "")


def _describe_met(job: Job) -> str:
    return f"• <t:{job.accepted_at:.0f}:d> <@{job.origin.user_id}>: {quote(job.recipe.prompt, 100)}"


_ACTIONS = {
    AuditAction.PROMPT_REFUSED: "prompt refused",
    AuditAction.PROMPT_HELD: "prompt held for review",
    AuditAction.PROMPT_COVERED: "prompt covered with a spoiler",
    AuditAction.RETENTION_ENDED: "old records deleted",
    AuditAction.DATA_EXPORTED: "member's data exported",
    AuditAction.DATA_DELETED: "member's data deleted",
}


def describe_entry(entry: AuditEntry) -> str:
    """One row of the audit log, in a line or two."""
    action = _ACTIONS.get(entry.action, entry.action.replace("_", " "))
    parts = [f"`#{entry.entry_id}` <t:{entry.at:.0f}:f> **{action}**"]
    if entry.member_id is not None:
        parts.append(f"member <@{entry.member_id}>")
    if entry.actor_id:
        parts.append(f"by <@{entry.actor_id}>")
    if entry.job_id is not None:
        parts.append(f"prompt {entry.job_id}")
    if entry.rule:
        parts.append(f"rule “{quote(entry.rule, _SHOWN)}”")
    if entry.old_value or entry.new_value:
        parts.append(_describe_change(entry))
    elif entry.reason is not None and not entry.rule:
        parts.append(quote(say(entry.reason), _SHOWN))
    lines = [" · ".join(parts)]
    if entry.prompt:
        lines.append(f"> {quote(entry.prompt, _SHOWN)}")
    return "\n".join(lines)


def compose_entries(entries: Sequence[AuditEntry]) -> discord.ui.LayoutView:
    """A message for the mod-log channel."""
    return compose_text("\n".join(map(describe_entry, entries)))


def compose_text(
    text: str, *items: discord.ui.Item[Any], accent: discord.Colour | None = None
) -> discord.ui.LayoutView:
    """Text in a frame, cut where Discord would refuse it, and rows of buttons or selects."""
    view = discord.ui.LayoutView(timeout=None)
    shown = discord.ui.TextDisplay[Any](text[:_VIEW_TEXT_MAX])
    view.add_item(discord.ui.Container(shown, *items, accent_colour=accent))
    return view


def compose_audit_page(entries: Sequence[AuditEntry], older: str | None) -> discord.ui.LayoutView:
    """The private answer to /audit search. older: the path of the button for the next page."""
    if not entries:
        return compose_text(NO_ENTRIES)
    text = "\n".join(map(describe_entry, entries))
    if older is None:
        return compose_text(text)
    button = PanelItem("audit", older, discord.ui.Button[Any](label="Older"))
    return compose_text(text, discord.ui.ActionRow[Any](button))


def compose_deletion() -> discord.ui.LayoutView:
    """Asks before /privacy delete."""
    style = discord.ButtonStyle.danger
    button = discord.ui.Button[Any](label="Delete everything", style=style)
    row = discord.ui.ActionRow[Any](PanelItem("privacy", "delete", button))
    return compose_text(CONFIRM_DELETION, row)


def _describe_change(entry: AuditEntry) -> str:
    name = "" if entry.reason is None else f"{quote(say(entry.reason), _SHOWN)}: "
    if entry.rule:  # its text says it all
        return name.removesuffix(": ")
    if entry.action in {AuditAction.STYLE_SAVED, AuditAction.STYLE_REMOVED}:
        return name + _describe_style_change(entry)
    old, new = (quote(value, _SHOWN) or "default" for value in (entry.old_value, entry.new_value))
    return f"{name}{old} → {new}"


_STYLE_SHOWN = 40  # characters: a row may say three texts, before and after
_STYLE_PARTS = {
    "before": "text before",
    "after": "text after",
    "negative_prompt": "negative prompt",
    "sampler": "sampler",
    "num_inference_steps": "steps",
}


def _describe_style_change(entry: AuditEntry) -> str:
    """What of a style is another now; all of it for one that is new, or that is gone."""
    old, new = (json.loads(value or "{}") for value in (entry.old_value, entry.new_value))
    parts: list[str] = []
    for key, label in _STYLE_PARTS.items():
        before, after = (str(values.get(key, "")) for values in (old, new))
        if before == after:
            continue
        shown = [f"“{quote(each, _STYLE_SHOWN)}”" for each in (before, after) if each]
        taken = " taken out" if new and not after else ""
        parts.append(f"{label} {' → '.join(shown)}{taken}")
    return ", ".join(parts) or "as it was"


def render_entries(entries: Sequence[AuditEntry]) -> str:
    """Rows as CSV, with a line of names; nothing in it is a formula for a spreadsheet."""
    buffer = io.StringIO()
    table = csv.writer(buffer)
    table.writerow(_AUDIT_COLUMNS)
    for entry in entries:
        table.writerow(_defuse(value) for value in list_columns(entry).values())
    return buffer.getvalue()


def list_columns(entry: AuditEntry) -> dict[str, str | int | float | None]:
    """A row by the names of its columns; ids as text, which spreadsheets would round."""
    values: dict[str, str | int | float | None] = {}
    why = _list_reason(entry.reason)
    for name in _AUDIT_COLUMNS:
        value = why[name] if name in why else getattr(entry, name)
        if name == "at":
            value = datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="milliseconds")
        elif name.endswith("_id") and name != "entry_id" and value is not None:
            value = str(value)
        values[name] = value
    return values


def _list_reason(reason: Reason | None) -> dict[str, str]:
    known = describe(reason)
    if known is None:
        return {"reason_code": "", "reason_params": "{}", "reason": ""}
    params = json.dumps(known["params"], ensure_ascii=False)
    return {"reason_code": known["code"], "reason_params": params, "reason": known["sentence"]}


_AUDIT_COLUMNS = ("entry_id", "at", "action", "guild_id", "actor_id", "member_id", "job_id",
                  "rule", "rules_version", "prompt", "prompt_hash", "reason_code",
                  "reason_params", "reason", "old_value", "new_value")  # fmt: skip


def _defuse(value: object) -> object:
    is_formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if is_formula else value


def _join(head: str, lines: Sequence[str], tail: str, limit: int = _TEXT_MAX) -> str:
    """As many lines as fit, and how many do not."""
    room = limit - len(head) - len(tail) - 30  # for the line that counts the rest
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            kept.append(f"• {AND_MORE(count=len(lines) - len(kept))}")
            break
        kept.append(line)
    return "\n".join([head, *kept, *([tail] if tail else [])])
