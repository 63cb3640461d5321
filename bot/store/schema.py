"""Checks that a database has the tables that Triptych gives it, and nothing else."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from bot.store.files import describe_stranger
from bot.store.migrate import read_scripts

_COMMENT = re.compile(r"--[^\n]*")
_NAMED = 3


def describe_oddity(connection: sqlite3.Connection, migrations: Path) -> str:
    """Return why this program cannot use a database; "" if it can.

    A database from an older release must be exactly as its migrations made it. The next start
    updates it.
    """
    stranger = describe_stranger(connection)
    if stranger:
        return stranger
    scripts = read_scripts(migrations)
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if version < 1:
        return "it is no database of Triptych"
    if version > len(scripts):
        return (
            f"it is of version {version}, and this program knows versions up to {len(scripts)}; "
            "install the newer Triptych that wrote it"
        )
    with closing(sqlite3.connect(":memory:")) as model:
        for script in scripts[:version]:
            model.executescript(script)
        expected = _list_objects(model)
    found = _list_objects(connection)
    if unknown := found.keys() - expected.keys():
        return f"Triptych did not make its {_name(unknown)}"
    if odd := {each for each in expected if found.get(each) != expected[each]}:
        return f"its {_name(odd)} is missing or not as Triptych makes it"
    return ""


def _list_objects(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """List the SQL of each table, index, trigger and view, without comments and line breaks."""
    rows = connection.execute(
        "SELECT type, name, coalesce(sql, '') FROM sqlite_schema "
        "WHERE name NOT LIKE 'sqlite@_%' ESCAPE '@'"
    )
    return {(kind, name): " ".join(_COMMENT.sub("", sql).split()) for kind, name, sql in rows}


def _name(objects: set[tuple[str, str]]) -> str:
    return ", ".join(f"{kind} {name[:40]!r}" for kind, name in sorted(objects)[:_NAMED])
