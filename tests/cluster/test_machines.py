"""The bot's side of the cluster, without Ray: what it does if the driver's process fails."""

from __future__ import annotations

from bot.cluster.machines import Machines
from bot.engine import Channel, EnginePool


def test_driver_that_cannot_be_started_is_tried_again():
    tries: list[str] = []

    def start_no_driver() -> Channel:
        tries.append("now")
        raise BlockingIOError(11, "Resource temporarily unavailable")

    now = [0.0]
    machines = Machines(start_no_driver, lambda: now[0])
    pool = EnginePool({}, [machines])
    assert not pool.start().done()
    assert "temporarily unavailable" in pool.list_notes()[0]
    pool.tend()
    assert len(tries) == 1
    now[0] = 1.5
    pool.tend()
    assert len(tries) == 2
