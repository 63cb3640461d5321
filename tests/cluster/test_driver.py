"""What the driver tells the bot of a cluster that it cannot reach."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from bot.engine import unpack
from tests.cluster.clusters import FakeMaker


class Bot:
    """The bot's end of the channel. heard: what the driver told."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def open(self, on_data: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        pass

    def send(self, data: bytes) -> None:
        self.heard.append(unpack(data))


async def test_address_where_nothing_is_gives_one_complaint_and_nothing_else():
    """Otherwise the log has two new lines at each of the many starts."""
    pytest.importorskip("ray", reason="ray is not installed (pip install -e '.[cluster]')")
    from bot.cluster.driver import Driver
    from bot.cluster.frames import Noted

    bot = Bot()
    await Driver("127.0.0.1:9", FakeMaker(), bot).run()  # pyright: ignore[reportArgumentType]
    [note] = bot.heard
    assert isinstance(note, Noted)
    assert note.text.startswith("The cluster at 127.0.0.1:9 does not answer.")


async def test_head_that_accepts_and_then_says_nothing_gives_a_complaint(
    monkeypatch: pytest.MonkeyPatch,
):
    """Ray waits for more than three minutes; a new try often succeeds at once."""
    pytest.importorskip("ray", reason="ray is not installed (pip install -e '.[cluster]')")
    from bot.cluster import driver
    from bot.cluster.frames import Noted

    silent = threading.Event()
    monkeypatch.setattr(driver, "_CONNECT_SECONDS", 0.01)
    monkeypatch.setattr(driver.ray, "init", lambda *_, **__: silent.wait())
    with socket.create_server(("127.0.0.1", 0)) as head:
        port, bot = head.getsockname()[1], Bot()
        served = driver.Driver(f"127.0.0.1:{port}", FakeMaker(), bot)  # pyright: ignore[reportArgumentType]
        await served.run()
    silent.set()
    [note] = bot.heard
    assert isinstance(note, Noted)
    assert "nothing came for 0 seconds" in note.text


async def test_head_that_is_gone_when_a_worker_is_started_is_told_as_the_end_of_the_worker(
    monkeypatch: pytest.MonkeyPatch,
):
    pytest.importorskip("ray", reason="ray is not installed (pip install -e '.[cluster]')")
    from ray.exceptions import AuthenticationError

    from bot.cluster import driver
    from bot.cluster.frames import Ended, Open

    def refuse(**options: object) -> object:
        raise AuthenticationError("WrongClusterID: the GCS has restarted\nand more")

    bot = Bot()
    served = driver.Driver("127.0.0.1:9", FakeMaker(), bot)  # pyright: ignore[reportArgumentType]
    served._cards["a/0"] = driver._Card("a" * 56, 0, has_gpu=False)
    monkeypatch.setattr(driver.ray, "remote", refuse)
    served._obey(Open("a/0", 7))
    assert bot.heard == [Ended(7, "WrongClusterID: the GCS has restarted")]
