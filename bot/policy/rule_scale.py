"""What the rules of each server cost: weighed in a worker process, and held to their budget."""

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

_WEIGH_SECONDS = 10.0  # what is weighed at once needs one at most
_MAX_NAMED = 8  # rules; a line of the mod log has room for no more


class RuleScale:
    """Unknown rules are compiled elsewhere first, where nobody has to wait for it."""

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
        """The rules of a file. Raises ConfigError that lists its faults, UserError."""
        return await self._ask(guild_id, parse_rules, text, SERVER_BUDGET)

    async def require_room(
        self, guild_id: int, rules: Sequence[Rule], present: Sequence[Rule] = ()
    ) -> None:
        """Raises UserError where they cannot be used, or not beside those that are present."""
        try:
            await self._ask(
                guild_id, require_budget, list(rules), list(present), rules=(*rules, *present)
            )
        except ConfigError as error:
            raise UserError(texts.UNUSABLE(fault=error)) from None

    async def list_faults(self, guild_id: int, rules: Sequence[Rule]) -> dict[Rule, str]:
        """The rules that cannot be used, and why not. Raises UserError."""
        return await self._ask(guild_id, list_faults, list(rules))

    async def find_beyond(
        self, guild_id: int, version: int, rules: Sequence[GuildRule]
    ) -> frozenset[int]:
        """The rules in force, by number, that do not apply: the server's budget has no room.

        Only what came before there was a budget can be beyond it. Looked at once for each version
        of the rules, and the moderators are told. Raises StoreError.
        """
        budget = repr(SERVER_BUDGET)
        kept = await self._rules.fetch_beyond(guild_id)
        if kept is not None and (kept.version, kept.budget) == (version, budget):
            return frozenset(kept.rule_ids)
        numbered = {each.rule_id: each.rule for each in rules}
        try:
            found = await self._run(guild_id, list_beyond, numbered, rules=numbered.values())
        except WorkerError as error:
            log.error("the rules of guild %s cannot be weighed: %s", guild_id, error)
            raise StoreError(texts.UNWEIGHED()) from error
        async with self._rules.transaction():
            kept = await self._rules.fetch_beyond(guild_id)  # somebody else may have looked, too
            fresh = set(found).difference(kept.rule_ids if kept is not None else ())
            await self._rules.put_beyond(guild_id, RulesBeyond(version, budget, found))
            if fresh:
                await self._tell(guild_id, version, found)
        return frozenset(found)

    async def list_beyond(self, guild_id: int) -> frozenset[int]:
        """The same for those who look at the rules."""
        version = await self._rules.fetch_version(guild_id)
        if not version:
            return frozenset()
        return await self.find_beyond(guild_id, version, await self._rules.list_rules(guild_id))

    async def _tell(self, guild_id: int, version: int, found: Sequence[int]) -> None:
        """On record, which the mod log shows, and on a card, which the review posts."""
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
        log.warning("guild %s: rules beyond the budget: %s", guild_id, ", ".join(named + more))
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
            log.warning("rules of guild %s were not looked at: %s", guild_id, error)
            raise UserError(texts.BUSY()) from error

    async def _run(
        self,
        guild_id: int,
        work: Callable[..., T],
        *args: Any,
        rules: Iterable[Rule] | None = None,
    ) -> T:
        """rules: all that it looks at, where they are known. Raises WorkerError."""
        if rules is not None and all(rule.kind is not RuleKind.PATTERN for rule in rules):
            return work(*args)  # there is nothing to be compiled
        return await self._workers.run(work, *args, share=guild_id, deadline_seconds=_WEIGH_SECONDS)
