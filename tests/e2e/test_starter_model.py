"""The starter model, in processes that are forked after PyTorch was imported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from playground import Playground
from tests.e2e.conftest import StartBot
from tests.e2e.lens import Lens
from tests.e2e.test_restart import has_grid
from tests.fakes.nursery import Nursery


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery("onnxruntime", "bot.engine.batch") as nursery:
        yield nursery


def read_pictures(report: dict[str, Any]) -> list[bytes]:
    return [Path(path).read_bytes() for path in (report["grid"], *report["images"])]


async def test_real_engine_draws_three_pictures_of_the_starter_model(
    server: Playground, start_bot: StartBot, lens: Lens
):
    lens.is_open = False  # this bot has only English texts
    bot = await start_bot("bot", connected=True)
    prompt = "dog in autumn leaves, " + "very very beautiful " * 20
    handle = await server.person("member").slash(
        "imagine", server.channel("art"), prompt=prompt, seed="5"
    )
    message = await handle.wait_for(has_grid, 60)
    grid = Image.open(BytesIO(message.attachments[0].content))
    assert grid.size == (3 * 512 + 2 * 8, 512)
    assert len(grid.getcolors(2**24) or []) > 5000
    assert "these words were cut: " in message.text()
    assert await bot.stop() == 0


async def test_starter_model_draws_the_same_pictures_from_the_same_seed(start_bot: StartBot):
    words = ("imagine", "dog in autumn leaves", "--json", "--seed", "3", "--steps", "2")

    async def draw() -> dict[str, Any]:
        process = await start_bot(
            "bot", arguments=words, connected=False, DEVICE="cpu", HF_HUB_OFFLINE="1"
        )
        assert await process.wait(120) == 0, process.log
        return json.loads(process.log.splitlines()[-1])  # after the progress

    first, second = await draw(), await draw()
    assert first.keys() >= {
        "job_id",
        "prompt",
        "model",
        "sampler",
        "num_inference_steps",
        "guidance_scale",
        "seeds",
        "grid",
        "images",
        "nsfw_content_detected",
        "seconds",
    }
    assert first["seeds"] == [3, 4, 5]
    assert first["grid"] != second["grid"]
    pictures = read_pictures(first)
    assert pictures == read_pictures(second)
    assert len({*pictures[1:]}) == 3
