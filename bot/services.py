"""Builds all parts of a running Triptych. The bot and the command line both use this."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bot.engine import EngineApi, EnginePool, UpscalerInfo, check_upscaler
from bot.images.store import PictureWriter
from bot.jobs.delivery import Deliverer
from bot.jobs.dispatcher import Dispatcher, Pictures
from bot.jobs.group_intake import GroupIntake
from bot.jobs.intake import Destinations, Intake
from bot.jobs.ports import Messenger, ReviewLane
from bot.jobs.previews import Previews
from bot.jobs.queue.waitlist import Waitlist
from bot.jobs.recovery import Recovery
from bot.jobs.start_images import StartPictures
from bot.jobs.status_messages import StatusMessages
from bot.moderation import PictureCheck, PromptPolicy
from bot.moderation.rules import read_rules
from bot.ops.backups import RecordWatch, keep_backup
from bot.ops.chores import Chore, Chores
from bot.ops.limits import Buckets, HeavyWork
from bot.ops.resources import choose_upscaler, load_models
from bot.ops.workers import WorkerProcesses
from bot.policy.models import ModelCatalog
from bot.policy.person_models import PersonModels
from bot.policy.pictures import PictureJudge
from bot.policy.prompts import PromptGate
from bot.policy.quotas import Quotas
from bot.policy.reading import ReadingRoom
from bot.policy.rule_editor import RuleEditor
from bot.policy.rule_scale import RuleScale
from bot.recipes.styles import Styles
from bot.recipes.validate import ParameterLimits
from bot.retention.member_data import MemberData
from bot.retention.messages import ROUND_SECONDS, MessageRemoval
from bot.retention.picture_files import PictureFiles, Retention
from bot.review.cards import ReviewCards
from bot.review.decisions import Decisions
from bot.review.mod_log import ModLog, Post
from bot.review.notices import Notices
from bot.review.reports import Reports
from bot.review.sanctions import Sanctions
from bot.rounds.compose import RoundGround, RoundServices, compose_rounds
from bot.rounds.ports import RoundMessenger
from bot.rounds.upkeep import SECONDS as ROUNDS_SECONDS
from bot.settings import Settings
from bot.store import (
    AuditRepository,
    Backups,
    Database,
    JobRepository,
    MetaRepository,
    Repositories,
    RuleRepository,
    SettingsRepository,
    StandingRepository,
)

Clock = Callable[[], float]
_HOUR_SECONDS = 3600.0
_draw_seed = partial(secrets.randbits, 32)


@dataclass(frozen=True, slots=True)
class GuildServices:
    """The services for a server's own rules, styles and mod log."""

    rules: RuleRepository
    scale: RuleScale
    rule_editor: RuleEditor
    styles: Styles
    modlog: ModLog


@dataclass(frozen=True, slots=True)
class Services:
    """All parts of one process, already connected to each other."""

    jobs: JobRepository
    standing: StandingRepository
    meta: MetaRepository
    settings: SettingsRepository
    audit: AuditRepository
    guilds: GuildServices
    rounds: RoundServices
    member_data: MemberData
    heavy_work: HeavyWork
    pace: Buckets[tuple[int, bool]]
    message_removal: MessageRemoval
    reading: ReadingRoom
    gate: PromptGate
    engine: EnginePool
    models: ModelCatalog
    waitlist: Waitlist
    status_messages: StatusMessages
    intake: Intake
    dispatcher: Dispatcher
    recovery: Recovery
    review_cards: ReviewCards
    decisions: Decisions
    reports: Reports
    sanctions: Sanctions
    notices: Notices
    workers: WorkerProcesses
    writer: PictureWriter
    picture_files: PictureFiles
    check: PictureCheck
    limits: ParameterLimits
    upscaler: UpscalerInfo | None
    chores: Chores
    now: Clock


@dataclass(frozen=True, slots=True)
class _Ground:
    """The parts that all other parts need."""

    settings: Settings
    store: Repositories
    workers: WorkerProcesses
    writer: PictureWriter
    messenger: Messenger
    round_messenger: RoundMessenger | None
    now: Clock


@dataclass(frozen=True, slots=True)
class _Policy:
    models: ModelCatalog
    gate: PromptGate
    check: PictureCheck
    judge: PictureJudge


@dataclass(frozen=True, slots=True)
class _Jobs:
    waitlist: Waitlist
    intake: Intake
    group_intake: GroupIntake
    dispatcher: Dispatcher
    recovery: Recovery


@dataclass(frozen=True, slots=True)
class _Review:
    cards: ReviewCards
    reports: Reports
    sanctions: Sanctions
    notices: Notices
    decisions: Decisions


