"""Code that cogs share: finds the job behind a button, and hands prompts to intake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import discord

from bot.chat.caller import InteractionCaller
from bot.chat.client import TriptychClient
from bot.chat.drafts import offer_again
from bot.chat.mentions import spell_out
from bot.domain.jobs import Job, JobStatus, Origin, Source
from bot.domain.recipes import Ask
from bot.errors import UserError
from bot.jobs.model_choice import choose_model
from bot.policy.models import OfferedModel
from bot.texts import buttons
from bot.texts import jobs as texts
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because
from bot.texts.recipes import GONE
from bot.views import recipes as recipe_views
from bot.views.components import JobButton

_MAX_ROW_ID = 2**63 - 1
# Somebody can press a button before the job's row says that the grid was delivered.
_DONE = {JobStatus.RENDERED, JobStatus.DELIVERED, JobStatus.UNDELIVERABLE}


async def fetch_job(
    interaction: discord.Interaction[TriptychClient],
    job_id: int,
    *,
    seen: bool = False,
    even_sealed: bool = False,
) -> Job:
    """Fetch the finished job behind a button, for somebody who pressed it.

    Raises UserError if the job is unknown, must not be shown, or belongs to another channel. The
    author may use the job in any channel, and so may people who have ``seen`` it. even_sealed: also
    return a sealed job, because the caller shows none of its words or pictures.
    """
    jobs = interaction.client.services.jobs
    job = await jobs.fetch_job(job_id) if job_id <= _MAX_ROW_ID else None
    if job is not None and _is_forgotten(job, interaction):
        raise UserError(texts.TIME_OVER())
    if job is None or job.status not in _DONE or not (seen or _is_at_home(job, interaction)):
        raise UserError(texts.NO_SUCH_PICTURE())
    if job.hidden or job.is_held:
        raise UserError(texts.HIDDEN())
    if not even_sealed and await interaction.client.services.gate.is_sealed(job):
        raise UserError(texts.SEALED())
    if job.deleted_by and job.deleted_by != job.origin.user_id:
        raise UserError(texts.REMOVED_BY_MODERATOR())
    return job


async def fetch_job_of(interaction: discord.Interaction[TriptychClient], message_id: int) -> Job:
    """Fetch the finished job that a message in this channel shows. Raises UserError."""
    job = await interaction.client.services.jobs.fetch_by_message(message_id)
    if job is None:
        raise UserError(texts.NO_SUCH_PICTURE())
    return await fetch_job(interaction, job.job_id)


def _is_forgotten(job: Job, interaction: discord.Interaction[TriptychClient]) -> bool:
    """Return whether a member deleted this prompt. Then only its cost is still stored."""
    origin = job.origin
    # the cost is kept for a day after a deletion, so that quotas hold
    if origin.user_id or origin.source is Source.ROUND:
        return not job.recipe.prompt and _is_at_home(job, interaction)
    return origin.guild_id == interaction.guild_id is not None


def _is_at_home(job: Job, interaction: discord.Interaction[TriptychClient]) -> bool:
    origin = job.origin
    here = (interaction.guild_id, interaction.channel_id)
    return origin.user_id == interaction.user.id or (origin.guild_id, origin.channel_id) == here


async def fetch_with_picture(
    interaction: discord.Interaction[TriptychClient], job_id: int, panel: int
) -> Job | None:
    """Fetch the job if people may see this panel.

    Returns None if the pictures are gone; then the member was told so. Raises UserError.
    """
    job = await fetch_job(interaction, job_id)
    files = await interaction.client.services.jobs.list_pictures(job_id)
    if job.deleted_at is not None or not files:
        await answer_gone(interaction, job)
        return None
    verdicts = {file.panel: file.verdict for file in files}
    if not panel or panel not in verdicts:
        raise UserError(texts.NO_SUCH_PICTURE())
    verdict = verdicts[panel]
    if verdict is not None and not verdict.shown:
        raise UserError(texts.PANEL_HIDDEN())
    return job


async def answer_gone(interaction: discord.Interaction[TriptychClient], job: Job) -> None:
    """Say that the pictures are gone, only to the person who pressed."""
    again = JobButton("reroll", job.job_id, label=buttons.REROLL())
    choices = [again, *offer_again(interaction)]
    view, files = recipe_views.compose_recipe(job, *choices, head=GONE())
    await interaction.response.send_message(view=view, files=files, ephemeral=True)


async def submit(
    interaction: discord.Interaction[TriptychClient], ask: Ask, refusal: Reason | None = None
) -> None:
    """Hand a prompt over to intake, unless its pictures could not be shown here."""
    if not interaction.app_permissions.attach_files:
        refusal = because(Code.MAY_NOT_ATTACH)
    ask = replace(
        ask,
        prompt=spell_out(ask.prompt, interaction),
        negative_prompt=spell_out(ask.negative_prompt, interaction),
        own_words=ask.own_words and spell_out(ask.own_words, interaction),
    )
    intake, caller = interaction.client.services.intake, InteractionCaller(interaction)
    job = await intake.submit(ask, parse_origin(interaction), caller, refusal)
    if job is None and ask.press:
        await caller.refuse(because(Code.ALREADY_PRESSED))


async def fetch_models(
    interaction: discord.Interaction[TriptychClient],
) -> tuple[Sequence[OfferedModel], str | None]:
    """Return the models that a person can use here, and the id of the one used by default."""
    services, origin = interaction.client.services, parse_origin(interaction)
    settings = await services.gate.fetch_settings(origin)
    ask, _ = choose_model(services.models, Ask(""), origin, settings)
    return services.models.list_for(origin.guild_id, origin.role_ids), ask.model


def parse_origin(interaction: discord.Interaction[TriptychClient]) -> Origin:
    """Return who asked and where, and whether the bot itself may post there."""
    may = interaction.app_permissions
    in_thread = isinstance(interaction.channel, discord.Thread)
    may_send = may.send_messages_in_threads if in_thread else may.send_messages
    if interaction.guild_id is None:
        bot_in_channel = interaction.context.dm_channel
    else:
        bot_in_channel = interaction.is_guild_integration() and may.view_channel and may_send
    channel, member = interaction.channel, interaction.user
    is_member = isinstance(member, discord.Member)
    return Origin(
        user_id=member.id,
        interaction_id=interaction.id,
        token=interaction.token,
        guild_id=interaction.guild_id,
        channel_id=interaction.channel_id,
        bot_in_channel=bot_in_channel,
        parent_channel_id=channel.parent_id if isinstance(channel, discord.Thread) else None,
        age_restricted=is_age_restricted(channel),
        role_ids=tuple(role.id for role in member.roles) if is_member else (),
        locale=interaction.locale.value,
        guild_locale=interaction.guild_locale and interaction.guild_locale.value,
        joined_at=member.joined_at.timestamp() if is_member and member.joined_at else None,
    )


def is_age_restricted(channel: object) -> bool:
    """Return whether Discord shows the channel to adults only. False for direct messages."""
    is_nsfw = getattr(channel, "is_nsfw", None)
    return bool(is_nsfw and is_nsfw())
