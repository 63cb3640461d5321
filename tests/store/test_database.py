"""Transactions, faults of the file, and the lock on the folder."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bot.errors import DataDirLocked, StoreError, Unconfirmed
from bot.ops.resources import get_migrations_folder
from bot.store import DATABASE_FILE_NAME, Database, DataDirLock, MetaRepository
from bot.store.patience import hurry

PUT = "INSERT INTO meta VALUES (?, ?)"


async def keys(database: Database) -> list[str]:
    return [row["key"] for row in await database.fetch_all("SELECT key FROM meta ORDER BY key")]


async def test_transaction_keeps_all_its_statements(database: Database):
    async with database.transaction():
        await database.execute(PUT, ("a", "1"))
        await database.execute(PUT, ("b", "2"))
    assert await keys(database) == ["a", "b"]


async def test_fault_inside_a_transaction_undoes_all_of_it(database: Database):
    with pytest.raises(ZeroDivisionError):
        async with database.transaction():
            await database.execute(PUT, ("a", "1"))
            raise ZeroDivisionError
    assert await keys(database) == []
    await database.execute(PUT, ("b", "2"))
    assert await keys(database) == ["b"]


async def test_broken_statement_undoes_what_came_before_it_and_is_a_store_error(database: Database):
    with pytest.raises(StoreError, match="nothing was saved"):
        async with database.transaction():
            await database.execute(PUT, ("a", "1"))
            await database.execute(PUT, ("a", "again"))
    assert await keys(database) == []


async def test_many_rows_are_written_together_or_not_at_all(database: Database):
    with pytest.raises(StoreError):
        await database.execute_many(PUT, [("a", "1"), ("b", "2"), ("a", "3")])
    assert await keys(database) == []


async def test_inner_transaction_belongs_to_the_outer_one(database: Database):
    with pytest.raises(ZeroDivisionError):
        async with database.transaction():
            async with database.transaction():
                await database.execute(PUT, ("a", "1"))
            raise ZeroDivisionError
    assert await keys(database) == []


async def test_cancelled_transaction_is_undone_and_the_next_one_can_begin(database: Database):
    inside = asyncio.Event()

    async def write_and_linger() -> None:
        async with database.transaction():
            await database.execute(PUT, ("a", "1"))
            inside.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(write_and_linger())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(10):
        assert await keys(database) == []
        await database.execute(PUT, ("b", "2"))


@pytest.mark.parametrize("num_switches", range(16))
async def test_cancellation_at_any_moment_leaves_all_or_nothing(
    database: Database, num_switches: int
):
    """The task is cancelled after this many turns of the loop, no matter what it was doing."""

    async def write_two() -> None:
        async with database.transaction():
            await database.execute(PUT, ("a", "1"))
            await database.execute(PUT, ("b", "2"))

    task = asyncio.create_task(write_two())
    for _ in range(num_switches**2):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(5):
        assert await keys(database) in ([], ["a", "b"])
        await database.execute(PUT, ("c", "3"))


async def test_commit_that_has_begun_survives_cancellation(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    committing = asyncio.Event()
    commit = database._connection.commit

    async def slow_commit() -> None:
        committing.set()
        await asyncio.sleep(0.02)
        await commit()

    monkeypatch.setattr(database._connection, "commit", slow_commit)
    task = asyncio.create_task(database.execute(PUT, ("a", "1")))
    async with asyncio.timeout(5):
        await committing.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.001)
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.undo()
    assert await keys(database) == ["a"]


async def test_reader_waits_until_the_writer_has_decided(database: Database):
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def write_and_undo() -> None:
        async with database.transaction():
            await database.execute(PUT, ("a", "1"))
            inside.set()
            await go_on.wait()
            raise ZeroDivisionError

    writing = asyncio.create_task(write_and_undo())
    await inside.wait()
    reading = asyncio.create_task(keys(database))
    await asyncio.sleep(0.01)
    assert not reading.done()
    go_on.set()
    assert await reading == []
    with pytest.raises(ZeroDivisionError):
        await writing


async def test_task_started_inside_a_transaction_does_not_join_it(database: Database):
    async def write_and_fail() -> None:
        async with database.transaction():
            await database.execute(PUT, ("c", "3"))
            raise ZeroDivisionError

    async with database.transaction():
        await database.execute(PUT, ("a", "1"))
        other = asyncio.create_task(database.execute(PUT, ("b", "2")))
        failing = asyncio.create_task(write_and_fail())
        await asyncio.sleep(0.01)
        assert not (other.done() or failing.done())
        assert await keys(database) == ["a"]
    await other
    with pytest.raises(ZeroDivisionError):
        await failing
    assert await keys(database) == ["a", "b"]


async def test_turns_taken_together_share_one_commit_and_are_on_disk_when_they_end(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    commits = 0
    commit = database._connection.commit

    async def count_commit() -> None:
        nonlocal commits
        commits += 1
        await commit()

    monkeypatch.setattr(database._connection, "commit", count_commit)
    await asyncio.gather(*(database.execute(PUT, (f"{n:02}", "1")) for n in range(50)))
    assert commits < 25
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE_NAME)) as other:
        assert other.execute("SELECT count(*) FROM meta").fetchone() == (50,)


async def test_nobody_leaves_their_turn_before_its_commit(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    committed = asyncio.Event()
    commit = database._connection.commit

    async def late_commit() -> None:
        await committed.wait()
        await commit()

    monkeypatch.setattr(database._connection, "commit", late_commit)
    writing = asyncio.create_task(database.execute(PUT, ("a", "1")))
    reading = asyncio.create_task(keys(database))
    await asyncio.sleep(0.02)
    assert not (writing.done() or reading.done())
    committed.set()
    await writing
    assert await reading == ["a"]


async def test_failed_commit_is_an_error_for_everybody_whose_turn_it_covered(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    async def no_commit() -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(database._connection, "commit", no_commit)
    tasks = [asyncio.create_task(database.execute(PUT, (f"{n}", "1"))) for n in range(5)]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreError] * 5
    monkeypatch.undo()
    assert await keys(database) == []
    await database.execute(PUT, ("b", "2"))


async def test_fault_of_one_turn_does_not_undo_its_neighbours(database: Database):
    async def write(name: str, *, fails: bool) -> None:
        async with database.transaction():
            await database.execute(PUT, (name, "1"))
            if fails:
                raise ZeroDivisionError

    tasks = [write(f"{n}", fails=n % 3 == 0) for n in range(9)]
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await keys(database) == ["1", "2", "4", "5", "7", "8"]


async def test_disk_that_fills_up_undoes_the_whole_batch_and_says_so_to_all_of_it(
    database: Database,
):
    connection = database._connection
    [[pages]] = await connection.execute_fetchall("PRAGMA page_count")
    await connection.execute_fetchall(f"PRAGMA max_page_count={pages + 1}")
    sizes = [1, 100_000, 1, 1]
    outcomes = await asyncio.gather(
        *(database.execute(PUT, (f"{n}", "x" * size)) for n, size in enumerate(sizes)),
        return_exceptions=True,
    )
    saved = [f"{n}" for n, outcome in enumerate(outcomes) if outcome is None]
    assert isinstance(outcomes[1], StoreError)
    assert await keys(database) == saved


async def test_closing_waits_for_what_is_being_committed_even_if_it_is_cancelled(tmp_path: Path):
    database = await Database.open(tmp_path, get_migrations_folder())
    writing = asyncio.create_task(database.execute(PUT, ("a", "1")))
    await asyncio.sleep(0.002)
    closing_task = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    closing_task.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(writing, closing_task, return_exceptions=True)
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE_NAME)) as connection:
        assert connection.execute("SELECT key FROM meta").fetchall() in ([("a",)], [])
    await asyncio.to_thread(database._connection._thread.join, 5)
    assert not database._connection._thread.is_alive()


async def test_turn_after_the_end_is_a_clear_sentence_and_nobody_hangs(tmp_path: Path):
    database = await Database.open(tmp_path, get_migrations_folder())
    tasks = [asyncio.create_task(database.execute(PUT, (f"{n}", "1"))) for n in range(5)]
    for _ in range(4):
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await database.close()
        await database.close()
        assert await asyncio.gather(*tasks) == [None] * 5
        with pytest.raises(StoreError, match="is stopping"):
            await database.execute(PUT, ("late", "1"))


async def test_fifty_tasks_take_turns_and_lose_nothing(database: Database):
    await database.execute(PUT, ("n", "0"))

    async def add_one() -> None:
        async with database.transaction():
            row = await database.fetch_one("SELECT value FROM meta WHERE key = 'n'")
            await asyncio.sleep(0)
            value = str(int(row["value"]) + 1)
            await database.execute("UPDATE meta SET value = ? WHERE key = 'n'", (value,))

    await asyncio.gather(*(add_one() for _ in range(50)))
    assert await MetaRepository(database).fetch("n") == "50"


async def test_pragmas_are_those_that_survive_a_power_cut(tmp_path: Path):
    database = await Database.open(tmp_path, get_migrations_folder())
    found = [
        (await database._connection.execute_fetchall(f"PRAGMA {name}"))[0][0]
        for name in ("journal_mode", "synchronous", "foreign_keys")
    ]
    await database.close()
    assert found == ["wal", 2, 1]


async def test_picture_of_no_job_is_refused(database: Database):
    with pytest.raises(StoreError):
        await database.execute("INSERT INTO picture VALUES (99, 0, 'p', 's', NULL, 1)")


async def test_full_disk_is_a_clear_sentence_and_nothing_is_half_written(database: Database):
    connection = database._connection
    [[pages]] = await connection.execute_fetchall("PRAGMA page_count")
    await connection.execute_fetchall(f"PRAGMA max_page_count={pages + 1}")
    with pytest.raises(StoreError, match=r"disk .* is full, so nothing was saved .* make room"):
        async with database.transaction():
            await database.execute(PUT, ("small", "1"))
            await database.execute(PUT, ("large", "x" * 100_000))
    assert await keys(database) == []
    await connection.execute_fetchall("PRAGMA max_page_count=1000000")
    await database.execute(PUT, ("large", "x" * 100_000))
    assert await keys(database) == ["large"]


async def test_read_only_file_is_a_clear_sentence(database: Database):
    await database._connection.execute("PRAGMA query_only=ON")
    with pytest.raises(StoreError, match="may write to"):
        await database.execute(PUT, ("a", "1"))


async def test_folder_that_is_a_file_is_a_clear_sentence(tmp_path: Path):
    (tmp_path / "data").write_text("not a folder")
    for data_dir in (tmp_path / "data", tmp_path / "data" / "deeper"):
        with pytest.raises(StoreError, match="cannot be used"):
            DataDirLock(data_dir).acquire()
        with pytest.raises(StoreError, match="may write to"):
            await Database.open(data_dir, get_migrations_folder())


async def test_folder_that_may_not_be_written_is_a_clear_sentence(tmp_path: Path):
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o500)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(StoreError, match="cannot be used: Permission denied"):
            DataDirLock(folder).acquire()
        with pytest.raises(StoreError, match="may write to"):
            await Database.open(folder, get_migrations_folder())
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("content", [b"this is no database, it is a letter" * 100, b"\0" * 5000])
async def test_damaged_file_is_named_and_left_as_it_is(tmp_path: Path, content: bytes):
    path = tmp_path / DATABASE_FILE_NAME
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"triptych\.sqlite3 is damaged .* backups"):
        await Database.open(tmp_path, get_migrations_folder())
    assert path.read_bytes() == content


async def test_newer_database_is_refused_and_left_as_it_is(tmp_path: Path):
    database = await Database.open(tmp_path, get_migrations_folder())
    await database._connection.execute("PRAGMA user_version=999")
    await database.close()
    with pytest.raises(StoreError, match=r"version 999, this program knows .* newer Triptych"):
        await Database.open(tmp_path, get_migrations_folder())
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE_NAME)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (999,)


FAULTY_OPENINGS = """
import asyncio, sys
from pathlib import Path
from bot.errors import TriptychError
from bot.ops.resources import get_migrations_folder
from bot.store import Database

