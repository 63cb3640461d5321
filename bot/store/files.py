"""What lies in a data directory, and whether a record belongs to it that is not there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bot.errors import StoreError

FILE_NAME = "triptych.sqlite3"
FOLDER_NAME = "backups"
PICTURES = "pictures"


def list_backups(data_dir: Path) -> list[Path]:
    """The newest first, also those of a record that another has taken the place of."""
    folders = (data_dir / FOLDER_NAME, *data_dir.glob("replaced-*.backups"))
    found = [path for folder in folders for path in folder.glob("*.sqlite3")]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def list_pictures(folder: Path) -> list[tuple[int, Path]]:
    """Files and folders of jobs in a folder of pictures, with the job's id."""
    paths = [path for each in (folder, folder / "held") for path in each.glob("[0-9]*")]
    named = [(path.name.partition(".")[0], path) for path in paths]
    return [(int(name), path) for name, path in named if name.isdecimal()]


def list_parts(path: Path) -> list[Path]:
    """The files of a database: its log first, which belongs to it alone."""
    parts = [Path(f"{path}{suffix}") for suffix in ("-wal", "-shm", "")]
    return [part for part in parts if part.exists()]


def is_record(path: Path, *, whole: bool = False) -> bool:
    """Whether a record stands there; a damaged one is one, too, unless it has to be ``whole``.

    SQLite makes a record of nothing, and drops the log beside an empty file, so that is not left
    to it.
    """
    if not path.is_file() or not path.stat().st_size:
        return False
    try:
        with closing(sqlite3.connect(path)) as connection:
            [version] = connection.execute("PRAGMA user_version").fetchone()
            health = "ok"
            if whole:
                [health] = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error:
        return not whole
    return version > 0 and health == "ok"


def describe_rest(data_dir: Path) -> str:
    """What a record has left here; "" for a new data directory, whatever else lies in it."""
    log = data_dir / f"{FILE_NAME}-wal"
    rest = {
        "pictures": bool(list_pictures(data_dir / PICTURES)),
        "backups": bool(list_backups(data_dir)),
        "its log": log.exists() and log.stat().st_size > 0,
        "what was set aside (replaced-…)": any(data_dir.glob("replaced-*")),
    }
    return ", ".join(what for what, is_there in rest.items() if is_there)


def check_not_lost(data_dir: Path) -> None:
    """Better not to start than to sweep what a lost record knew. Raises StoreError."""
    rest = "" if is_record(data_dir / FILE_NAME) else describe_rest(data_dir)
    if rest:
        raise StoreError(
            f"The record {data_dir / FILE_NAME} is missing or empty, but {data_dir} still has "
            f"{rest}. Nothing was changed. `python -m bot restore` puts the newest backup in its "
            "place; `python -m bot run --new` begins an empty record and sets aside what is there. "
            "If the file was moved, move it back, or set DATA_DIR to where it is."
        )
