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
from tests.e2e.gallery import press
from tests.e2e.lens import Lens
from tests.e2e.test_restart import has_grid
from tests.fakes.nursery import Nursery


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery("onnxruntime", "bot.engine.batch") as nursery:
        yield nursery


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The data of all tests here, so that only the first bot measures the machine."""
    return str(tmp_path_factory.mktemp("data"))


def read_pictures(report: dict[str, Any]) -> list[bytes]:
    return [Path(path).read_bytes() for path in (report["grid"], *report["images"])]


async def test_real_engine_draws_three_pictures_of_the_starter_model(
    server: Playground, start_bot: StartBot, lens: Lens, data_dir: str
):
    lens.is_open = False  # this bot has only English texts
    bot = await start_bot("bot", connected=True, DATA_DIR=data_dir)
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


async def test_starter_model_draws_the_same_pictures_from_the_same_seed(
    start_bot: StartBot, data_dir: str
):
    words = ("imagine", "dog in autumn leaves", "--json", "--seed", "3", "--steps", "2")

    async def draw() -> dict[str, Any]:
        settings = {"DATA_DIR": data_dir, "DEVICE": "cpu", "HF_HUB_OFFLINE": "1"}
        process = await start_bot("bot", arguments=words, connected=False, **settings)
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


async def test_starter_and_a_tiny_model_draw_side_by_side_and_remix_goes_across(
    server: Playground, start_bot: StartBot, lens: Lens, tmp_path: Path
):
    from tests.tiny_models import build_tiny_model

    lens.is_open = False  # this bot has only English texts
    build_tiny_model(tmp_path / "tiny")
    (tmp_path / "models.toml").write_text(
        '[[model]]\nid = "starter"\nmodel = "starter"\nlabel = "Starter"\n'
        '[[model]]\nid = "tiny"\nmodel = "tiny"\nlabel = "Tiny"\nnum_inference_steps = 3\n',
    )
    bot = await start_bot("bot", connected=True, MODELS_FILE="models.toml", DEVICE="cpu")
    member, art = server.person("member"), server.channel("art")
    handles = [
        await member.slash("imagine", art, prompt="dog", seed="5", model=model)
        for model in ("tiny", "starter", "Tiny")
    ]
    first, *others = [await handle.wait_for(has_grid, 120) for handle in handles]
    assert "tiny · " in first.text() and "3 steps" in first.text()
    form = await press(member, first, "✎ Remix")
    await form.wait_modal()
    remixed = await (await member.submit_modal(form, {"model": ["starter"]})).wait_for(has_grid, 60)
    assert await bot.stop() == 0
    recipes = {
        row["message_id"]: recipe for row, recipe in zip(bot.rows(), bot.recipes(), strict=True)
    }
    drawn = [recipes[message.id] for message in (first, *others, remixed)]
    assert [recipe.model for recipe in drawn] == ["tiny", "starter", "tiny", "starter"]
    assert drawn[0].num_inference_steps == drawn[2].num_inference_steps == 3
    sizes = [recipe.size for recipe in drawn]
    assert sizes[0] == sizes[2] != sizes[1] == sizes[3] == (128, 128)
    assert drawn[3].num_inference_steps == drawn[1].num_inference_steps
