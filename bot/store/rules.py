"""Rules of servers. A rule is never edited, only added and removed, with a row in the audit log."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.review import RulesBeyond
from bot.domain.rules import GuildRule, Outcome, Rule, RuleKind
from bot.errors import UserError
from bot.store.audit import AuditRepository
from bot.store.database import Database, Row
from bot.store.meta import MetaRepository
from bot.texts.rules import TOO_MANY

MAX_RULES_PER_GUILD = 2000


class RuleRepository:
    """Stores a server's own rules, active and removed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._audit = AuditRepository(database)
        self._meta = MetaRepository(database)
        self.transaction = database.transaction

    async def fetch_version(self, guild_id: int | None) -> int:
        """Return the version of a server's rules. It starts at 0 and rises with each change."""
        row = await self._database.fetch_one(
            "SELECT max(coalesce((SELECT max(added_in) FROM rule WHERE guild_id = :guild), 0), "
            "coalesce((SELECT max(removed_in) FROM rule WHERE guild_id = :guild), 0)) AS version",
            {"guild": guild_id},
        )
        assert row is not None  # an SQL aggregate always returns one row
        return row["version"]

    async def list_rules(self, guild_id: int) -> list[GuildRule]:
        """Return the active rules of a server, oldest first."""
        rows = await self._database.fetch_all(
            "SELECT * FROM rule WHERE guild_id = ? AND removed_in IS NULL ORDER BY rule_id",
            (guild_id,),
        )
        return [_parse(row) for row in rows]

    async def add(
        self, guild_id: int, rules: Sequence[Rule], *, actor_id: int, now: float
    ) -> list[GuildRule]:
        """Add the rules that are not active yet, and return them. Raises UserError."""
        async with self.transaction():
            present = await self.list_rules(guild_id)
            known = {each.rule for each in present}
            fresh = [rule for rule in dict.fromkeys(rules) if rule not in known]
            if len(present) + len(fresh) > MAX_RULES_PER_GUILD:
                most = MAX_RULES_PER_GUILD
                raise UserError(TOO_MANY(present=len(present), fresh=len(fresh), most=most))
            version = await self.fetch_version(guild_id) + 1
            return [
                await self._insert(guild_id, rule, actor_id=actor_id, now=now, version=version)
                for rule in fresh
            ]

    async def remove(
        self, guild_id: int, rule_id: int, *, actor_id: int, now: float
    ) -> GuildRule | None:
        """Remove a rule; None if the server has no such active rule."""
        async with self.transaction():
            version = await self.fetch_version(guild_id) + 1
            row = await self._database.fetch_one(
                "UPDATE rule SET removed_in = ? "
                "WHERE rule_id = ? AND guild_id = ? AND removed_in IS NULL RETURNING *",
                (version, rule_id, guild_id),
            )
            if row is None:
                return None
            removed = _parse(row)
            await self._record(AuditAction.RULE_REMOVED, removed, guild_id, actor_id, now, version)
        return removed

    async def fetch_beyond(self, guild_id: int) -> RulesBeyond | None:
        """Return the rules that were over budget at the last check; None if there was no check."""
        kept = await self._meta.fetch(_name_beyond(guild_id))
        if kept is None:
            return None
        version, budget, rule_ids = json.loads(kept)
        return RulesBeyond(version, budget, tuple(rule_ids))

    async def put_beyond(self, guild_id: int, found: RulesBeyond) -> None:
        """Remember the rules that are over the budget."""
        kept = json.dumps([found.version, found.budget, found.rule_ids])
        await self._meta.put(_name_beyond(guild_id), kept)

    async def _insert(
        self, guild_id: int, rule: Rule, *, actor_id: int, now: float, version: int
    ) -> GuildRule:
        exceptions = json.dumps(rule.exceptions, ensure_ascii=False)
        row = await self._database.fetch_one(
            "INSERT INTO rule (guild_id, kind, text, action, exceptions, added_by, added_at, "
            "added_in) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
            (guild_id, rule.kind, rule.text, rule.action, exceptions, actor_id, now, version),
        )
        assert row is not None
        added = _parse(row)
        await self._record(AuditAction.RULE_ADDED, added, guild_id, actor_id, now, version)
        return added

    async def _record(
        self,
        action: AuditAction,
        changed: GuildRule,
        guild_id: int,
        actor_id: int,
        now: float,
        version: int,
    ) -> None:
        rule = changed.rule
        value = json.dumps(
            {"rule_id": changed.rule_id, "kind": rule.kind, "text": rule.text}
            | {"action": rule.action, "exceptions": rule.exceptions},
            ensure_ascii=False,
        )
        is_new = action is AuditAction.RULE_ADDED
        await self._audit.add(
            AuditEntry(
                action,
                now,
                guild_id=guild_id,
                actor_id=actor_id,
                rule=rule.text,
                rules_version=version,
                old_value="" if is_new else value,
                new_value=value if is_new else "",
            )
        )


def _name_beyond(guild_id: int) -> str:
    return f"rules_beyond:{guild_id}"


def _parse(row: Row) -> GuildRule:
    rule = Rule(
        RuleKind(row["kind"]),
        row["text"],
        Outcome(row["action"]),
        tuple(json.loads(row["exceptions"])),
    )
    return GuildRule(row["rule_id"], rule, row["added_by"], row["added_at"])
