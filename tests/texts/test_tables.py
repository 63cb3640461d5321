"""Every name on record has a text, and no table has an unused one."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from bot.domain.audit import AuditAction
from bot.domain.guilds import GuildSettings
from bot.domain.review import CHOICES, CardKind, Decision
from bot.domain.rules import MINORS, SUSPENDED, Outcome, RuleKind
from bot.moderation.classes import REAL_PEOPLE
from bot.moderation.readings import Form
from bot.store.personal_data import PERSONAL
from bot.store.settings import BOUNDS, NAMES, QUOTA_BOUNDS
from bot.texts import audit, review, rules, settings
from bot.texts.catalog import Text
from tests.texts.catalogues import HERE

CHOSEN = {decision for choices in CHOICES.values() for decision in choices}
DECIDING = set(Outcome) - {Outcome.ALLOW}
DELETED_WITH_TIME = {table for table, kept in PERSONAL.items() if kept.over} - {"audit"}


@pytest.mark.parametrize(
    ("table", "names"),
    [
        (audit.ACTIONS, AuditAction),
        (audit.DELETED, {"prompts", "audit_rows", *DELETED_WITH_TIME}),
        (review.TITLES, CardKind),
        (review.BUTTONS, CHOSEN),
        (review.FIRST, CHOSEN),
        (review.OUTCOMES, Decision),
        (rules.KINDS, RuleKind),
        (rules.RULES, DECIDING),
        (rules.FORMS, Form),
        (rules.VERDICTS, Outcome),
        (rules.VERDICTS_BY, DECIDING),
        (rules.WOULD_BE, DECIDING),
        (settings.NAMES, NAMES),
        (settings.QUOTA_NAMES, QUOTA_BOUNDS),
        (settings.PICTURE_ACTIONS, DECIDING),
    ],
)
def test_every_name_has_a_text(table: dict[str, Text], names: Iterable[str]):
    assert table.keys() == set(names)


def test_rules_that_are_built_in_and_numbers_have_a_name():
    assert {MINORS, REAL_PEOPLE, SUSPENDED} <= rules.BUILT_IN.keys()
    assert set(BOUNDS) < set(settings.NAMES)
    assert all(hasattr(GuildSettings(), name) for name in settings.NAMES)


@pytest.mark.parametrize("path", sorted(HERE.glob("*.py")), ids=lambda path: path.stem)
def test_no_text_takes_the_name_of_another(path: Path):
    body = ast.parse(path.read_text("utf-8")).body
    assigned = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    names = Counter(map(ast.unparse, assigned))
    assert [name for name, count in names.items() if count > 1] == []
