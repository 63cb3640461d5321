"""The messages that systemd gets."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from bot.ops.systemd import Systemd


class TestSupervisor:
    async def test_tells_its_state_and_beats(self, tmp_path: Path):
        path = str(tmp_path / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
            listening.bind(path)
            listening.settimeout(5)
            systemd = Systemd.of_environment({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000"})
            systemd.tell("READY=1", "STATUS=online")
            assert listening.recv(100) == b"READY=1\nSTATUS=online"
            beating = asyncio.create_task(systemd.beat())
            await asyncio.sleep(0.05)
            beating.cancel()
            assert listening.recv(100) == listening.recv(100) == b"WATCHDOG=1"

    async def test_without_a_supervisor_nobody_is_told_and_nothing_waits(self):
        systemd = Systemd.of_environment({})
        systemd.tell("READY=1")
        await asyncio.wait_for(systemd.beat(), 1)

    def test_supervisor_that_is_gone_is_no_fault(self, tmp_path: Path):
        Systemd(str(tmp_path / "nobody")).tell("READY=1")
