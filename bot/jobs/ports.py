"""The interfaces through which jobs answer people and show messages.

``bot/chat/messenger.py`` implements them for Discord, ``bot/cli/terminal.py`` for the command
line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bot.domain.jobs import Job
from bot.domain.pictures import PanelVerdict, PictureFile
from bot.domain.recipes import Upload
from bot.domain.review import Case
from bot.errors import TriptychError
from bot.jobs.queue.places import Place
from bot.texts import jobs as texts
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because
from bot.texts.units import say_list

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOKEN_LIFE_SECONDS = 15 * 60
"""How long an interaction token is valid."""


_NOT_TAKEN = because(Code.DISCORD_REFUSED)


class NotPosted(TriptychError):
    """A message could not be shown or changed."""


class Undeliverable(NotPosted):
    """The message can never be delivered, so a retry would not help.

    The error's text is for the log. why: the reason that members may read.
    """

    def __init__(self, text: str, why: Reason = _NOT_TAKEN) -> None:
        super().__init__(text)
        self.why = why


class NoMessage(Undeliverable):
    """The message does not exist: it was deleted or never posted."""


class MessageDeleted(NoMessage):
    """Somebody deleted the message after it was posted, so we must not post it again."""


class PlaceClosed(Undeliverable):
    """The thread is archived and locked; its members can still get private answers."""


class AnsweredElsewhere(Undeliverable):
    """Another program with the same token has answered instead of this one."""


class Unreadable(Undeliverable):
    """The pictures cannot be read from the disk; the message itself can be reached."""


class Unreachable(NotPosted):
    """Discord does not answer at the moment. Trying again in a minute may work."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The job waits. place: None until it is known. model_ready: False while the model loads."""

    place: Place | None
    model_ready: bool = True


@dataclass(frozen=True, slots=True)
class InProgress:
    """The job is being drawn: ``step`` of ``num_steps`` done.

    sketch: uint8 (N, h, w, 3) RGB, the engine's current estimate. preview: the sketch as a small
    WebP file with flagged pictures covered, made just before it is shown.
    """

    step: int
    num_steps: int
    sketch: NDArray[np.uint8] | None = field(default=None, compare=False, repr=False)
    preview: bytes | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Ended:
    """The job ended without pictures; ``job.status`` and ``job.reason`` say how and why."""


@dataclass(frozen=True, slots=True)
class InReview:
    """A moderator has to look at the job first."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """The job's pictures must not be shown any more; see ``is_removed``."""

    is_removed: bool = False


Update = Waiting | InProgress | InReview | Hidden | Ended


@dataclass(frozen=True, slots=True)
class Delivery:
    """Finished pictures: absolute paths of PNG files that exist, and a verdict per panel."""

    grid: Path
    images: tuple[Path, ...]
    verdicts: tuple[PanelVerdict, ...]

    @classmethod
    def of(cls, files: Sequence[PictureFile], paths: Sequence[Path]) -> Delivery:
        """Build a delivery from a job's files, in the order of their panels, and their paths."""
        verdicts = tuple(file.verdict for file in files if file.verdict is not None)
        return cls(paths[0], tuple(paths[-len(verdicts) :]), verdicts)


def list_hidden(delivery: Delivery) -> list[str]:
    """Return sentences that say which panels are hidden, and why."""
    hidden: dict[bool, list[int]] = {True: [], False: []}
    for panel, verdict in enumerate(delivery.verdicts, 1):
        if not verdict.shown:
            hidden[verdict.was_judged].append(panel)
    said = ((texts.PANELS_HIDDEN, hidden[True]), (texts.PANELS_UNCHECKED, hidden[False]))
    return [text(count=len(each), panels=say_list(each)) for text, each in said if each]


class Caller(Protocol):
    """The person who asks. Used only while a first answer is possible (3 s on Discord)."""

    async def acknowledge(self, job: Job) -> int | None:
        """Show that the prompt was accepted; return the id of the status message, if there is one.

        Raises Undeliverable if the answer came too late, Unreachable if nobody knows whether it
        arrived.
        """
        ...

    async def refuse(self, reason: Reason, *, can_appeal: bool = False) -> None:
        """Tell only this person why the prompt was not accepted."""
        ...

    async def fetch_upload(self, upload: Upload) -> bytes:
        """Return the file that the person sent. Raises UserError."""
        ...


class Messenger(Protocol):
    """Reaches people with only a job's row, so it also works after a restart.

    Every method that waits raises Undeliverable or Unreachable.
    """

    def find_locale(self, guild_id: int) -> str | None:
        """Return the language of a server, as Discord names it; None if it is unknown."""
        ...

    def find_guild_name(self, guild_id: int) -> str | None:
        """Return the name of a server; None if it is unknown."""
        ...

    async def has_left(self, guild_id: int, user_id: int) -> bool:
        """Return whether somebody has left a server."""
        ...

    async def is_refused(self, job: Job) -> bool:
        """Return whether the job's first answer was a refusal, which only its member sees."""
        ...

    async def progress(self, job: Job, update: Update) -> int | None:
        """Edit the job's message; return its id, if there is one."""
        ...

    async def deliver(self, job: Job, delivery: Delivery, *, can_repost: bool = True) -> int | None:
        """Post the pictures; return the id of the message that shows them.

        can_repost: whether a new message may replace one that is gone.
        """
        ...

    async def remove(self, job: Job) -> None:
        """Delete the job's message, if there still is one."""
        ...

    async def tell(self, job: Job, reason: Reason | None) -> None:
        """Tell only the member how the job ended, if the job's message cannot say so."""
        ...

    async def write_to(self, user_id: int, text: str, nonce: str) -> None:
        """Send a direct message. Within minutes, calls with the same nonce post it only once."""
        ...

    async def remove_message(self, channel_id: int, message_id: int) -> None:
        """Delete a message that the bot posted."""
        ...

    async def show_card(self, case: Case, channel_id: int) -> int:
        """Post a card for moderators, or edit it; return the id of its message."""
        ...


class ReviewLane(Protocol):
    """Takes jobs that wait for a moderator. ``bot/review/cards.py`` implements it."""

    async def hold(self, job: Job) -> None:
        """Ask the moderators about a held job, and tell its member."""
        ...

    async def withdraw(self, job: Job) -> None:
        """Close the card of a held job that its member has cancelled."""
        ...
