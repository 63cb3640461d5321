"""A bot process that lives as long as the playground does."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress

GOODBYE_SECONDS = 15.0


class Child:
    """A bot in its own process group, so that Ctrl-C does not end it directly.

    Only `stop` ends it. So the playground can still answer the bot's last requests.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, command: Sequence[str], api_base: str, token: str) -> "Child":
        """Run the command with DISCORD_API_BASE and DISCORD_TOKEN set."""
        known = {"DISCORD_API_BASE": api_base, "DISCORD_TOKEN": token}
        process = await asyncio.create_subprocess_exec(
            *command, env=os.environ | known, start_new_session=True
        )
        return cls(process)

    async def wait(self) -> int:
        return await self._process.wait()

    async def stop(self) -> None:
        """Send SIGTERM and wait. Then send SIGKILL to all processes of the group that are left."""
        if self._process.returncode is None:
            self._process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), GOODBYE_SECONDS)
        with suppress(ProcessLookupError):
            # this ends the bot's child processes, and the bot if it still runs
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
