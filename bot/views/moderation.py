"""Texts about rules, and texts to members about their own data."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import discord

from bot.domain.jobs import Job
from bot.domain.rules import GuildRule, Outcome, Rule, Verdict
from bot.moderation import Explanation
from bot.policy.rule_editor import Preview
from bot.texts import privacy as privacy_texts
from bot.texts import rules as texts
from bot.texts.lists import AND_MORE
from bot.views.components import PanelItem
from bot.views.escape import cut, quote
from bot.views.jobs import mention_author

RULES_PER_PAGE = 15
_TEXT_MAX = 2000
_VIEW_TEXT_MAX = 4000
_SHOWN = 80
_EXCEPTIONS_SHOWN = 3


def describe_rule(rule: Rule) -> str:
    """Describe a rule in one line."""
    what = texts.KINDS[rule.kind](text=quote(rule.text, _SHOWN))
    text = texts.RULES[rule.action](what=what)
    shown = ", ".join(f"“{quote(each, 30)}”" for each in rule.exceptions[:_EXCEPTIONS_SHOWN])
    if len(rule.exceptions) > _EXCEPTIONS_SHOWN:
        rest = len(rule.exceptions) - _EXCEPTIONS_SHOWN
        return texts.EXCEPT_MORE(rule=text, shown=shown, count=rest)
    return texts.EXCEPT(rule=text, shown=shown) if shown else text


def describe_rules(rules: Sequence[GuildRule], page: int, beyond: Collection[int] = ()) -> str:
    """Return the answer to /rules list. page: starts at 1. beyond: rules that do not apply."""
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
    """Compose the answer to /rules add and the imports."""
    if not added:
        return texts.ALL_IN_FORCE(count=asked)
    said = [texts.ADDED_MANY(count=len(added))]
    if len(added) == 1:
        said = [texts.ADDED(rule_id=added[0].rule_id, rule=describe_rule(added[0].rule))]
    if len(added) < asked:
        said.append(texts.SOME_IN_FORCE(count=asked - len(added)))
    return " ".join(said)


def say_removed(removed: GuildRule) -> str:
    """Compose the answer to /rules remove."""
    return texts.REMOVED(rule_id=removed.rule_id, rule=describe_rule(removed.rule))


def say_copied(text: str, notes: Sequence[str]) -> str:
    """Answer an AutoMod import. text: from ``say_added``. notes: rules that cannot be copied."""
    if not notes:
        return text
    return _join(f"{text}\n{texts.NOT_COPIED()}", [f"• {quote(note, 200)}" for note in notes], "")


def describe_explanation(explanation: Explanation, *, has_review: bool) -> str:
    """Return the private answer to /rules test."""
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
    """Name the rule that decided: its text, or the name of a built-in class."""
    known = texts.BUILT_IN.get(rule)
    return quote(rule, _SHOWN) if known is None else known()


def _list_found(explanation: Explanation) -> list[str]:
    """List each match once."""
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
    """Return the private answer to /rules preview."""
    said = (
        texts.PREVIEWED(count=preview.num_prompts),
        texts.WOULD_BE[rule.action](count=len(preview.met)),
        texts.NOTHING_SAVED(),
    )
    head = f"{describe_rule(rule)}\n{' '.join(said)}"
    return _join(head, [_describe_met(job, preview) for job in preview.met], "")


def _describe_met(job: Job, preview: Preview) -> str:
    is_sealed = job.job_id in preview.sealed
    said = texts.SEALED() if is_sealed else quote(job.recipe.prompt, 100)
    asked = f"<t:{job.accepted_at:.0f}:d> {mention_author(job)}".rstrip()
    return f"• {asked}: {said}"


def compose_text(
    text: str, *items: discord.ui.Item[Any], accent: discord.Colour | None = None
) -> discord.ui.LayoutView:
    """Build a message from text, cut at Discord's limit, and rows of buttons or selects."""
    view = discord.ui.LayoutView(timeout=None)
    shown = discord.ui.TextDisplay[Any](cut(text, _VIEW_TEXT_MAX))
    view.add_item(discord.ui.Container(shown, *items, accent_colour=accent))
    return view


def compose_deletion() -> discord.ui.LayoutView:
    """Build the question that /privacy delete asks first."""
    style = discord.ButtonStyle.danger
    button = discord.ui.Button[Any](label=privacy_texts.DELETE(), style=style)
    row = discord.ui.ActionRow[Any](PanelItem("privacy", "delete", button))
    return compose_text(privacy_texts.CONFIRM_DELETION(), row)


def say_deleted(count: int, num_messages: int) -> str:
    """Say what was deleted of a member's data, what will be deleted, and what stays."""
    said = [privacy_texts.DELETED(count=count)]
    if num_messages:
        said.append(privacy_texts.MESSAGES_GO(count=num_messages))
    return " ".join([*said, privacy_texts.STAYS()])


def _join(head: str, lines: Sequence[str], tail: str, limit: int = _TEXT_MAX) -> str:
    """Join as many lines as fit, and say how many are left out."""
    room = limit - len(head) - len(tail) - 30  # characters for the line that counts the rest
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            kept.append(f"• {AND_MORE(count=len(lines) - len(kept))}")
            break
        kept.append(line)
    return "\n".join([head, *kept, *([tail] if tail else [])])
