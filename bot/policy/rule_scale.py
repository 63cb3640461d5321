"""Measures the cost of each server's rules in a worker process, and enforces a budget."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.review import RulesBeyond
from bot.domain.rules import GuildRule, Rule, RuleKind
from bot.errors import ConfigError, StoreError, UserError, WorkerError
from bot.moderation.budget import SERVER_BUDGET, list_beyond, list_faults, require_budget
from bot.moderation.rules import parse_rules
from bot.ops.workers import WorkerProcesses
from bot.store import Repositories
from bot.texts import rules as texts
from bot.texts.codes import Code
from bot.texts.reasons import because

log = logging.getLogger(__name__)

T = TypeVar("T")

_WEIGH_SECONDS = 10.0  # a call needs at most 1 s
_MAX_NAMED = 8  # the most rules that are named; a line of the mod log has no room for more


class RuleScale:
    """Compiles unknown rules in a worker process first, so that no other server has to wait."""

    def __init__(
        self, workers: WorkerProcesses, store: Repositories, now: Callable[[], float]
    ) -> None:
        self._workers = workers
        self._rules = store.rules
        self._cards = store.cards
        self._audit = store.audit
        self._settings = store.settings
        self._now = now

    async def parse(self, guild_id: int, text: str) -> tuple[Rule, ...]:
        """Read the rules of a file. Raises ConfigError that lists its faults, or UserError."""
        return await self._ask(guild_id, parse_rules, text, SERVER_BUDGET)

    async def require_room(
        self, guild_id: int, rules: Sequence[Rule], present: Sequence[Rule] = ()
    ) -> None:
        """Raise UserError if the rules cannot be used, or do not fit beside the present ones."""
        try:
            await self._ask(
                guild_id, require_budget, list(rules), list(present), rules=(*rules, *present)
            )
        except ConfigError as error:
            raise UserError(texts.UNUSABLE(fault=error)) from None

    async def list_faults(self, guild_id: int, rules: Sequence[Rule]) -> dict[Rule, str]:
        """List the rules that cannot be used, and why. Raises UserError."""
        return await self._ask(guild_id, list_faults, list(rules))

    async def find_beyond(
        self, guild_id: int, version: int, rules: Sequence[GuildRule]
    ) -> frozenset[int]:
        """List the numbers of rules that do not apply because the server's budget is used up.

        Only rules that were saved before there was a budget can exceed it. Each version of the
        rules is checked once, and moderators are told the result. Raises StoreError.
        """
        budget = repr(SERVER_BUDGET)
        kept = await self._rules.fetch_beyond(guild_id)
        if kept is not None and (kept.version, kept.budget) == (version, budget):
            return frozenset(kept.rule_ids)
        numbered = {each.rule_id: each.rule for each in rules}
        try:
            found = await self._run(guild_id, list_beyond, numbered, rules=numbered.values())
        except WorkerError as error:
            log.error("the rules of guild %s could not be measured: %s", guild_id, error)
            raise StoreError(texts.UNWEIGHED()) from error
        async with self._rules.transaction():
            kept = await self._rules.fetch_beyond(guild_id)  # another call may have just saved it
            fresh = set(found).difference(kept.rule_ids if kept is not None else ())
            await self._rules.put_beyond(guild_id, RulesBeyond(version, budget, found))
            if fresh:
                await self._tell(guild_id, version, found)
        return frozenset(found)

    async def list_beyond(self, guild_id: int) -> frozenset[int]:
        """List the numbers of the rules that are over the budget."""
        version = await self._rules.fetch_version(guild_id)
        if not version:
            return frozenset()
        return await self.find_beyond(guild_id, version, await self._rules.list_rules(guild_id))

    async def _tell(self, guild_id: int, version: int, found: Sequence[int]) -> None:
        """Tell moderators in the audit log (which the mod log shows) and on a card."""
        now = self._now()
        named = [f"#{rule_id}" for rule_id in found[:_MAX_NAMED]]
        more = ["…"] if len(found) > _MAX_NAMED else []
        reason = because(Code.RULES_BEYOND_BUDGET, count=len(found), rules=named + more)
        await self._audit.add(
            AuditEntry(
                AuditAction.RULES_SWITCHED_OFF,
                now,
                guild_id=guild_id,
                rules_version=version,
                reason=reason,
            )
        )
        log.warning(
            "guild %s: these rules are over the budget and do not apply: %s",
            guild_id,
            ", ".join(named + more),
        )
        if (await self._settings.fetch(guild_id)).review_channel_id is not None:
            await self._cards.open_for_rules(guild_id, now=now)

    async def _ask(
        self,
        guild_id: int,
        work: Callable[..., T],
        *args: Any,
        rules: Iterable[Rule] | None = None,
    ) -> T:
        try:
            return await self._run(guild_id, work, *args, rules=rules)
        except WorkerError as error:
            log.warning("the rules of guild %s could not be checked: %s", guild_id, error)
            raise UserError(texts.BUSY()) from error

    async def _run(
        self,
        guild_id: int,
        work: Callable[..., T],
        *args: Any,
        rules: Iterable[Rule] | None = None,
    ) -> T:
        """Run work on rules in a worker process. Raises WorkerError.

        rules: all rules that the work reads, if known. If none is a pattern, no worker is needed,
        because nothing has to be compiled.
        """
        if rules is not None and all(rule.kind is not RuleKind.PATTERN for rule in rules):
            return work(*args)  # nothing has to be compiled
        return await self._workers.run(work, *args, share=guild_id, deadline_seconds=_WEIGH_SECONDS)
