"""Reads and writes files of rules: a JSON object with the key ``rules``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bot.domain.rules import Outcome, Rule, RuleKind
from bot.errors import ConfigError
from bot.moderation.budget import OWNER_BUDGET, Weight, require_fit, weigh
from bot.moderation.text import normalise
from bot.texts import rules as texts

MAX_EXCEPTIONS = 100
MAX_RULE_LENGTH = 1000
_MAX_FAULTS = 20  # the most faults that are reported; it may take a while to find each one
_KEYS = {"kind", "text", "action", "exceptions"}
_ACTIONS = (Outcome.REFUSE, Outcome.HOLD, Outcome.SPOILER)


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Return the rules of a file. Raises ConfigError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The rules in {path} cannot be read: {error}") from None
    try:
        return parse_rules(text)
    except ConfigError as error:
        raise ConfigError(f"The rules in {path} cannot be used:\n{error}") from None


def parse_rules(text: str, budget: Weight = OWNER_BUDGET) -> tuple[Rule, ...]:
    """Parse rules. Raises ConfigError with the first 20 faults.

    Compiling patterns may take seconds, so parse a server's file in a worker process.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"  {texts.NOT_JSON(fault=error)}") from None
    entries = document.get("rules") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ConfigError(f"  {texts.NO_LIST_OF_RULES()}")
    if len(entries) > budget.rules:
        fault = texts.TOO_MANY_RULES(count=len(entries), most=budget.rules)
        raise ConfigError(f"  {fault}")
    rules: list[Rule] = []
    faults: list[str] = []
    total = Weight()
    for number, entry in enumerate(entries, 1):
        try:
            rules.append(_parse_rule(entry))
            total += weigh(rules[-1])
        except ConfigError as error:
            faults.append(f"  {texts.FAULT_OF_RULE(number=number, fault=error)}")
        if len(faults) >= _MAX_FAULTS or total.steps > budget.steps:
            break  # enough is known, so the other patterns are not compiled
    if faults:
        raise ConfigError("\n".join(faults))
    try:
        require_fit(total, budget)
    except ConfigError as error:
        raise ConfigError(f"  {error}") from None
    return tuple(rules)


def render_rules(rules: Iterable[Rule]) -> str:
    """Write rules as ``parse_rules`` reads them."""
    entries = [
        {
            "kind": rule.kind,
            "text": rule.text,
            "action": rule.action,
            "exceptions": list(rule.exceptions),
        }
        for rule in rules
    ]
    return json.dumps({"rules": entries}, ensure_ascii=False, indent=2) + "\n"


def make_word_rules(words: Iterable[str]) -> tuple[Rule, ...]:
    """Make rules that refuse these words and phrases. Texts without visible letters are dropped."""
    return tuple(Rule(RuleKind.WORD, word) for word in words if normalise(word))


def _parse_rule(entry: Any) -> Rule:
    if not isinstance(entry, dict):
        raise ConfigError(texts.NOT_AN_OBJECT())
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        raise ConfigError(texts.UNKNOWN_KEYS(keys=", ".join(map(repr, unknown))))
    kind = _parse_choice(entry, "kind", tuple(RuleKind), None)
    action = _parse_choice(entry, "action", _ACTIONS, Outcome.REFUSE)
    return make_rule(kind, entry.get("text"), action, entry.get("exceptions", []))


def make_rule(kind: RuleKind, text: Any, action: Outcome, exceptions: Any = ()) -> Rule:
    """Make a rule from unchecked texts. Raises ConfigError for texts that cannot be used.

    This does not compile a pattern; ``weigh`` does.
    """
    text = _parse_text(text, "text")
    if not isinstance(exceptions, list | tuple) or len(exceptions) > MAX_EXCEPTIONS:
        raise ConfigError(texts.EXCEPTIONS_NOT_A_LIST(count=MAX_EXCEPTIONS))
    return Rule(kind, text, action, tuple(_parse_text(each, "exceptions") for each in exceptions))


def _parse_choice(entry: dict[str, Any], key: str, choices: tuple[Any, ...], default: Any) -> Any:
    value = entry.get(key, default)
    if value not in choices:
        raise ConfigError(texts.NOT_A_CHOICE(key=key, choices=", ".join(choices)))
    return next(choice for choice in choices if choice == value)


def _parse_text(value: Any, key: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_RULE_LENGTH or not normalise(value):
        raise ConfigError(texts.NOT_VISIBLE_TEXT(key=key, count=MAX_RULE_LENGTH))
    return value
