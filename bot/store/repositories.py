"""The repositories that decisions touch together, for whoever needs most of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from bot.store.audit import AuditRepository
from bot.store.cards import CardRepository
from bot.store.consequences import ConsequenceRepository
from bot.store.database import Database
from bot.store.jobs import JobRepository
from bot.store.settings import SettingsRepository


@dataclass(frozen=True, slots=True)
class Repositories:
    """One of each, over one connection."""

    jobs: JobRepository
    cards: CardRepository
    consequences: ConsequenceRepository
    audit: AuditRepository
    settings: SettingsRepository

    @classmethod
    def of(cls, database: Database) -> Self:
        """All of them."""
        return cls(
            JobRepository(database),
            CardRepository(database),
            ConsequenceRepository(database),
            AuditRepository(database),
            SettingsRepository(database),
        )
