"""Sentences for people are only in ``bot/texts/``, and all their fields are given."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

import bot

ROOT = Path(bot.__path__[0])
TEXTS = ROOT / "texts"
ROOMS = (
    *("cogs", "chat", "views", "services.py", "review", "retention", "jobs", "policy"),
    *("recipes", "images", "moderation", "rounds"),
)
"""The rooms that answer members. The command line speaks English to the owner."""

NOT_SHOWN = {
    "AssertionError": "a mistake in the code",
    "ClientConnectionError": "caught where Discord is asked",
    "ConfigError": "ends the start, or the command, in the owner's terminal",
    "ConnectionError": "caught where a picture is fetched",
    "EngineLost": "ends the process",
    "NoMessage": "the status message is sent anew",
    "OSError": "what a person hears is said where it is caught",
    "Style": "its name is typed as it is, and its texts are for the model",
    "Undeliverable": "what a person hears is its reason",
    "Unreachable": "tried again",
    "Unreadable": "what a person hears is its reason",
    "ValueError": "a mistake in the code",
    "WorkerUnavailable": "what a person hears is said where it is caught",
}
"""Calls whose words no member reads (mostly exceptions), each with the reason."""

SHOWN_KEYWORDS = {"label", "placeholder", "title", "description", "content"}
SHOWN_CALLS = {"Choice", "TextDisplay", "UserError", "edit", "edit_message", "send", "send_message"}
"""Calls in which people read even a single word: the name of a Choice, and the first argument of
all others.
"""

ALLOWED_FILES = {
    "chat/application.py": "what `doctor` prints in the owner's terminal",
    "moderation/ages.py": "patterns of how ages are written",
}
ALLOWED: dict[str, tuple[str, ...]] = {
    "in the log": (
        *("card {}", "guild {}", "job {}", "message {}", "phrase {}", "round {}", "user {}"),
        *("removal in round {}", "winner of round {}"),
        "members who deleted their data",
    ),
    "for the monitor and systemd": (
        *("the gateway is silent", "the gateway is not open", "the model is not loaded"),
        *("Discord refuses too much", "the database file is gone"),
        "another program answers with this token",
        *("Prompts waiting", "Prompts being drawn", "Since the last frame"),
        *("401, 403 and 429 in ten minutes", "STATUS=online as {}"),
    ),
    "ends the start, in the owner's terminal": (
        "Discord does not accept DISCORD_TOKEN. Copy the token again from the Bot page of your "
        "application (Reset Token) into .env.",
    ),
    "a command's name, of which a `Name` says what others call it": ("Report picture",),
}
"""Words that are not sentences for members: the reason, and the words."""

_TWO_WORDS = re.compile(r"[^\W\d_]{2,}[^\w\s]* [^\w\s]*(?:[^\W\d_]{2,}|\{)|\}[^\w\s]* [^\W\d_]{2,}")
_WORD = re.compile(r"[^\W\d_]{2,}")


def sources() -> list[Path]:
    found = [path for room in ROOMS for path in [ROOT / room, *(ROOT / room).rglob("*.py")]]
    return sorted(path for path in found if path.suffix == ".py")


def list_keys() -> set[str]:
    """List names that are stored, and shown through a table of texts."""
    modules = [importlib.import_module(f"bot.texts.{path.stem}") for path in TEXTS.glob("*.py")]
    tables = [value for module in modules for value in vars(module).values()]
    return {str(key) for table in tables if isinstance(table, dict) for key in table}


def read(node: ast.AST) -> str | None:
    """Return the words of a literal, with {} for the values of an f-string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = (read(part) or "{}" for part in node.values)
        return "".join(parts)
    return None


def name_of(function: ast.expr) -> str:
    return ast.unparse(function).partition("[")[0].rpartition(".")[2]


def list_shown(call: ast.Call) -> Iterator[ast.expr]:
    """List everything that a call shows to people."""
    name = name_of(call.func)
    yield from (each.value for each in call.keywords if each.arg in SHOWN_KEYWORDS)
    if name in SHOWN_CALLS:
        yield from call.args[:1]
        yield from (each.value for each in call.keywords if (name, each.arg) == ("Choice", "name"))


def is_for_nobody(node: ast.AST) -> bool:
    """Return whether no member reads this, because it is a docstring or a log text, for example."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re" | "re2"))):
            return True
        case ast.Call(func=ast.Attribute(attr="info" | "warning" | "error" | "exception")):
            return True
        case ast.Call(func=func):
            return name_of(func) in NOT_SHOWN
    return False


def list_parts(node: ast.AST) -> Iterator[ast.AST]:
    """List parts without annotations. An f-string is read as a whole."""
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
    allowed = {text for texts in ALLOWED.values() for text in texts} | list_keys()
    found = find_sentences(ast.parse(path.read_text("utf-8")))
    strange = [f"{name}:{line}: {text}" for line, text in found if text not in allowed]
    assert not strange or name in ALLOWED_FILES, "\n".join(strange)


def test_no_member_is_refused_by_a_literal_anywhere():
    """This includes rooms whose other sentences are for the owner, but not the command line."""
    for path in sorted(set(ROOT.rglob("*.py")) - set((ROOT / "cli").rglob("*.py"))):
        calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if is_refusal(node)]
        assert not [ast.unparse(call) for call in calls if read(call.args[0])], path


def is_refusal(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and bool(node.args) and name_of(node.func) == "UserError"


def test_nothing_is_allowed_that_is_not_there():
    trees = [ast.parse(path.read_text("utf-8")) for path in sources()]
    found = {text for tree in trees for _, text in find_sentences(tree)}
    assert {text for texts in ALLOWED.values() for text in texts} <= found


def test_sentences_are_found_wherever_they_stand():
    source = '''
"""Not this."""
def f(name: "not this") -> "nor this":
    """Nor this one."""
    log.info("nor what %s logs", name)
    if re.search("not this one", name):
        raise ValueError("nor this one")
    send(f"For {name}")
    JobButton("cancel", 3, label="Cancel")
    Choice(name="Red", value="r")
    raise UserError("Refused.")
    return {"a": ["two words"], "b": "word", "c": f"{name}:{name}"}
'''
    found = [text for _, text in find_sentences(ast.parse(source))]
    assert found == ["For {}", "Cancel", "Red", "Refused.", "two words"]
