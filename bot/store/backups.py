"""Copies the database daily and before migrations, and replaces it by a copy or an empty one."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.errors import StoreError
from bot.store.database import Database
from bot.store.files import (
    FILE_NAME,
    FOLDER_NAME,
    PICTURES,
    describe_rest,
    is_record,
    list_backups,
    list_parts,
    list_pictures,
    open_to_read,
    open_with_log,
)
from bot.store.rows import compose_next_id
from bot.store.schema import describe_oddity

KEPT_DAILY = 7
KEPT_ASIDE_DAYS = 30
"""How long copies from an upgrade, a restore or a rescue are kept. Then they are deleted, because
they still contain words that members have deleted.
"""

_STAMP = "%Y%m%d-%H%M%S"
_ASIDE = ("backups/before-*.sqlite3", "backups/rescued-*.sqlite3", "replaced-*")
_UNFINISHED = ("backups/*.part", "*.part")
_DAY_SECONDS = 24 * 3600.0
# Tables whose ids are in the buttons of messages.
_NAMED_IN_MESSAGES = {
    "job": "job_id",
    "card": "card_id",
    "round": "round_id",
    "phrase": "phrase_id",
}
# how many unknown ids a damaged or lost database may have used
_UNREADABLE_MARGIN = 100_000


class Backups:
    """Makes today's copy if there is none yet, and deletes old copies."""

    def __init__(self, database: Database, data_dir: Path) -> None:
        self._database = database
        self._data_dir = data_dir
        self._folder = data_dir / FOLDER_NAME

    async def keep(self, now: float) -> Path | None:
        """Make today's copy and return its path; None if it is there already. Raises StoreError."""
        day = datetime.fromtimestamp(now, UTC).date()
        path = self._folder / f"daily-{day.isoformat()}.sqlite3"
        if path.exists():
            return None
        await self._copy_to(path)
        return path

    async def rescue(self, now: float) -> Path:
        """Copy a database whose file is gone, while it is still open. Raises StoreError."""
        path = self._folder / f"rescued-{_stamp(now)}.sqlite3"
        await self._copy_to(path)
        return path

    async def _copy_to(self, path: Path) -> None:
        unfinished = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished.unlink(missing_ok=True)
            await self._database.copy_to(unfinished)
            unfinished.rename(path)
        except OSError as error:
            raise StoreError(f"No backup could be made in {self._folder}: {error}") from error

    def prune(self, now: float) -> list[Path]:
        """Remove old and unfinished copies, and return what was removed.

        Old copies still contain words that were deleted later. A copy is unfinished if the bot
        stopped while writing it.

        Raises StoreError, and removes nothing, if the newest copy is from the future. Then the
        clock is wrong, so nobody can tell which copies are old.
        """
        try:
            self._check_clock(now)
            gone = self._list_over(now)
            for path in gone:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"An old copy could not be removed: {error}") from error
        return gone

    def _check_clock(self, now: float) -> None:
        newest = max((path.name for path in self._folder.glob("daily-*.sqlite3")), default="")
        tomorrow = (datetime.fromtimestamp(now, UTC) + timedelta(days=1)).date().isoformat()
        if newest > f"daily-{tomorrow}.sqlite3":
            raise StoreError(
                f"The clock of this machine is behind {self._folder / newest}, so no old copy was "
                "removed. Set the clock; if it is right, remove that file."
            )

    def _list_over(self, now: float) -> list[Path]:
        today = datetime.fromtimestamp(now, UTC).date()
        days = [(today - timedelta(days=n)).isoformat() for n in range(KEPT_DAILY)]
        kept = {f"daily-{day}.sqlite3" for day in days}
        return [
            *(path for path in self._folder.glob("daily-*.sqlite3") if path.name not in kept),
            *self._list_older(_ASIDE, now - KEPT_ASIDE_DAYS * _DAY_SECONDS),
            *self._list_older(_UNFINISHED, now - _DAY_SECONDS),
        ]

    def _list_older(self, patterns: tuple[str, ...], moment: float) -> Iterator[Path]:
        for pattern in patterns:
            yield from (p for p in self._data_dir.glob(pattern) if _find_time(p) < moment)


