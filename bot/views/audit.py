"""The audit log: in the mod log, in the answer to /audit search, and as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import discord

from bot.domain.audit import AuditAction, AuditEntry
from bot.texts import audit as texts
from bot.texts import settings as setting_texts
from bot.texts.codes import Code
from bot.texts.reasons import Reason, describe, say
from bot.views.components import PanelItem
from bot.views.escape import quote
from bot.views.files import pack, pack_json
from bot.views.moderation import compose_text, name_rule
from bot.views.settings import describe_value

_SHOWN = 80
# characters that are shown of each text; few, because a row may have six texts
_STYLE_SHOWN = 40
_STYLE = {AuditAction.STYLE_SAVED, AuditAction.STYLE_REMOVED}
_OF_ROUNDS = {
    AuditAction.ROUND_STARTED,
    AuditAction.ROUND_CLOSED,
    AuditAction.ROUND_CANCELLED,
    AuditAction.THEME_REFUSED,
    AuditAction.PHRASE_REFUSED,
    AuditAction.PHRASE_HELD,
    AuditAction.PHRASE_APPROVED,
    AuditAction.PHRASE_STRUCK,
}


def describe_entry(entry: AuditEntry, *, is_bare: bool = False) -> str:
    """Describe one row of the audit log in one or two lines. is_bare: leave out members' words."""
    parts = [f"`#{entry.entry_id}` <t:{entry.at:.0f}:f> **{texts.ACTIONS[entry.action]()}**"]
    if entry.member_id is not None:
        parts.append(texts.MEMBER(member_id=entry.member_id))
    if entry.actor_id:
        parts.append(texts.BY(actor_id=entry.actor_id))
    if entry.job_id is not None:
        parts.append(texts.PROMPT(job_id=entry.job_id))
    if is_bare:
        return " · ".join(parts)
    if entry.rule:
        parts.append(texts.RULE(rule=name_rule(entry.rule)))
    parts += filter(None, _list_details(entry))
    lines = [" · ".join(parts)]
    if entry.prompt:
        lines.append(f"> {quote(entry.prompt, _SHOWN)}")
    return "\n".join(lines)


def compose_entries(
    entries: Sequence[AuditEntry], *, is_bare: bool = False
) -> discord.ui.LayoutView:
    """Build a message for the mod-log channel. is_bare: leave out members' words."""
    lines = [describe_entry(entry, is_bare=is_bare) for entry in entries]
    return compose_text("\n".join([*lines, f"-# {texts.BARE()}"] if is_bare else lines))


def compose_page(entries: Sequence[AuditEntry], older: str | None) -> discord.ui.LayoutView:
    """Build the answer to /audit search. older: the path of the button for the next page."""
    if not entries:
        return compose_text(texts.NO_ENTRIES())
    text = "\n".join(map(describe_entry, entries))
    if older is None:
        return compose_text(text)
    button = PanelItem("audit", older, discord.ui.Button[Any](label=texts.OLDER()))
    return compose_text(text, discord.ui.ActionRow[Any](button))


def _list_details(entry: AuditEntry) -> list[str]:
    """List what was changed, and why."""
    reason = "" if entry.reason is None else quote(say(entry.reason), _SHOWN)
    match entry.action:
        case AuditAction.PAUSED | AuditAction.RESUMED:
            return []
        case AuditAction.STYLE_SAVED | AuditAction.STYLE_REMOVED:
            return [texts.STYLE(name=reason, parts=_describe_style_change(entry))]
        case AuditAction.SETTING_CHANGED:
            return [_describe_setting(entry)]
        case AuditAction.RETENTION_ENDED:
            return [_describe_deleted(_parse(entry.new_value))]
    if entry.action in _OF_ROUNDS:
        return [_name_round(entry), "" if entry.rule else reason]
    is_told_by_rule = entry.rule and not (entry.old_value or entry.new_value)
    return [_describe_sanction(entry), "" if is_told_by_rule else reason]


def _name_round(entry: AuditEntry) -> str:
    number = _parse(entry.new_value)
    return texts.ROUND(round_id=number) if isinstance(number, int) else ""


def _describe_sanction(entry: AuditEntry) -> str:
    """Say which strike a row is about, or when its suspension ends; "" for other rows."""
    match _parse(entry.new_value or entry.old_value):
        case {"strike": strike, "lapses_at": lapses_at}:
            return texts.STRIKE_UNTIL(strike=strike, lapses_at=lapses_at)
        case {"strike": strike}:
            return texts.STRIKE(strike=strike)
        case {"until": until}:
            return texts.UNTIL(until=until)
    return ""


def _describe_setting(entry: AuditEntry) -> str:
    params = {} if entry.reason is None else entry.reason.params
    setting = str(params.get("name", ""))
    known = setting_texts.NAMES.get(setting)
    name = quote(say(entry.reason), _SHOWN) if known is None else known()
    if known is not None and entry.reason and entry.reason.code == Code.SETTING_OF_CHANNEL:
        name = texts.IN_CHANNEL(name=name, channel_id=params["channel_id"])
    old, new = (
        describe_value(setting, _parse(value)) if value else setting_texts.DEFAULT()
        for value in (entry.old_value, entry.new_value)
    )
    return texts.CHANGED(name=name, old=old, new=new)


def _describe_deleted(counts: Any) -> str:
    known = counts.items() if isinstance(counts, dict) else ()
    return ", ".join(
        texts.DELETED[what](count=count) for what, count in known if what in texts.DELETED
    )


def _parse(value: str) -> Any:
    """Read a value from the audit log: JSON, or plain text if it is not JSON."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def _describe_style_change(entry: AuditEntry) -> str:
    """List the changed parts of a style; all parts if it is new or was removed."""
    old, new = (json.loads(value or "{}") for value in (entry.old_value, entry.new_value))
    parts: list[str] = []
    for key, text in texts.STYLE_PARTS.items():
        before, after = (str(values.get(key, "")) for values in (old, new))
        if before == after:
            continue
        shown = [f"“{quote(each, _STYLE_SHOWN)}”" for each in (before, after) if each]
        part = text(shown=" → ".join(shown))
        parts.append(texts.STYLE_PART_TAKEN_OUT(part=part) if new and not after else part)
    return ", ".join(parts) or texts.STYLE_UNCHANGED()


def pack_entries(entries: Sequence[AuditEntry], kind: str) -> tuple[bytes, str]:
    """Return the rows as a file, csv or json, and its name."""
    if kind == "csv":
        return pack(render_entries(entries), "audit.csv")
    return pack_json([list_columns(entry) for entry in entries], "audit.json")


def render_entries(entries: Sequence[AuditEntry]) -> str:
    """Write rows as CSV with a header. A spreadsheet cannot run any cell as a formula."""
    buffer = io.StringIO()
    table = csv.writer(buffer)
    table.writerow(_AUDIT_COLUMNS)
    for entry in entries:
        table.writerow(_defuse(value) for value in list_columns(entry).values())
    return buffer.getvalue()


def list_columns(entry: AuditEntry) -> dict[str, str | int | float | None]:
    """Map column names to a row's values. Ids are text, because spreadsheets would round them."""
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
