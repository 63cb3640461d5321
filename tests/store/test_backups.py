"""Daily copies of the database, and how to restore one."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.jobs import Origin
from bot.domain.recipes import Recipe
from bot.domain.review import CardKind
from bot.errors import StoreError
from bot.ops.backups import keep_backup
from bot.ops.resources import get_migrations_folder
from bot.store import (
    Backups,
    CardRepository,
    Database,
    JobRepository,
    PictureRepository,
    list_backups,
    restore,
)
from bot.store.meta import MetaRepository

DAY = 86_400.0
MIGRATIONS = get_migrations_folder()


def make_folder(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


async def open_database(folder: Path) -> Database:
    return await Database.open(make_folder(folder), get_migrations_folder())


async def read_mark(folder: Path) -> str | None:
    database = await open_database(folder)
    try:
        return await MetaRepository(database).fetch("mark")
    finally:
        await database.close()


@pytest.fixture
async def data_dir(tmp_path: Path) -> Path:
    """A database that contains "after", with a backup that contains "before"."""
    folder = tmp_path / "data"
    database = await open_database(folder)
    meta = MetaRepository(database)
    await meta.put("mark", "before")
    assert await Backups(database, folder).keep(DAY) is not None
    await meta.put("mark", "after")
    await database.close()
    return folder


async def test_one_copy_a_day_and_the_oldest_go(tmp_path: Path):
    database = await open_database(tmp_path / "data")
    backups = Backups(database, tmp_path / "data")
    assert await backups.keep(DAY) is not None
    assert await backups.keep(DAY + 60) is None
    for day in range(2, 12):
        await keep_backup(backups, lambda day=day: day * DAY)
    await database.close()
    assert len(list_backups(tmp_path / "data")) == 7
    assert not list((tmp_path / "data" / "backups").glob("*.part"))


async def test_copy_holds_what_was_written_a_moment_before(tmp_path: Path):
    database = await open_database(tmp_path / "data")
    await MetaRepository(database).put("mark", "written")
    path = await Backups(database, tmp_path / "data").keep(DAY)
    await database.close()
    assert path is not None
    restore(tmp_path / "data", path, MIGRATIONS, DAY)
    assert await read_mark(tmp_path / "data") == "written"


async def test_backup_comes_back_and_the_database_of_before_is_kept(data_dir: Path):
    [backup] = list_backups(data_dir)
    done = restore(data_dir, backup, MIGRATIONS, DAY)
    assert await read_mark(data_dir) == "before"
    assert done.set_aside is not None
    assert done.set_aside.is_file()
    assert done.set_aside.name.startswith("replaced-")


async def test_database_that_was_set_aside_comes_back_with_its_log(data_dir: Path):
    """After a kill, the last changes are only in the write-ahead log."""
    database, aside = await open_database(data_dir), data_dir / "replaced-20260101-000000.sqlite3"
    await MetaRepository(database).put("mark", "at last")
    for suffix in ("", "-wal"):
        shutil.copyfile(data_dir / f"triptych.sqlite3{suffix}", f"{aside}{suffix}")
    await database.close()
    [backup] = list_backups(data_dir)
    restore(data_dir, backup, MIGRATIONS, DAY)
    restore(data_dir, aside, MIGRATIONS, DAY + 60)
    assert await read_mark(data_dir) == "at last"


async def test_damaged_database_is_refused_and_can_be_replaced(data_dir: Path):
    path = data_dir / "triptych.sqlite3"
    content = bytearray(path.read_bytes())
    content[4096:12_288] = os.urandom(8192)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="triptych restore"):
        await open_database(data_dir)
    assert path.read_bytes() == content
    restore(data_dir, list_backups(data_dir)[0], MIGRATIONS, DAY)
    assert await read_mark(data_dir) == "before"


async def add_job(folder: Path, *, with_card: bool = False) -> tuple[int, int | None]:
    """Add a job with a card, and return their ids."""
    database = await open_database(folder)
    try:
        recipe = Recipe("dog", "", (1, 2, 3))
        job = await JobRepository(database).insert_job(
            Origin(1), recipe, now=DAY, cost_estimate=1.0
        )
        assert job is not None
        if not with_card:
            return job.job_id, None
        cards = CardRepository(database)
        card = await cards.open_for_job(
            CardKind.HELD, guild_id=1, member_id=1, job_id=job.job_id, now=DAY
        )
        return job.job_id, card.card_id
    finally:
        await database.close()


def draw(data_dir: Path, job_id: int) -> Path:
    picture = data_dir / "pictures" / str(job_id) / "grid.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"x")
    return picture


async def test_ids_since_the_backup_are_not_given_again(data_dir: Path):
    [backup] = list_backups(data_dir)
    taken = [await add_job(data_dir, with_card=True) for _ in range(3)]
    assert taken == [(1, 1), (2, 2), (3, 3)]
    restore(data_dir, backup, MIGRATIONS, DAY)
    assert await add_job(data_dir, with_card=True) == (4, 4)
    restore(data_dir, backup, MIGRATIONS, DAY + 60)
    assert await add_job(data_dir, with_card=True) == (5, 5)


async def test_ids_of_pictures_are_not_given_again(data_dir: Path):
    [backup] = list_backups(data_dir)
    draw(data_dir, 41)
    restore(data_dir, backup, MIGRATIONS, DAY)
    assert await add_job(data_dir) == (42, None)


@pytest.mark.parametrize(
    "content", [None, b"", b"nonsense" * 999], ids=["lost", "empty", "damaged"]
)
async def test_database_that_cannot_be_asked_may_have_given_any_id(
    data_dir: Path, content: bytes | None
):
    [backup] = list_backups(data_dir)
    path = data_dir / "triptych.sqlite3"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    restore(data_dir, backup, MIGRATIONS, DAY)
    job_id, card_id = await add_job(data_dir, with_card=True)
    assert card_id is not None
    assert min(job_id, card_id) > 10_000


async def test_record_is_restored_although_its_pictures_cannot_be_set_aside(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    [backup] = list_backups(data_dir)
    draw(data_dir, 41)

    def fail(*_: object) -> None:
        raise OSError("read-only")

    monkeypatch.setattr("bot.store.backups._set_pictures_aside", fail)
    with pytest.raises(StoreError, match=r"database is restored.*read-only.*Copy"):
        restore(data_dir, backup, MIGRATIONS, DAY)
    assert await add_job(data_dir) == (42, None)


async def test_pictures_since_the_backup_are_kept_aside(data_dir: Path):
    [backup] = list_backups(data_dir)
    await add_job(data_dir)
    newer = draw(data_dir, 1)
    (data_dir / "pictures" / "1.start.png").write_bytes(b"x")
    held = data_dir / "pictures" / "held" / "1"
    held.mkdir(parents=True)
    done = restore(data_dir, backup, MIGRATIONS, DAY)
    aside = done.pictures_aside
    assert aside is not None and not newer.exists()
    found = {str(path.relative_to(aside)) for path in aside.rglob("*")}
    assert found == {"1", "1/grid.png", "1.start.png", "held", "held/1"}


async def test_pictures_that_the_backup_knows_stay(tmp_path: Path):
    folder = tmp_path / "data"
    await add_job(folder)
    database = await open_database(folder)
    backup = await Backups(database, folder).keep(DAY)
    await database.close()
    assert backup is not None
    older = draw(folder, 1)
    assert restore(folder, backup, MIGRATIONS, DAY).pictures_aside is None
    assert older.exists()
    database = await open_database(folder)
    assert await PictureRepository(database).list_kept() == {1}
    await database.close()


@pytest.mark.parametrize("content", [b"", b"nonsense" * 999, None])
async def test_backup_that_is_none_changes_nothing(
    data_dir: Path, tmp_path: Path, content: bytes | None
):
    backup = tmp_path / "bad.sqlite3"
    if content is not None:
        backup.write_bytes(content)
    with pytest.raises(StoreError, match="Nothing was changed"):
        restore(data_dir, backup, MIGRATIONS, DAY)
    assert await read_mark(data_dir) == "after"


async def test_new_data_directory_is_for_its_owner_alone(tmp_path: Path):
    from bot.store import DataDirLock

    lock = DataDirLock(tmp_path / "fresh")
    lock.acquire()
    lock.release()
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o700


ODDITIES = {
    "a newer one": ("PRAGMA user_version=99", "version 99.*knows versions up to"),
    "none of ours": ("PRAGMA user_version=0", "no database of Triptych"),
    "one before the first": ("PRAGMA user_version=-3", "no database of Triptych"),
    "a trigger": (
        "CREATE TRIGGER spy AFTER INSERT ON job BEGIN DELETE FROM audit; END",
        "did not make its trigger 'spy'",
    ),
    "a view": ("CREATE VIEW spy AS SELECT * FROM job", "did not make its view 'spy'"),
    "a table": ("CREATE TABLE more (x TEXT)", "did not make its table 'more'"),
    "an index": ("CREATE UNIQUE INDEX one ON job (user_id)", "did not make its index 'one'"),
    "a table less": ("DROP TABLE audit_retention", "table 'audit_retention' is missing"),
    "an index less": ("DROP INDEX job_by_status", "index 'job_by_status' is missing"),
    "a column more": ("ALTER TABLE meta ADD COLUMN more TEXT", "table 'meta' is missing or not as"),
}


def list_all(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize("kind", ODDITIES)
async def test_backup_that_the_program_could_not_go_on_with_changes_nothing(
    data_dir: Path, kind: str
):
    [backup] = list_backups(data_dir)
    script, reason = ODDITIES[kind]
    with closing(sqlite3.connect(backup)) as connection:
        connection.executescript(script)
    before = list_all(data_dir)
    with pytest.raises(StoreError, match=rf"{reason}.*Nothing was changed"):
        restore(data_dir, backup, MIGRATIONS, DAY)
    assert list_all(data_dir) == before
    assert await read_mark(data_dir) == "after"


async def test_backup_of_an_older_release_comes_back_and_is_brought_up(
    data_dir: Path, tmp_path: Path
):
    [backup] = list_backups(data_dir)
    migrations = Path(shutil.copytree(MIGRATIONS, tmp_path / "migrations"))
    number = len(os.listdir(migrations)) + 1
    (migrations / f"{number:04d}_more.sql").write_text("CREATE TABLE more (x TEXT) STRICT;")
    restore(data_dir, backup, migrations, DAY)
    database = await Database.open(data_dir, migrations)
    assert await database.fetch_all("SELECT * FROM more") == []
    assert await MetaRepository(database).fetch("mark") == "before"
    await database.close()


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
async def test_what_restore_leaves_is_for_its_owner_alone(data_dir: Path):
    [backup] = list_backups(data_dir)
    await add_job(data_dir)
    draw(data_dir, 1)
    (data_dir / "triptych.sqlite3").chmod(0o644)
    backup.chmod(0o644)
    done = restore(data_dir, backup, MIGRATIONS, DAY)
    assert done.set_aside is not None and done.pictures_aside is not None
    made = (data_dir / "triptych.sqlite3", done.set_aside, done.pictures_aside)
    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o600, 0o600, 0o700]


def put(data_dir: Path, name: str, day: float = 0.0) -> Path:
    """Make a file, or a folder with a file, with the date of this day."""
    path = data_dir / name
    inner = path if path.suffix in {".sqlite3", ".part"} else path / "1" / "grid.png"
    inner.parent.mkdir(parents=True, exist_ok=True)
    inner.write_bytes(b"words")
    os.utime(path, (day * DAY, day * DAY))
    return path


async def test_no_copy_goes_while_the_clock_is_behind_them(tmp_path: Path):
    database = await open_database(tmp_path / "data")
    await database.close()
    backups = Backups(database, tmp_path / "data")
    days = range(20_000, 20_007)
    names = [f"daily-{datetime.fromtimestamp(day * DAY, UTC).date()}.sqlite3" for day in days]
    copies = [put(tmp_path / "data", f"backups/{name}", days[0]) for name in names]
    with pytest.raises(StoreError, match=rf"clock .* behind .*{names[-1]}"):
        backups.prune(100 * DAY)
    assert all(path.exists() for path in copies)
    assert backups.prune((days[-1] + 1) * DAY) == copies[:1]


async def test_old_copies_go_and_young_ones_stay(tmp_path: Path):
    database = await open_database(tmp_path / "data")
    data_dir, today = tmp_path / "data", 100.0
    backups = Backups(database, data_dir)

    def stamp(day: float) -> str:
        return datetime.fromtimestamp(day * DAY, UTC).strftime("%Y%m%d-%H%M%S")

    def date(day: float) -> str:
        return datetime.fromtimestamp(day * DAY, UTC).date().isoformat()

    for age, names in {
        29.0: ("backups/before-0003.sqlite3", f"backups/rescued-{stamp(71)}.sqlite3"),
        31.0: ("backups/before-0002.sqlite3", f"backups/rescued-{stamp(69)}.sqlite3"),
        0.5: ("backups/daily-now.part", "triptych.sqlite3.part"),
        2.0: ("backups/daily-then.part", "new.part"),
    }.items():
        for name in names:
            put(data_dir, name, today - age)
    for day in (69, 71):  # the files in there may be older or newer
        for suffix in (".sqlite3", ".pictures", ".backups"):
            put(data_dir, f"replaced-{stamp(day)}{suffix}", 1.0 if day == 71 else today)
    for day in (50, 93, 94, 100, 101):
        put(data_dir, f"backups/daily-{date(day)}.sqlite3", today)
    others = [put(data_dir, name) for name in ("pictures", "engine", "backups/mine.sqlite3")]
    gone = {str(path.relative_to(data_dir)) for path in backups.prune(today * DAY)}
    await database.close()
    assert gone == {
        "backups/before-0002.sqlite3",
        f"backups/rescued-{stamp(69)}.sqlite3",
        *(f"replaced-{stamp(69)}{suffix}" for suffix in (".sqlite3", ".pictures", ".backups")),
        *("backups/daily-then.part", "new.part"),
        *(f"backups/daily-{date(day)}.sqlite3" for day in (50, 93, 101)),
    }
    assert not any((data_dir / name).exists() for name in gone)
    assert all(path.exists() for path in others)
    assert (data_dir / "triptych.sqlite3.part").exists()
    assert len(list(data_dir.glob("replaced-*"))) == 3
