"""/together: group rounds, and the buttons of their messages."""

from __future__ import annotations

import re
from collections.abc import Sequence

import discord
from discord import app_commands
from discord.ext.commands import GroupCog

from bot.chat.client import TriptychClient
from bot.chat.interactions import parse_origin
from bot.chat.mentions import spell_out
from bot.chat.offers import in_servers
from bot.chat.parsing import parse_size
from bot.chat.permissions import can_read, find_server
from bot.chat.suggestions import fetch_info, list_shapes, or_nothing, suggest_sizes, suggest_styles
from bot.chat.translator import describe, list_choices
from bot.domain.rounds import (
    MAX_MINUTES,
    MAX_PHRASES_EACH,
    MIN_MINUTES,
    Choosing,
    Round,
    RoundAsk,
    RoundStatus,
)
from bot.errors import UserError
from bot.services import Services
from bot.texts import commands
from bot.texts import rounds as texts
from bot.texts.codes import Code
from bot.texts.reasons import because
from bot.views import round_answers as views
from bot.views.components import JobModal, open_form
from bot.views.jobs import compose_view

Press = discord.Interaction[TriptychClient]

_NEWEST = 2**63 - 1
_DEFAULT_MINUTES, _DEFAULT_PHRASES = 10, 2


@in_servers
class Together(GroupCog, group_name="together", group_description=commands.TOGETHER.english):
    """Starts rounds, and takes phrases and votes for them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._rounds = services.rounds

    @app_commands.command(description=commands.TOGETHER_START.english)
    @describe(commands.TOGETHER_OPTIONS)
    @app_commands.choices(chosen_by=list_choices(commands.CHOSEN_BY))
    async def start(
        self,
        interaction: Press,
        theme: str,
        minutes: app_commands.Range[int, MIN_MINUTES, MAX_MINUTES] = _DEFAULT_MINUTES,
        phrases: app_commands.Range[int, 1, MAX_PHRASES_EACH] = _DEFAULT_PHRASES,
        chosen_by: str = Choosing.VOTES.value,
        anonymous: bool | None = None,
        style: str | None = None,
        size: str | None = None,
    ) -> None:
        """Open a round. The bot posts its message, which is not an answer to this command."""
        info = await fetch_info(interaction) if size else None
        width, height = parse_size(size, list_shapes(self._services, info))
        ask = RoundAsk(
            spell_out(theme, interaction),
            minutes,
            phrases,
            Choosing(chosen_by),
            style=style,
            width=width,
            height=height,
            is_anonymous=anonymous,
        )
        await self._start(interaction, ask)

    @start.autocomplete("style")
    @or_nothing
    async def _complete_style(
        self, interaction: Press, current: str
    ) -> list[app_commands.Choice[str]]:
        return await suggest_styles(interaction, current)

    @start.autocomplete("size")
    @or_nothing
    async def _complete_size(
        self, interaction: Press, current: str
    ) -> list[app_commands.Choice[str]]:
        return suggest_sizes(self._services, await fetch_info(interaction), current)

    @app_commands.command(description=commands.TOGETHER_HISTORY.english)
    async def history(self, interaction: Press) -> None:
        """Show the newest finished rounds, only to the person who asks."""
        view = await self._compose_history(interaction, _NEWEST)
        await interaction.response.send_message(view=view, ephemeral=True)

    async def _start(self, interaction: Press, ask: RoundAsk) -> None:
        _require_files(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._rounds.rounds.start(ask, parse_origin(interaction))
        await interaction.edit_original_response(content=texts.OPENED())

    async def add(self, interaction: Press, round_id: int, panel: int) -> None:
        """Open the form for a phrase."""
        await open_form(interaction, "roundadd", round_id, 0)

    async def compose_add(self, interaction: Press, round_id: int, panel: int) -> JobModal:
        """Build the form for a phrase. Raises UserError if the round takes none."""
        await self._require_open(interaction, round_id)
        return views.compose_phrase_form(round_id)

    async def send_add(
        self, interaction: Press, round_id: int, panel: int, fields: dict[str, str]
    ) -> None:
        """Add the phrase in the form."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        text = spell_out(fields.get("phrase", ""), interaction)
        added = await self._rounds.phrases.add(round_id, text, parse_origin(interaction))
        await interaction.edit_original_response(content=views.say_added(added))

    async def next(self, interaction: Press, round_id: int, panel: int) -> None:
        """Open the form for a round that goes on from the winner."""
        await open_form(interaction, "roundnext", round_id, 0)

    async def compose_next(self, interaction: Press, round_id: int, panel: int) -> JobModal:
        """Build the form for the next round."""
        return views.compose_next_form(await self._fetch(interaction, round_id))

    async def send_next(
        self, interaction: Press, round_id: int, panel: int, fields: dict[str, str]
    ) -> None:
        """Start the next round, with the choices of this one and the theme in the form."""
        before = await self._fetch(interaction, round_id)
        styles = await self._services.guilds.styles.list_of(interaction.guild_id)
        is_kept = before.style in {each.name for each in styles}
        ask = RoundAsk(
            spell_out(fields.get("theme", ""), interaction),
            _parse_minutes(fields.get("minutes", "")),
            before.phrases_each,
            before.choosing,
            style=before.style if is_kept else None,
            is_anonymous=before.is_anonymous,
            previous=round_id,
        )
        await self._start(interaction, ask)

    async def pick(self, interaction: Press, round_id: int, panel: int) -> None:
        """Vote for a picture."""
        await self._rounds.voting.vote(round_id, panel, parse_origin(interaction))
        await interaction.response.send_message(texts.VOTE_SAVED(panel=panel), ephemeral=True)

    async def vote(self, interaction: Press, round_id: int, panel: int) -> None:
        """Show the phrases that the person may vote for."""
        await self._require_open(interaction, round_id)
        ballots = await self._rounds.phrases.list_ballots(round_id, interaction.user.id)
        view = views.compose_ballots(round_id, ballots, 0)
        await interaction.response.send_message(view=view, ephemeral=True)

    async def all(self, interaction: Press, round_id: int, panel: int) -> None:
        """Show the first page of all phrases."""
        view = await self._compose_all(interaction, round_id, 0)
        await interaction.response.send_message(view=view, ephemeral=True)

    async def back(self, interaction: Press, round_id: int, panel: int) -> None:
        """Ask the person which of their phrases to take back."""
        await self._require_open(interaction, round_id)
        own = await self._rounds.phrases.list_own(round_id, interaction.user.id)
        view = views.compose_own(round_id, own)
        await interaction.response.send_message(view=view, ephemeral=True)

    async def help(self, interaction: Press, round_id: int, panel: int) -> None:
        """Explain how a round works."""
        await interaction.response.send_message(view=views.compose_help(), ephemeral=True)

    async def press(self, interaction: Press, path: str, values: Sequence[str]) -> None:
        """Handle the items of private answers: turn pages, save votes, take phrases back."""
        name, number, *rest = path.split(".")
        match name:
            case "all":
                view = await self._compose_all(interaction, int(number), int(rest[0]))
            case "ballots":
                view = await self._compose_ballots(interaction, int(number), int(rest[0]))
            case "vote":
                view = await self._save_votes(interaction, int(number), rest, values)
            case "back":
                phrase = await self._rounds.phrases.withdraw(int(values[0]), interaction.user.id)
                view = compose_view(views.say_taken_back(phrase))
            case _:
                view = await self._compose_history(interaction, int(number))
        await interaction.response.edit_message(view=view)

    async def _save_votes(
        self, interaction: Press, round_id: int, rest: Sequence[str], values: Sequence[str]
    ) -> discord.ui.LayoutView:
        """Save the votes for the phrases of a select. rest: its page, first and last phrase."""
        page, first, last = map(int, rest)
        ballots = await self._rounds.phrases.list_ballots(round_id, interaction.user.id)
        listed = [each.phrase.phrase_id for each in ballots]
        count = await self._rounds.phrases.vote(
            round_id,
            parse_origin(interaction),
            chosen=[int(value) for value in values],
            among=[each for each in listed if first <= each <= last],
        )
        saved = texts.VOTES_SAVED(count=count)
        return await self._compose_ballots(interaction, round_id, page, saved)

    async def _compose_ballots(
        self, interaction: Press, round_id: int, page: int, head: str = ""
    ) -> discord.ui.LayoutView:
        ballots = await self._rounds.phrases.list_ballots(round_id, interaction.user.id)
        return views.compose_ballots(round_id, ballots, page, head)

    async def _compose_all(
        self, interaction: Press, round_id: int, page: int
    ) -> discord.ui.LayoutView:
        round_ = await self._fetch(interaction, round_id)
        phrases = await self._rounds.phrases.list_all(round_id, interaction.guild_id)
        return views.compose_all(round_, phrases, page)

    async def _compose_history(self, interaction: Press, before: int) -> discord.ui.LayoutView:
        guild_id = find_server(interaction)
        assert guild_id is not None  # the command is only for servers
        found = await self._rounds.rounds.list_history(
            guild_id, before=before, limit=views.HISTORY_PAGE + 1
        )
        page = found[: views.HISTORY_PAGE]
        older = page[-1].round.round_id if len(found) > len(page) else None
        shown = [each for each in page if can_read(interaction, each.round.channel_id)]
        return views.compose_history(shown, older=older, is_first=before == _NEWEST)

    async def _fetch(self, interaction: Press, round_id: int) -> Round:
        """Fetch the round of a button. Raises UserError.

        If the round is the running one of this channel, only its row is read, because many people
        press at once. Of an older round, everything is read.
        """
        channel_id, message = interaction.channel_id or 0, interaction.message
        round_ = await self._rounds.rounds.find_in_channel(channel_id)
        if round_ is None or round_.round_id != round_id:
            number, guild_id = min(round_id, _NEWEST), find_server(interaction)
            round_ = (await self._rounds.rounds.fetch(number, guild_id)).round
        is_shown = message is not None and not message.flags.ephemeral
        if round_.message_id is None and message is not None and is_shown:
            await self._rounds.board.note_posted(round_id, message.id)
        return round_

    async def _require_open(self, interaction: Press, round_id: int) -> None:
        round_ = await self._fetch(interaction, round_id)
        if round_.status is not RoundStatus.OPEN:
            raise UserError(because(Code.ROUND_NOT_OPEN))


def _require_files(interaction: Press) -> None:
    """Raise UserError if the pictures could not be shown here."""
    if not interaction.app_permissions.attach_files:
        raise UserError(because(Code.MAY_NOT_ATTACH))


def _parse_minutes(text: str) -> int:
    """Read the minutes in a form. Raises UserError."""
    if not re.fullmatch(r"\s*[0-9]{1,6}\s*", text):
        raise UserError(because(Code.ROUND_MINUTES, least=MIN_MINUTES, most=MAX_MINUTES))
    return int(text)


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    cog = Together(bot.services)
    for action in (cog.add, cog.next, cog.pick, cog.vote, cog.all, cog.back, cog.help):
        bot.add_button_action(f"round{action.__name__}", action)
    bot.add_form("roundadd", cog.compose_add, cog.send_add)
    bot.add_form("roundnext", cog.compose_next, cog.send_next)
    bot.add_panel_action(views.PANEL, cog.press)
    await bot.add_cog(cog)
