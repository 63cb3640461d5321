"""Deleted words cannot be found in the files of the database."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from pathlib import Path

import pytest

from bot.domain.jobs import JobStatus, Origin
from bot.domain.recipes import Recipe
from bot.ops.resources import get_migrations_folder
from bot.store import DATABASE_FILE_NAME, Database, JobRepository, RetentionRepository
from bot.texts.codes import Code
from bot.texts.reasons import because


def read_files(data_dir: Path) -> bytes:
    """Return the bytes of all files of the database, including the log and its index."""
    return b"".join(path.read_bytes() for path in data_dir.glob(f"{DATABASE_FILE_NAME}*"))


def list_found(data_dir: Path, words: dict[int, str]) -> set[int]:
    content = read_files(data_dir)
    return {job_id for job_id, word in words.items() if word.encode() in content}


async def add_jobs(database: Database, count: int, rng: random.Random) -> dict[int, str]:
    """Add ended prompts, short and long, each with a unique word. Return the words by id."""
    jobs, words = JobRepository(database), {}
    for number in range(count):
        word = f"word{number}x{rng.getrandbits(64):x}"
        filler = "leaf " * rng.choice((0, 3, 50, 400, 2000))
        job = await jobs.insert_job(
            Origin(7), Recipe(f"{filler}{word}", word, (1,)), now=1.0, cost_estimate=1.0
        )
        assert job is not None
        await jobs.mark_ended(
            job.job_id,
            JobStatus.REFUSED,
            reason=because(Code.CANCELLED),
            now=2.0,
            leaving=[JobStatus.ACCEPTED],
        )
        words[job.job_id] = word
    return words


@pytest.fixture
async def database(tmp_path: Path):
    made = await Database.open(tmp_path, get_migrations_folder())
    yield made
    await made.close()


async def test_deleted_words_leave_the_file_and_its_log(database: Database, tmp_path: Path):
    rng = random.Random(1)
    retention = RetentionRepository(database)
    words = await add_jobs(database, 120, rng)
    assert list_found(tmp_path, words) == set(words)
    gone = set(rng.sample(sorted(words), 60))
    for job_id in gone:  # one by one, with others between them, so that pages are split and joined
        await retention.blank([job_id])
        if rng.random() < 0.2:
            words |= await add_jobs(database, 1, rng)
    assert list_found(tmp_path, words) & gone
    assert await retention.take_out_deleted()
    assert list_found(tmp_path, words) == words.keys() - gone
    assert (tmp_path / f"{DATABASE_FILE_NAME}-wal").stat().st_size == 0


async def test_nobody_waits_while_a_reader_keeps_the_log(database: Database, tmp_path: Path):
    rng = random.Random(2)
    words = await add_jobs(database, 3, rng)
    reader = sqlite3.connect(tmp_path / DATABASE_FILE_NAME)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM job").fetchall()
    retention = RetentionRepository(database)
    await retention.blank(sorted(words))
    async with asyncio.timeout(4):  # a connection itself waits up to 5 s
        assert not await retention.take_out_deleted()
        await add_jobs(database, 1, rng)
    reader.close()
    assert await retention.take_out_deleted()
    assert list_found(tmp_path, words) == set()


async def test_who_is_in_the_middle_of_a_turn_is_not_cut_short(database: Database):
    retention = RetentionRepository(database)
    with pytest.raises(ZeroDivisionError):
        async with database.transaction():
            await database.execute("INSERT INTO meta VALUES ('mark', 'half of it')")
            taking = asyncio.create_task(retention.take_out_deleted())
            for _ in range(50):  # enough time for a call that does not wait
                await database.fetch_all_apart("SELECT 1")
            raise ZeroDivisionError
    assert await taking
    assert await database.fetch_one("SELECT 1 FROM meta WHERE key = 'mark'") is None
