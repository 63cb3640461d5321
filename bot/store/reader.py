"""Read-only connections, so that a long read does not block writers."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import aiosqlite

# SQLite's virtual machine takes 3 ms for this many instructions.
# Checking more often would be slow, because each check waits for the interpreter lock.
_INSTRUCTIONS_BETWEEN_LOOKS = 100_000


class Reader:
    """Reads what is on disk, without changes that are not committed yet.

    People get their answers only after the commit, so a reader sees everything that they know of.
    Raises sqlite3.Error.
    """

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._is_closing = False

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open the database at ``path``, which this process already holds open for writing."""
        address = _compose_address(path)
        # try first without aiosqlite, whose thread would go on after a failure
        sqlite3.connect(address, uri=True).close()
        reader = cls(await aiosqlite.connect(address, uri=True, isolation_level=None))
        try:
            reader._connection.row_factory = sqlite3.Row
            # needed beside ``interrupt``, which does not stop statements that have not begun
            await reader._connection.set_progress_handler(
                lambda: reader._is_closing, _INSTRUCTIONS_BETWEEN_LOOKS
            )
            await reader.fetch_all("SELECT 1 FROM sqlite_schema")  # this opens the log too
        except BaseException:
            await reader.close()
            raise
        return reader

    async def fetch_all(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[sqlite3.Row]:
        """Return the rows of a SELECT. Only one runs at a time."""
        return list(await self._connection.execute_fetchall(sql, parameters))

    async def copy_to(self, path: Path) -> None:
        """Write a copy of the whole database into an empty file."""
        await self._connection.execute("VACUUM INTO ?", (str(path),))

    async def close(self) -> None:
        """Interrupt the running read, and close."""
        self._is_closing = True
        await self._connection.close()


def _compose_address(path: Path) -> str:
    # with mode=ro, because query_only would refuse VACUUM INTO
    return f"{path.absolute().as_uri()}?mode=ro"


def create_private(path: Path) -> None:
    """Create an empty file that only the owner can read; SQLite itself would let everyone read it.

    Raises OSError, also if the file exists.
    """
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
