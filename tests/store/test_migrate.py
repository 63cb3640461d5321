"""Numbered migrations run completely or not at all."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.errors import ConfigError, StoreError
from bot.ops import resources
from bot.ops.resources import get_migrations_folder, get_starter_model_folder
from bot.store import DATABASE_FILE_NAME, Database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations, to which a test can add. The next number is 2."""
    copied = tmp_path / "migrations"
    copied.mkdir()
    shutil.copy(get_migrations_folder() / "0001_initial.sql", copied)
    return copied


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    return made


async def open_and_close(data_dir: Path, folder: Path) -> None:
    await (await Database.open(data_dir, folder)).close()


def ask(data_dir: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(data_dir / DATABASE_FILE_NAME)) as connection:
        return connection.execute(sql).fetchall()


def version(data_dir: Path) -> object:
    return ask(data_dir, "PRAGMA user_version")[0][0]


async def test_new_database_gets_every_migration_and_no_backup(data_dir: Path):
    await open_and_close(data_dir, get_migrations_folder())
    assert version(data_dir) == len(list(get_migrations_folder().glob("*.sql")))
    assert not (data_dir / "backups").exists()


async def test_migrations_run_once(data_dir: Path, folder: Path):
    (folder / "0002_more.sql").write_text("INSERT INTO meta VALUES ('times', 'one');")
    await open_and_close(data_dir, folder)
    await open_and_close(data_dir, folder)
    assert (version(data_dir), ask(data_dir, "SELECT value FROM meta")) == (2, [("one",)])


async def test_upgrade_is_preceded_by_a_whole_backup(data_dir: Path, folder: Path):
    database = await Database.open(data_dir, folder)
    await database.execute("INSERT INTO meta VALUES ('kept', 'yes')")
    await database.close()
    (folder / "0002_less.sql").write_text("DROP TABLE meta;")
    await open_and_close(data_dir, folder)
    with closing(sqlite3.connect(data_dir / "backups" / "before-0002.sqlite3")) as backup:
        assert backup.execute("SELECT value FROM meta").fetchall() == [("yes",)]
        assert backup.execute("PRAGMA user_version").fetchone() == (1,)
        assert backup.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize(
    "second",
    [
        "CREATE TABLE half (a INTEGER) STRICT; INSERT INTO nowhere VALUES (1);",
        "CREATE TABLE half (a INTEGER) STRICT; this is not SQL",
        "CREATE TABLE half (a INTEGER) STRICT; INSERT INTO meta VALUES ('a', 'b'), ('a', 'c');",
    ],
)
async def test_migration_that_fails_halfway_leaves_the_old_version_whole(
    data_dir: Path, folder: Path, second: str
):
    await open_and_close(data_dir, folder)
    (folder / "0002_bad.sql").write_text(second)
    for _ in range(2):  # the second start finds the backup of the first
        with pytest.raises(StoreError):
            await open_and_close(data_dir, folder)
    assert version(data_dir) == 1
    assert ask(data_dir, "SELECT * FROM sqlite_master WHERE name = 'half'") == []
    (folder / "0002_bad.sql").write_text("CREATE TABLE half (a INTEGER) STRICT;")
    await open_and_close(data_dir, folder)
    assert version(data_dir) == 2


@pytest.mark.parametrize("ending", ["", "\n", ";", " -- done", "\n-- done", "; /* done */"])
async def test_migration_may_end_in_any_way(data_dir: Path, folder: Path, ending: str):
    (folder / "0002_more.sql").write_text(f"INSERT INTO meta VALUES ('a', 'b'){ending}")
    await open_and_close(data_dir, folder)
    assert (version(data_dir), ask(data_dir, "SELECT key FROM meta")) == (2, [("a",)])


@pytest.mark.parametrize(
    "names",
    [
        ["0003_gap.sql"],
        ["0002_a.sql", "0002_b.sql"],
        ["0001_again.sql"],
        ["0002_more.sql", "notes.sql"],
        ["2_short.sql"],
    ],
)
async def test_gap_double_or_stray_file_is_refused_before_anything_is_made(
    data_dir: Path, folder: Path, names: list[str]
):
    for name in names:
        (folder / name).write_text("CREATE TABLE surprise (a INTEGER) STRICT;")
    with pytest.raises(ConfigError, match="without gap or double"):
        await open_and_close(data_dir, folder)
    assert version(data_dir) == 0
    assert ask(data_dir, "SELECT * FROM sqlite_master") == []


async def test_missing_migrations_are_a_clear_sentence(data_dir: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"no files\. Reinstall Triptych"):
        await open_and_close(data_dir, tmp_path / "nowhere")


async def test_backup_that_cannot_be_made_stops_the_upgrade(data_dir: Path, folder: Path):
    await open_and_close(data_dir, folder)
    (data_dir / "backups").write_text("a file in the way")
    (folder / "0002_more.sql").write_text("DROP TABLE meta;")
    with pytest.raises(StoreError):
        await open_and_close(data_dir, folder)
    assert version(data_dir) == 1
    assert ask(data_dir, "SELECT count(*) FROM meta") == [(0,)]


def test_migrations_are_found_inside_an_installed_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    package = tmp_path / "site-packages" / "bot"
    (package / "migrations").mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert get_migrations_folder() == package / "migrations"
    assert get_starter_model_folder() == package / "starter_model"


def test_migrations_are_found_beside_the_package_in_a_checkout():
    root = Path(__file__).resolve().parents[2]
    assert get_migrations_folder() == root / "migrations"
    assert get_starter_model_folder() == root / "bot" / "starter_model"
