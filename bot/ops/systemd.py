"""Tells systemd the state of the process (sd_notify(3)). Without systemd it does nothing."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping


class Systemd:
    """Sends states to the socket NOTIFY_SOCKET. WATCHDOG_USEC: how often systemd expects a ping."""

    def __init__(self, address: str | None = None, watchdog_seconds: float | None = None) -> None:
        self._address = address
        self._watchdog_seconds = watchdog_seconds

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> Systemd:
        """Read from the environment where systemd listens, if it started this process."""
        address = environment.get("NOTIFY_SOCKET")
        if address and address.startswith("@"):  # "@" stands for an abstract socket
            address = "\0" + address[1:]
        microseconds = environment.get("WATCHDOG_USEC", "")
        return cls(address, int(microseconds) / 1e6 if microseconds.isdecimal() else None)

    def tell(self, *states: str) -> None:
        """Send states such as ``READY=1``. If systemd does not listen, nothing happens."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)
            try:
                channel.sendto("\n".join(states).encode(), self._address)
            except OSError:
                return

    async def beat(self) -> None:
        """Ping systemd's watchdog from the event loop. If the loop hangs, systemd restarts us."""
        while self._watchdog_seconds:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_seconds / 3)
