"""Connections that only read, so that whoever reads for long keeps no writer waiting."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import aiosqlite

_INSTRUCTIONS_BETWEEN_LOOKS = 100_000  # some 3 ms; each look waits for the interpreter


class Reader:
    """Sees what is on disk: a turn whose commit is still awaited is not seen.

    Nobody is answered before their commit, so whatever anybody was told is there. Raises
    sqlite3.Error.
    """

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._is_closing = False

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Of the database at ``path``, which a connection of this process holds open."""
        address = _compose_address(path)
        sqlite3.connect(address, uri=True).close()  # aiosqlite's thread would outlive a failure
        reader = cls(await aiosqlite.connect(address, uri=True, isolation_level=None))
        try:
            reader._connection.row_factory = sqlite3.Row
            # ``interrupt`` would miss what has not begun yet
            await reader._connection.set_progress_handler(
                lambda: reader._is_closing, _INSTRUCTIONS_BETWEEN_LOOKS
            )
            await reader.fetch_all("SELECT 1 FROM sqlite_schema")  # opens the log, too
        except BaseException:
            await reader.close()
            raise
        return reader

    async def fetch_all(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[sqlite3.Row]:
        """The rows of a SELECT; one at a time."""
        return list(await self._connection.execute_fetchall(sql, parameters))

    async def copy_to(self, path: Path) -> None:
        """Write a whole copy into an empty file."""
        await self._connection.execute("VACUUM INTO ?", (str(path),))

    async def close(self) -> None:
        """Cut short what is being read, and close."""
        self._is_closing = True
        await self._connection.close()


def _compose_address(path: Path) -> str:
    return f"{path.absolute().as_uri()}?mode=ro"  # query_only would refuse VACUUM INTO


def create_private(path: Path) -> None:
    """An empty file for a copy, which SQLite itself would make readable for all.

    Raises OSError, also where there is one.
    """
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