def _find_time(path: Path) -> float:
    """Return when a copy was made or set aside, read from its name. The file may be older."""
    named = re.search(r"-(\d{8}-\d{6})\.", path.name)
    with suppress(ValueError):  # the file's name contains no valid time
        if named is not None:
            return datetime.strptime(named[1], _STAMP).replace(tzinfo=UTC).timestamp()
    return path.stat().st_mtime


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of ``restore``. set_aside: where the earlier database is now. pictures_aside:
    where those pictures are now that only the earlier database lists. Each is None if there was
    nothing to move.
    """

    backup: Path
    set_aside: Path | None
    pictures_aside: Path | None


def restore(data_dir: Path, backup: Path, migrations: Path, now: float) -> Restored:
    """Put a copy in the place of the database, and keep the earlier database beside it.

    No id is used twice, because the buttons under newer messages must not find another job. The
    caller must own the data directory. Raises StoreError, also for a copy that this version cannot
    use.
    """
    fault = examine_file(backup, migrations)
    if fault is not None:
        raise StoreError(f"{backup} cannot be used: {fault}. Nothing was changed.")
    path = data_dir / FILE_NAME
    aside = data_dir / f"replaced-{_stamp(now)}.sqlite3"
    copy = data_dir / f"{FILE_NAME}.part"
    try:
        with _for_owner_alone():
            copy.unlink(missing_ok=True)
            with closing(open_with_log(backup)) as source, closing(sqlite3.connect(copy)) as made:
                source.backup(made)  # this also copies what is only in the log
            known = _raise_ids(copy, data_dir)
        existed = path.exists()
        _set_aside(path, aside)
        _put(copy, path)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{backup} could not be restored: {error}") from error
    try:
        with _for_owner_alone():
            pictures_aside = _set_pictures_aside(data_dir, known, aside.with_suffix(".pictures"))
    except OSError as error:
        raise StoreError(
            f"The database is restored from {backup}, but pictures of prompts since then could not "
            f"be set aside: {error}. Copy {data_dir / PICTURES} before you start the bot, "
            "which deletes pictures that the database does not list."
        ) from error
    return Restored(backup, aside if existed else None, pictures_aside)


async def begin_anew(data_dir: Path, migrations: Path, now: float) -> str:
    """Replace a lost or damaged database by an empty one, and rename what is left of the old one.

    The new database does not use ids that the old one may have used. Returns what was renamed, in
    words; "" if there was nothing. Raises StoreError if the database is whole. The caller must own
    the data directory.
    """
    path = data_dir / FILE_NAME
    if is_record(path, whole=True):
        raise StoreError(
            f"{path} is whole, so --new would hide it. Nothing was changed. Run without --new, or "
            "set DATA_DIR to another folder for a new beginning."
        )
    rest = describe_rest(data_dir) or (path.name if is_record(path) else "")
    if not rest:
        return ""
    aside, built = data_dir / f"replaced-{_stamp(now)}", data_dir / "new.part"
    try:
        shutil.rmtree(built, ignore_errors=True)
        with _for_owner_alone():
            built.mkdir()
            await (await Database.open(built, migrations)).close()
            _raise_ids(built / FILE_NAME, data_dir)
        for folder in (PICTURES, FOLDER_NAME):
            if (data_dir / folder).exists():
                (data_dir / folder).rename(f"{aside}.{folder}")
        _set_aside(path, Path(f"{aside}.sqlite3"))
        # this comes last: after a crash before it, every start still asks for --new
        _put(built / FILE_NAME, path)
        shutil.rmtree(built)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"No new record could be made in {data_dir}: {error}") from error
    return rest


def _set_aside(path: Path, aside: Path) -> None:
    """Rename a database and its log.

    A log without a database is renamed too, because SQLite would apply the log to any file that
    takes the database's place.
    """
    for part in list_parts(path):
        part.chmod(0o600)
        part.rename(f"{aside}{part.name.removeprefix(path.name)}")


@contextmanager
def _for_owner_alone() -> Iterator[None]:
    """Inside this block, new files get mode 0600 and new folders 0700, whatever the umask is."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _put(made: Path, path: Path) -> None:
    with made.open("rb") as file:
        os.fsync(file.fileno())
    made.rename(path)


def _stamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime(_STAMP)


def _raise_ids(copy: Path, data_dir: Path) -> int:
    """Write into the copy which ids are in use. Return the id of the last job in the copy."""
    last = dict.fromkeys(_NAMED_IN_MESSAGES.values(), 0)
    is_readable = _add_last_ids(data_dir / FILE_NAME, last)
    for path in (copy, *list_backups(data_dir), *data_dir.glob("replaced-*.sqlite3")):
        _add_last_ids(path, last)
    folders = (data_dir / PICTURES, *data_dir.glob("replaced-*.pictures"))
    drawn = [job_id for folder in folders for job_id, _ in list_pictures(folder)]
    last["job_id"] = max(last["job_id"], *drawn, 0)
    margin = 0 if is_readable else _UNREADABLE_MARGIN
    with closing(sqlite3.connect(copy)) as connection, connection:
        [known] = connection.execute("SELECT coalesce(max(job_id), 0) FROM job").fetchone()
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [(f"last_{column}", str(number + margin)) for column, number in last.items()],
        )
    return int(known)


def _add_last_ids(path: Path, last: dict[str, int]) -> bool:
    """Raise ``last`` to the highest ids in this database; return whether it has a job table."""
    tables: set[str] = set()
    try:
        with closing(open_to_read(path)) as connection:
            tables = {name for [name] in connection.execute("SELECT name FROM sqlite_schema")}
            for table, column in _NAMED_IN_MESSAGES.items():
                if table in tables:
                    question = f"SELECT {compose_next_id(table, column)} - 1"
                    [found] = connection.execute(question).fetchone()
                    last[column] = max(last[column], found)
    except sqlite3.Error:
        return False
    return "job" in tables


def _set_pictures_aside(data_dir: Path, known: int, aside: Path) -> Path | None:
    """Move away the pictures of jobs after ``known``, because the running bot would delete them."""
    folder = data_dir / PICTURES
    newer = [path for job_id, path in list_pictures(folder) if job_id > known]
    for path in newer:
        target = aside / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    return aside if newer else None


def examine_file(path: Path, migrations: Path) -> str | None:
    """Return what is wrong with a database file; None if nothing is."""
    if not path.is_file():
        return "there is no such file"
    try:
        with closing(open_with_log(path)) as connection:
            [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                return str(found)
            return describe_oddity(connection, migrations) or None
    except sqlite3.Error as error:
        return str(error)
