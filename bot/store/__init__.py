"""All SQL is in this package."""

from bot.store.ancestry import AncestryRepository
from bot.store.audit import AuditRepository
from bot.store.backups import KEPT_ASIDE_DAYS, Backups, begin_anew, restore
from bot.store.cards import CardRepository
from bot.store.database import Database, DataDirLock
from bot.store.files import FILE_NAME as DATABASE_FILE_NAME
from bot.store.files import check_not_lost, list_backups
from bot.store.jobs import JobRepository
from bot.store.meta import MetaRepository
from bot.store.phrases import PhraseRepository
from bot.store.pictures import PictureRepository
from bot.store.repositories import Repositories
from bot.store.retention import RetentionRepository
from bot.store.rounds import RoundRepository
from bot.store.rules import RuleRepository
from bot.store.sanctions import SanctionRepository
from bot.store.settings import SettingsRepository
from bot.store.standing import StandingRepository
from bot.store.styles import StyleRepository
from bot.store.usage import read_usage

__all__ = [
    "DATABASE_FILE_NAME",
    "KEPT_ASIDE_DAYS",
    "AncestryRepository",
    "AuditRepository",
    "Backups",
    "CardRepository",
    "DataDirLock",
    "Database",
    "JobRepository",
    "MetaRepository",
    "PhraseRepository",
    "PictureRepository",
    "Repositories",
    "RetentionRepository",
    "RoundRepository",
    "RuleRepository",
    "SanctionRepository",
    "SettingsRepository",
    "StandingRepository",
    "StyleRepository",
    "begin_anew",
    "check_not_lost",
    "list_backups",
    "read_usage",
    "restore",
]
