"""A small JSON file in which the engine keeps results for the next start."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


class KeptFile:
    """A file with one JSON object. If it cannot be read, it counts as empty and is replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, key: str) -> dict[str, Any]:
        """Return the value kept under a key; an empty dict if there is none."""
        kept = self._read_all().get(key)
        return kept if isinstance(kept, dict) else {}

    def write(self, key: str, value: dict[str, Any]) -> None:
        """Keep a value under a key; other keys stay. If writing fails, only log it.

        The engine works as well without the file; the next start only takes longer.
        """
        partial = self._path.with_suffix(".partial")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps({**self._read_all(), key: value}, indent=2), "utf-8")
            partial.replace(self._path)
        except OSError as error:
            logger.warning(
                "%s could not be written, so the next start is slower: %s", partial, error
            )

    def _read_all(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}
