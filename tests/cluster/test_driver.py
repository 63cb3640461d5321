"""What the driver tells the bot of a cluster that it cannot reach."""

from __future__ import annotations

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
