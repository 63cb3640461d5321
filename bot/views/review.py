"""Builds moderators' cards, and texts about strikes and suspensions."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import discord

from bot.domain.jobs import Job
from bot.domain.review import (
    AGAINST_MEMBER,
    CHOICES,
    SHOWING,
    Card,
    CardKind,
    Case,
    Decision,
    Report,
    Strike,
    Suspension,
)
from bot.domain.rules import GuildRule
from bot.texts import review as texts
from bot.texts import sanctions as sanction_texts
from bot.texts.lists import AND_MORE
from bot.texts.reasons import say
from bot.texts.rules import KINDS
from bot.views.components import JobButton, JobModal, compose_answer
from bot.views.escape import quote

REASON_MAX = 300
APPEAL_MAX = 500
# characters of a prompt; escaping may double them, and a message has room for 4000 in all
_PROMPT_SHOWN = 900
_REPORTS_SHOWN = 5
_RULES_SHOWN = 15

_STYLES = {
    **dict.fromkeys((Decision.APPROVE, Decision.RESTORE), discord.ButtonStyle.success),
    **dict.fromkeys(
        (Decision.REFUSE, Decision.SUSPEND, Decision.REMOVE, Decision.STRIKE),
        discord.ButtonStyle.danger,
    ),
}


def compose_card(case: Case) -> tuple[discord.ui.LayoutView, list[discord.File]]:
    """Build a card: who, where, what, why, and either the buttons or the outcome."""
    card, files = case.card, list[discord.File]()
    parts: list[discord.ui.Item[Any]] = [discord.ui.TextDisplay(_describe(case))]
    if case.picture is not None:
        name = f"card-{card.card_id}.png"
        files.append(discord.File(BytesIO(case.picture), filename=name))
        item = discord.MediaGalleryItem(f"attachment://{name}", description=texts.BLURRED())
        parts.append(discord.ui.MediaGallery(item))
    if card.decision is None:
        buttons = [
            JobButton(
                choice,
                card.card_id,
                int(case.is_bare),
                label=texts.BUTTONS[choice](),
                style=_STYLES.get(choice, discord.ButtonStyle.secondary),
            )
            for choice in CHOICES[card.kind]
            if not (case.is_sealed and choice in SHOWING)
            and (card.member_id or choice not in AGAINST_MEMBER)
        ]
        has_more = case.job is not None or (case.phrase is not None and case.is_bare)
        if has_more and not case.is_sealed:
            buttons.append(JobButton("reveal", card.card_id, label=texts.REVEAL()))
        parts.append(discord.ui.ActionRow[Any](*buttons))
    else:
        left_to_do = f" {texts.DELETE_BY_HAND()}" if case.delete_by_hand else ""
        parts.append(discord.ui.TextDisplay(f"**{describe_outcome(card)}**{left_to_do}"))
    view = discord.ui.LayoutView(timeout=None)
    view.add_item(discord.ui.Container(*parts))
    return view, files


def describe_outcome(card: Card) -> str:
    """Say how a card was decided, and by whom."""
    assert card.decision is not None
    at = card.decided_at or card.opened_at
    return texts.OUTCOMES[card.decision](by=card.decided_by, at=at)


def _describe(case: Case) -> str:
    card, job = case.card, case.job
    if card.kind is CardKind.RULES:
        beyond = texts.BARE() if case.is_bare else _describe_beyond(case.beyond)
        return f"### {texts.TITLES[card.kind]()}\n{beyond}"
    has_pictures = card.kind is CardKind.HELD and job is not None and job.rendered_at is not None
    title = texts.PICTURES_WAIT if has_pictures else texts.TITLES[card.kind]
    lines = [f"### {title()}", _describe_who(case), *_describe_job(case), *_describe_phrase(case)]
    starts = job is not None and job.recipe.start is not None and job.rendered_at is None
    if starts and card.decision is None and not case.is_sealed:
        start = texts.START_GONE if case.picture is None else texts.STARTS_BLURRED
        lines.append(start())
    lines += _describe_reports(case)
    if case.is_bare:
        lines.append(texts.BARE())
    elif case.suspension is not None:
        lines.append(describe_suspension(case.suspension))
        lines.append(f"> {quote(case.suspension.appeal, APPEAL_MAX)}")
    if card.decision is None and card.expires_at is not None:
        lines.append(f"-# {texts.EXPIRES(at=card.expires_at)}")
    return "\n".join(lines)


def _describe_phrase(case: Case) -> list[str]:
    if case.phrase is None or case.is_bare:
        return []
    lines = [f"> {quote(case.phrase.text)}", f"-# {texts.THEME(theme=quote(case.theme))}"]
    if case.phrase.held_for is not None:
        lines.append(texts.WHY(reason=quote(say(case.phrase.held_for), REASON_MAX)))
    return lines


def _describe_who(case: Case) -> str:
    # the prompt of a round has several authors
    parts = [f"<@{case.card.member_id}>"] if case.card.member_id else []
    if case.strikes:
        parts.append(texts.ACTIVE_STRIKES(count=case.strikes))
    if case.job is not None:
        parts += [f"<#{case.job.origin.channel_id}>", f"#{case.job.job_id}"]
    return " · ".join(parts)


def _describe_job(case: Case) -> list[str]:
    job = case.job
    if job is None or case.is_bare:
        return [texts.SEALED()] if case.is_sealed else []
    lines = [texts.SEALED()] if case.is_sealed else _quote_prompt(job)
    if job.held_for is not None:
        lines.append(texts.WHY(reason=quote(say(job.held_for), REASON_MAX)))
    return lines


def _quote_prompt(job: Job) -> list[str]:
    lines = [f"> {quote(job.recipe.prompt, _PROMPT_SHOWN)}"]
    if job.recipe.negative_prompt:
        lines.append(f"-# {texts.WITHOUT(text=quote(job.recipe.negative_prompt, 200))}")
    return lines


def _describe_beyond(rules: Sequence[GuildRule]) -> str:
    if not rules:
        return texts.BEYOND_REMOVED()
    lines = [
        f"• `#{each.rule_id}` {KINDS[each.rule.kind](text=quote(each.rule.text, 80))}"
        for each in rules[:_RULES_SHOWN]
    ]
    if len(rules) > _RULES_SHOWN:
        lines.append(f"• {texts.BEYOND_MORE(count=len(rules) - _RULES_SHOWN)}")
    return "\n".join([*lines, texts.BEYOND_WHY()])


def _describe_reports(case: Case) -> list[str]:
    shown = case.reports[:_REPORTS_SHOWN]
    is_wordless = case.is_sealed or case.is_bare
    lines = [_describe_report(report, is_wordless=is_wordless) for report in shown]
    rest = len(case.reports) - len(lines)
    return [*lines, f"• {AND_MORE(count=rest)}"] if rest else lines


def _describe_report(report: Report, *, is_wordless: bool) -> str:
    if is_wordless:  # a report may quote the prompt
        return f"• <@{report.reporter_id}>"
    return f"• <@{report.reporter_id}>: {quote(report.reason, 150)}"


def describe_suspension(suspension: Suspension) -> str:
    """Say who gave a suspension, why, and until when."""
    ends_at, reason = suspension.ends_at, quote(say(suspension.reason), REASON_MAX)
    if not suspension.given_by:
        return sanction_texts.SUSPENDED_BY_STRIKES(ends_at=ends_at, reason=reason)
    return sanction_texts.SUSPENDED_BY_MODERATOR(
        given_by=suspension.given_by, ends_at=ends_at, reason=reason
    )


def add_told(text: str, told: bool | None) -> str:
    """Add a line to the moderator's answer: whether the member was told."""
    said = sanction_texts.TOLD if told else sanction_texts.NOT_TOLD
    return f"{text}\n-# {said()}"


