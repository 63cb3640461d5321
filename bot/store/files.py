"""Finds the files of a data directory, and notices when its database is missing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bot.errors import StoreError

FILE_NAME = "triptych.sqlite3"
FOLDER_NAME = "backups"
PICTURES = "pictures"

_APPLICATION_ID = 0x54525035  # "TRP5", as in migrations/0001_initial.sql
_UNRELEASED_IDS = {
    0,
    0x54524950,
    0x54525031,
    0x54525032,
    0x54525033,
    0x54525034,
}  # the application ids of development versions with another 0001_initial.sql
_UNRELEASED = "it was made by a version of Triptych from before the first release"
_FOREIGN = "it belongs to another program"


def list_backups(data_dir: Path) -> list[Path]:
    """List all backups, newest first, including those of databases that were replaced."""
    folders = (data_dir / FOLDER_NAME, *data_dir.glob("replaced-*.backups"))
    found = [path for folder in folders for path in folder.glob("*.sqlite3")]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def list_pictures(folder: Path) -> list[tuple[int, Path]]:
    """Return the files and folders of jobs in a folder of pictures, with the job ids."""
    paths = [path for each in (folder, folder / "held") for path in each.glob("[0-9]*")]
    named = [(path.name.partition(".")[0], path) for path in paths]
    return [(int(name), path) for name, path in named if name.isdecimal()]


def list_parts(path: Path) -> list[Path]:
    """Return those files of a database that exist, the log first."""
    parts = [Path(f"{path}{suffix}") for suffix in ("-wal", "-shm", "")]
    return [part for part in parts if part.exists()]


def open_to_read(path: Path, more: str = "") -> sqlite3.Connection:
    """Open a read-only connection. more: further parameters of its URI."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro{more}", uri=True)


def open_with_log(path: Path) -> sqlite3.Connection:
    """Open a read-only connection that reads the log too, if there is one.

    If there is no log, SQLite would create files beside the database; immutable prevents that.
    """
    log = Path(f"{path}-wal")
    has_log = log.exists() and log.stat().st_size > 0
    return open_to_read(path, "" if has_log else "&immutable=1")


def describe_stranger(connection: sqlite3.Connection) -> str:
    """Return why this database cannot be used here; "" if it can, or if it is still empty."""
    [application_id] = connection.execute("PRAGMA application_id").fetchone()
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if application_id in _UNRELEASED_IDS:
        return _UNRELEASED if version > 0 else ""
    return "" if application_id == _APPLICATION_ID else _FOREIGN


def check_is_ours(path: Path) -> None:
    """Raise StoreError for a database that this program must not touch."""
    if not path.is_file() or not path.stat().st_size:
        return
    try:
        with closing(open_with_log(path)) as connection:
            reason = describe_stranger(connection)
    except sqlite3.Error:
        return  # the file is damaged or not readable; the code that opens it next reports that
    if reason:
        raise StoreError(
            f"The database {path} cannot be used: {reason}. Nothing was changed. "
            "Set DATA_DIR to another folder; or start with an empty database by "
            "`triptych run --new`, which keeps the old one under another name."
        )


def is_record(path: Path, *, whole: bool = False) -> bool:
    """Return whether our database is there. A damaged or unreadable one counts, unless ``whole`` is
    set.

    An empty file is not opened, because SQLite would make it a database and delete the log beside
    it.
    """
    if not path.is_file() or not path.stat().st_size:
        return False
    try:
        with closing(sqlite3.connect(path)) as connection:
            [version] = connection.execute("PRAGMA user_version").fetchone()
            is_fit = not whole or (
                not describe_stranger(connection)
                and connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
            )
    except sqlite3.Error:
        return not whole
    return version > 0 and is_fit


def describe_rest(data_dir: Path) -> str:
    """Describe what a lost database has left here; "" for a new data directory."""
    log = data_dir / f"{FILE_NAME}-wal"
    rest = {
        "pictures": bool(list_pictures(data_dir / PICTURES)),
        "backups": bool(list_backups(data_dir)),
        "its log": log.exists() and log.stat().st_size > 0,
        "a replaced database (replaced-…)": any(data_dir.glob("replaced-*")),
    }
    return ", ".join(what for what, is_there in rest.items() if is_there)


def check_not_lost(data_dir: Path) -> None:
    """Raise StoreError if the database is lost or not ours.

    Starting without the database would delete every picture that the database lists.
    """
    check_is_ours(data_dir / FILE_NAME)
    rest = "" if is_record(data_dir / FILE_NAME) else describe_rest(data_dir)
    if rest:
        raise StoreError(
            f"The database {data_dir / FILE_NAME} is missing or empty, but {data_dir} still has "
            f"{rest}. Nothing was changed. `triptych restore` brings back the newest backup; "
            "`triptych run --new` keeps all that under another name and starts with an empty "
            "database. If the file was moved, move it back, or set DATA_DIR to its folder."
        )