def compose_services(
    settings: Settings,
    database: Database,
    engine: EngineApi | EnginePool,
    messenger: Messenger,
    now: Clock,
    round_messenger: RoundMessenger | None = None,
) -> Services:
    """Connect the parts without starting them. Raises ConfigError for unusable rules or files."""
    store = Repositories.of(database)
    writer = PictureWriter(settings.data_dir / "pictures")
    ground = _Ground(settings, store, WorkerProcesses(), writer, messenger, round_messenger, now)
    reading = ReadingRoom()
    guilds = _compose_guild_services(ground, reading)
    pool = EnginePool.of(engine)
    policy = _compose_policy(ground, pool, guilds.scale, reading)
    status_messages = _compose_status_messages(ground, policy.judge)
    review_cards = ReviewCards(store, status_messages, messenger, writer, policy.gate, now)
    jobs = _compose_jobs(ground, pool, policy, status_messages, review_cards)
    review = _compose_review(ground, review_cards, jobs)
    heavy_work, retention = HeavyWork(now), make_retention(settings)
    member_data = MemberData(store, jobs.dispatcher, status_messages, pool, writer, heavy_work, now)
    rounds = _compose_rounds(ground, policy.gate, guilds.styles, status_messages, jobs, review)
    member_data.refresh_rounds = rounds.board.refresh_all
    return Services(
        jobs=store.jobs,
        standing=store.standing,
        meta=store.meta,
        settings=store.settings,
        audit=store.audit,
        guilds=guilds,
        rounds=rounds,
        member_data=member_data,
        heavy_work=heavy_work,
        pace=make_pace(settings, now),
        message_removal=MessageRemoval(store.retention, messenger),
        reading=reading,
        gate=policy.gate,
        engine=pool,
        models=policy.models,
        waitlist=jobs.waitlist,
        status_messages=status_messages,
        intake=jobs.intake,
        dispatcher=jobs.dispatcher,
        recovery=jobs.recovery,
        review_cards=review_cards,
        decisions=review.decisions,
        reports=review.reports,
        sanctions=review.sanctions,
        notices=review.notices,
        workers=ground.workers,
        writer=writer,
        picture_files=PictureFiles(store.jobs, store.pictures, writer, retention, now),
        check=policy.check,
        limits=make_limits(settings),
        upscaler=make_upscaler(settings),
        chores=Chores(),
        now=now,
    )


def _compose_guild_services(ground: _Ground, reading: ReadingRoom) -> GuildServices:
    store, now = ground.store, ground.now
    scale = RuleScale(ground.workers, store, now)
    return GuildServices(
        rules=store.rules,
        scale=scale,
        rule_editor=RuleEditor(store.rules, store.jobs, scale, reading, now),
        styles=Styles(store.styles, store.audit, now),
        modlog=ModLog(store.audit, store.settings, store.meta, now),
    )


def _compose_policy(
    ground: _Ground, engine: EnginePool, scale: RuleScale, reading: ReadingRoom
) -> _Policy:
    rules, now = make_policy(ground.settings), ground.now
    models = ModelCatalog(load_models(ground.settings).entries, engine.list_models)
    persons = PersonModels(models, ground.store.meta)
    gate = PromptGate(rules, ground.store, scale, reading, now, persons)
    check = make_picture_check(ground.settings)
    return _Policy(models, gate, check, PictureJudge(check, gate))


def _compose_status_messages(ground: _Ground, judge: PictureJudge) -> StatusMessages:
    develop = Previews(judge, ground.writer).develop if ground.settings.previews else None
    mark_end_notified = ground.store.jobs.mark_end_notified
    return StatusMessages(ground.messenger, develop=develop, mark_end_notified=mark_end_notified)


def _compose_jobs(
    ground: _Ground,
    engine: EnginePool,
    policy: _Policy,
    status_messages: StatusMessages,
    lane: ReviewLane,
) -> _Jobs:
    store, messenger, writer, now = ground.store, ground.messenger, ground.writer, ground.now
    waitlist = Waitlist(store.jobs, engine, policy.models, now)
    starts = StartPictures(store.jobs, ground.workers, writer, policy.judge)
    destinations = Destinations(waitlist, lane, status_messages)
    limits, quotas = make_limits(ground.settings), make_quotas(ground.settings)
    intake = Intake(
        store,
        policy.gate,
        destinations,
        starts,
        limits=limits,
        quotas=quotas,
        now=now,
        random_seed=_draw_seed,
    )
    group_intake = GroupIntake(
        store,
        destinations,
        starts,
        limits=limits,
        quotas=quotas,
        now=now,
        random_seed=_draw_seed,
    )
    pictures = Pictures(starts, policy.check, policy.judge, writer)
    deliverer = Deliverer(store, writer, messenger, status_messages, policy.gate, lane, now)
    dispatcher = Dispatcher(
        engine, store, waitlist, status_messages, lane, pictures, deliverer, now
    )
    recovery = Recovery(store.jobs, waitlist, status_messages, dispatcher, messenger, now)
    return _Jobs(waitlist, intake, group_intake, dispatcher, recovery)