def compose_reason_form(decision: Decision, card_id: int) -> JobModal:
    """Build the form that asks for confirmation and a reason, because this cannot be undone."""
    form = JobModal(decision, card_id, 0, title=texts.BUTTONS[decision]())
    field = discord.ui.TextInput[Any](
        custom_id="reason",
        style=discord.TextStyle.paragraph,
        required=False,
        max_length=REASON_MAX,
    )
    is_public = decision in {Decision.REFUSE, Decision.SUSPEND}
    hint = (texts.READ_BY_CHANNEL if is_public else texts.READ_BY_MEMBER)()
    form.add_item(discord.ui.Label(text=texts.ASK_REASON(), description=hint, component=field))
    return form


def compose_suspended(reason: str, *buttons: JobButton) -> discord.ui.LayoutView:
    """Build the answer that a suspended member gets instead of pictures."""
    return compose_answer(reason, JobButton("appeal", 0, label=sanction_texts.APPEAL()), *buttons)


def say_struck(member_id: int, suspension: Suspension | None, count: int) -> str:
    """Return the private answer to the moderator who gave a strike."""
    text = sanction_texts.STRUCK(member_id=member_id, count=count)
    if suspension is None:
        return text
    return f"{text} {sanction_texts.LIMIT_REACHED()} {describe_suspension(suspension)}"


def say_strikes(member_id: int, strikes: Sequence[Strike], suspension: Suspension | None) -> str:
    """Return the private answer to a moderator who looks up a member."""
    head = sanction_texts.STRIKES_OF if strikes else sanction_texts.NO_STRIKES
    lines = [head(member_id=member_id)]
    lines += [f"• {_describe_strike(strike)}" for strike in strikes[-8:]]
    if suspension is not None:
        lines.append(describe_suspension(suspension))
    return "\n".join(lines)


def _describe_strike(strike: Strike) -> str:
    return sanction_texts.STRIKE(
        strike_id=strike.strike_id,
        given_by=strike.given_by,
        lapses_at=strike.lapses_at,
        reason=quote(say(strike.reason), 100),
    )


def say_suspended(suspension: Suspension) -> str:
    """Return the private answer to the moderator who suspended somebody."""
    return f"<@{suspension.member_id}>: {describe_suspension(suspension)}"
