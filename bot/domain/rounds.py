"""The values about group rounds: a theme, phrases from many people, one picture, and votes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.jobs import Job
from bot.domain.recipes import StartPicture
from bot.texts.reasons import Reason

MAX_PHRASE_LENGTH = 80
MAX_THEME_LENGTH = 200
MIN_MINUTES, MAX_MINUTES = 2, 1440
MAX_PHRASES_EACH = 5
SEPARATOR = ", "
PANELS = (1, 2, 3)
"""The pictures that people choose from."""


class RoundStatus(StrEnum):
    """Where a round stands."""

    OPEN = "open"  # phrases and votes for phrases are taken
    ASKING = "asking"  # closed with fewer than two authors; the starter decides
    DRAWING = "drawing"  # it has a job, which may also wait for a moderator
    VOTING = "voting"  # the pictures are shown, and votes are taken
    ENDED = "ended"
    FAILED = "failed"  # nothing was drawn; ``Round.reason`` says why
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Return whether nothing can happen to the round any more."""
        return self in {RoundStatus.ENDED, RoundStatus.FAILED, RoundStatus.CANCELLED}


class PhraseStatus(StrEnum):
    """Where a phrase stands."""

    HELD = "held"  # a moderator has to look at it first; nobody else sees it
    JOINED = "joined"
    STRUCK = "struck"  # a moderator took it out, or its author was suspended
    REFUSED = "refused"  # held, and then not allowed
    WITHDRAWN = "withdrawn"  # its author took it back, or deleted their data


class Choosing(StrEnum):
    """Who chooses the phrases when a round closes."""

    VOTES = "votes"  # those with the most votes, and of equal ones the older
    ALL = "all"  # all of them; the round closes when the prompt is full


@dataclass(frozen=True, slots=True)
class RoundAsk:
    """What somebody typed to start a round.

    is_anonymous: whether authors are hidden until the end; None: as the server has set.
    previous: the round whose winner is the start picture; None for a first round.
    """

    theme: str
    minutes: int = 10
    phrases_each: int = 2
    choosing: Choosing = Choosing.VOTES
    style: str | None = None
    width: int | None = None
    height: int | None = None
    is_anonymous: bool | None = None
    previous: int | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One row of the round table.

    message_id: None until the message is posted. style: "" for none. start: the winner of the
    round ``previous_id``. closes_at: when no more phrases are taken; after an early close, the time
    of that. asks_until: when a round in ASKING is cancelled. is_confirmed: its starter wants it
    drawn anyway. votes_until: None before VOTING. winner: the panel. tally: the votes for each
    panel, from the end on. lot_seed: if panels had equally many votes, the number that decided (see
    ``draw_lot``). winner_message_id, showcase_message_id: None until posted; 0 if there is no such
    message. end_shown: False if it is over and its message may not show that yet. reason: why it
    ended without a winner.
    """

    round_id: int
    guild_id: int
    channel_id: int
    starter_id: int
    theme: str
    status: RoundStatus
    phrases_each: int
    choosing: Choosing
    is_anonymous: bool
    opened_at: float
    closes_at: float
    parent_channel_id: int | None = None
    age_restricted: bool = False
    guild_locale: str | None = None
    message_id: int | None = None
    style: str = ""
    width: int | None = None
    height: int | None = None
    previous_id: int | None = None
    start: StartPicture | None = None
    asks_until: float | None = None
    is_confirmed: bool = False
    job_id: int | None = None
    votes_until: float | None = None
    winner: int | None = None
    tally: tuple[int, ...] = ()
    lot_seed: int | None = None
    winner_message_id: int | None = None
    showcase_channel_id: int | None = None
    showcase_message_id: int | None = None
    end_shown: bool = True
    reason: Reason | None = None
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Phrase:
    """A member's phrase. user_id: 0 if its author is hidden or forgotten. text: "" if deleted.

    votes: how many members chose it. place: its place in the drawn prompt, from 1; None if it is
    not part of it. weight, max_cost_per_day: what its author's roles gave them. held_for: why it is
    held.
    """

    phrase_id: int
    round_id: int
    guild_id: int
    user_id: int
    text: str
    status: PhraseStatus
    at: float
    votes: int = 0
    place: int | None = None
    weight: float = 1.0
    max_cost_per_day: float | None = None
    held_for: Reason | None = None

    @property
    def is_used(self) -> bool:
        """Return whether it is part of the drawn prompt."""
        return self.place is not None


@dataclass(frozen=True, slots=True)
class Ballot:
    """A phrase that a member may vote for. is_chosen: whether they have."""

    phrase: Phrase
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class RoundState:
    """Everything that a round's message shows.

    phrases: those that joined, the likeliest to be drawn first. Their authors are hidden as long as
    the round says so. num_held: how many more wait for a moderator. words_left: about how many more
    words the prompt has room for; None as long as the model is not known. job: the drawn prompt.
    tally: the votes for each picture, or None if the counts are not shown yet. panels: the pictures
    that can be voted for. ancestors: the rounds before this one, the oldest first.
    """

    round: Round
    phrases: tuple[Phrase, ...] = ()
    num_held: int = 0
    words_left: int | None = None
    job: Job | None = None
    tally: tuple[int, ...] | None = None
    panels: tuple[int, ...] = PANELS
    ancestors: tuple[Round, ...] = ()

    @property
    def authors(self) -> tuple[int, ...]:
        """Return the authors of the phrases that were drawn, each once."""
        used = (each.user_id for each in self.phrases if each.is_used and each.user_id)
        return tuple(dict.fromkeys(used))


def compose_prompt(theme: str, phrases: Iterable[str]) -> str:
    """Put a theme and phrases into one prompt. Deleted ones are left out."""
    return SEPARATOR.join(filter(None, (theme, *phrases)))


def draw_lot(tied: tuple[int, ...], seed: int) -> int:
    """Return the winner among equals: the seed modulo their number, so that anybody can check."""
    return tied[seed % len(tied)]
