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

KEPT_DAILY = 7
FOLDER_NAME = "backups"


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
    """set_aside: where the database of before lies; None if there was none."""

    backup: Path
    set_aside: Path | None


def list_backups(data_dir: Path) -> list[Path]:
    """The newest first."""
    found = (data_dir / FOLDER_NAME).glob("*.sqlite3")
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def restore(data_dir: Path, backup: Path, now: float) -> Restored:
    """Put a copy in the place of the database, which is kept beside it. Raises StoreError.

    The caller owns the data directory.
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
        with copy.open("rb") as file:
            os.fsync(file.fileno())
        existed = path.exists()
        if existed:
            for suffix in ("-wal", "-shm", ""):  # the log first: it belongs to the old file alone
                part = Path(f"{path}{suffix}")
                if part.exists():
                    part.rename(f"{aside}{suffix}")
        copy.rename(path)
    except OSError as error:
        raise StoreError(f"{backup} could not be restored: {error}") from error
    return Restored(backup, aside if existed else None)


def examine_file(path: Path) -> str | None:
    """What is wrong with a database file; None if nothing is."""
    if not path.is_file():
        return "there is no such file"
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
            [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
            [version] = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        return str(error)
    if found != "ok":
        return str(found)
    return None if version else "it is no database of Triptych"
