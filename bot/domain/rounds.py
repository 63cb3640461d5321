"""The values of group rounds: a theme, phrases from many people, three pictures, and votes."""

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
"""The numbers of the pictures that people vote for."""


class RoundStatus(StrEnum):
    """How far a round has come."""

    OPEN = "open"  # people can add phrases, and vote for phrases
    ASKING = "asking"  # fewer than two people took part; the starter decides
    DRAWING = "drawing"  # it has a job, which may also wait for a moderator
    VOTING = "voting"  # the pictures are shown, and people can vote for them
    ENDED = "ended"
    FAILED = "failed"  # nothing was drawn; ``Round.reason`` says why
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Return whether nothing can happen to the round any more."""
        return self in {RoundStatus.ENDED, RoundStatus.FAILED, RoundStatus.CANCELLED}


class PhraseStatus(StrEnum):
    """What has happened to a phrase."""

    HELD = "held"  # a moderator has to approve it first; other people do not see it
    JOINED = "joined"
    STRUCK = "struck"  # a moderator took it out, or its author was suspended
    REFUSED = "refused"  # not allowed, by a moderator or by the rules
    WITHDRAWN = "withdrawn"  # its author took it back, or deleted their data


class Choosing(StrEnum):
    """Which phrases go into the prompt when a round closes."""

    VOTES = "votes"  # those with the most votes; if votes are equal, the older ones
    ALL = "all"  # all of them; the round closes when the prompt is full


@dataclass(frozen=True, slots=True)
class RoundAsk:
    """What somebody typed to start a round.

    is_anonymous: whether authors are hidden until the end; None: the server's setting decides.
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

    message_id: None until the message is posted. style: "" for none. model: the id of the
    model that draws it; None for the default one. start: the winning picture of
    the round ``previous_id``. closes_at: the time after which no more phrases are taken; an early
    close makes it earlier. asks_until: the time at which a round in ASKING ends without an answer.
    is_confirmed: the starter wants the prompt drawn although fewer than two people took part.
    votes_until: None before VOTING. winner: the number of the winning picture. tally: the votes for
    each picture; empty until the round has ended. lot_seed: the number that decided, if pictures
    had equally many votes (see ``draw_lot``). winner_message_id, showcase_message_id: None until
    posted; 0 if there is no such message. end_shown: False if the round is over and its message may
    not show that yet. reason: why it ended without a winner.
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
    model: str | None = None
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

    votes: how many members voted for it. place: its place in the drawn prompt, from 1; None if the
    prompt does not contain it. weight, max_cost_per_day: its author's share of the queue and limit,
    from the roles that the author had. held_for: why it is held.
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
    """A phrase that a member may vote for. is_chosen: whether the member votes for it."""

    phrase: Phrase
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class RoundState:
    """Everything that a round's message shows.

    phrases: the phrases that joined, sorted by how likely they are to be drawn. Their authors are
    hidden until the end if the round is anonymous. num_held: how many phrases wait for a moderator.
    words_left: about how many more words the prompt has room for; None until the model is known.
    job: the job that draws the prompt. tally: the votes for each picture, or None if the counts are
    not shown yet. panels: the pictures that people can vote for. ancestors: the rounds before this
    one, the oldest first.
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
        """Return the authors of the phrases that were drawn, without repeats."""
        used = (each.user_id for each in self.phrases if each.is_used and each.user_id)
        return tuple(dict.fromkeys(used))


def compose_prompt(theme: str, phrases: Iterable[str]) -> str:
    """Put a theme and phrases into one prompt. Deleted ones are left out."""
    return SEPARATOR.join(filter(None, (theme, *phrases)))


def draw_lot(tied: tuple[int, ...], seed: int) -> int:
    """Choose among pictures with equally many votes.

    The choice is the seed modulo the number of these pictures, so that anybody can check it.
    """
    return tied[seed % len(tied)]
