"""Copies of the database: one a day, one before each migration; and the way back to one."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.errors import StoreError
from bot.store.database import FILE_NAME, Database
from bot.store.rows import compose_next_id

KEPT_DAILY = 7
FOLDER_NAME = "backups"
_PICTURES = ("pictures", "pictures/held")
_NAMED_IN_MESSAGES = {"job": "job_id", "card": "card_id"}  # buttons out there carry these ids
_UNREADABLE_MARGIN = 100_000  # ids that a damaged or lost database may have given away


class BackupKeeper:
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
        unfinished = path.with_suffix(".part")
        try:
            self._folder.mkdir(exist_ok=True)
            unfinished.unlink(missing_ok=True)
            await self._database.copy_to(unfinished)
            unfinished.rename(path)
            for old in sorted(self._folder.glob("daily-*.sqlite3"))[:-KEPT_DAILY]:
                old.unlink()
        except OSError as error:
            raise StoreError(f"No backup could be made in {self._folder}: {error}") from error
        return path


@dataclass(frozen=True, slots=True)
class Restored:
    """set_aside, pictures_aside: where the database of before and the pictures that only it knows
    lie; None if there were none."""

    backup: Path
    set_aside: Path | None
    pictures_aside: Path | None


def list_backups(data_dir: Path) -> list[Path]:
    """The newest first."""
    found = (data_dir / FOLDER_NAME).glob("*.sqlite3")
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def restore(data_dir: Path, backup: Path, now: float) -> Restored:
    """Put a copy in the place of the database, which is kept beside it. Raises StoreError.

    No id is given a second time: buttons under messages since the backup must not find another
    job. The caller owns the data directory.
    """
    fault = examine_file(backup)
    if fault is not None:
        raise StoreError(f"{backup} cannot be used: {fault}. Nothing was changed.")
    path = data_dir / FILE_NAME
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    aside = data_dir / f"replaced-{moment}.sqlite3"
    copy = data_dir / f"{FILE_NAME}.part"
    try:
        shutil.copyfile(backup, copy)
        known = _raise_ids(copy, data_dir)
        with copy.open("rb") as file:
            os.fsync(file.fileno())
        existed = path.exists()
        if existed:
            for suffix in ("-wal", "-shm", ""):  # the log first: it belongs to the old file alone
                part = Path(f"{path}{suffix}")
                if part.exists():
                    part.rename(f"{aside}{suffix}")
        copy.rename(path)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{backup} could not be restored: {error}") from error
    try:
        pictures_aside = _set_pictures_aside(data_dir, known, aside.with_suffix(".pictures"))
    except OSError as error:
        raise StoreError(
            f"The record is restored from {backup}, but pictures of prompts since then could not "
            f"be set aside: {error}. Copy {data_dir / _PICTURES[0]} before you start the bot, "
            "which removes what the record does not know."
        ) from error
    return Restored(backup, aside if existed else None, pictures_aside)


def _raise_ids(copy: Path, data_dir: Path) -> int:
    """Write into the copy which ids are taken, wherever they are known; its own last job."""
    last = dict.fromkeys(_NAMED_IN_MESSAGES.values(), 0)
    is_readable = _add_last_ids(data_dir / FILE_NAME, last)
    for path in (copy, *list_backups(data_dir), *data_dir.glob("replaced-*.sqlite3")):
        _add_last_ids(path, last)
    last["job_id"] = max(last["job_id"], *(job_id for job_id, _ in _list_pictures(data_dir)), 0)
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
        with closing(_open_to_read(path)) as connection:
            tables = {name for [name] in connection.execute("SELECT name FROM sqlite_schema")}
            for table, column in _NAMED_IN_MESSAGES.items():
                if table in tables:
                    question = f"SELECT {compose_next_id(table, column)} - 1"
                    [found] = connection.execute(question).fetchone()
                    last[column] = max(last[column], found)
    except sqlite3.Error:
        return False
    return "job" in tables


def _open_to_read(path: Path, more: str = "") -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro{more}", uri=True)


def _list_pictures(data_dir: Path) -> list[tuple[int, Path]]:
    """Files and folders of jobs, with the job's id."""
    paths = [path for folder in _PICTURES for path in (data_dir / folder).glob("[0-9]*")]
    named = [(path.name.partition(".")[0], path) for path in paths]
    return [(int(name), path) for name, path in named if name.isdecimal()]


def _set_pictures_aside(data_dir: Path, known: int, aside: Path) -> Path | None:
    """Move what is of jobs after ``known``: the sweep would take it for nobody's."""
    newer = [path for job_id, path in _list_pictures(data_dir) if job_id > known]
    for path in newer:
        target = aside / path.relative_to(data_dir / _PICTURES[0])
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    return aside if newer else None


def examine_file(path: Path) -> str | None:
    """What is wrong with a database file; None if nothing is."""
    if not path.is_file():
        return "there is no such file"
    try:
        with closing(_open_to_read(path, "&immutable=1")) as connection:
            [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
            [version] = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        return str(error)
    if found != "ok":
        return str(found)
    return None if version else "it is no database of Triptych"
