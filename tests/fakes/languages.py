"""A test language: the English text, marked with its reader's language."""

from __future__ import annotations

import gettext


class Marked(gettext.NullTranslations):
    """``de[Nothing.]`` for a reader of German."""

    def __init__(self, locale: str) -> None:
        super().__init__()
        self._locale = locale

    def gettext(self, message: str) -> str:
        return f"{self._locale}[{message}]"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)

    def pgettext(self, context: str, message: str) -> str:
        """A word of any context that Discord takes: ``option-preset-pl``."""
        return f"{context}-{message}-{self._locale}".lower()
