"""A lost database is never replaced by an empty one unless asked, and its loss is noticed."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.errors import StoreError
from bot.ops.backups import RecordWatch
from bot.ops.resources import get_migrations_folder
from bot.store import (
    DATABASE_FILE_NAME,
    Backups,
    Database,
    begin_anew,
    list_backups,
    restore,
)
from bot.store.files import _UNRELEASED_IDS
from bot.store.meta import MetaRepository
from tests.store.conftest import open_database
from tests.store.test_backups import DAY, add_job, draw, read_mark

STATES = {"missing": None, "empty": b"", "unwritten": "PRAGMA journal_mode=WAL"}
RESTS = [
    "pictures/7/grid.png",
    "pictures/7.start.png",
    "pictures/7.partial/1.png",
    "pictures/held/7/grid.png",
    "backups/daily-2026-11-01.sqlite3",
    "backups/before-0003.sqlite3",
    "replaced-20261101-000000.sqlite3",
    "replaced-20261101-000000.backups/daily-2026-11-01.sqlite3",
    "replaced-20261101-000000.pictures/7/grid.png",
    f"{DATABASE_FILE_NAME}-wal",
]
BESIDE = [
    (state, rest)
    for state in STATES
    for rest in RESTS
    # SQLite deletes a log file that is not valid
    if state != "unwritten" or not rest.endswith("-wal")
]


def write(data_dir: Path, name: str) -> None:
    path = data_dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


def find(data_dir: Path, pattern: str) -> list[Path]:
    return list(data_dir.glob(pattern))


def list_files(data_dir: Path) -> dict[str, bytes]:
    files = [path for path in data_dir.rglob("*") if path.is_file()]
    return {str(path.relative_to(data_dir)): path.read_bytes() for path in files}


async def begin(data_dir: Path) -> str:
    return await begin_anew(data_dir, get_migrations_folder(), DAY)


async def start(data_dir: Path) -> None:
    await (await Database.open(data_dir, get_migrations_folder())).close()


@pytest.mark.parametrize(("state", "rest"), BESIDE)
async def test_no_empty_record_begins_beside_what_another_has_left(
    tmp_path: Path, state: str, rest: str
):
    path, content = tmp_path / DATABASE_FILE_NAME, STATES[state]
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(content)
    write(tmp_path, rest)
    before = list_files(tmp_path)
    with pytest.raises(StoreError, match=r"triptych restore.*triptych run --new"):
        await start(tmp_path)
    assert list_files(tmp_path) == before


async def test_new_folder_is_one_whatever_else_lies_in_it(tmp_path: Path):
    for name in ("lock", "engine/knee.json", "pictures/held/.keep", "notes.txt"):
        write(tmp_path, name)
    (tmp_path / DATABASE_FILE_NAME).touch()
    await start(tmp_path)


async def test_record_that_is_only_in_its_log_so_far_is_there(tmp_path: Path):
    first = tmp_path / "first"
    first.mkdir()
    database = await Database.open(first, get_migrations_folder())
    await MetaRepository(database).put("mark", "logged")
    killed = tmp_path / "killed"
    killed.mkdir()
    for suffix in ("", "-wal"):
        name = f"{DATABASE_FILE_NAME}{suffix}"
        shutil.copy(first / name, killed / name)
    await database.close()
    draw(killed, 1)
    content = (killed / DATABASE_FILE_NAME).read_bytes()
    assert int.from_bytes(content[60:64], "big") == 0  # without its log, the file has version 0
    assert await read_mark(killed) == "logged"


async def test_new_beginning_sets_aside_what_was_there_and_gives_no_id_twice(tmp_path: Path):
    database = await open_database(tmp_path)
    await Backups(database, tmp_path).keep(DAY)
    await database.close()
    picture = draw(tmp_path, 41)
    (tmp_path / DATABASE_FILE_NAME).unlink()
    assert await begin(tmp_path) == "pictures, backups"
    assert not picture.exists()
    assert len(find(tmp_path, "replaced-*.pictures/41/grid.png")) == 1
    [backup] = list_backups(tmp_path)
    assert backup.parent.name.startswith("replaced-")
    assert not (tmp_path / "new.part").exists()
    job_id, card_id = await add_job(tmp_path, with_card=True)
    assert job_id > 100_041
    assert card_id is not None and card_id > 100_000


async def test_second_loss_knows_the_ids_of_the_beginning_before(tmp_path: Path):
    draw(tmp_path, 41)
    await begin(tmp_path)
    database = await open_database(tmp_path)
    await Backups(database, tmp_path).keep(DAY)  # the bot does the same at its start
    await database.close()
    (tmp_path / DATABASE_FILE_NAME).unlink()
    await begin_anew(tmp_path, get_migrations_folder(), DAY + 60)
    assert (await add_job(tmp_path))[0] > 200_041


async def test_new_beginning_that_was_cut_short_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    draw(tmp_path, 41)

    def fail(*_: object) -> None:
        raise OSError("the power is gone")

    with monkeypatch.context() as patched:
        patched.setattr("bot.store.backups._put", fail)
        with pytest.raises(StoreError, match="the power is gone"):
            await begin(tmp_path)
    assert find(tmp_path, "replaced-*.pictures/41")
    with pytest.raises(StoreError, match="run --new"):
        await start(tmp_path)
    await begin_anew(tmp_path, get_migrations_folder(), DAY + 60)
    assert (await add_job(tmp_path))[0] > 100_041


async def test_whole_record_is_not_hidden_and_a_damaged_one_is_set_aside(tmp_path: Path):
    await add_job(tmp_path)
    before = list_files(tmp_path)
    with pytest.raises(StoreError, match="is whole"):
        await begin(tmp_path)
    assert list_files(tmp_path) == before
    path = tmp_path / DATABASE_FILE_NAME
    content = bytearray(path.read_bytes())
    content[4096:12_288] = os.urandom(8192)
    path.write_bytes(content)
    assert await begin(tmp_path) == DATABASE_FILE_NAME
    [aside] = find(tmp_path, "replaced-*.sqlite3")
    assert aside.read_bytes() == content
    assert (await add_job(tmp_path))[0] > 100_000


async def test_log_of_a_lost_record_is_not_put_into_the_restored_one(tmp_path: Path):
    database = await open_database(tmp_path)
    await MetaRepository(database).put("mark", "before")
    backup = await Backups(database, tmp_path).keep(DAY)
    await MetaRepository(database).put("mark", "after")
    log = tmp_path / f"{DATABASE_FILE_NAME}-wal"
    content = log.read_bytes()
    await database.close()
    (tmp_path / DATABASE_FILE_NAME).unlink()
    log.write_bytes(content)
    assert backup is not None
    restore(tmp_path, backup, get_migrations_folder(), DAY)
    assert not log.exists()
    assert await read_mark(tmp_path) == "before"


@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize("is_replaced", [False, True])
async def test_file_that_is_removed_or_replaced_while_it_is_open_is_noticed(
    database: Database, tmp_path: Path, suffix: str, is_replaced: bool
):
    await MetaRepository(database).put("mark", "open")
    assert database.is_in_place()
    path = tmp_path / f"{DATABASE_FILE_NAME}{suffix}"
    away = path.rename(tmp_path / "away")
    if is_replaced:
        shutil.copy(away, path)
    assert not database.is_in_place()
    away.rename(path)
    assert database.is_in_place()


async def test_what_is_open_is_saved_once_and_comes_back_with_restore(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    database = await open_database(tmp_path)
    await MetaRepository(database).put("mark", "only open")
    backups = Backups(database, tmp_path)
    watch = RecordWatch(database, backups, lambda: DAY)
    await watch.save()
    assert list_backups(tmp_path) == []  # nothing is lost
    await watch.look()
    (tmp_path / DATABASE_FILE_NAME).unlink()
    for _ in range(3):
        await watch.look()
    await database.close()
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 2
    assert "removed or replaced" in errors[0].getMessage()
    [rescued] = list_backups(tmp_path)
    with pytest.raises(StoreError, match="triptych restore"):
        await start(tmp_path)
    restore(tmp_path, rescued, get_migrations_folder(), DAY)
    assert await read_mark(tmp_path) == "only open"


STRANGERS = {
    "before the first release": "PRAGMA user_version=11; CREATE TABLE job (job_id INTEGER);",
    **{
        f"another state before the first release, {number:x}": (
            f"PRAGMA user_version=1; PRAGMA application_id={number}; "
            "CREATE TABLE job (job_id INTEGER);"
        )
        for number in _UNRELEASED_IDS - {0}
    },
    "another program": "PRAGMA user_version=11; PRAGMA application_id=7;",
    "program without a version": "PRAGMA application_id=7; CREATE TABLE job (job_id INTEGER);",
}


def make_stranger(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA journal_mode=WAL; {script}")


@pytest.mark.parametrize("kind", STRANGERS)
async def test_database_of_somebody_else_is_refused_and_not_touched(tmp_path: Path, kind: str):
    make_stranger(tmp_path / DATABASE_FILE_NAME, STRANGERS[kind])
    before = list_files(tmp_path)
    reason = "before the first release" if "release" in kind else "another program"
    with pytest.raises(StoreError, match=rf"{reason}\. Nothing was changed.*run --new"):
        await start(tmp_path)
    assert list_files(tmp_path) == before


@pytest.mark.parametrize("kind", STRANGERS)
async def test_backup_of_somebody_else_is_not_restored(tmp_path: Path, kind: str):
    make_stranger(tmp_path / "other.sqlite3", STRANGERS[kind])
    await start(tmp_path)
    before = list_files(tmp_path)
    with pytest.raises(StoreError, match=r"(first release|another program)\. Nothing was changed"):
        restore(tmp_path, tmp_path / "other.sqlite3", get_migrations_folder(), DAY)
    assert list_files(tmp_path) == before


async def test_new_record_sets_aside_what_an_unreleased_version_made(tmp_path: Path):
    path = tmp_path / DATABASE_FILE_NAME
    make_stranger(path, f"{STRANGERS['before the first release']} INSERT INTO job VALUES (41);")
    assert await begin(tmp_path) == DATABASE_FILE_NAME
    await start(tmp_path)
    [aside] = find(tmp_path, "replaced-*.sqlite3")
    with closing(sqlite3.connect(aside)) as connection:
        assert connection.execute("SELECT job_id FROM job").fetchall() == [(41,)]
    with closing(sqlite3.connect(path)) as connection:
        last = "SELECT value FROM meta WHERE key = 'last_job_id'"
        assert int(connection.execute(last).fetchone()[0]) >= 41
