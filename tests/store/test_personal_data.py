"""The list of what is kept about people covers the whole schema."""

from __future__ import annotations

import re

from bot.store import Database
from bot.store.personal_data import PERSONAL

_NAMES_A_PERSON = re.compile(r"(user|member|actor|reporter|moderator|owner)_id|\w+_by")


async def read_schema(database: Database) -> dict[str, dict[str, str]]:
    """Return the types of the columns of each table."""
    tables = await database.fetch_all("SELECT name FROM sqlite_schema WHERE type = 'table'")
    return {
        table["name"]: {
            column["name"]: column["type"]
            for column in await database.fetch_all(f"PRAGMA table_info({table['name']})")
        }
        for table in tables
        if not table["name"].startswith("sqlite_")
    }


def find_unknown(schema: dict[str, dict[str, str]]) -> set[str]:
    """List the tables and columns that the list lacks."""
    unknown = set(schema) - set(PERSONAL)
    for table, kept in PERSONAL.items():
        known = {*kept.plain, *kept.people, *(words.column for words in kept.words)}
        unknown |= {
            f"{table}.{name}"
            for name, kind in schema[table].items()
            if name not in known and (kind != "INTEGER" or _NAMES_A_PERSON.fullmatch(name))
            if kind != "REAL"
        }
    return unknown


async def test_every_table_and_every_text_has_its_time(database: Database) -> None:
    assert find_unknown(await read_schema(database)) == set()


async def test_a_table_or_a_column_that_is_forgotten_is_noticed(database: Database) -> None:
    await database.execute("CREATE TABLE note (text TEXT, written_by INTEGER) STRICT")
    await database.execute("ALTER TABLE report ADD COLUMN answer TEXT NOT NULL DEFAULT ''")
    await database.execute("ALTER TABLE card ADD COLUMN seen_by INTEGER")
    found = find_unknown(await read_schema(database))
    assert found == {"note", "report.answer", "card.seen_by"}


async def test_it_names_nothing_that_is_not_there(database: Database) -> None:
    schema = await read_schema(database)
    assert set(PERSONAL) <= set(schema)
    for table, kept in PERSONAL.items():
        named = {*kept.plain, *kept.people, *(words.column for words in kept.words)}
        named |= {column for words in kept.words for column in (words.by, words.at)}
        assert named <= set(schema[table]), table


def test_what_members_wrote_can_be_blanked_everywhere_and_goes_or_is_forgotten() -> None:
    for table, kept in PERSONAL.items():
        if kept.words:
            assert all(words.by in kept.people for words in kept.words), table
            assert kept.over or table in {"job", "audit"}, table
