"""The bot's side of a cluster, without Ray: the test is the driver."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from bot.cluster.frames import Joined, Noted
from bot.cluster.machines import Machines
from bot.engine import Channel, EnginePool, EngineState, pack
from tests.engine.fleet.puppets import Puppet


class Driver:
    """A channel to a driver. say: what the driver tells; end: it dies."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def open(self, on_data: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        self._on_data, self.end = on_data, on_end

    def say(self, frame: object) -> None:
        self._on_data(pack(frame))

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def wait(self, seconds: float) -> bool:
        return True

    def close(self) -> None:
        self.sent.append(b"")


class Drivers:
    """Starts drivers. now: the clock. fails: it cannot start any."""

    def __init__(self) -> None:
        self.started: list[Driver] = []
        self.fails = False
        self.now = 0.0

    def start(self) -> Channel:
        if self.fails:
            raise OSError(11, "Resource temporarily unavailable")
        self.started.append(Driver())
        return self.started[-1]


@pytest.fixture
def drivers() -> Drivers:
    return Drivers()


@pytest.fixture
def machines(drivers: Drivers) -> Machines:
    return Machines(drivers.start, lambda: drivers.now)


def test_machine_with_the_name_of_a_card_of_the_bot_takes_nothing_from_it(
    drivers: Drivers, machines: Machines
):
    here = Puppet()
    pool = EnginePool({"cpu": lambda: here}, [machines])
    pool.start()
    here.load()
    drivers.started[0].say(Joined("a/0", "cpu"))
    drivers.started[0].say(Joined("b/0", "cpu"))
    states = {each.name: each.state for each in pool.list_engines()}
    assert states == {
        "cpu": EngineState.READY,
        "cpu (2)": EngineState.LOADING,
        "cpu (3)": EngineState.LOADING,
    }


def test_driver_that_cannot_be_started_is_tried_again(
    drivers: Drivers, machines: Machines, caplog: pytest.LogCaptureFixture
):
    drivers.fails = True
    pool = EnginePool({}, [machines])
    pool.start()
    assert "Resource temporarily unavailable" in machines.note
    assert machines.note in caplog.text
    drivers.fails = False
    pool.tend()
    assert drivers.started == []
    drivers.now = 1.1
    pool.tend()
    assert len(drivers.started) == 1


def test_same_complaint_at_every_start_is_logged_once(
    drivers: Drivers, machines: Machines, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    pool = EnginePool({}, [machines])
    pool.start()
    for number in range(3):
        drivers.started[number].say(Noted("The cluster does not answer."))
        drivers.started[number].end("it ended")
        drivers.now += 100.0
        pool.tend()
    assert [record.message for record in caplog.records] == ["The cluster does not answer."]
    assert machines.note == "The cluster does not answer."
