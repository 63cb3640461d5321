"""A real database in a temporary folder."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import pytest

from bot.ops.resources import get_migrations_folder
from bot.store import DATABASE_FILE_NAME, Database, JobRepository


@cache
def _migrated() -> Path:
    """One migrated database for the whole run, because each migration waits for the disk."""
    folder = Path(tempfile.mkdtemp(prefix="triptych-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    async def migrate() -> None:
        await (await Database.open(folder, get_migrations_folder())).close()

    asyncio.run(migrate())
    return folder / DATABASE_FILE_NAME


def _prepare(data_dir: Path) -> None:
    data_dir.mkdir(exist_ok=True)
    if not (data_dir / DATABASE_FILE_NAME).exists():
        shutil.copy(_migrated(), data_dir / DATABASE_FILE_NAME)


async def open_database(data_dir: Path) -> Database:
    """Open the product's database, but without waiting for the disk."""
    await asyncio.to_thread(_prepare, data_dir)
    database = await Database.open(data_dir, get_migrations_folder())
    await database._connection.execute("PRAGMA synchronous=OFF")
    return database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
def jobs(database: Database) -> JobRepository:
    return JobRepository(database)
