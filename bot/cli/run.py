"""`run`: starts the bot with its data directory and engine, and later stops all of them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from bot.cluster.machines import Machines, start_driver
from bot.cluster.nodes import check_ray, check_token, find_token_file, make_environ
from bot.cluster.worker_engine import WorkerEngineMaker
from bot.engine import EngineApi, EnginePool, open_pool
from bot.errors import ConfigError
from bot.ops.backups import RecordWatch
from bot.ops.clock import make_clock
from bot.ops.resources import (
    check_sources,
    choose_model_sources,
    choose_upscaler,
    describe_ignored,
    get_migrations_folder,
    load_models,
)
from bot.ops.systemd import Systemd
from bot.services import compose_services, list_chores
from bot.settings import Settings
from bot.store import Backups, Database, DataDirLock

log = logging.getLogger(__name__)

FINISH_SECONDS = 5.0
REQUEUE_SECONDS = 2.0
# a thread that judges texts must let the event loop run again after this many seconds
SWITCH_SECONDS = 0.0001


@asynccontextmanager
async def open_data_dir(settings: Settings) -> AsyncIterator[Database]:
    """Lock the data directory for this process and open its database. Raises StoreError."""
    os.umask(0o077)  # other users must not read prompts, tokens and pictures
    lock = DataDirLock(settings.data_dir)
    lock.acquire()
    try:
        database = await Database.open(settings.data_dir, get_migrations_folder())
        try:
            yield database
        finally:
            await database.close()
    finally:
        lock.release()


async def serve(settings: Settings, engine: EngineApi | EnginePool) -> None:
    """Run the bot until SIGTERM. Raises ConfigError, StoreError or EngineLost."""
    from bot.chat.client import TriptychClient  # noqa: PLC0415 - only `run` needs Discord
    from bot.chat.connection import use_api_base  # noqa: PLC0415
    from bot.ops.metrics import serve_monitor  # noqa: PLC0415

    if settings.discord_token is None:
        raise ConfigError(
            "DISCORD_TOKEN is not set. Create an application on "
            "https://discord.com/developers/applications, copy the token of its bot into .env, "
            "and try `triptych doctor`. To draw without Discord: `triptych imagine PROMPT`"
        )
    if settings.discord_api_base:
        use_api_base(settings.discord_api_base)
    stop = _listen_for_signals()
    sys.setswitchinterval(SWITCH_SECONDS)
    now = make_clock()
    systemd = Systemd.of_environment()
    async with open_data_dir(settings) as database:
        client = TriptychClient(
            lambda messenger: compose_services(
                settings, database, engine, messenger, now, messenger
            ),
            now,
            systemd,
        )
        services = client.services
        await services.waitlist.load()
        drawing = asyncio.create_task(services.dispatcher.run())
        backups = Backups(database, settings.data_dir)
        watch = RecordWatch(database, backups, now)
        async with client, serve_monitor(settings.monitor_port, client.examine):
            token = settings.discord_token.get_secret_value()
            online = asyncio.create_task(client.connection.serve(token))
            stopping = asyncio.create_task(stop.wait())
            beating = asyncio.create_task(systemd.beat())
            chores = list_chores(services, backups, watch, client.messenger.post_entries)
            chores_task = asyncio.create_task(services.chores.run(chores))
            tasks = {drawing, online, stopping, chores_task}
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            systemd.tell("STOPPING=1")
            services.intake.draining = True
            chores_task.cancel()
            await asyncio.wait({chores_task})
            await services.dispatcher.stop(FINISH_SECONDS, REQUEUE_SECONDS)
            await services.status_messages.close()
            for task in {*tasks, beating} - done:
                task.cancel()
            await asyncio.gather(*tasks, beating, return_exceptions=True)
            # the bot is stopping, so it refuses prompts that still wait to be judged
            services.reading.close()
            await services.intake.drain(REQUEUE_SECONDS)
            await services.workers.close()
            await watch.save()
        services.writer.close()
        services.check.close()
        await asyncio.to_thread(engine.close, REQUEUE_SECONDS)
        for task in done:
            task.result()


def _listen_for_signals() -> asyncio.Event:
    """Return an event that the first SIGTERM or SIGINT sets. A second signal ends the process at
    once, but nothing is lost."""
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(128 + signal.SIGTERM)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    return stop


def make_engine(settings: Settings) -> EnginePool:
    """Check the files of the settings' model, and make its engines. Raises ConfigError."""
    _log_models(settings)
    models = choose_model_sources(settings)
    machines = [connect(settings)] if settings.cluster else []
    devices = settings.devices or ((settings.device,) if machines else ())
    if devices != ("none",):
        check_sources(models)
    return open_pool(
        models,
        [device for device in devices if device != "none"],
        machines,
        cache_dir=settings.data_dir / "engine",
        deterministic=settings.deterministic,
        compile_unet=settings.compile_unet,
        upscaler=choose_upscaler(settings),
    )


def _log_models(settings: Settings) -> None:
    """Tell the owner about mistakes in MODELS_FILE, and about settings that do not count."""
    if ignored := describe_ignored(settings):
        log.warning("MODELS_FILE is set, so %s", ignored)
    for fault in load_models(settings).faults:
        log.error("MODELS_FILE: %s", fault)


def connect(settings: Settings) -> Machines:
    """Prepare the connection to other machines. Raises ConfigError."""
    assert settings.cluster is not None
    check_ray()
    token_file = find_token_file(settings)
    check_token(token_file)
    start = partial(start_driver, settings.cluster, WorkerEngineMaker.of(settings))
    return Machines(partial(start, make_environ(token_file)))
