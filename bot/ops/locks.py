"""Locks by key: one at a time for each card or server."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

K = TypeVar("K", bound=Hashable)


class KeyedLocks(Generic[K]):
    """``async with locks[key]``; a lock goes when nobody holds or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[K, asyncio.Lock] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._locks)

    def __getitem__(self, key: K) -> asyncio.Lock:
        """The lock of a key; whoever uses it keeps it alive."""
        return self._locks.setdefault(key, asyncio.Lock())
