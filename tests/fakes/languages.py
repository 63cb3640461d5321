"""A test language: the English text, marked with the reader's language."""

from __future__ import annotations

import gettext


class Marked(gettext.NullTranslations):
    """Translates "Nothing." to ``de[Nothing.]`` for a reader of German."""

    def __init__(self, locale: str) -> None:
        super().__init__()
        self._locale = locale

    def gettext(self, message: str) -> str:
        return f"{self._locale}[{message}]"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)

    def pgettext(self, context: str, message: str) -> str:
        """Translate a word into a form that Discord accepts: ``option-preset-pl``."""
        return f"{context}-{message}-{self._locale}".lower()
