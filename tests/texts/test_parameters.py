"""Every call gives a text exactly the fields that it names."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import bot
from bot.texts.catalog import Text

ROOT = Path(bot.__path__[0])
SOURCES = sorted(ROOT.rglob("*.py"))


class Names:
    """Finds which texts and text modules the names of a file stand for."""

    def __init__(self, path: Path, tree: ast.Module) -> None:
        self._known: dict[str, Any] = {}
        if path.parent == ROOT / "texts":
            self._known |= vars(importlib.import_module(f"bot.texts.{path.stem}"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bot.texts"):
                for each in node.names:
                    self._known[each.asname or each.name] = _load(node.module or "", each.name)
            elif isinstance(node, ast.Assign) and isinstance(name := node.targets[0], ast.Name):
                self._known.setdefault(name.id, self.find(node.value))

    def find(self, node: ast.expr) -> Any:
        """Return the text, table of texts or module of texts that an expression stands for, or
        None.
        """
        match node:
            case ast.Name(id=name):
                return self._known.get(name)
            case ast.Attribute(value=value, attr=name):
                return getattr(self.find(value), name, None)
            case ast.Subscript(value=value):
                return self.find(value)
        return None


def _load(module: str, name: str) -> Any:
    try:
        return importlib.import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        return getattr(importlib.import_module(module), name)


def find_wrong(path: Path, source: str) -> Iterator[str]:
    """List calls of texts with wrong fields, as ``file:line: names …, is given …``."""
    tree = ast.parse(source)
    names = Names(path, tree)
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or any(each.arg is None for each in call.keywords):
            continue
        said = names.find(call.func)
        given = {each.arg for each in call.keywords}
        for text in said.values() if isinstance(said, dict) else [said]:
            if not isinstance(text, Text):
                continue
            fits = text.fields <= given if isinstance(said, dict) else text.fields == given
            if call.args or not fits:
                named, got = sorted(text.fields), sorted(map(str, given))
                yield f"{path.name}:{call.lineno}: {text!r} names {named}, is given {got}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_are_given_what_they_name(path: Path):
    wrong = [*find_wrong(path, path.read_text("utf-8"))]
    assert not wrong, "\n".join(wrong)


def test_wrong_parameter_is_named():
    source = """
from bot.texts import outcomes, reasons
from bot.texts.refusals import REFUSALS
from bot.texts.codes import Code
WHY = reasons._NOT_SAID
def f(code, params):
    WHY()
    WHY(reason="none")
    REFUSALS[Code.PROMPT_TOO_LONG](length=3)
    reasons._NOT_SAID("none")
    outcomes.OUTCOMES[code](**params)
"""
    lines = {each.split(":")[1] for each in find_wrong(ROOT / "views" / "some.py", source)}
    assert lines == {"8", "9", "10"}
