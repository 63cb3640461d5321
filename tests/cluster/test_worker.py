"""The worker's side of the connection, without Ray."""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
from pathlib import Path

import pytest

from bot.cluster.worker import Worker
from bot.cluster.worker_engine import WorkerEngineMaker
from bot.engine import EngineApi
from bot.errors import ConfigError
from bot.settings import Settings


def refuse(number: int) -> EngineApi:
    raise ConfigError(f"There is no card {number}.")


async def test_stream_ends_also_if_the_end_comes_together_with_the_last_words(
    monkeypatch: pytest.MonkeyPatch,
):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", root.handlers[:])  # the host adds its own
    worker = Worker(refuse, 7)
    worker._host._ended.set()  # the bot closes it at once
    stream, before = worker.receive(), set(threading.enumerate())
    first = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    [running] = [each for each in set(threading.enumerate()) - before if "(_run)" in each.name]
    running.join(10)  # now everything is on its way, before anything was read
    async with asyncio.timeout(10):
        assert b"There is no card 7" in b"".join(await first)
        assert [batch async for batch in stream] == []


async def test_orders_are_obeyed_in_order_although_a_large_one_arrives_late():
    worker = Worker(refuse, 0)
    obeyed: list[bytes] = []
    worker._channel.open(obeyed.append, lambda reason: None)
    for number, data in [(1, b"cancel"), (0, b"submit, with a large picture"), (2, b"forget")]:
        await worker.send(number, data)
    assert obeyed == [b"submit, with a large picture", b"cancel", b"forget"]


@pytest.mark.parametrize(
    ("bots", "own", "is_default"),
    [
        (None, None, True),
        ("/models/dream", None, True),
        ("/models/dream", "/disk/dream", True),
        ("someone/dream", "/disk/dream", True),
        ("/models/dream", "/disk/sleep", False),
        (None, "/disk/sleep", False),
    ],
)
def test_worker_says_whether_it_draws_with_the_model_of_the_bot(
    bots: str | None, own: str | None, is_default: bool
):
    maker = WorkerEngineMaker.of(Settings(_env_file=None, model=bots))
    here = Settings(_env_file=None) if own is None else Settings(_env_file=None, model=own)
    [source] = maker.choose_sources(here)
    assert source.is_default is is_default
    assert Path(source.model).name in {Path(own or bots or "starter_model").name}


def test_worker_gets_all_models_of_the_bot_unless_it_names_its_own(tmp_path: Path):
    file = tmp_path / "models.toml"
    file.write_text(
        '[[model]]\nid = "tiny"\nmodel = "starter"\n'
        '[[model]]\nid = "far"\nmodel = "someone/dream"\nnum_inference_steps = 7\n',
        "utf-8",
    )
    maker = pickle.loads(
        pickle.dumps(WorkerEngineMaker.of(Settings(_env_file=None, models_file=file)))
    )
    file.unlink()  # it is on the bot's machine only
    sources = maker.choose_sources(Settings(_env_file=None))
    assert [(each.id, each.is_default) for each in sources] == [("tiny", True), ("far", False)]
    assert [each.num_inference_steps for each in sources] == [None, 7]
    [own] = maker.choose_sources(Settings(_env_file=None, model="/disk/dream"))
    assert (own.model, own.is_default, own.id) == ("/disk/dream", False, None)
