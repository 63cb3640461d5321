"""One SQLite connection, transactions that survive cancellation, and the lock on the folder."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from bot.errors import DataDirLocked, StoreError
from bot.store.migrate import migrate

T = TypeVar("T")
Row = sqlite3.Row
Parameters = Sequence[Any] | Mapping[str, Any]

FILE_NAME = "triptych.sqlite3"


class DataDirLock:
    """Owns a data directory for one process, by flock on its ``lock`` file."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "lock"
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises DataDirLocked, naming the owner, or StoreError."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(_explain_os_error(error, self._path.parent)) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(fd, 64).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise DataDirLocked(
                f"Another Triptych process (pid {owner}) is using {self._path.parent}. "
                "Stop it, or set DATA_DIR to a folder of its own for this one."
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Give the lock back; does nothing if it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class Database:
    """The only connection to the file. Reads and writes take turns under one lock.

    Calls made by the task that is inside ``transaction()`` belong to that transaction.
    """

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()
        self._owner: asyncio.Task[Any] | None = None

    @classmethod
    async def open(cls, data_dir: Path, migrations: Path) -> Database:
        """Open and migrate the database of ``data_dir``. Raises StoreError."""
        path = data_dir / FILE_NAME
        try:
            connection = await aiosqlite.connect(path, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreError(_explain_sqlite_error(error, path)) from error
        try:
            connection.row_factory = sqlite3.Row
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                await connection.execute(f"PRAGMA {pragma}")
            await migrate(connection, migrations, backups=data_dir / "backups")
        except BaseException as error:
            await _uninterrupted(connection.close())
            if isinstance(error, sqlite3.Error):
                raise StoreError(_explain_sqlite_error(error, path)) from error
            raise
        return cls(connection)

    async def close(self) -> None:
        """Close the connection; an unclosed one would keep the process alive."""
        await _uninterrupted(self._connection.close())

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """All or nothing: commits at the end, rolls back on any error and on cancellation."""
        if self._owner is asyncio.current_task():
            yield
            return
        async with self._lock:
            self._owner = asyncio.current_task()
            try:
                await self._connection.execute("BEGIN IMMEDIATE")
                yield
                await _uninterrupted(self._connection.commit())
            except BaseException as error:
                with suppress(sqlite3.Error):
                    await _uninterrupted(self._connection.rollback())
                if isinstance(error, sqlite3.Error):
                    raise StoreError(_explain_sqlite_error(error, Path(FILE_NAME))) from error
                raise
            finally:
                self._owner = None

    async def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one writing statement inside the caller's transaction; the number of rows changed."""
        async with self.transaction():
            cursor = await self._connection.execute(sql, parameters)
            return cursor.rowcount

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one writing statement for each of ``rows``."""
        async with self.transaction():
            await self._connection.executemany(sql, rows)

    async def fetch_all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """The rows of a SELECT (or of an INSERT … RETURNING)."""
        async with self.transaction():
            return list(await self._connection.execute_fetchall(sql, parameters))

    async def fetch_one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row, or None."""
        rows = await self.fetch_all(sql, parameters)
        return rows[0] if rows else None


async def _uninterrupted(coroutine: Coroutine[Any, Any, T]) -> T:
    """Wait for ``coroutine`` to end even if the waiting task is cancelled meanwhile."""
    task = asyncio.ensure_future(coroutine)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result


def _explain_sqlite_error(error: sqlite3.Error, path: Path) -> str:
    text = str(error)
    if "full" in text:
        return (
            "The disk that holds the record is full, so nothing was saved and nothing was charged. "
            "The owner must make room on it; please try again after that."
        )
    if "readonly" in text or "read-only" in text or "unable to open" in text:
        return (
            f"The record ({path}) cannot be written, so nothing was saved and nothing was charged. "
            "The owner must make DATA_DIR a folder that Triptych may write to."
        )
    if isinstance(error, sqlite3.DatabaseError) and (
        "malformed" in text or "not a database" in text
    ):
        return (
            f"The database {path} is damaged and was left as it is. Move it aside and put the "
            "newest file of the backups folder in its place, then start again."
        )
    return (
        f"The record could not be written ({text}), so nothing was saved and nothing was charged. "
        "Please try again; if it happens again, the owner should look at the log."
    )


def _explain_os_error(error: OSError, folder: Path) -> str:
    return (
        f"The data directory {folder} cannot be used: {error.strerror or error}. "
        "Make it writable for this user, or set DATA_DIR to another folder."
    )
