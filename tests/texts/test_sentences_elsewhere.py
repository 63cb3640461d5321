"""Sentences for people stand in ``bot/texts/`` alone, and are said with what they name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import bot

ROOT = Path(bot.__path__[0])
ROOMS = (
    *("cogs", "chat", "views", "services.py", "review", "retention", "jobs", "policy"),
    *("recipes", "images", "moderation"),
)
"""Where members are answered; the command line and what it starts speak English to the owner."""

FOR_THE_LOG = {
    "AssertionError": "a mistake in the code",
    "ConfigError": "ends the start, or the command, in the owner's terminal",
    "ConnectionError": "caught where a picture is fetched",
    "NoMessage": "the status message is sent anew",
    "Undeliverable": "what a person hears is its reason",
    "Unreachable": "tried again",
    "ValueError": "a mistake in the code",
    "WorkerUnavailable": "what a person hears is said where it is caught",
}
"""Exceptions whose text no member reads."""

SHOWN_KEYWORDS = {"label", "placeholder", "title", "description", "content"}
SHOWN_CALLS = {"Choice", "TextDisplay", "UserError", "edit", "edit_message", "send", "send_message"}
"""Even one word is read there: Choice's name, and the first argument of the others."""

ALLOWED: dict[tuple[str, str], str] = {}
"""Words that are no text for people, by file: why."""

_TWO_WORDS = re.compile(r"[^\W\d_]{2,}[^\w\s]* [^\w\s]*(?:[^\W\d_]{2,}|\{)|\}[^\w\s]* [^\W\d_]{2,}")
_WORD = re.compile(r"[^\W\d_]{2,}")


def sources() -> list[Path]:
    found = [path for room in ROOMS for path in [ROOT / room, *(ROOT / room).rglob("*.py")]]
    return sorted(path for path in found if path.suffix == ".py")


def read(node: ast.AST) -> str | None:
    """The words of a literal, with {} for what an f-string fills in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = (read(part) or "{}" for part in node.values)
        return "".join(parts)
    return None


def list_shown(call: ast.Call) -> Iterator[ast.expr]:
    """What a call shows to people, whatever it is."""
    name = ast.unparse(call.func).rpartition(".")[2].partition("[")[0]
    yield from (each.value for each in call.keywords if each.arg in SHOWN_KEYWORDS)
    if name in SHOWN_CALLS:
        yield from call.args[:1]
        yield from (each.value for each in call.keywords if (name, each.arg) == ("Choice", "name"))


def is_for_nobody(node: ast.AST) -> bool:
    """A docstring, a pattern, a line of the log, an exception that no member reads."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re" | "re2"))):
            return True
        case ast.Call(func=ast.Attribute(attr="info" | "warning" | "error" | "exception")):
            return True
        case ast.Raise(exc=ast.Call(func=func)):
            return ast.unparse(func) in FOR_THE_LOG
    return False


def list_parts(node: ast.AST) -> Iterator[ast.AST]:
    """Without annotations, and without the pieces of an f-string, which is read as a whole."""
    if is_for_nobody(node):
        return
    left_out = [getattr(node, field, None) for field in ("annotation", "returns")]
    if isinstance(node, ast.JoinedStr):
        left_out += [each for each in node.values if isinstance(each, ast.Constant)]
    for child in ast.iter_child_nodes(node):
        if child not in left_out:
            yield child
            yield from list_parts(child)


def find_sentences(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in list_parts(tree):
        if (text := read(node)) and _TWO_WORDS.search(text):
            yield getattr(node, "lineno", 0), text
        for each in list_shown(node) if isinstance(node, ast.Call) else ():
            if (text := read(each)) and _WORD.search(text) and not _TWO_WORDS.search(text):
                yield each.lineno, text


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_people_read_is_said_by_a_text(path: Path):
    name = str(path.relative_to(ROOT))
    found = find_sentences(ast.parse(path.read_text("utf-8")))
    strange = [f"{name}:{line}: {text}" for line, text in found if (name, text) not in ALLOWED]
    assert not strange, "\n".join(strange)
