"""Copies of the database: one a day, one before each migration; the way back to one, and the way
on without any."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.errors import StoreError
from bot.store.database import Database
from bot.store.files import (
    FILE_NAME,
    FOLDER_NAME,
    PICTURES,
    describe_rest,
    describe_stranger,
    is_record,
    list_backups,
    list_parts,
    list_pictures,
    open_to_read,
)
from bot.store.rows import compose_next_id

KEPT_DAILY = 7
_NAMED_IN_MESSAGES = {"job": "job_id", "card": "card_id"}  # buttons out there carry these ids
_UNREADABLE_MARGIN = 100_000  # ids that a damaged or lost database may have given away


class Backups:
    """Makes today's copy if there is none yet, and lets the oldest go."""

    def __init__(self, database: Database, data_dir: Path) -> None:
        self._database = database
        self._folder = data_dir / FOLDER_NAME

    async def keep(self, now: float) -> Path | None:
        """The copy, if one was made. Raises StoreError."""
        day = datetime.fromtimestamp(now, UTC).date()
        path = self._folder / f"daily-{day.isoformat()}.sqlite3"
        if path.exists():
            return None
        await self._copy_to(path)
        return path

    async def rescue(self, now: float) -> Path:
        """A copy of a record whose file is gone, while it is still open. Raises StoreError."""
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
            for old in sorted(self._folder.glob("daily-*.sqlite3"))[:-KEPT_DAILY]:
                old.unlink()
        except OSError as error:
            raise StoreError(f"No backup could be made in {self._folder}: {error}") from error


@dataclass(frozen=True, slots=True)
class Restored:
    """set_aside, pictures_aside: where the database of before and the pictures that only it knows
    lie; None if there were none."""

    backup: Path
    set_aside: Path | None
    pictures_aside: Path | None


def restore(data_dir: Path, backup: Path, now: float) -> Restored:
    """Put a copy in the place of the database, which is kept beside it. Raises StoreError.

    No id is given a second time: buttons under messages since the backup must not find another
    job. The caller owns the data directory.
    """
    fault = examine_file(backup)
    if fault is not None:
        raise StoreError(f"{backup} cannot be used: {fault}. Nothing was changed.")
    path = data_dir / FILE_NAME
    aside = data_dir / f"replaced-{_stamp(now)}.sqlite3"
    copy = data_dir / f"{FILE_NAME}.part"
    try:
        shutil.copyfile(backup, copy)
        known = _raise_ids(copy, data_dir)
        existed = path.exists()
        _set_aside(path, aside)
        _put(copy, path)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{backup} could not be restored: {error}") from error
    try:
        pictures_aside = _set_pictures_aside(data_dir, known, aside.with_suffix(".pictures"))
    except OSError as error:
        raise StoreError(
            f"The record is restored from {backup}, but pictures of prompts since then could not "
            f"be set aside: {error}. Copy {data_dir / PICTURES} before you start the bot, "
            "which removes what the record does not know."
        ) from error
    return Restored(backup, aside if existed else None, pictures_aside)


async def begin_anew(data_dir: Path, migrations: Path, now: float) -> str:
    """An empty record in the place of one that is lost or damaged, which gives no id that the old
    one may have given; what is left of that is set aside.

    Says what that is, "" if there was nothing. Raises StoreError where the record is whole. The
    caller owns the data directory.
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
        built.mkdir()
        await (await Database.open(built, migrations)).close()
        _raise_ids(built / FILE_NAME, data_dir)
        for folder in (PICTURES, FOLDER_NAME):
            if (data_dir / folder).exists():
                (data_dir / folder).rename(f"{aside}.{folder}")
        _set_aside(path, Path(f"{aside}.sqlite3"))
        _put(built / FILE_NAME, path)  # last: until then every start asks again
        shutil.rmtree(built)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"No new record could be made in {data_dir}: {error}") from error
    return rest


def _set_aside(path: Path, aside: Path) -> None:
    """A database under another name, also a log that has lost it: SQLite would put that into
    whatever file takes the place."""
    for part in list_parts(path):
        part.rename(f"{aside}{part.name.removeprefix(path.name)}")


def _put(made: Path, path: Path) -> None:
    with made.open("rb") as file:
        os.fsync(file.fileno())
    made.rename(path)


def _stamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")


def _raise_ids(copy: Path, data_dir: Path) -> int:
    """Write into the copy which ids are taken, wherever they are known; its own last job."""
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
    """Raise ``last`` to the ids that this database knows of; whether it knows of any."""
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
    """Move what is of jobs after ``known``: the sweep would take it for nobody's."""
    folder = data_dir / PICTURES
    newer = [path for job_id, path in list_pictures(folder) if job_id > known]
    for path in newer:
        target = aside / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    return aside if newer else None


def examine_file(path: Path) -> str | None:
    """What is wrong with a database file; None if nothing is."""
    if not path.is_file():
        return "there is no such file"
    try:
        with closing(open_to_read(path, "&immutable=1")) as connection:
            [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
            [version] = connection.execute("PRAGMA user_version").fetchone()
            stranger = describe_stranger(connection)
    except sqlite3.Error as error:
        return str(error)
    if found != "ok":
        return str(found)
    return stranger or (None if version else "it is no database of Triptych")
