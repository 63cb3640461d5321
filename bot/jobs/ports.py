"""What jobs need of the world outside: somebody to answer, and somewhere to post.

The bot's side of it is ``bot/chat/messenger.py`` (Discord), the command line's is
``bot/cli/terminal.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bot.domain.jobs import Job
from bot.domain.pictures import PanelVerdict
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
"""How long an interaction token is good for."""


_NOT_TAKEN = because(Code.DISCORD_REFUSED)


class NotPosted(TriptychError):
    """What should be shown was not shown."""


class Undeliverable(NotPosted):
    """Nobody can be reached with this any more; trying again would not help.

    Its text is for the log; why: what members may read of it.
    """

    def __init__(self, text: str, why: Reason = _NOT_TAKEN) -> None:
        super().__init__(text)
        self.why = why


class NoMessage(Undeliverable):
    """There is no such message: it was deleted, or never came to be."""


class PlaceClosed(Undeliverable):
    """The thread is archived and locked; its members can still be answered alone."""


class Unreadable(Undeliverable):
    """The pictures cannot be read from the disk; the message itself can be reached."""


class Unreachable(NotPosted):
    """Nobody answers at present; the same thing may work in a minute."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The job waits. place is None until it is known; model_ready is False while loading."""

    place: Place | None
    model_ready: bool = True


@dataclass(frozen=True, slots=True)
class InProgress:
    """The job is being drawn: ``step`` of ``num_steps`` done.

    sketch: uint8 (N, h, w, 3) RGB, as the engine sees it now. preview: the same as a small WebP
    file, with flagged pictures covered; it is made when it is shown.
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
    """The job's pictures were there, and nobody may see them any more; see ``is_removed``."""

    is_removed: bool = False


Update = Waiting | InProgress | InReview | Hidden | Ended


@dataclass(frozen=True, slots=True)
class Delivery:
    """Finished pictures: absolute paths of PNG files that exist, and a verdict per panel."""

    grid: Path
    images: tuple[Path, ...]
    verdicts: tuple[PanelVerdict, ...]


def list_hidden(delivery: Delivery) -> list[str]:
    """Sentences that say which panels nobody may see, and why."""
    hidden: dict[bool, list[int]] = {True: [], False: []}
    for panel, verdict in enumerate(delivery.verdicts, 1):
        if not verdict.shown:
            hidden[verdict.was_judged].append(panel)
    said = ((texts.PANELS_HIDDEN, hidden[True]), (texts.PANELS_UNCHECKED, hidden[False]))
    return [text(count=len(each), panels=say_list(each)) for text, each in said if each]


class Caller(Protocol):
    """The person who asks, as long as they can still be given a first answer (3 s on Discord)."""

    async def acknowledge(self, job: Job) -> int | None:
        """Show that the prompt was taken; the id of the message that will move, if there is one.

        Raises Undeliverable if it came too late, Unreachable if nobody knows whether it came.
        """
        ...

    async def refuse(self, reason: Reason, *, can_appeal: bool = False) -> None:
        """Tell the person alone why the prompt was not taken."""
        ...

    async def fetch_upload(self, upload: Upload) -> bytes:
        """The file that the person handed in. Raises UserError."""
        ...


class Messenger(Protocol):
    """Reaches people from a job's row alone, also after a restart.

    Every method that waits raises Undeliverable or Unreachable.
    """

    def find_locale(self, guild_id: int) -> str | None:
        """The language of a server, as Discord names it; None where it is not known."""
        ...

    async def progress(self, job: Job, update: Update) -> int | None:
        """Move the job's message; its id, if there is one."""
        ...

    async def deliver(self, job: Job, delivery: Delivery, *, can_repost: bool = True) -> int | None:
        """Post the pictures; the id of the message that shows them.

        can_repost: a new message may take the place of one that is gone.
        """
        ...

    async def tell(self, job: Job, reason: Reason | None) -> None:
        """Write to the member directly, where the message itself is out of reach."""
        ...

    async def write_to(self, user_id: int, text: str, nonce: str) -> None:
        """A direct message; to anybody, the same nonce within minutes is the same one."""
        ...

    async def show_card(self, case: Case, channel_id: int) -> int:
        """Post a card for moderators or, if it stands, bring it up to date; its message's id."""
        ...


class ReviewLane(Protocol):
    """Where held jobs wait for a moderator: ``bot/review/cards.py``."""

    async def hold(self, job: Job) -> None:
        """Ask the moderators about a held job, and tell its member that they are asked."""
        ...

    async def withdraw(self, job: Job) -> None:
        """The member has taken a held job back: nobody needs to decide about it any more."""
        ...
