"""Files that are sent to people."""

from __future__ import annotations

import gzip
import json
from typing import Any

_MAX_PLAIN_BYTES = 8 << 20  # Discord takes 10 MiB


def pack(text: str, name: str) -> tuple[bytes, str]:
    """Return the file and its name. A large file is compressed."""
    data = text.encode()
    return (data, name) if len(data) <= _MAX_PLAIN_BYTES else (gzip.compress(data), f"{name}.gz")


def pack_json(value: Any, name: str) -> tuple[bytes, str]:
    """Return the value as a JSON file, and its name."""
    return pack(json.dumps(value, ensure_ascii=False, indent=2) + "\n", name)
