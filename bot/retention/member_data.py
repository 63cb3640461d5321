"""Deletes members' data when its time is over, and exports or deletes it on request."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.jobs import Job, JobStatus
from bot.domain.pictures import PictureFile
from bot.engine import EnginePool
from bot.images.store import PictureWriter
from bot.jobs.dispatcher import Dispatcher
from bot.jobs.status_messages import StatusMessages
from bot.ops.chores import Apart
from bot.ops.limits import HeavyWork
from bot.store import Repositories
from bot.texts.codes import Code
from bot.texts.reasons import because, describe

log = logging.getLogger(__name__)

DAY_SECONDS = 24 * 3600.0
QUOTA_SECONDS = DAY_SECONDS  # the longest time over which costs are summed
_LAST_RUN = "retention_ran_at"


class MemberData:
    """Deletes files before rows, so that after a crash the next run finds the rest."""

    def __init__(
        self,
        store: Repositories,
        dispatcher: Dispatcher,
        status_messages: StatusMessages,
        engine: EnginePool,
        writer: PictureWriter,
        heavy_work: HeavyWork,
        now: Callable[[], float],
    ) -> None:
        self._retention = store.retention
        self._round_words = store.round_words
        self.refresh_rounds: Callable[[list[int]], Awaitable[None]] | None = None
        self._jobs = store.jobs
        self._audit = store.audit
        self._settings = store.settings
        self._meta = store.meta
        self._dispatcher = dispatcher
        self._status_messages = status_messages
        self._engine = engine
        self._writer = writer
        self._heavy_work = heavy_work
        self._now = now
        self._apart = Apart(now)

    async def run_daily(self) -> None:
        """Call ``end_retention``, unless it ran within the last day."""
        now = self._now()
        if now - float(await self._meta.fetch(_LAST_RUN) or 0.0) >= DAY_SECONDS:
            await self.end_retention()
            await self._meta.put(_LAST_RUN, str(now))

    async def end_retention(self) -> None:
        """Delete what is too old, for each server and for direct messages.

        Raises SomeFailed when all others are done.
        """
        now = self._now()
        young = now - DAY_SECONDS  # a day is the shortest time that a server can choose
        guilds = {
            *await self._retention.list_guilds_before(young),
            *await self._audit.list_guilds_before(young),
        }
        ends = {f"guild {guild_id}": partial(self._end_in, guild_id) for guild_id in guilds}
        try:
            await self._apart.run(
                {
                    "members who deleted their data": partial(self._retention.forget_members, now),
                    **ends,
                }
            )
        finally:
            self._engine.forget_prompts()

    async def _end_in(self, guild_id: int | None) -> None:
        settings = await self._settings.fetch(guild_id)
        moment = self._now() - settings.retention_days * DAY_SECONDS
        job_ids = await self._retention.list_before(guild_id, moment)
        for job_id in job_ids:
            await self._writer.remove(job_id)
        async with self._retention.transaction():
            await self._retention.blank(job_ids)
            await self._retention.forget(job_ids, moment)
            await self._retention.end_words(guild_id, moment)
            rows = await self._retention.end_rows(guild_id, moment, self._now())
            num_rows = await self._audit.forget_before(guild_id, moment)
            counts = {"audit_rows": num_rows, "prompts": len(job_ids), **rows}
            if not any(counts.values()):
                return
            gone = json.dumps({what: count for what, count in counts.items() if count})
            entry = AuditEntry(
                AuditAction.RETENTION_ENDED, self._now(), guild_id=guild_id, new_value=gone
            )
            await self._audit.add(entry)
        log.info("retention in guild %s: %s", guild_id, gone)

    async def take_out_deleted(self) -> None:
        """Remove deleted data from the database file as well, unless somebody is reading."""
        if not await self._retention.take_out_deleted():
            log.info("deleted data stays in the write-ahead log until a reader is done")

    async def export(self, user_id: int) -> dict[str, Any]:
        """Return everything that is stored about a member. Raises UserError if asked too often."""
        async with self._heavy_work.turn(user_id, "export"):
            jobs = await self._retention.list_of_member(user_id)
            files = await self._retention.list_pictures_of_member(user_id)
            entries = await self._audit.list_about(user_id)
            others = await self._retention.list_sanctions(user_id)
            others |= await self._round_words.list_of_member(user_id)
            now = self._now()
            guilds = _list_guilds(jobs, entries, await self._round_words.list_guilds(user_id))
            await self._record(AuditAction.DATA_EXPORTED, user_id, guilds, now)
            said = await asyncio.to_thread(_describe_jobs, jobs, files)
            decisions = [_conceal(entry, user_id) for entry in entries]
            return {
                "user_id": user_id,
                "at": now,
                "prompts": said,
                "decisions": decisions,
                **others,
            }

    async def delete(self, user_id: int) -> tuple[int, int]:
        """Delete a member's words and pictures everywhere. Raises UserError if asked too often.

        Returns the number of prompts, and of messages that ``MessageRemoval`` will delete.
        """
        async with self._heavy_work.turn(user_id, "deletion"):
            return await self._delete(user_id)

    async def _delete(self, user_id: int) -> tuple[int, int]:
        for job in await self._jobs.list_waiting_of(user_id):
            await self._dispatcher.cancel(job.job_id)
        for job in await self._jobs.list_by_status(JobStatus.RENDERED):
            if job.origin.user_id == user_id:
                ended = await self._jobs.mark_ended(
                    job.job_id,
                    JobStatus.CANCELLED,
                    reason=because(Code.DELETED),
                    now=self._now(),
                    leaving=[JobStatus.RENDERED],
                    cost=job.cost,
                )
                if ended is not None:  # do this now, while the recipe still has the member's words
                    await self._status_messages.finish(ended)
        found = await self._retention.list_of_member(user_id)
        in_rounds = await self._round_words.list_guilds(user_id)
        guilds = _list_guilds(found, await self._audit.list_about(user_id), in_rounds)
        for job in found:
            await self._writer.remove(job.job_id)
        async with self._retention.transaction():
            num_messages = await self._retention.mark_messages_to_delete(user_id)
            await self._retention.blank([job.job_id for job in found])
            await self._retention.mark_to_forget(user_id, QUOTA_SECONDS)
            await self._retention.blank_words_of(user_id)
            round_ids = await self._round_words.erase(user_id)
            await self._record(AuditAction.DATA_DELETED, user_id, guilds, self._now())
        self._engine.forget_prompts()
        if self.refresh_rounds is not None:
            await self.refresh_rounds(round_ids)
        log.info("user %s deleted the words of %s jobs", user_id, len(found))
        return sum(bool(job.recipe.prompt) for job in found), num_messages

    async def _record(
        self, action: AuditAction, user_id: int, guilds: Sequence[int | None], now: float
    ) -> None:
        async with self._retention.transaction():
            for guild_id in guilds:
                entry = AuditEntry(
                    action, now, guild_id=guild_id, actor_id=user_id, member_id=user_id
                )
                await self._audit.add(entry)


def _list_guilds(
    jobs: Sequence[Job], entries: Sequence[AuditEntry], in_rounds: Sequence[int]
) -> list[int | None]:
    """List the servers with data about a member; None stands for direct messages."""
    guilds: set[int | None] = {job.origin.guild_id for job in jobs}
    guilds |= {*in_rounds, *(entry.guild_id for entry in entries)}
    return sorted(guilds, key=lambda guild_id: guild_id or 0)


def _describe_jobs(
    jobs: Sequence[Job], files: Mapping[int, Sequence[PictureFile]]
) -> list[dict[str, Any]]:
    said = []
    for job in jobs:
        values: dict[str, Any] = asdict(job)
        values["reason"], values["held_for"] = describe(job.reason), describe(job.held_for)
        values["pictures"] = [asdict(file) for file in files.get(job.job_id, ())]
        values["origin"].pop("token")
        # the engine's id contains the serial number of the owner's graphics card
        values.pop("engine")
        said.append(values)
    return said


def _conceal(entry: AuditEntry, user_id: int) -> dict[str, Any]:
    """Return an audit row as its member may read it, without who reported the member and why."""
    if entry.action is AuditAction.REPORTED and entry.actor_id != user_id:
        entry = replace(entry, actor_id=0, reason=None)
    return asdict(entry) | {"reason": describe(entry.reason)}
