"""The buttons on the cards of the review channel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

import discord
from discord.ext import commands

from bot.chat.client import TriptychClient
from bot.chat.permissions import require_moderator, require_other, require_rank
from bot.chat.pictures import send_pictures
from bot.domain.review import AGAINST_MEMBER, APPROVING, ASKING, CHOICES, Card, Decision
from bot.errors import UserError
from bot.moderation.text import clean_prompt
from bot.services import Services
from bot.texts import review as texts
from bot.views import review as review_views
from bot.views.components import JobModal, open_form


class Review(commands.Cog):
    """Lets moderators decide about prompts and pictures that were held, reported or appealed."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def make_action(
        self, decision: Decision
    ) -> Callable[[discord.Interaction[Any], int, int], Awaitable[None]]:
        """Return the function that runs when the button for this decision is pressed."""

        async def press(interaction: discord.Interaction[Any], card_id: int, is_bare: int) -> None:
            if decision not in ASKING:
                await interaction.response.defer()
                await self._decide(interaction, decision, card_id, is_bare=bool(is_bare))
                return
            await open_form(interaction, decision, card_id, 0)

        return press

    def make_form_composer(
        self, decision: Decision
    ) -> Callable[[discord.Interaction[Any], int, int], Awaitable[JobModal]]:
        """Return the function that builds the form for this decision."""

        async def compose(
            interaction: discord.Interaction[Any], card_id: int, panel: int
        ) -> JobModal:
            await self._check_decision(interaction, decision, card_id)
            return review_views.compose_reason_form(decision, card_id)

        return compose

    def make_form_action(
        self, decision: Decision
    ) -> Callable[[discord.Interaction[Any], int, int, dict[str, str]], Awaitable[None]]:
        """Return the function that runs when the form for this decision is sent."""

        async def submit(
            interaction: discord.Interaction[Any], card_id: int, panel: int, fields: dict[str, str]
        ) -> None:
            await interaction.response.defer()
            await self._decide(interaction, decision, card_id, clean_prompt(fields["reason"]))

        return submit

    async def _decide(
        self,
        interaction: discord.Interaction[Any],
        decision: Decision,
        card_id: int,
        reason: str = "",
        *,
        is_bare: bool = False,
    ) -> None:
        await self._check_decision(interaction, decision, card_id, is_bare=is_bare)
        await self._services.decisions.decide(
            card_id, decision, interaction.user.id, interaction.guild_id, reason
        )

    async def _check_decision(
        self,
        interaction: discord.Interaction[Any],
        decision: Decision,
        card_id: int,
        *,
        is_bare: bool = False,
    ) -> None:
        """Raise UserError if this person may not decide this. is_bare: the card hides the words."""
        card = await self._check(interaction, card_id)
        require_other(interaction, card.member_id)
        if decision in AGAINST_MEMBER:
            await require_rank(interaction, card.member_id)
        if decision in APPROVING and not await self._services.review_cards.has_seen(
            card, interaction.user.id, is_bare=is_bare
        ):
            raise UserError(texts.READ_FIRST() if is_bare else texts.LOOK_FIRST())

    async def reveal(self, interaction: discord.Interaction[Any], card_id: int, panel: int) -> None:
        """Show the uncovered pictures and the whole prompt, only to the moderator.

        After that, the moderator may approve the card.
        """
        await interaction.response.defer(ephemeral=True, thinking=True)
        card = await self._check(interaction, card_id)
        if card.phrase_id is not None:
            await self._reveal_phrase(interaction, card)
            return
        is_sealed = await self._services.review_cards.is_sealed(card)
        job = card.job_id and await self._services.jobs.fetch_job(card.job_id)
        if not job or is_sealed:
            content = texts.SEALED() if is_sealed else texts.NO_PICTURES()
            await interaction.edit_original_response(content=content)
            return
        recipe, cards = job.recipe, self._services.review_cards
        text = texts.WHOLE_PROMPT(prompt=recipe.prompt, negative_prompt=recipe.negative_prompt)
        found = await cards.locate_pictures(job)
        paths = {name: path for name, path in found.items() if path is not None}
        is_gone = None in [*found.values()][:1]

        async def show(files: list[discord.File]) -> None:
            prompt = discord.File(BytesIO(text.encode()), filename="prompt.txt")
            content = texts.PICTURE_GONE() if is_gone else None
            await interaction.edit_original_response(content=content, attachments=[prompt, *files])

        turn = interaction.client.showing.hold(interaction.user.id)
        await send_pictures(turn, paths, show, spoiler=True)
        if not is_gone:
            cards.note_seen(card_id, interaction.user.id)

    async def _reveal_phrase(self, interaction: discord.Interaction[Any], card: Card) -> None:
        """Show the words of a card about a phrase, which Discord refused to show on the card."""
        case = await self._services.review_cards.compose_case(card)
        phrase = "" if case.phrase is None else case.phrase.text
        text = texts.WHOLE_PHRASE(theme=case.theme, phrase=phrase)
        file = discord.File(BytesIO(text.encode()), "phrase.txt")
        await interaction.edit_original_response(attachments=[file])
        self._services.review_cards.note_seen(card.card_id, interaction.user.id)

    async def _check(self, interaction: discord.Interaction[Any], card_id: int) -> Card:
        guild_id = interaction.guild_id
        settings = await self._services.settings.fetch(guild_id)
        require_moderator(interaction, settings)
        card = await self._services.decisions.fetch_card(card_id, guild_id)
        pressed = interaction.message
        # "Try again" is on a private answer, so a press of that button does not come from the card.
        is_card = pressed is not None and not pressed.flags.ephemeral
        if card.message_id is None and pressed is not None and is_card:
            await self._services.review_cards.note_posted(card, pressed.channel.id, pressed.id)
        return card


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    cog = Review(bot.services)
    for choices in CHOICES.values():
        for decision in choices:
            bot.add_button_action(decision, cog.make_action(decision))
            if decision in ASKING:
                composer = cog.make_form_composer(decision)
                bot.add_form(decision, composer, cog.make_form_action(decision))
    bot.add_button_action("reveal", cog.reveal)
    await bot.add_cog(cog)
