"""All repositories of one database in one object, for callers that need several of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from bot.store.ancestry import AncestryRepository
from bot.store.audit import AuditRepository
from bot.store.cards import CardRepository
from bot.store.database import Database
from bot.store.jobs import JobRepository
from bot.store.meta import MetaRepository
from bot.store.phrases import PhraseRepository
from bot.store.pictures import PictureRepository
from bot.store.retention import RetentionRepository
from bot.store.round_words import RoundWordsRepository
from bot.store.rounds import RoundRepository
from bot.store.rules import RuleRepository
from bot.store.sanctions import SanctionRepository
from bot.store.settings import SettingsRepository
from bot.store.standing import StandingRepository
from bot.store.styles import StyleRepository


@dataclass(frozen=True, slots=True)
class Repositories:
    """All repositories, which share one connection."""

    jobs: JobRepository
    standing: StandingRepository
    ancestry: AncestryRepository
    cards: CardRepository
    sanctions: SanctionRepository
    audit: AuditRepository
    settings: SettingsRepository
    rules: RuleRepository
    styles: StyleRepository
    pictures: PictureRepository
    retention: RetentionRepository
    meta: MetaRepository
    rounds: RoundRepository
    phrases: PhraseRepository
    round_words: RoundWordsRepository

    @classmethod
    def of(cls, database: Database) -> Self:
        """Create all repositories of a database."""
        return cls(
            JobRepository(database),
            StandingRepository(database),
            AncestryRepository(database),
            CardRepository(database),
            SanctionRepository(database),
            AuditRepository(database),
            SettingsRepository(database),
            RuleRepository(database),
            StyleRepository(database),
            PictureRepository(database),
            RetentionRepository(database),
            MetaRepository(database),
            RoundRepository(database),
            PhraseRepository(database),
            RoundWordsRepository(database),
        )
