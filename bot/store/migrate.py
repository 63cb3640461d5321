"""Runs numbered SQL files. Each file and its ``PRAGMA user_version`` are one transaction."""

from __future__ import annotations

import re
from pathlib import Path

import aiosqlite

from bot.errors import ConfigError, StoreError
from bot.store.reader import create_private

_FILE_NAME = re.compile(r"(\d{4})_\w+\.sql")


async def migrate(connection: aiosqlite.Connection, folder: Path, backups: Path) -> int:
    """Bring the database up to the newest file in ``folder``; returns its number.

    Raises StoreError if the database is newer than the program, ConfigError for a bad folder.
    """
    scripts = read_scripts(folder)
    version = await get_version(connection)
    if version > len(scripts):
        raise StoreError(
            f"The database is of version {version}, this program knows versions up to "
            f"{len(scripts)}. Nothing was changed. Install the newer Triptych that wrote it, or "
            f"restore an older file from {backups}."
        )
    if 0 < version < len(scripts):
        target = _make_backup_path(backups, version + 1)
        create_private(target)
        await connection.execute("VACUUM INTO ?", (str(target),))
    for number, script in enumerate(scripts[version:], start=version + 1):
        try:
            await connection.executescript(
                f"BEGIN IMMEDIATE;\n{script}\n;PRAGMA user_version={number}; COMMIT;"
            )
        except BaseException:
            await connection.rollback()
            raise
    return len(scripts)


async def get_version(connection: aiosqlite.Connection) -> int:
    """Return the number of the last migration that the database has."""
    [row] = await connection.execute_fetchall("PRAGMA user_version")
    return int(row[0])


def _make_backup_path(backups: Path, number: int) -> Path:
    backups.mkdir(exist_ok=True)
    path = backups / f"before-{number:04d}.sqlite3"
    path.unlink(missing_ok=True)
    return path


def read_scripts(folder: Path) -> list[str]:
    """Return the text of each migration in its order. Raises ConfigError for a bad folder."""
    scripts = sorted(folder.glob("*.sql"))
    numbers = [_FILE_NAME.fullmatch(script.name) for script in scripts]
    found = [int(match[1]) if match else None for match in numbers]
    if not scripts or found != list(range(1, len(scripts) + 1)):
        names = ", ".join(script.name for script in scripts) or "no files"
        raise ConfigError(
            f"The migrations in {folder} must be numbered 0001, 0002 … without gap or double; "
            f"found {names}. Reinstall Triptych."
        )
    return [script.read_text("utf-8") for script in scripts]
