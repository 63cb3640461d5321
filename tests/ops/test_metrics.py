"""/metrics and /healthz report chores that fail."""

from __future__ import annotations

import socket

import aiohttp

from bot.ops.metrics import Health, serve_monitor


async def test_failed_chores_are_counted_and_make_the_process_unwell():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]

    async def examine() -> Health:
        return Health(("backup failed 3 times in a row",), {}, {}, {"backup": 3, "mod_log": 0})

    async with (
        serve_monitor(port, examine),
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        async with session.get("/metrics") as response:
            lines = (await response.text()).splitlines()
        async with session.get("/healthz") as response:
            told = await response.json()
    assert 'triptych_chore_failures_total{chore="backup"} 3.0' in lines
    assert 'triptych_chore_failures_total{chore="mod_log"} 0.0' in lines
    assert (response.status, told["faults"]) == (503, ["backup failed 3 times in a row"])
