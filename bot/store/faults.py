"""Explains errors of SQLite and of the disk."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from bot.texts.codes import Code
from bot.texts.reasons import Reason, because


def is_locked(error: sqlite3.Error) -> bool:
    """Return whether the statement failed because another program is writing."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def explain_sqlite_error(error: sqlite3.Error, path: Path) -> Reason | str:
    """Return what to tell the member, or what to tell the owner if the file is damaged."""
    text = str(error)
    if "full" in text:
        return because(Code.DISK_FULL)
    if "readonly" in text or "read-only" in text or "unable to open" in text:
        return because(Code.RECORD_READ_ONLY, path=str(path))
    if isinstance(error, sqlite3.DatabaseError) and (
        "malformed" in text or "not a database" in text
    ):
        return describe_damage(path)
    return because(Code.RECORD_NOT_WRITTEN, fault=text)


def describe_damage(path: Path) -> str:
    """Return what to tell the owner about a damaged file."""
    return (
        f"The database {path} is damaged and was left as it is. `triptych restore` puts the "
        "newest of the backups in its place and keeps the damaged file beside it."
    )


def explain_os_error(error: OSError, folder: Path) -> str:
    """Return what to tell the owner about a folder that cannot be used."""
    return (
        f"The data directory {folder} cannot be used: {error.strerror or error}. "
        "Give it room and make it writable for this user, or set DATA_DIR to another folder."
    )
