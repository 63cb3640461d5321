"""The Discord client: commands, buttons, handling of errors, start and stop."""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from bot.chat.connection import GATEWAY_SILENCE_SECONDS, Connection
from bot.chat.drafts import Drafts, offer_again, open_again
from bot.chat.first_answers import ALREADY_ACKNOWLEDGED, FirstAnswers
from bot.chat.messenger import TOO_LATE, DiscordMessenger
from bot.chat.offers import is_for_servers
from bot.chat.rate_guard import RateGuard
from bot.chat.registration import register
from bot.errors import NotInQueueYet, StoreError, UserError
from bot.ops.metrics import Health
from bot.ops.systemd import Systemd
from bot.ops.workers import Turns
from bot.services import Services
from bot.store.patience import hurry
from bot.texts import faults
from bot.texts.catalog import speak
from bot.texts.codes import Code
from bot.texts.reasons import because
from bot.views.components import (
    ButtonAction,
    FormActions,
    JobButton,
    PanelAction,
    PanelItem,
    answer_form,
    compose_answer,
    is_on_message,
)

log = logging.getLogger(__name__)

PERMISSIONS = discord.Permissions(
    view_channel=True, send_messages=True, send_messages_in_threads=True, attach_files=True
)
"""The permissions that the bot needs in a server. The invite link asks for no others."""

# Triptych does not use voice channels
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False

COGS = (
    "bot.cogs.imagine",
    "bot.cogs.grid",
    "bot.cogs.remix",
    "bot.cogs.edit",
    "bot.cogs.gallery",
    "bot.cogs.together",
    "bot.cogs.round_moderation",
    "bot.cogs.style",
    "bot.cogs.queue",
    "bot.cogs.models",
    "bot.cogs.cancel",
    "bot.cogs.review",
    "bot.cogs.reports",
    "bot.cogs.sanctions",
    "bot.cogs.help",
    "bot.cogs.rules",
    "bot.cogs.settings",
    "bot.cogs.pause",
    "bot.cogs.audit",
    "bot.cogs.privacy",
    "bot.cogs.status",
)
ANSWER_SECONDS = 2.0
"""How long an interaction may wait for the database. Discord allows 3 s, network time included."""

MAX_SHOWING = 8
"""How many people may get stored pictures at once. Their files are in memory meanwhile."""

# discord.py gives such an id to a button or select whose action is only in memory
_LIVE_VIEW = re.compile(r"[0-9a-f]{32}")


class TriptychTree(app_commands.CommandTree["TriptychClient"]):
    """Passes every exception from a command to ``answer_error``."""

    async def interaction_check(self, interaction: discord.Interaction[TriptychClient], /) -> bool:
        """Check whether the command is allowed here. Discord should have checked this too."""
        if not await interaction.client.admit(interaction):
            return False
        command = interaction.command
        if command is None or interaction.is_guild_integration() or not is_for_servers(command):
            return True
        if interaction.type is discord.InteractionType.application_command:
            await interaction.client.answer_error(interaction, UserError(faults.ONLY_IN_SERVERS()))
        return False

    async def on_error(
        self,
        interaction: discord.Interaction[TriptychClient],
        error: app_commands.AppCommandError,
    ) -> None:
        """Tell the member about any error."""
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
            log.warning("Discord offers a command that this version does not have: %s", error)
            cause = UserError(faults.COMMAND_CHANGED())
        # Suggestions cannot show an error.
        if interaction.type is discord.InteractionType.autocomplete:
            return
        await interaction.client.answer_error(interaction, cause)


