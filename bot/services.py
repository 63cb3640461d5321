"""Everything a running Triptych is made of, put together once for the bot and the command line."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bot.engine.api import EngineFace
from bot.images.store import PictureWriter
from bot.jobs.delivery import Deliverer
from bot.jobs.dispatcher import Dispatcher, Pictures
from bot.jobs.intake import Destinations, Intake
from bot.jobs.ports import Messenger, ReviewLane
from bot.jobs.previews import Previews
from bot.jobs.queue.waitlist import Line
from bot.jobs.recovery import Recovery
from bot.jobs.start_images import StartPictures
from bot.jobs.status_messages import StatusBoard
from bot.moderation import PictureCheck, PromptPolicy
from bot.moderation.rules import read_rules
from bot.ops.backups import HOUR_SECONDS, RecordWatch, keep_backup
from bot.ops.chores import Chore, Chores
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
from bot.review.mod_log import ModLog, Post
from bot.review.reports import Reports
from bot.review.sanctions import Consequences
from bot.settings import Settings
from bot.store import (
    AuditRepository,
    BackupKeeper,
    Database,
    JobRepository,
    MetaRepository,
    Repositories,
    RuleRepository,
    SettingsRepository,
    StandingRepository,
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
    standing: StandingRepository
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
    chores: Chores
    now: Clock


@dataclass(frozen=True, slots=True)
class _Ground:
    """What every room stands on."""

    settings: Settings
    store: Repositories
    workers: WorkerProcesses
    writer: PictureWriter
    messenger: Messenger
    now: Clock


@dataclass(frozen=True, slots=True)
class _Policy:
    gate: Gate
    check: PictureCheck
    judge: PictureJudge


@dataclass(frozen=True, slots=True)
class _Jobs:
    line: Line
    intake: Intake
    dispatcher: Dispatcher
    recovery: Recovery


@dataclass(frozen=True, slots=True)
class _Review:
    reports: Reports
    consequences: Consequences
    review: Review


def compose_services(
    settings: Settings, database: Database, engine: EngineFace, messenger: Messenger, now: Clock
) -> Services:
    """Wire the rooms together; nothing is started. Raises ConfigError for unusable rules."""
    store = Repositories.of(database)
    writer = PictureWriter(settings.data_dir / "pictures")
    ground = _Ground(settings, store, WorkerProcesses(), writer, messenger, now)
    reading = ReadingRoom()
    guilds = _compose_guild_services(ground, reading)
    policy = _compose_policy(ground, guilds.scale, reading)
    board = _compose_board(ground, policy.judge)
    desk = ReviewDesk(store, board, messenger, writer, now)
    jobs = _compose_jobs(ground, engine, policy, board, desk)
    review = _compose_review(ground, desk, jobs)
    return Services(
        jobs=store.jobs,
        standing=store.standing,
        meta=store.meta,
        settings=store.settings,
        audit=store.audit,
        guilds=guilds,
        keeping=Keeping(store, jobs.dispatcher, board, engine, writer, now),
        reading=reading,
        gate=policy.gate,
        line=jobs.line,
        board=board,
        intake=jobs.intake,
        dispatcher=jobs.dispatcher,
        recovery=jobs.recovery,
        desk=desk,
        review=review.review,
        reports=review.reports,
        consequences=review.consequences,
        workers=ground.workers,
        writer=writer,
        keeper=PictureKeeper(store.jobs, store.pictures, writer, make_retention(settings), now),
        check=policy.check,
        limits=make_limits(settings),
        chores=Chores(),
        now=now,
    )


def _compose_guild_services(ground: _Ground, reading: ReadingRoom) -> GuildServices:
    store, now = ground.store, ground.now
    scale = RuleScale(ground.workers, store, now)
    return GuildServices(
        rules=store.rules,
        scale=scale,
        rulemaking=Rulemaking(store.rules, store.jobs, scale, reading, now),
        styles=Styles(store.styles, store.audit, now),
        modlog=ModLog(store.audit, store.settings, store.meta, now),
    )


def _compose_policy(ground: _Ground, scale: RuleScale, reading: ReadingRoom) -> _Policy:
    gate = Gate(make_policy(ground.settings), ground.store, scale, reading, ground.now)
    check = make_picture_check(ground.settings)
    return _Policy(gate, check, PictureJudge(check, gate))


def _compose_board(ground: _Ground, judge: PictureJudge) -> StatusBoard:
    develop = Previews(judge, ground.writer).develop if ground.settings.previews else None
    mark_told = ground.store.jobs.mark_told
    return StatusBoard(ground.messenger, develop=develop, mark_told=mark_told)


def _compose_jobs(
    ground: _Ground, engine: EngineFace, policy: _Policy, board: StatusBoard, lane: ReviewLane
) -> _Jobs:
    store, messenger, writer, now = ground.store, ground.messenger, ground.writer, ground.now
    line = Line(store.jobs, engine, now)
    starts = StartPictures(store.jobs, ground.workers, writer, policy.judge)
    intake = Intake(
        store,
        policy.gate,
        Destinations(line, lane, board),
        starts,
        limits=make_limits(ground.settings),
        quotas=make_quotas(ground.settings),
        now=now,
        random_seed=partial(secrets.randbits, 32),
    )
    pictures = Pictures(starts, policy.check, policy.judge, writer)
    deliverer = Deliverer(store, writer, messenger, board, policy.gate, lane, now)
    dispatcher = Dispatcher(engine, store, line, board, lane, pictures, deliverer, now)
    recovery = Recovery(store.jobs, line, board, dispatcher, messenger, now)
    return _Jobs(line, intake, dispatcher, recovery)


def _compose_review(ground: _Ground, desk: ReviewDesk, jobs: _Jobs) -> _Review:
    store, messenger, now = ground.store, ground.messenger, ground.now
    reports = Reports(store, desk, messenger, ground.writer, now)
    consequences = Consequences(store, desk, now)
    resume = jobs.dispatcher.resume_delivery
    review = Review(store, jobs.line, desk, reports, consequences, messenger, resume, now)
    return _Review(reports, consequences, review)


def list_chores(
    services: Services, keeper: BackupKeeper, watch: RecordWatch, post: Post
) -> list[Chore]:
    """What a running bot does again and again. post: how the mod log is posted."""
    modlog = services.guilds.modlog
    return [
        Chore("record_watch", 20.0, watch.look),
        Chore("backup", HOUR_SECONDS, lambda: keep_backup(keeper, services.now)),
        Chore("picture_files", HOUR_SECONDS, services.keeper.sweep),
        Chore("retention", HOUR_SECONDS, services.keeping.run_daily),
        Chore("review", 30.0, services.review.look_after, needs_discord=True),
        Chore("mod_log", 3.0, lambda: modlog.flush(post), needs_discord=True),
    ]


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
