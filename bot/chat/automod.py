"""Copies Discord's AutoMod rules into Triptych's rules, as far as they can be expressed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import discord

from bot.domain.rules import Outcome, Rule, RuleKind
from bot.errors import ConfigError
from bot.moderation.rules import MAX_EXCEPTIONS, MAX_RULE_LENGTH, make_rule
from bot.moderation.text import normalise
from bot.texts import rules as texts
from bot.texts.catalog import Text

# For these characters, RE2 needs a hundredth of the steps that it needs for [\pL\pN].
_WORD_PART = r"[^\s[:punct:]]*"


@dataclass(slots=True)
class Copied:
    """The copied rules.

    rules: in order, without repeats, each with the name of its AutoMod rule.

    notes: the parts that cannot be copied, for the person who asked.
    """

    rules: dict[Rule, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, said: Text, name: str, **params: str) -> None:
        """Note that a part of the named AutoMod rule cannot be copied."""
        self.notes.append(said(name=name, **params))

    def drop(self, faults: Mapping[Rule, str]) -> None:
        """Remove rules that cannot be used, and note the reasons."""
        for rule, fault in faults.items():
            self.note(texts.NOT_COPIED_FAULT, self.rules.pop(rule), text=rule.text, fault=fault)


def copy_automod_rules(found: Sequence[discord.AutoModRule]) -> Copied:
    """Copy lists of keywords and of regexes, and their allow-lists. This compiles no regex."""
    copied = Copied()
    for rule in found:
        name = rule.name
        if rule.trigger.type is not discord.AutoModRuleTriggerType.keyword:
            copied.note(texts.NOT_COPIED_KIND, name)
            continue
        if not rule.enabled:
            copied.note(texts.NOT_COPIED_OFF, name)
            continue
        if rule.exempt_role_ids or rule.exempt_channel_ids:
            copied.note(texts.NOT_COPIED_EXEMPT, name)
        _copy_lists(rule, copied)
    return copied


def _copy_lists(rule: discord.AutoModRule, copied: Copied) -> None:
    kinds = {action.type for action in rule.actions}
    blocks = discord.AutoModRuleActionType.block_message in kinds
    action = Outcome.REFUSE if blocks else Outcome.HOLD
    if discord.AutoModRuleActionType.timeout in kinds:
        copied.note(texts.NOT_COPIED_TIMEOUTS, rule.name)
    allowed = {entry: normalise(entry) for entry in rule.trigger.allow_list if "*" not in entry}
    if len(allowed) < len(rule.trigger.allow_list):
        copied.note(texts.NOT_COPIED_STARS, rule.name)
    keywords = [(_read_keyword(keyword), keyword) for keyword in rule.trigger.keyword_filter]
    patterns = [((RuleKind.PATTERN, regex), regex) for regex in rule.trigger.regex_patterns]
    for (kind, text), shown in (*keywords, *patterns):
        core = normalise(shown.strip("*"))
        is_regex = kind is RuleKind.PATTERN and shown == text
        exceptions = [entry for entry, form in allowed.items() if is_regex or core in form]
        try:
            made = make_rule(kind, text, action, _first(exceptions))
            copied.rules.setdefault(made, rule.name)
        except ConfigError as error:
            copied.note(texts.NOT_COPIED_FAULT, rule.name, text=shown, fault=str(error))


def _first(exceptions: Iterable[str]) -> tuple[str, ...]:
    usable = [each for each in exceptions if normalise(each) and len(each) <= MAX_RULE_LENGTH]
    return tuple(usable[:MAX_EXCEPTIONS])


def _read_keyword(keyword: str) -> tuple[RuleKind, str]:
    """Turn a keyword into a rule. ``cat`` is a whole word; ``*`` stands for the rest of a word."""
    core = keyword.strip("*")
    if core == keyword or not normalise(core):
        return (RuleKind.PHRASE if " " in core else RuleKind.WORD), core
    literal = re.escape(normalise(core))
    before = _WORD_PART if keyword.startswith("*") else r"\b"
    after = _WORD_PART if keyword.endswith("*") else r"\b"
    return RuleKind.PATTERN, f"{before}{literal}{after}"