class TriptychClient(commands.Bot):
    """Handles slash commands and buttons only; it reads no messages."""

    def __init__(
        self,
        compose: Callable[[DiscordMessenger], Services],
        now: Callable[[], float],
        systemd: Systemd | None = None,
    ) -> None:
        self.rate_guard = rate_guard = RateGuard()
        self.first_answers = FirstAnswers()
        trace = rate_guard.trace()
        self.first_answers.watch(trace)
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            tree_cls=TriptychTree,
            http_trace=trace,
            enable_debug_events=True,  # otherwise discord.py does not call on_socket_raw_receive
        )
        self.messenger = DiscordMessenger(self, now)
        self.services = compose(self.messenger)
        self.button_actions: dict[str, ButtonAction] = {}
        self.panel_actions: dict[str, PanelAction] = {}
        self._systemd = systemd or Systemd()
        self.forms: dict[str, FormActions] = {}
        self.drafts = Drafts(now)
        self._item_templates: list[re.Pattern[str]] = []
        self.connection = Connection(self)
        self.showing = Turns(MAX_SHOWING)

    def add_button_action(self, action: str, run: ButtonAction) -> None:
        """Register what buttons with this action do."""
        self.button_actions[action] = run

    def add_panel_action(self, panel: str, run: PanelAction) -> None:
        """Register what the items of this panel do."""
        self.panel_actions[panel] = run

    def add_form(
        self,
        name: str,
        compose: Callable[..., Awaitable[discord.ui.Modal | None]],
        submit: Callable[..., Awaitable[None]],
    ) -> None:
        """Register the two functions of a kind of form: see ``FormActions``."""
        self.forms[name] = FormActions(compose, submit)

    def add_dynamic_items(self, *items: type[discord.ui.DynamicItem[Any]]) -> None:
        """Register the patterns of our custom_ids, so that we can answer unknown ones."""
        super().add_dynamic_items(*items)
        self._item_templates += [item.__discord_ui_compiled_template__ for item in items]

    async def admit(self, interaction: discord.Interaction[TriptychClient]) -> bool:
        """Set an interaction's language and time limit. Called before all other work on it.

        Returns False if the person sends interactions too fast.
        """
        speak(interaction.locale.value)
        hurry(ANSWER_SECONDS, interaction.response.is_done)
        is_typing = interaction.type is discord.InteractionType.autocomplete
        key = (interaction.user.id, is_typing)
        if self.services.pace.take(key):
            return True
        if is_typing:
            await interaction.response.autocomplete([])
        else:
            opens = self.services.pace.find_opening(key)
            await self.answer_error(interaction, UserError(because(Code.TOO_FAST, opens=opens)))
        return False

    async def on_interaction(self, interaction: discord.Interaction[TriptychClient]) -> None:
        """Answer sent forms, and presses of buttons whose custom_id we do not know."""
        if interaction.type is discord.InteractionType.modal_submit:
            await answer_form(interaction, self.forms)
        elif interaction.type is discord.InteractionType.component:
            custom_id = str((interaction.data or {}).get("custom_id", ""))
            known = any(template.fullmatch(custom_id) for template in self._item_templates)
            known = known and is_on_message(interaction.message, custom_id)
            if known or _LIVE_VIEW.fullmatch(custom_id):
                return
            if await self.admit(interaction):
                await self.answer_error(interaction, UserError(faults.UNKNOWN_BUTTON()))

    async def setup_hook(self) -> None:
        """Prepare the bot after login. The gateway opens later, so no event can arrive yet."""
        self.add_dynamic_items(JobButton, PanelItem)
        await self.load_commands()
        if self.application_id is not None:
            await register(self.tree, self.application_id, self.services.meta)
        await self.services.recovery.run()
        self.services.chores.online.set()

    async def load_commands(self) -> None:
        """Load all commands, buttons and forms."""
        if self.cogs:  # an earlier attempt to log in has loaded them, and failed after that
            return
        self.add_button_action("again", open_again)
        for cog in COGS:
            await importlib.import_module(cog).setup(self)

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Drop events after ``close``, because discord.py 2.7.1 may still send "ready" then."""
        if not self.is_closed():
            super().dispatch(event, *args, **kwargs)

    async def on_ready(self) -> None:
        """Log that the gateway is open."""
        self._systemd.tell("READY=1", f"STATUS=online as {self.user}")
        log.info("online as %s in %s guilds", self.user, len(self.guilds))
        await self._cancel_for_former_servers()

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Stop drawing for a server that has removed the bot."""
        log.info("guild %s has removed Triptych", guild.id)
        await self._cancel_for_former_servers()

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """End the round of a channel that was deleted."""
        await self._refresh_round(channel.id)

    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        """End the round of a thread that was deleted."""
        await self._refresh_round(payload.thread_id)

    async def _refresh_round(self, channel_id: int) -> None:
        """Show the round of a channel again. If its message is gone, that ends the round."""
        rounds = self.services.rounds
        round_ = await rounds.rounds.find_in_channel(channel_id)
        if round_ is not None:
            rounds.board.refresh(round_)

    async def on_socket_raw_receive(self, message: str, /) -> None:
        """Remember when the gateway last sent a frame. Answers to heartbeats count too."""
        self.connection.note_frame()

    async def on_message(self, message: discord.Message, /) -> None:
        """Do nothing: there are no message commands."""

    def is_run_by(self, user_id: int) -> bool:
        """Return whether Discord named this user as the bot's owner or team member at login."""
        application = self.application
        if application is None or application.team is None:
            return application is not None and application.owner.id == user_id
        accepted = {
            member.id
            for member in application.team.members
            if member.membership_state is discord.TeamMembershipState.accepted
        }
        return user_id in accepted

    async def examine(self) -> Health:
        """Describe this process for the monitor."""
        waitlist, silent_seconds = self.services.waitlist, self.connection.silent_seconds
        jobs = await self.services.jobs.count_by_status()
        states = {
            "the gateway is silent": silent_seconds > GATEWAY_SILENCE_SECONDS,
            "the gateway is not open": not self.is_ready(),
            "the model is not loaded": waitlist.info is None,
            "Discord refuses too much": self.rate_guard.is_open,
            "another program answers with this token": self.first_answers.is_contested,
            "the database file is gone": not self.services.jobs.is_in_place(),
        }
        gauges = {
            "waiting_jobs": ("Prompts waiting", float(len(waitlist.queue))),
            "drawing": ("Prompts being drawn", float(len(waitlist.running))),
            "gateway_silent_seconds": ("Since the last frame", silent_seconds),
            "invalid_requests": (
                "401, 403 and 429 in ten minutes",
                float(self.rate_guard.num_invalid),
            ),
        }
        chores = self.services.chores
        texts = [text for text, is_so in states.items() if is_so]
        failures = {name: record.total for name, record in chores.records.items()}
        return Health((*texts, *chores.list_faults()), gauges, jobs, failures)

    async def answer_error(
        self, interaction: discord.Interaction[TriptychClient], error: BaseException
    ) -> None:
        """Handle errors of all interactions: tell the member in a sentence, and log the details."""
        if self.is_closed():  # the next process finishes every job that was accepted
            log.info("interaction %s came while Triptych was stopping", interaction.id)
            return
        if self.first_answers.is_of_another(interaction.id, error):
            return
        if isinstance(error, discord.NotFound) and error.code == TOO_LATE:
            log.warning("interaction %s was answered too late to be seen", interaction.id)
            return
        if isinstance(error, UserError | StoreError):
            text = str(error)
            log.info("interaction %s: %s", interaction.id, type(error).__name__)
        else:
            text = faults.UNEXPECTED()
            log.error("interaction %s failed", interaction.id, exc_info=error)
        code = error.code if isinstance(error, discord.HTTPException) else 0
        is_done = interaction.response.is_done() or code == ALREADY_ACKNOWLEDGED
        send = interaction.followup.send if is_done else interaction.response.send_message
        again = [] if isinstance(error, NotInQueueYet) else offer_again(interaction)
        try:
            if again:
                await send(view=compose_answer(text, *again), ephemeral=True)
            else:
                await send(text, ephemeral=True)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as fault:
            if not self.first_answers.is_of_another(interaction.id, fault):
                log.warning("interaction %s could not be answered: %r", interaction.id, fault)

    async def _cancel_for_former_servers(self) -> None:
        """Cancel the waiting prompts of servers that the bot is no longer in.

        It may have been removed from them while it was offline.
        """
        known = {guild.id for guild in self.guilds}
        for job in await self.services.jobs.list_waiting():
            origin = job.origin
            if (
                origin.guild_id is not None
                and origin.bot_in_channel
                and origin.guild_id not in known
            ):
                await self.services.dispatcher.cancel(job.job_id)
