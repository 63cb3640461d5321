"""Makes catalogues for tests, and lists the texts in the code."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo

import bot.texts
from bot.texts import catalog
from bot.texts.catalog import Text

HERE = Path(bot.texts.__path__[0])
KEYWORDS = {"Text": None, "Plural": (1, 2), "Name": ((1, "c"), 2)}

PSEUDO = "en-GB"
"""The pseudo-locale has the name of one of Discord's languages, so that commands can be registered
in it. Numbers are written as in English.
"""
OPEN, CLOSE, VALUE, VALUE_END, PADDING, SUFFIX = "⟦⟧⦃⦄ӿö"
LONGER_BY = 0.4
_MARKS = re.compile(f"[{OPEN}{CLOSE}{VALUE}{VALUE_END}{PADDING}]|-{SUFFIX}")
_MAX_NAME = 32


def find_texts() -> set[tuple[str | None, str | tuple[str, ...]]]:
    """Return context and text (or the texts of a plural) for all that Babel finds in the code."""
    return {(c, text) for _, _, text, _, c in extract_from_dir(HERE, keywords=KEYWORDS)}


def list_texts() -> Iterator[tuple[str, Text]]:
    """List every text of the code with its place."""
    for module in pkgutil.iter_modules(bot.texts.__path__):
        names = vars(importlib.import_module(f"bot.texts.{module.name}"))
        for name, value in names.items():
            if isinstance(value, Text):
                yield f"{module.name}.{name}", value
            elif isinstance(value, dict):
                pairs = [(key, each) for key, each in value.items() if isinstance(each, Text)]
                yield from ((f"{module.name}.{key}", each) for key, each in pairs)


def write_catalog(folder: Path, texts: Catalog) -> None:
    (folder / "LC_MESSAGES").mkdir(parents=True, exist_ok=True)
    with (folder / "LC_MESSAGES" / "triptych.mo").open("wb") as file:
        write_mo(file, texts)


def forget() -> None:
    """Forget loaded catalogues, as a new process would."""
    for cached in (catalog.load_catalog, catalog._load, catalog._warn):
        cached.cache_clear()


def write_pseudo_locale(folder: Path) -> None:
    """Write all texts of the code in a disguise: in brackets, longer, with every value marked."""
    made = Catalog(locale=PSEUDO.replace("-", "_"))
    for context, text in find_texts():
        if isinstance(text, tuple):
            made.add(text, tuple(map(disguise, text)), context=context)
        else:
            said = disguise(text) if context is None else f"{text[: _MAX_NAME - 2]}-{SUFFIX}"
            made.add(text, said, context=context)
    write_catalog(folder / PSEUDO.replace("-", "_"), made)
    (folder / "en").symlink_to(HERE / "locales" / "en")


def disguise(text: str) -> str:
    """Put brackets round the text and its values, and add letters at its end."""
    parts = []
    for literal, name, spec, conversion in Formatter().parse(text):
        parts.append(literal.replace("{", "{{").replace("}", "}}"))
        if name is not None:
            how = f"!{conversion}" if conversion else ""
            parts.append(f"{VALUE}{{{name}{how}{f':{spec}' if spec else ''}}}{VALUE_END}")
    padding = PADDING * max(round(len(text) * LONGER_BY) - 2, 0)
    return f"{OPEN}{''.join(parts)}{padding}{CLOSE}"


def undisguise(text: str) -> str:
    """Return the English text."""
    return _MARKS.sub("", text)


def find_undisguised(text: str) -> str:
    """Return the parts that were not translated, including inside the values of a text."""
    found: list[str] = []
    within: list[str] = []
    for character in text:
        if character in OPEN + VALUE:
            within.append(character)
            found.append(" ")
        elif character in CLOSE + VALUE_END:
            within[-1:] = []
        elif within[-1:] != [OPEN]:
            found.append(character)
    return "".join(found)
