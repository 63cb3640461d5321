"""Connects `triptych imagine` to the jobs. Shows a progress bar instead of a Discord message."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bot.domain.jobs import Job
from bot.domain.recipes import Upload
from bot.domain.review import Case
from bot.errors import UserError
from bot.jobs.ports import Delivery, InProgress, Undeliverable, Update, Waiting
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because


class TerminalCaller:
    """The person at the keyboard, who gets every answer directly."""

    async def acknowledge(self, job: Job) -> None:
        """Do nothing, because the progress bar is already shown."""

    async def refuse(self, reason: Reason, *, can_appeal: bool = False) -> None:
        """Raises UserError."""
        raise UserError(reason)

    async def fetch_upload(self, upload: Upload) -> bytes:
        """Read the picture from a file on this machine."""
        try:
            return await asyncio.to_thread(Path(upload.url).read_bytes)
        except OSError as error:
            fault = error.strerror or str(error)
            raise UserError(because(Code.FILE_NOT_READ, path=upload.url, fault=fault)) from error


class TerminalMessenger:
    """Shows the progress of one job. ``wait`` returns its pictures or raises UserError."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._bar.add_task("loading the model", total=None)
        self._done: asyncio.Future[tuple[Job, Delivery]] = asyncio.Future()

    async def wait(self) -> tuple[Job, Delivery]:
        """Wait for the delivered job and its files."""
        with self._bar:
            return await self._done

    def find_locale(self, guild_id: int) -> None:
        """Return None, because the command line has no servers."""

    def find_guild_name(self, guild_id: int) -> None:
        """Return None, because the command line has no servers."""

    async def has_left(self, guild_id: int, user_id: int) -> bool:
        """Return False, because there is no server to leave."""
        return False

    async def is_refused(self, job: Job) -> bool:
        """Return False, because a refusal already ended the command."""
        return False

    async def progress(self, job: Job, update: Update) -> None:
        """Move the progress bar, or end the wait with an error if the job ended."""
        if isinstance(update, InProgress):
            self._bar.update(
                self._task, description="drawing", completed=update.step, total=update.num_steps
            )
        elif not isinstance(update, Waiting) and not self._done.done():
            self._done.set_exception(UserError(job.reason or because(Code.UNEXPLAINED)))

    async def deliver(self, job: Job, delivery: Delivery, *, can_repost: bool = True) -> None:
        """Fill the bar and end the wait."""
        steps = job.recipe.num_inference_steps
        self._bar.update(self._task, description="done", completed=steps, total=steps)
        self._done.set_result((job, delivery))

    async def remove(self, job: Job) -> None:
        """Raises Undeliverable, because there is no message."""
        raise Undeliverable("there are no messages at a terminal")

    async def tell(self, job: Job, reason: Reason | None) -> None:
        """Never called, because the terminal shows the person everything at once."""

    async def write_to(self, user_id: int, text: str, nonce: str) -> None:
        """Never called, because there are no moderators."""

    async def remove_message(self, channel_id: int, message_id: int) -> None:
        """Never called, because nothing is posted in channels."""

    async def show_card(self, case: Case, channel_id: int) -> int:
        """Never called, because jobs are held only in servers."""
        raise Undeliverable("there are no moderators at a terminal")
