"""Opening a member's picture takes no time or memory from other members."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from PIL import Image

from bot.domain.jobs import JobStatus
from bot.domain.recipes import Upload
from bot.errors import StoreError, UserError
from bot.images.uploads import MAX_UPLOAD_BYTES
from bot.jobs import start_images
from bot.jobs.start_images import MAX_UPLOADS_AT_ONCE, open_upload
from bot.ops.workers import WorkerProcesses
from tests.bombs import pad_with_chunks, repeat_scan
from tests.conftest import FakeCaller, House
from tests.images.test_uploads import encode

GOOD_PICTURE = (120, 100, 20)


@pytest.fixture
async def workers() -> AsyncIterator[WorkerProcesses]:
    made = WorkerProcesses()
    yield made
    await made.close()


@pytest.mark.parametrize(("make", "times"), [(repeat_scan, 4000), (pad_with_chunks, 800_000)])
async def test_picture_that_takes_too_long_is_a_sentence_and_the_next_is_opened(
    workers: WorkerProcesses,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[int], bytes],
    times: int,
):
    bomb = make(times)
    assert len(bomb) < MAX_UPLOAD_BYTES
    monkeypatch.setattr(start_images, "DECODE_SECONDS", 0.3)
    with pytest.raises(UserError, match=r"takes too long to open\. Nothing was drawn or charged"):
        await open_upload(bomb, workers, 1)
    monkeypatch.setattr(start_images, "DECODE_SECONDS", 60.0)
    small = encode(Image.new("RGB", (3, 2), GOOD_PICTURE))
    assert await open_upload(small, workers, 1) == ((3, 2), bytes(GOOD_PICTURE) * 6)


async def test_picture_that_takes_too_much_memory_is_a_sentence_and_the_next_is_opened():
    workers = WorkerProcesses(memory_bytes=50 * 2**20)
    with pytest.raises(UserError, match=r"too much memory to open\. Nothing was drawn or charged"):
        await open_upload(encode(Image.new("RGB", (6000, 4000))), workers, 1)
    assert (await open_upload(encode(Image.new("RGB", (3, 2))), workers, 1))[0] == (3, 2)
    await workers.close()


PHONE = (5712, 4284)  # 24.5 megapixels, the default of many phones


LARGEST: list[tuple[str, str, tuple[int, int], dict[str, object]]] = [
    ("JPEG", "RGB", PHONE, {}),
    ("JPEG", "RGB", PHONE, {"progressive": True, "subsampling": 0}),
    ("JPEG", "CMYK", PHONE, {"progressive": True, "subsampling": 0}),
    ("JPEG", "RGB", (13_000, 9_600), {}),
    ("PNG", "RGBA", (8_180, 6_140), {"compress_level": 1}),
    ("PNG", "P", (8_180, 6_140), {"compress_level": 1, "transparency": b"\x03"}),
    ("PNG", "I;16", (8_180, 6_140), {"compress_level": 1}),
    ("WEBP", "RGBA", PHONE, {"lossless": True, "method": 0}),
    ("AVIF", "RGBA", PHONE, {"speed": 10, "subsampling": "4:4:4"}),
]


async def test_largest_pictures_open_in_the_memory_that_there_is(
    workers: WorkerProcesses, monkeypatch: pytest.MonkeyPatch
):
    """One process opens all pictures, so what one leaves in memory is there for the next one."""
    monkeypatch.setattr(start_images, "DECODE_SECONDS", 60.0)
    exif = Image.Exif()
    exif[0x0112] = 6
    for each in LARGEST:
        kind, mode, size, options = each
        data = encode(Image.new(mode, size), kind, exif=exif, **options)
        try:
            assert max((await open_upload(data, workers, 1))[0]) == 2048
        except UserError as error:
            pytest.fail(f"{each}: {error}")


async def test_picture_that_was_not_looked_at_is_no_decision_about_its_sender(
    workers: WorkerProcesses,
):
    await workers.close()
    with pytest.raises(StoreError, match="Nothing was drawn or charged; please send it again"):
        await open_upload(encode(Image.new("RGB", (3, 2))), workers, 1)


@dataclass
class Sender(FakeCaller):
    """A member whose picture takes long to arrive."""

    may_go: asyncio.Event = field(default_factory=asyncio.Event)
    fetching: list[int] = field(default_factory=list)

    async def fetch_upload(self, upload: Upload) -> bytes:
        self.fetching.append(upload.num_bytes)
        await self.may_go.wait()
        raise UserError("no picture")


async def test_few_pictures_are_in_memory_at_once(quiet_house: House):
    caller = Sender()
    sending = [
        asyncio.create_task(quiet_house.submit(caller=caller, upload=Upload("", 1)))
        for _ in range(2 * MAX_UPLOADS_AT_ONCE)
    ]
    await quiet_house.until(lambda: len(caller.fetching) == MAX_UPLOADS_AT_ONCE)
    await quiet_house.until(lambda: len(caller.journal) == 2 * MAX_UPLOADS_AT_ONCE)
    assert len(caller.fetching) == MAX_UPLOADS_AT_ONCE
    caller.may_go.set()
    await asyncio.gather(*sending)
    assert len(caller.fetching) == 2 * MAX_UPLOADS_AT_ONCE


async def test_prompt_that_is_cancelled_before_its_answer_leaves_no_message_if_its_picture_is_bad(
    quiet_house: House,
):
    caller = Sender()
    caller.may_go.set()
    caller.at_acknowledge = lambda job: quiet_house.services.dispatcher.cancel(job.job_id)
    job = await quiet_house.submit(caller=caller, upload=Upload("", 1))
    assert job.status is JobStatus.CANCELLED
    # the second picture has arrived
    assert quiet_house.messenger.removed == [job.job_id, job.job_id]
