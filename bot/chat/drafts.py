"""Keeps what was typed into a refused form, so that nobody has to type it again."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

import discord

from bot.errors import UserError
from bot.texts.buttons import TRY_AGAIN
from bot.texts.faults import TYPED, TYPED_GONE
from bot.views.components import JobButton, SentForm, find_sent, open_form

if TYPE_CHECKING:
    from bot.chat.client import TriptychClient

KEPT_SECONDS = 3600.0
MAX_PER_MEMBER = 3
# The most forms in memory. They need at most 16 MB; the longest form has 8,300 characters.
MAX_DRAFTS = 500
_random_number = partial(secrets.randbits, 62)


@dataclass(frozen=True, slots=True)
class _Draft:
    user_id: int
    form: SentForm
    ends_at: float


class Drafts:
    """Keeps forms in memory only, because no member asked us to store these words."""

    def __init__(
        self,
        now: Callable[[], float],
        random_number: Callable[[], int] = _random_number,
    ) -> None:
        self._now = now
        self._random_number = random_number
        self._drafts: dict[int, _Draft] = {}  # the oldest form comes first

    def keep(self, user_id: int, form: SentForm) -> int:
        """Keep a form and return a number for ``find``. If there are too many, drop the oldest."""
        now = self._now()
        self._drop(lambda draft: draft.ends_at <= now)
        own = [number for number, draft in self._drafts.items() if draft.user_id == user_id]
        for number in own[: max(len(own) - MAX_PER_MEMBER + 1, 0)]:
            del self._drafts[number]
        if len(self._drafts) >= MAX_DRAFTS:
            del self._drafts[next(iter(self._drafts))]
        number = self._random_number()
        self._drafts[number] = _Draft(user_id, form, now + KEPT_SECONDS)
        return number

    def find(self, number: int, user_id: int) -> SentForm:
        """Return the form that this person sent. Raises UserError if we no longer have it."""
        draft = self._drafts.get(number)
        if draft is None or draft.user_id != user_id or draft.ends_at <= self._now():
            raise UserError(TYPED_GONE())
        return draft.form

    def forget(self, user_id: int) -> None:
        """Forget every form that this person sent."""
        self._drop(lambda draft: draft.user_id == user_id)

    def _drop(self, is_over: Callable[[_Draft], bool]) -> None:
        self._drafts = {n: draft for n, draft in self._drafts.items() if not is_over(draft)}


def offer_again(interaction: discord.Interaction[TriptychClient]) -> list[JobButton]:
    """Return a list with the button that opens the refused form again; [] if no form was sent."""
    form = find_sent(interaction)
    if form is None:
        return []
    number = interaction.client.drafts.keep(interaction.user.id, form)
    return [JobButton("again", number, label=TRY_AGAIN())]


async def open_again(interaction: discord.Interaction[Any], number: int, panel: int) -> None:
    """Open a refused form, filled in. If that is no longer possible, send back what was typed."""
    form = interaction.client.drafts.find(number, interaction.user.id)
    text = TYPED()
    try:
        if await open_form(interaction, form.name, *form.place, typed=form.typed):
            return
    except UserError as error:
        text = f"{error} {text}"
    is_done = interaction.response.is_done()
    send = interaction.followup.send if is_done else interaction.response.send_message
    typed = "\n\n".join(filter(None, form.typed.values()))
    file = discord.File(BytesIO(typed.encode()), "what-you-typed.txt")
    await send(text, file=file, ephemeral=True)