async def main():
    folder = Path(sys.argv[1])
    (folder / "damaged").mkdir()
    (folder / "damaged" / "triptych.sqlite3").write_text("nonsense" * 999)
    (folder / "file").write_text("")
    (folder / "empty").mkdir()
    database = await Database.open(folder / "empty", get_migrations_folder())
    for data_dir, migrations in [
        (folder / "damaged", get_migrations_folder()),
        (folder / "file", get_migrations_folder()),
        (folder / "empty", folder / "no migrations"),
    ]:
        try:
            await Database.open(data_dir, migrations)
        except TriptychError as error:
            print(type(error).__name__)
    task = asyncio.create_task(database.execute("INSERT INTO meta VALUES ('a', 'b')"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    closing.cancel()
    task.cancel()
    await asyncio.gather(task, closing, return_exceptions=True)

asyncio.run(main())
"""


def test_no_opening_that_failed_keeps_the_process_alive(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", FAULTY_OPENINGS, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["StoreError", "StoreError", "ConfigError"]


def test_second_lock_in_this_process_is_refused_until_the_first_is_released(tmp_path: Path):
    first, second = DataDirLock(tmp_path / "new" / "data"), DataDirLock(tmp_path / "new" / "data")
    first.acquire()
    with pytest.raises(DataDirLocked, match=f"pid {os.getpid()}"):
        second.acquire()
    first.release()
    first.release()
    second.acquire()
    second.release()


def test_second_process_is_refused_and_told_which_one_works_here(tmp_path: Path):
    hold = (
        "import sys; from pathlib import Path; from bot.store import DataDirLock;"
        "DataDirLock(Path(sys.argv[1])).acquire(); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        lock = DataDirLock(tmp_path)
        with pytest.raises(DataDirLocked, match=rf"\(pid {other.pid}\).*DATA_DIR"):
            lock.acquire()
        other.kill()
        other.wait()
        lock.acquire()
        lock.release()


def test_disk_too_full_for_the_lock_is_a_clear_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def no_room(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bot.store.database.os.pwrite", no_room)
    with pytest.raises(StoreError, match="No space left"):
        DataDirLock(tmp_path).acquire()
    monkeypatch.undo()
    lock = DataDirLock(tmp_path)
    lock.acquire()
    lock.release()


async def test_others_read_while_another_program_writes_and_the_writer_waits_for_its_turn(
    database: Database, tmp_path: Path
):
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE_NAME)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(database.execute(PUT, ("a", "1")))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(10):
            assert await keys(database) == []
        assert not writing.done()
        other.rollback()
        await writing
    assert await keys(database) == ["a"]


async def test_writer_does_not_wait_for_another_program_for_ever(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bot.store.patience.LOCKED_SECONDS", 0.2)
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE_NAME)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(5):
            with pytest.raises(StoreError, match=r"database is locked.*nothing was saved"):
                await database.execute(PUT, ("a", "1"))
        other.rollback()
    assert await keys(database) == []


async def test_cancelled_writer_does_not_wait_on_for_another_program(
    database: Database, tmp_path: Path
):
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE_NAME)) as other:
        other.execute("BEGIN IMMEDIATE")
        for pause_seconds in (0.0, 0.01, 0.03, 0.05):
            writing = asyncio.create_task(database.execute(PUT, ("a", "1")))
            await asyncio.sleep(pause_seconds)
            writing.cancel()
            async with asyncio.timeout(4):  # a writer that waits on takes 5 s
                with pytest.raises(asyncio.CancelledError):
                    await writing
        other.rollback()
    assert await keys(database) == []


async def test_whoever_is_in_a_hurry_is_sent_away_and_nothing_is_written_later(
    database: Database, tmp_path: Path
):
    async def write(key: str) -> None:
        hurry(0.1, lambda: key == "answered")
        await database.execute(PUT, (key, "1"))

    with closing(sqlite3.connect(tmp_path / DATABASE_FILE_NAME)) as other:
        other.execute("BEGIN IMMEDIATE")
        answered = asyncio.create_task(write("answered"))
        for outcome in await asyncio.gather(write("a"), write("b"), return_exceptions=True):
            assert isinstance(outcome, StoreError)
            assert not isinstance(outcome, Unconfirmed)
        other.rollback()
        await answered
    assert await keys(database) == ["answered"]


async def test_whoever_does_not_wait_for_a_slow_commit_hears_that_it_may_still_come(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    go_on, commit = asyncio.Event(), database._connection.commit

    async def slow_commit() -> None:
        await go_on.wait()
        await commit()

    async def write(key: str) -> None:
        hurry(0.3, lambda: False)
        await database.execute(PUT, (key, "1"))

    monkeypatch.setattr(database._connection, "commit", slow_commit)
    asyncio.get_running_loop().call_later(3.0, go_on.set)
    with pytest.raises(Unconfirmed, match="a little later or not at all"):
        await asyncio.create_task(write("a"))
    with pytest.raises(StoreError, match="Nothing was changed") as caught:
        await asyncio.create_task(write("b"))  # this call comes while that commit goes on
    assert not isinstance(caught.value, Unconfirmed)
    go_on.set()
    assert await keys(database) == ["a"]
