"""Everything a running Triptych is made of, put together once for the bot and the command line."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from bot.engine.api import EngineFace
from bot.images.store import PictureWriter
from bot.jobs.delivery import Deliverer
from bot.jobs.dispatcher import Dispatcher
from bot.jobs.intake import Intake
from bot.jobs.ports import Messenger
from bot.jobs.previews import Previews
from bot.jobs.queue.waitlist import Line
from bot.jobs.recovery import Recovery
from bot.jobs.start_images import StartPictures
from bot.jobs.status_messages import StatusBoard
from bot.moderation import PictureCheck, PromptPolicy
from bot.moderation.rules import read_rules
from bot.ops.workers import WorkerProcesses
from bot.policy.pictures import PictureJudge
from bot.policy.prompts import Gate
from bot.policy.quotas import Quotas
from bot.policy.reading import ReadingRoom
from bot.policy.rule_editor import Rulemaking
from bot.policy.rule_scale import RuleScale
from bot.recipes.styles import Styles
from bot.recipes.validate import ParameterLimits
from bot.retention.member_data import Keeping
from bot.retention.picture_files import PictureKeeper, Retention
from bot.review.cards import ReviewDesk
from bot.review.decisions import Review
from bot.review.mod_log import ModLog
from bot.review.reports import Reports
from bot.review.sanctions import Consequences
from bot.settings import Settings
from bot.store import (
    AuditRepository,
    Database,
    JobRepository,
    MetaRepository,
    Repositories,
    RuleRepository,
    SettingsRepository,
)

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class GuildServices:
    """What a server has of its own."""

    rules: RuleRepository
    scale: RuleScale
    rulemaking: Rulemaking
    styles: Styles
    modlog: ModLog


@dataclass(frozen=True, slots=True)
class Services:
    """The rooms of one process, already introduced to each other."""

    jobs: JobRepository
    meta: MetaRepository
    settings: SettingsRepository
    audit: AuditRepository
    guilds: GuildServices
    keeping: Keeping
    reading: ReadingRoom
    gate: Gate
    line: Line
    board: StatusBoard
    intake: Intake
    dispatcher: Dispatcher
    recovery: Recovery
    desk: ReviewDesk
    review: Review
    reports: Reports
    consequences: Consequences
    workers: WorkerProcesses
    writer: PictureWriter
    keeper: PictureKeeper
    check: PictureCheck
    limits: ParameterLimits
    now: Clock


def compose_services(
    settings: Settings, database: Database, engine: EngineFace, messenger: Messenger, now: Clock
) -> Services:
    """Wire the rooms together; nothing is started. Raises ConfigError for unusable rules."""
    store = Repositories.of(database)
    jobs = store.jobs
    room, workers = ReadingRoom(), WorkerProcesses()
    guilds = _compose_guild_services(store, workers, room, now)
    gate = Gate(make_policy(settings), store, guilds.scale, room, now)
    check = make_picture_check(settings)
    writer = PictureWriter(settings.data_dir / "pictures")
    judge = PictureJudge(check, gate)
    develop = Previews(judge, writer).develop if settings.previews else None
    board = StatusBoard(messenger, develop=develop, mark_told=jobs.mark_told)
    line = Line(jobs, engine, now)
    starts = StartPictures(jobs, workers, writer, judge)
    desk = ReviewDesk(store, board, messenger, writer, now)
    deliverer = Deliverer(jobs, writer, messenger, board, gate, desk, store.audit, now)
    dispatcher = Dispatcher(
        *(engine, jobs, line, board, check, judge, writer, starts, deliverer, desk),
        audit=store.audit,
        now=now,
    )
    consequences = Consequences(store, desk, now)
    reports = Reports(store, desk, messenger, writer, now)
    review = Review(
        *(store, line, desk, reports, consequences, messenger),
        resume_delivery=dispatcher.resume_delivery,
        now=now,
    )
    limits = make_limits(settings)
    intake = Intake(
        *(jobs, store.audit, gate, line, board, starts, desk),
        limits=limits,
        quotas=make_quotas(settings),
        now=now,
        random_seed=lambda: secrets.randbits(32),
    )
    return Services(
        jobs=jobs,
        meta=store.meta,
        settings=store.settings,
        audit=store.audit,
        guilds=guilds,
        keeping=Keeping(store, dispatcher, board, writer, now),
        reading=room,
        gate=gate,
        line=line,
        board=board,
        intake=intake,
        dispatcher=dispatcher,
        recovery=Recovery(jobs, line, board, dispatcher, messenger, now),
        desk=desk,
        review=review,
        reports=reports,
        consequences=consequences,
        workers=workers,
        writer=writer,
        keeper=PictureKeeper(jobs, store.pictures, writer, make_retention(settings), now),
        check=check,
        limits=limits,
        now=now,
    )


def _compose_guild_services(
    store: Repositories, workers: WorkerProcesses, room: ReadingRoom, now: Clock
) -> GuildServices:
    scale = RuleScale(workers, store, now)
    return GuildServices(
        rules=store.rules,
        scale=scale,
        rulemaking=Rulemaking(store.rules, store.jobs, scale, room, now),
        styles=Styles(store.styles, store.audit, now),
        modlog=ModLog(store.audit, store.settings, store.meta, now),
    )


def make_limits(settings: Settings) -> ParameterLimits:
    """The owner's bounds."""
    return ParameterLimits(
        settings.max_prompt_length, settings.max_num_inference_steps, settings.max_side_pixels
    )


def make_retention(settings: Settings) -> Retention:
    """How long pictures stay."""
    gib = settings.keep_pictures_gib
    return Retention(settings.keep_pictures_days, None if gib is None else int(gib * 2**30))


def make_quotas(settings: Settings) -> Quotas:
    """What everybody has."""
    return Quotas(
        settings.max_waiting_per_member,
        settings.max_waiting_per_guild,
        settings.max_waiting,
        settings.max_cost_per_member_per_hour,
    )


def make_policy(settings: Settings) -> PromptPolicy:
    """The rules of the settings. Raises ConfigError."""
    rules = read_rules(settings.rules_file) if settings.rules_file else ()
    return PromptPolicy(settings.blocked_words, rules)


def make_picture_check(settings: Settings) -> PictureCheck:
    """Not loaded yet."""
    return PictureCheck(settings.nsfw_threshold)
