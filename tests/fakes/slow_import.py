"""A module that takes a while to import."""

from __future__ import annotations

import time

time.sleep(1.5)


def answer() -> int:
    return 42
