"""Long reads do not make writers wait."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from bot.errors import StoreError
from bot.ops.resources import get_migrations_folder
from bot.store import (
    DATABASE_FILE_NAME,
    AuditRepository,
    Backups,
    Database,
    JobRepository,
    MetaRepository,
    RetentionRepository,
)
from bot.store.patience import hurry
from bot.store.reader import Reader

LONG = (
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 50000000) "
    "SELECT count(*) FROM n"
)  # this would take many seconds; each test interrupts it
LONG_READS: dict[str, Callable[[Database], Awaitable[object]]] = {
    "jobs by status": lambda database: JobRepository(database).count_by_status(),
    "waits": lambda database: JobRepository(database).list_waits_since(0.0),
    "audit": lambda database: AuditRepository(database).search(7),
    "rows about a member": lambda database: AuditRepository(database).list_about(7),
    "prompts of a member": lambda database: RetentionRepository(database).list_of_member(7),
    "pictures of a member": lambda database: RetentionRepository(database).list_pictures_of_member(
        7
    ),
    "strikes of a member": lambda database: RetentionRepository(database).list_sanctions(7),
}


@pytest.fixture
def is_reading(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Makes every copy take long. The event is set when a copy has begun."""
    begun = asyncio.Event()

    async def copy_to(self: Reader, path: Path) -> None:
        begun.set()
        await self.fetch_all(LONG)

    monkeypatch.setattr(Reader, "copy_to", copy_to)
    return begun


async def test_writing_and_short_reading_go_on_beside_a_long_read(database: Database):
    reading = asyncio.create_task(database.fetch_all_apart(LONG))
    meta = MetaRepository(database)
    await meta.put("mark", "written")
    assert await meta.fetch("mark") == "written"
    assert not reading.done()
    await database.close()  # interrupts the copy
    with pytest.raises(StoreError, match="is stopping"):
        await reading


@pytest.mark.parametrize("name", LONG_READS)
async def test_long_reads_wait_for_nobody_who_writes(database: Database, name: str):
    async with asyncio.timeout(10), database.transaction():
        await asyncio.create_task(LONG_READS[name](database))  # pyright: ignore[reportArgumentType]


async def test_copy_keeps_neither_writing_nor_statistics_waiting_and_ends_with_the_bot(
    database: Database, tmp_path: Path, is_reading: asyncio.Event
):
    copying = asyncio.create_task(Backups(database, tmp_path).keep(0.0))
    async with asyncio.timeout(10):
        await is_reading.wait()
    await MetaRepository(database).put("mark", "written")
    assert await JobRepository(database).count_by_status() == {}
    assert not copying.done()
    copying.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait({copying})
    assert copying.cancelled()


async def test_what_was_answered_is_seen_and_what_is_not_on_disk_is_not(database: Database):
    meta, query = MetaRepository(database), "SELECT value FROM meta WHERE key = 'mark'"
    await meta.put("mark", "answered")
    async with database.transaction():
        await meta.put("mark", "open")
        assert [row["value"] for row in await database.fetch_all_apart(query)] == ["answered"]
    assert [row["value"] for row in await database.fetch_all_apart(query)] == ["open"]


async def test_whoever_is_in_a_hurry_does_not_wait_for_a_long_read(database: Database):
    async def read() -> None:
        hurry(0.2, lambda: False)
        await JobRepository(database).count_by_status()

    long = asyncio.create_task(database.fetch_all_apart(LONG))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        with pytest.raises(StoreError, match="not done"):
            await asyncio.create_task(read())
    assert not long.done()
    await database.close()
    await asyncio.gather(long, return_exceptions=True)


async def test_nothing_is_written_there(database: Database):
    with pytest.raises(StoreError):
        await database.fetch_all_apart("DELETE FROM meta")


async def test_after_the_end_nothing_is_read(database: Database):
    await database.close()
    with pytest.raises(StoreError, match="is stopping"):
        await database.fetch_all_apart("SELECT 1")


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
async def test_copies_are_read_by_their_owner_alone(tmp_path: Path):
    migrations = Path(shutil.copytree(get_migrations_folder(), tmp_path / "migrations"))
    database = await Database.open(tmp_path, migrations)
    keeper, path = Backups(database, tmp_path), tmp_path / DATABASE_FILE_NAME
    await keeper.keep(0.0)
    away = path.rename(tmp_path / "away")
    await keeper.rescue(0.0)
    away.rename(path)
    await database.close()
    number = len(os.listdir(migrations)) + 1
    (migrations / f"{number:04d}_more.sql").write_text("CREATE TABLE more (x TEXT) STRICT;")
    await (await Database.open(tmp_path, migrations)).close()
    copies = list((tmp_path / "backups").iterdir())
    assert {path.name.partition("-")[0] for path in copies} == {"daily", "rescued", "before"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in copies} == {0o600}
