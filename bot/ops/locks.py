"""One lock for each key, such as a card, a member or a server."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

K = TypeVar("K", bound=Hashable)


class KeyedLocks(Generic[K]):
    """Use as ``async with locks[key]``. A lock is dropped when nobody holds it or waits for it."""

    def __init__(self, at_once: int = 1) -> None:
        """at_once: how many may hold the lock of one key."""
        self._at_once = at_once
        self._locks: WeakValueDictionary[K, asyncio.Semaphore] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._locks)

    def __getitem__(self, key: K) -> asyncio.Semaphore:
        """Return the lock of a key. It exists as long as somebody uses it."""
        return self._locks.setdefault(key, asyncio.Semaphore(self._at_once))
