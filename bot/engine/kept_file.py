"""A small JSON file in which the engine keeps what it found out, for the next start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class KeptFile:
    """A JSON object by key. A file that cannot be read counts as empty, and is replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, key: str) -> dict[str, Any]:
        """Return what was kept under a key; an empty dict if there is nothing."""
        kept = self._read_all().get(key)
        return kept if isinstance(kept, dict) else {}

    def write(self, key: str, value: dict[str, Any]) -> None:
        """Keep a value under a key, beside the others."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps({**self._read_all(), key: value}, indent=2), "utf-8")
        partial.replace(self._path)

    def _read_all(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}
