"""Every word about review, reports and sanctions, and how the cards of moderators look."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import discord

from bot.domain.jobs import Job
from bot.domain.review import (
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
from bot.texts.reasons import say
from bot.views.components import JobButton
from bot.views.escape import quote

REASON_MAX = 300
APPEAL_MAX = 500
_PROMPT_SHOWN = 900  # twice as long at most when quoted; a message's texts hold 4000 together
_REPORTS_SHOWN = 5
_RULES_SHOWN = 15

NOT_MODERATOR = (
    "Only moderators (Manage Messages, or a role that the server has named) may do this. "
    "Nothing was changed."
)
NOT_MANAGER = "Only members with “Manage Server” may do this. Nothing was changed."
NOT_SERVER_OWNER = "Only the owner of this server may do this. Nothing was changed."
NOT_OWN = "Somebody else has to decide about what is yours. Nothing was changed."
NOT_ABOVE = (
    "You can do this only to members whose highest role is below your own. Nothing was changed."
)
NOT_OWNER = "This cannot be done to the owner of the server. Nothing was changed."
SEALED = (
    "This prompt falls under **sexual content about minors**. Neither it nor its pictures are "
    "shown to anybody, not even blurred. The handbook for moderators says where to report it."
)
NO_PICTURES = "There is nothing more to see: nothing is drawn yet, or its files are gone."
NOTHING_TO_APPEAL = "There is nothing to appeal here."
REPORTED = "Thank you. Your report was taken; you will hear what a moderator decides."
APPEALED = "Your appeal was passed on. You will hear what a moderator decides."

_LABELS = {
    Decision.APPROVE: "Approve",
    Decision.COVER: "Approve as spoiler",
    Decision.REFUSE: "Refuse",
    Decision.SUSPEND: "Refuse and suspend",
    Decision.RESTORE: "Restore",
    Decision.REMOVE: "Remove",
    Decision.STRIKE: "Remove and strike",
    Decision.GRANT: "Grant: lift it",
    Decision.DENY: "Deny",
    Decision.NOTE: "Understood",
}
_STYLES = {
    **dict.fromkeys((Decision.APPROVE, Decision.RESTORE), discord.ButtonStyle.success),
    **dict.fromkeys(
        (Decision.REFUSE, Decision.SUSPEND, Decision.REMOVE, Decision.STRIKE),
        discord.ButtonStyle.danger,
    ),
}
_TITLES = {
    CardKind.HELD: "A prompt waits for you",
    CardKind.REPORT: "Pictures were reported",
    CardKind.APPEAL: "An appeal against a suspension",
    CardKind.RULES: "Rules of this server were switched off",
}
_OUTCOMES = {
    Decision.APPROVE: "Approved",
    Decision.COVER: "Approved as a spoiler",
    Decision.REFUSE: "Refused",
    Decision.SUSPEND: "Refused, and the member suspended",
    Decision.RESTORE: "Restored",
    Decision.REMOVE: "Removed",
    Decision.STRIKE: "Removed, and the member got a strike",
    Decision.GRANT: "Granted: the suspension is lifted",
    Decision.DENY: "Denied: the suspension stays",
    Decision.NOTE: "Read",
    Decision.EXPIRE: "Expired: nobody decided in time, nothing was charged",
    Decision.WITHDRAW: "Closed: the member took it back",
    Decision.UNSEEN: "Refused: the card could not be posted",
}


def compose_card(case: Case) -> tuple[discord.ui.LayoutView, list[discord.File]]:
    """What moderators see: who, where, what, why, and either the buttons or the outcome."""
    card, files = case.card, list[discord.File]()
    parts: list[discord.ui.Item[Any]] = [discord.ui.TextDisplay(_describe(case))]
    if case.picture is not None:
        name = f"card-{card.card_id}.png"
        files.append(discord.File(BytesIO(case.picture), filename=name))
        item = discord.MediaGalleryItem(f"attachment://{name}", description="Blurred pictures")
        parts.append(discord.ui.MediaGallery(item))
    if card.decision is None:
        buttons = [
            JobButton(
                choice,
                card.card_id,
                label=_LABELS[choice],
                style=_STYLES.get(choice, discord.ButtonStyle.secondary),
            )
            for choice in CHOICES[card.kind]
            if not (case.is_sealed and choice in SHOWING)
        ]
        if case.job is not None and not case.is_sealed:
            buttons.append(JobButton("reveal", card.card_id, label="Show me"))
        parts.append(discord.ui.ActionRow[Any](*buttons))
    else:
        parts.append(discord.ui.TextDisplay(f"**{describe_outcome(card)}** {case.note}"))
    view = discord.ui.LayoutView(timeout=None)
    view.add_item(discord.ui.Container(*parts))
    return view, files


def describe_outcome(card: Card) -> str:
    """How a card ended, and by whom."""
    assert card.decision is not None
    outcome, at = _OUTCOMES[card.decision], card.decided_at or card.opened_at
    by = f" by <@{card.decided_by}>" if card.decided_by else ""
    return f"{outcome}{by}, <t:{at:.0f}:f>."


def _describe(case: Case) -> str:
    card, job = case.card, case.job
    title = _TITLES[card.kind]
    if card.kind is CardKind.RULES:
        return f"### {title}\n{_describe_beyond(case.beyond)}"
    if card.kind is CardKind.HELD and job is not None and job.rendered_at is not None:
        title = "Pictures wait for you"
    strikes = f" · {case.strikes} strikes" if case.strikes else ""
    lines = [f"### {title}", f"<@{card.member_id}>{strikes}"]
    if job is not None:
        lines[1] += f" in <#{job.origin.channel_id}> · #{job.job_id}"
        lines += [SEALED] if case.is_sealed else _quote_prompt(job)
        if job.held_for is not None:
            lines.append(f"Why: {quote(say(job.held_for), REASON_MAX)}")
    lines += _describe_reports(case.reports)
    if case.suspension is not None:
        lines.append(describe_suspension(case.suspension))
        lines.append(f"> {quote(case.suspension.appeal, APPEAL_MAX)}")
    if card.decision is None and card.expires_at is not None:
        lines.append(f"-# Expires <t:{card.expires_at:.0f}:R>; the first decision counts.")
    return "\n".join(lines)


def _quote_prompt(job: Job) -> list[str]:
    lines = [f"> {quote(job.recipe.prompt, _PROMPT_SHOWN)}"]
    if job.recipe.negative_prompt:
        lines.append(f"-# without: {quote(job.recipe.negative_prompt, 200)}")
    return lines


def _describe_beyond(rules: Sequence[GuildRule]) -> str:
    lines = [
        f"• `#{each.rule_id}` {each.rule.kind} “{quote(each.rule.text, 80)}”"
        for each in rules[:_RULES_SHOWN]
    ]
    if len(rules) > _RULES_SHOWN:
        lines.append(f"• and {len(rules) - _RULES_SHOWN} more; `/rules list` shows them all")
    lines.append(
        "All rules of a server together may cost only so much, so that nobody else has to wait for "
        "them. These came before there was such a limit and are beyond it: **they do not apply any "
        "more**; all others do. Nothing was deleted. Remove them with `/rules remove`, and add "
        "simpler ones: words in place of patterns, + or * in place of counting."
    )
    return "\n".join(lines) if rules else "They have all been removed since."


def _describe_reports(reports: Sequence[Report]) -> list[str]:
    lines = [
        f"• <@{report.reporter_id}>: {quote(report.reason, 150)}"
        for report in reports[:_REPORTS_SHOWN]
    ]
    rest = len(reports) - len(lines)
    return [*lines, f"• and {rest} more"] if rest else lines


def describe_suspension(suspension: Suspension) -> str:
    """Who gave it, why, and until when."""
    by = f"by <@{suspension.given_by}>" if suspension.given_by else "by strikes"
    return (
        f"Suspended {by} until <t:{suspension.ends_at:.0f}:f>: "
        f"{quote(say(suspension.reason), REASON_MAX)}"
    )


def compose_suspended(reason: str) -> discord.ui.LayoutView:
    """What a suspended member reads in place of pictures."""
    view = discord.ui.LayoutView(timeout=None)
    view.add_item(discord.ui.TextDisplay(reason))
    view.add_item(discord.ui.ActionRow[Any](JobButton("appeal", 0, label="Appeal")))
    return view


def say_struck(member_id: int, suspension: Suspension | None, count: int) -> str:
    """The private answer to who gave a strike."""
    text = f"<@{member_id}> has a strike now, {count} in all."
    if suspension is None:
        return text
    return f"{text} That is one too many. {describe_suspension(suspension)}"


def say_strikes(member_id: int, strikes: Sequence[Strike], suspension: Suspension | None) -> str:
    """The private answer to who looks a member up."""
    lines = [f"<@{member_id}> has no strikes."]
    if strikes:
        lines = [f"Strikes of <@{member_id}>:"]
        lines += [
            f"• {strike.strike_id}: {quote(say(strike.reason), 100)}, by <@{strike.given_by}>, "
            f"lapses <t:{strike.lapses_at:.0f}:R>"
            for strike in strikes[-8:]
        ]
    if suspension is not None:
        lines.append(describe_suspension(suspension))
    return "\n".join(lines)


def say_suspended(suspension: Suspension) -> str:
    """The private answer to who suspended."""
    return f"<@{suspension.member_id}>: {describe_suspension(suspension)}"


def say_lifted(member_id: int) -> str:
    """The private answer to who ended a suspension."""
    return f"<@{member_id}> may prompt again."


def say_strike_removed(member_id: int, strike_id: int) -> str:
    """The private answer to who took a strike back."""
    return f"Strike {strike_id} of <@{member_id}> does not count any more."
