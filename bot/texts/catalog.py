"""Shows texts in the reader's language: gettext translates texts, Babel formats numbers.

A text is defined at import and called when it is shown: ``NOT_YOURS = Text("…")``, then
``NOT_YOURS()``. The caller sets the reader's language: ``with speaking(locale): …``, or
``speak(locale)`` for a task.
"""

from __future__ import annotations

import gettext
import logging
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal

log = logging.getLogger(__name__)

DOMAIN = "triptych"
ENGLISH = "en-US"
LOCALES = Path(__file__).with_name("locales")
"""The folder with <language>/LC_MESSAGES/triptych.mo; ``make texts`` compiles these files."""

_NUMBERS = {",": "#,##0", ".1f": "0.0", ",.1f": "#,##0.0", "g": "0.######"}
"""The formats of numbers that depend on the language. All other formats are Python's own: ``d`` and
``.0f`` are for ids and for what Discord reads (``<t:…>``).
"""
_BROKEN_FILE = (OSError, ValueError, struct.error)
_BROKEN_TEXT = (LookupError, ValueError, TypeError, AttributeError)
_locale: ContextVar[str] = ContextVar("locale", default=ENGLISH)


class Text:
    """A text for people, written in English. It may have named fields, as in ``str.format``."""

    __slots__ = ("english", "many")

    def __init__(self, english: str, many: str | None = None) -> None:
        self.english = english
        self.many = many

    def __call__(self, **params: Any) -> str:
        """Return the text for the reader. Raises KeyError if a field is missing."""
        locale = get_locale()
        template = self._translate(load_catalog(locale), params)
        try:
            return _FORMATTER.fill(template, params, locale)
        except _BROKEN_TEXT:
            english = self._translate(gettext.NullTranslations(), params)
            if template == english:
                raise
            _warn(locale, template)
            return _FORMATTER.fill(english, params, ENGLISH)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.english!r})"

    @property
    def fields(self) -> frozenset[str]:
        """Return the fields that the text needs."""
        texts = filter(None, (self.english, self.many))
        found = {name for text in texts for _, name, _, _ in Formatter().parse(text) if name}
        return frozenset(found | ({"count"} if self.many else set()))

    def _translate(self, catalog: gettext.NullTranslations, params: dict[str, Any]) -> str:
        if self.many is None:
            return catalog.gettext(self.english)
        return catalog.ngettext(self.english, self.many, params["count"])


class Plural(Text):
    """A text with a singular and a plural; other languages may have more forms."""

    __slots__ = ()

    def __init__(self, english: str, many: str) -> None:
        super().__init__(english, many)


class Name(Text):
    """The name of a command or an option. context: "command" or "option"; a word may be both."""

    __slots__ = ("context",)

    def __init__(self, context: str, english: str) -> None:
        super().__init__(english)
        self.context = context

    def _translate(self, catalog: gettext.NullTranslations, params: dict[str, Any]) -> str:
        del params
        return catalog.pgettext(self.context, self.english)


class _Formatter(Formatter):
    """Works like ``str.format``, but writes numbers as in the reader's language."""

    def fill(self, template: str, params: dict[str, Any], locale: str) -> str:
        token = _locale.set(locale)
        try:
            return self.vformat(template, (), params)
        finally:
            _locale.reset(token)

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec in _NUMBERS:
            number = value if isinstance(value, int) and format_spec == "," else float(value)
            with suppress(ArithmeticError):  # the number has more digits than Babel can write
                return format_decimal(number, _NUMBERS[format_spec], parse_locale(get_locale()))
        return format(value, format_spec)


_FORMATTER = _Formatter()


def get_locale() -> str:
    """Return the reader's language as Discord names it, such as ``pt-BR``."""
    return _locale.get()


def speak(locale: str | None) -> None:
    """Set the reader's language for this task and for tasks that it starts."""
    _locale.set(locale or ENGLISH)


@contextmanager
def speaking(locale: str | None) -> Iterator[None]:
    """Set the reader's language inside a ``with`` block."""
    token = _locale.set(locale or ENGLISH)
    try:
        yield
    finally:
        _locale.reset(token)


def is_offered(locale: str) -> bool:
    """Return whether there are texts in this language. For English, return False."""
    return load_catalog(locale) is not load_catalog(ENGLISH)


@cache
def load_catalog(locale: str) -> gettext.NullTranslations:
    """Load the texts of a language. If there are none, load the English texts."""
    parsed = parse_locale(locale)
    # Discord's zh-CN, for example, is zh_Hans_CN in Babel
    plain = f"{parsed.language}_{parsed.territory}"
    folders = [LOCALES / name for name in (str(parsed), plain, parsed.language)]
    return _load([*filter(Path.is_dir, folders), LOCALES / "en"][0])


@cache
def _load(folder: Path) -> gettext.NullTranslations:
    try:
        with (folder / "LC_MESSAGES" / f"{DOMAIN}.mo").open("rb") as file:
            return gettext.GNUTranslations(file)
    except _BROKEN_FILE as error:
        log.warning("the texts of %s cannot be read, so people see English: %r", folder.name, error)
        return gettext.NullTranslations()


@cache
def parse_locale(locale: str) -> Locale:
    """Return Babel's locale for Discord's name. For an unknown name, return English."""
    try:
        return Locale.parse(locale, sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale("en", "US")


@cache
def _warn(locale: str, template: str) -> None:
    """Warn about this text, but only the first time."""
    log.warning("the %s text %r and the English text have different fields", locale, template)