def _compose_review(ground: _Ground, review_cards: ReviewCards, jobs: _Jobs) -> _Review:
    store, messenger, now = ground.store, ground.messenger, ground.now
    reports = Reports(store, review_cards, messenger, ground.writer, now)
    sanctions, notices = Sanctions(store, review_cards, now), Notices(store, messenger, now)
    resume = jobs.dispatcher.resume_delivery
    decisions = Decisions(
        store, jobs.waitlist, review_cards, reports, sanctions, notices, resume, now
    )
    return _Review(review_cards, reports, sanctions, notices, decisions)


def _compose_rounds(
    ground: _Ground,
    gate: PromptGate,
    styles: Styles,
    status_messages: StatusMessages,
    jobs: _Jobs,
    review: _Review,
) -> RoundServices:
    rounds = compose_rounds(
        RoundGround(
            store=ground.store,
            gate=gate,
            refusals=jobs.intake.refusals,
            group_intake=jobs.group_intake,
            styles=styles,
            status_messages=status_messages,
            review_cards=review.cards,
            sanctions=review.sanctions,
            notices=review.notices,
            dispatcher=jobs.dispatcher,
            writer=ground.writer,
            messenger=ground.messenger,
            round_messenger=ground.round_messenger,
            now=ground.now,
        )
    )
    for each in (review.sanctions, review.decisions):
        each.refresh_rounds = rounds.board.refresh_all
    return rounds


def list_chores(
    services: Services, backups: Backups, watch: RecordWatch, post: Post
) -> list[Chore]:
    """List the periodic chores of a running bot. post: sends mod-log entries to a channel."""
    modlog, upkeep = services.guilds.modlog, services.rounds.upkeep
    return [
        Chore("record_watch", 20.0, watch.look),
        Chore("backup", _HOUR_SECONDS, lambda: keep_backup(backups, services.now)),
        Chore("picture_files", _HOUR_SECONDS, services.picture_files.sweep),
        Chore("retention", _HOUR_SECONDS, services.member_data.run_daily),
        Chore("deleted_words", 20.0, services.member_data.take_out_deleted),
        Chore("deleted_messages", ROUND_SECONDS, services.message_removal.run, needs_discord=True),
        Chore("review", 30.0, services.decisions.look_after, needs_discord=True),
        Chore("rounds", ROUNDS_SECONDS, upkeep.look_after, needs_discord=True, stop=upkeep.stop),
        Chore("refusals", 60.0, services.intake.refusals.write_down),
        Chore("mod_log", 3.0, lambda: modlog.flush(post), needs_discord=True),
    ]


def make_limits(settings: Settings) -> ParameterLimits:
    """Read the owner's limits from the settings."""
    return ParameterLimits(
        settings.max_prompt_length, settings.max_num_inference_steps, settings.max_side_pixels
    )


def make_upscaler(settings: Settings) -> UpscalerInfo | None:
    """Read the upscaler's file and describe it; None if it is off. Raises ConfigError."""
    path = choose_upscaler(settings)
    return None if path is None else check_upscaler(path)


def make_retention(settings: Settings) -> Retention:
    """Read from the settings how long pictures are kept, and how much disk they may use."""
    gib = settings.keep_pictures_gib
    return Retention(settings.keep_pictures_days, None if gib is None else int(gib * 2**30))


def make_quotas(settings: Settings) -> Quotas:
    """Read from the settings the quotas that apply to everybody."""
    return Quotas(
        settings.max_waiting_per_member,
        settings.max_waiting_per_guild,
        settings.max_waiting,
        settings.max_cost_per_member_per_hour,
        settings.max_refused_per_member_per_hour,
    )


def make_pace(settings: Settings, now: Clock) -> Buckets[tuple[int, bool]]:
    """Read from the settings how many commands, buttons and suggestions a person may use."""
    most = settings.max_actions_per_member_per_minute
    return Buckets(most, 60.0 / most, now)


def make_policy(settings: Settings) -> PromptPolicy:
    """Build the owner's rules for prompts from the settings. Raises ConfigError."""
    rules = read_rules(settings.rules_file) if settings.rules_file else ()
    return PromptPolicy(settings.blocked_words, rules)


def make_picture_check(settings: Settings) -> PictureCheck:
    """Build the picture check. It loads its model later."""
    return PictureCheck(settings.nsfw_threshold)
