"""Pictures are deleted when their time is over. After every sweep, files and rows match."""

from __future__ import annotations

import shutil

import pytest

from bot.domain.jobs import JobStatus
from bot.errors import StoreError
from bot.images.store import PictureWriter
from bot.jobs.ports import MessageDeleted
from bot.ops.chores import SomeFailed
from bot.retention.picture_files import PictureFiles, Retention
from bot.store import PictureRepository
from tests.conftest import Clock, House, OpenHouse

DAY = 86_400.0


def make_keeper(house: House, retention: Retention) -> PictureFiles:
    pictures = PictureRepository(house.database)
    return PictureFiles(
        house.services.jobs, pictures, house.services.writer, retention, house.clock
    )


async def draw(house: House, count: int) -> list[int]:
    drawn = []
    for _ in range(count):
        job = await house.until_status(await house.submit(), JobStatus.DELIVERED)
        drawn.append(job.job_id)
        house.clock.now += DAY
    await house.until_idle()
    return drawn


async def kept(house: House) -> set[int]:
    on_disk = await house.services.writer.list_jobs()
    assert on_disk == await PictureRepository(house.database).list_with_pictures()
    return on_disk


async def test_what_is_too_old_goes_and_its_recipe_stays(house: House):
    jobs = await draw(house, 4)
    await make_keeper(house, Retention(max_days=2)).sweep()
    assert await kept(house) == set(jobs[2:])
    gone = await house.fetch(jobs[0])
    assert (gone.status, gone.deleted_by) == (JobStatus.DELIVERED, 0)
    assert gone.recipe.prompt


async def test_beyond_the_total_the_oldest_go_first(house: House):
    jobs = await draw(house, 4)
    sizes = [
        sum(file.num_bytes for file in await house.services.jobs.list_pictures(job)) for job in jobs
    ]
    assert all(sizes)
    await make_keeper(house, Retention(max_bytes=sizes[2] + sizes[3])).sweep()
    assert await kept(house) == set(jobs[2:])


async def test_pictures_that_a_stop_left_of_a_cancelled_job_go(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    async def find_it_deleted(*_: object, **__: object) -> None:
        raise MessageDeleted("10008: unknown message")

    async def stop(job_id: int) -> None:
        raise StoreError("killed")

    monkeypatch.setattr(house.messenger, "deliver", find_it_deleted)
    with monkeypatch.context() as patch:
        patch.setattr(house.services.writer, "remove", stop)
        job = await house.until_status(await house.submit(), JobStatus.CANCELLED)
        await house.until_idle()
    assert await house.services.writer.list_jobs() == {job.job_id}
    await make_keeper(house, Retention()).sweep()
    assert await house.services.writer.list_jobs() == set()


async def test_without_limits_everything_stays(house: House):
    jobs = await draw(house, 2)
    house.clock.now += 10_000 * DAY
    await make_keeper(house, Retention()).sweep()
    assert await kept(house) == set(jobs)


async def test_files_without_rows_and_rows_without_files_are_swept(house: House):
    first, second = await draw(house, 2)
    folder = house.services.writer.folder_of(first).parent
    shutil.rmtree(folder / str(first))
    (folder / "777").mkdir()
    (folder / "778.partial").mkdir()
    (folder / "779.start.png").write_bytes(b"x")
    (folder / "not ours.txt").write_bytes(b"x")
    await make_keeper(house, Retention()).sweep()
    assert await kept(house) == {second}
    assert {path.name for path in folder.iterdir()} == {str(second), "not ours.txt"}
    assert (await house.fetch(first)).deleted_at is not None


async def test_pictures_that_cannot_be_removed_keep_no_others(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    jobs = await draw(house, 4)
    remove = PictureWriter.remove

    async def refuse_first(self: PictureWriter, job_id: int) -> None:
        if job_id == jobs[0]:
            raise PermissionError("not yours")
        await remove(self, job_id)

    monkeypatch.setattr(PictureWriter, "remove", refuse_first)
    with pytest.raises(SomeFailed, match=f"^job {jobs[0]}$"):
        await make_keeper(house, Retention(max_days=2)).sweep()
    assert await house.services.writer.list_jobs() == {jobs[0], *jobs[2:]}


async def test_jobs_that_have_not_ended_keep_their_files(open_house: OpenHouse):
    async with open_house(clock=Clock()) as house:
        await house.load_model()
        job = await house.submit()
        folder = house.services.writer.folder_of(job.job_id).parent
        folder.mkdir(parents=True, exist_ok=True)
        start = folder / f"{job.job_id}.start.png"
        start.write_bytes(b"x")
        house.clock.now += 1000 * DAY
        await make_keeper(house, Retention(max_days=1, max_bytes=1)).sweep()
        assert start.exists()
