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
from bot.store.faults import describe_damage, explain_os_error, explain_sqlite_error, is_locked
from bot.store.files import FILE_NAME, check_not_lost, list_parts
from bot.store.migrate import migrate
from bot.store.patience import get_locked_seconds, in_time
from bot.store.reader import Reader, create_private
from bot.texts.codes import Code
from bot.texts.reasons import because

T = TypeVar("T")
Row = sqlite3.Row
Parameters = Sequence[Any] | Mapping[str, Any]

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")
_CLOSED = because(Code.STOPPING)
_BETWEEN_TRIES_SECONDS = 0.05
_BUSY_MILLISECONDS = 20  # how long SQLite itself waits; meanwhile all callers wait


class DataDirLock:
    """Owns a data directory for one process, by flock on its ``lock`` file."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "lock"
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises DataDirLocked, naming the owner, or StoreError."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(explain_os_error(error, self._path.parent)) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(fd, 64).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise DataDirLocked(
                f"Another Triptych process (pid {owner}) is using {self._path.parent}. "
                "Stop it, or set DATA_DIR to a folder of its own for this one."
            ) from None
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(fd)
            raise StoreError(explain_os_error(error, self._path.parent)) from error
        self._fd = fd

    def release(self) -> None:
        """Give the lock back; does nothing if it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class Database:
    """The only connection that writes. Callers take turns at it.

    Turns that come shortly after each other are committed together (*group commit*): a commit waits
    milliseconds for the disk, and fifty prompts at once must not wait for fifty commits. A turn
    ends only after its commit, so everything that a member was told is on disk.

    Long reads (a copy, an export, statistics) use another connection (``Reader``).
    """

    def __init__(self, connection: aiosqlite.Connection, reader: Reader, path: Path) -> None:
        self._connection = connection
        self._reader = reader
        self._path = path
        parts = [part for part in list_parts(path) if not part.name.endswith("-shm")]
        self._parts = {part: _identify(part) for part in parts}
        self._lock = asyncio.Lock()
        self._owner: asyncio.Task[Any] | None = None
        self._batch: asyncio.Future[None] | None = None
        self._committers: set[asyncio.Task[None]] = set()
        self._closed = False

    @classmethod
    async def open(cls, data_dir: Path, migrations: Path) -> Database:
        """Open and migrate the database of ``data_dir``.

        Raises StoreError, also if the database is lost: only a new folder gets an empty database.
        """
        path = data_dir / FILE_NAME
        try:
            check_not_lost(data_dir)
            # try first without aiosqlite, whose thread would outlive the event loop after a failure
            sqlite3.connect(path).close()
            connection = await aiosqlite.connect(path, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreError(explain_sqlite_error(error, path)) from error
        except OSError as error:
            raise StoreError(explain_os_error(error, data_dir)) from error
        try:
            connection.row_factory = sqlite3.Row
            for pragma in _PRAGMAS:
                await connection.execute(f"PRAGMA {pragma}")
            await _check(connection, path)
            await migrate(connection, migrations, backups=data_dir / "backups")
            await connection.execute_fetchall(f"PRAGMA busy_timeout={_BUSY_MILLISECONDS}")
            reader = await Reader.open(path)
        except BaseException as error:
            await _uninterrupted(connection.close())
            if isinstance(error, sqlite3.Error):
                raise StoreError(explain_sqlite_error(error, path)) from error
            if isinstance(error, OSError):
                raise StoreError(explain_os_error(error, data_dir)) from error
            raise
        return cls(connection, reader, path)

    def is_in_place(self) -> bool:
        """Return whether the open files still exist. If they do not, writes would be lost."""
        try:
            return all(_identify(part) == found for part, found in self._parts.items())
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # the disk does not answer; the next write will report that
            return True

    async def close(self) -> None:
        """Close the connection. If it stays open, the process does not end."""
        await _uninterrupted(self._close())

    async def _close(self) -> None:
        async with self._lock:
            self._closed = True
        # The last connection that closes empties the log. So the read-only one is closed first.
        await self._reader.close()
        await asyncio.gather(*self._committers, return_exceptions=True)
        await self._connection.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Save all changes made inside, or undo all of them after an error or a cancellation.

        All calls of the same task inside the block belong to the transaction. When the block ends,
        the changes are on disk. Raises StoreError.
        """
        if self._owner is asyncio.current_task():
            yield
            return
        async with self._turn():
            await self._connection.execute("SAVEPOINT turn")
            try:
                yield
            except BaseException:
                with suppress(sqlite3.Error):
                    await _uninterrupted(self._connection.execute("ROLLBACK TO turn"))
                raise
            finally:
                with suppress(sqlite3.Error):
                    await _uninterrupted(self._connection.execute("RELEASE turn"))

    @asynccontextmanager
    async def _turn(self, *, writes: bool = True) -> AsyncIterator[None]:
        """Use the connection alone, inside the open batch. Ends when the batch is on disk.

        A caller that only reads opens no batch. But if a batch is open, the caller waits for its
        commit too, because it saw what the batch wrote. If the caller's time limit (``patience``)
        is over, it gets StoreError, or Unconfirmed if it has already written.
        """
        try:
            batch = await self._take_turn(writes=writes)
            try:
                self._owner = asyncio.current_task()
                yield
            finally:
                self._owner = None
                if batch is not None and not self._connection.in_transaction:
                    # if the disk was full, SQLite has undone the whole batch
                    self._fail_batch(batch)
                self._lock.release()
            if batch is not None:
                async with in_time(is_written=writes):
                    await asyncio.shield(batch)
        except sqlite3.Error as error:
            raise StoreError(explain_sqlite_error(error, Path(FILE_NAME))) from error

    async def _take_turn(self, *, writes: bool) -> asyncio.Future[None] | None:
        """Take the lock, and open the batch.

        While another program writes, give the lock to others between two tries.
        """
        give_up_at = asyncio.get_running_loop().time() + get_locked_seconds()
        while True:
            async with in_time():
                await self._lock.acquire()
            try:
                if self._closed:
                    raise StoreError(_CLOSED)
                return await self._open_batch() if writes else self._batch
            except sqlite3.OperationalError as error:
                self._lock.release()
                if not is_locked(error) or asyncio.get_running_loop().time() > give_up_at:
                    raise
            except BaseException:
                self._lock.release()
                raise
            await asyncio.sleep(_BETWEEN_TRIES_SECONDS)

    async def _open_batch(self) -> asyncio.Future[None]:
        if self._batch is None:
            # This goes on even if the caller is cancelled, so that the transaction ends.
            return await _uninterrupted(self._begin())
        return self._batch

    async def _begin(self) -> asyncio.Future[None]:
        await self._connection.execute("BEGIN IMMEDIATE")
        self._batch = batch = asyncio.get_running_loop().create_future()
        # if all callers were cancelled, nobody else reads the exception
        batch.add_done_callback(lambda done: done.exception())
        # The lock is fair, so the commit comes after all callers that wait now.
        committer = asyncio.create_task(self._commit(batch))
        self._committers.add(committer)
        committer.add_done_callback(self._committers.discard)
        return batch

    async def _commit(self, batch: asyncio.Future[None]) -> None:
        async with self._lock:
            if self._batch is batch:
                await self._commit_now(batch)

    async def _commit_now(self, batch: asyncio.Future[None]) -> None:
        """Commit the batch. The caller must hold the lock."""
        if not self._connection.in_transaction:  # a cancelled caller's statement undid the batch
            self._fail_batch(batch)
            return
        try:
            await self._connection.commit()
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                await self._connection.rollback()
            self._fail_batch(batch, error)
        else:
            self._batch = None
            batch.set_result(None)

    async def copy_to(self, path: Path) -> None:
        """Write a whole copy that only its owner can read, while others use the database.

        If the file was removed or replaced, only this connection still has all of its data. Then
        it makes the copy itself, and other calls wait for it. Raises StoreError or OSError.
        """
        create_private(path)
        try:
            if self.is_in_place():
                await self._copy_apart(path)
            else:
                await _uninterrupted(self._copy_here(path))
        except sqlite3.Error as error:
            raise StoreError(explain_sqlite_error(error, path)) from error

    async def _copy_apart(self, path: Path) -> None:
        # another connection, so that no member waits for this copy
        reader = await Reader.open(self._path)
        try:
            await reader.copy_to(path)
        finally:
            await _uninterrupted(reader.close())

    async def _copy_here(self, path: Path) -> None:
        async with self._lock:
            if self._closed:
                raise StoreError(_CLOSED)
            if self._batch is not None:
                await self._commit_now(self._batch)
            await self._connection.execute("VACUUM INTO ?", (str(path),))

    async def take_out_deleted(self) -> bool:
        """Remove deleted data from the files: overwrite free pages with zeros, and empty the log.

        Returns False if a reader may still need the log. Then the caller should try again later, so
        that no reader has to wait. Raises StoreError.
        """
        if not _has_log(self._path):
            return True
        try:
            return await _uninterrupted(self._empty_log())
        except sqlite3.Error as error:
            raise StoreError(explain_sqlite_error(error, self._path)) from error

    async def _empty_log(self) -> bool:
        async with self._lock:
            if self._closed:
                raise StoreError(_CLOSED)
            if self._batch is not None:
                await self._commit_now(self._batch)
            [[patience]] = await self._connection.execute_fetchall("PRAGMA busy_timeout")
            try:
                await self._connection.execute("PRAGMA busy_timeout=0")
                emptying = "PRAGMA wal_checkpoint(TRUNCATE)"
                [row] = await self._connection.execute_fetchall(emptying)
            finally:
                await self._connection.execute(f"PRAGMA busy_timeout={patience}")
            return row[0] == 0

    def _fail_batch(self, batch: asyncio.Future[None], error: sqlite3.Error | None = None) -> None:
        self._batch = None
        if not batch.done():
            fault = error or sqlite3.OperationalError("disk I/O error or database or disk is full")
            batch.set_exception(fault)

    async def execute(self, sql: str, parameters: Parameters = ()) -> None:
        """Run one writing statement, in the caller's transaction or in a new one."""
        await self.fetch_all(sql, parameters)

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one writing statement for each of ``rows``, all or none."""
        async with self.transaction():
            await self._connection.executemany(sql, rows)

    async def fetch_all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Return the rows of one statement (SELECT, or a write with RETURNING)."""
        if self._owner is asyncio.current_task():
            return list(await self._connection.execute_fetchall(sql, parameters))
        async with self._turn(writes=not sql.lstrip().startswith("SELECT")):
            return list(await self._connection.execute_fetchall(sql, parameters))

    async def fetch_all_apart(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Return the rows of a long SELECT. Raises StoreError.

        It uses the read-only connection, so it blocks no writer and sees only committed changes.
        """
        if self._closed:
            raise StoreError(_CLOSED)
        try:
            async with in_time():
                return await self._reader.fetch_all(sql, parameters)
        except sqlite3.Error as error:
            text = _CLOSED if self._closed else explain_sqlite_error(error, self._path)
            raise StoreError(text) from error

    async def fetch_one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """Return the first row, or None."""
        rows = await self.fetch_all(sql, parameters)
        return rows[0] if rows else None


def _identify(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _has_log(path: Path) -> bool:
    log = Path(f"{path}-wal")
    return log.exists() and log.stat().st_size > 0


async def _check(connection: aiosqlite.Connection, path: Path) -> None:
    """Raise StoreError for a damaged file, so that nothing is written into it."""
    [row] = await connection.execute_fetchall("PRAGMA quick_check(1)")
    if row[0] != "ok":
        raise StoreError(describe_damage(path))


async def _uninterrupted(coroutine: Coroutine[Any, Any, T]) -> T:
    """Wait for ``coroutine`` to end even if the waiting task is cancelled meanwhile."""
    task = asyncio.ensure_future(coroutine)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled from (None if task.cancelled() else task.exception())
    return task.result()
