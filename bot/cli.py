"""python -m bot run | imagine | usage | rules | doctor. Here everything is put together."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from bot import cli_rules
from bot.cli_restore import begin_new_record, restore_backup
from bot.engine import Engine, EngineFace, check_model
from bot.errors import ConfigError, EngineLost, StoreError, TriptychError, UserError
from bot.jobs.parameters import DEFAULT_STRENGTH, PRESETS
from bot.jobs.port import Delivery, list_hidden
from bot.logs import set_up_logging
from bot.records import Ask, Job, Origin, StartPicture, Upload
from bot.resources import choose_model_source, get_migrations_folder
from bot.services import compose_services
from bot.settings import Settings, load_settings
from bot.store import BackupKeeper, Database, DataDirLock, read_usage
from bot.supervisor import Supervisor
from bot.terminal import TerminalCaller, TerminalMessenger
from bot.upkeep import RecordWatch, keep_backups, make_clock

T = TypeVar("T")

EXIT_REFUSED = 1
EXIT_CONFIG = 2
EXIT_ENGINE_LOST = 75  # EX_TEMPFAIL: the supervisor should start a fresh process
FINISH_SECONDS = 5.0
REQUEUE_SECONDS = 2.0
SWITCH_SECONDS = 0.0001  # how long a thread that judges texts may keep the event loop waiting
_PRESET_HELP = "; ".join(f"{name}: {preset.description}" for name, preset in PRESETS.items()) + "."

app = typer.Typer(
    name="triptych",
    help="A Discord bot that draws three pictures for every prompt.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_rules.app, name="rules")


def main() -> None:
    """The command line, see ``bot/__main__.py``."""
    app()


@app.command()
def run(
    new: Annotated[
        bool, typer.Option("--new", help="Where the record is lost: begin an empty one.")
    ] = False,
) -> None:
    """Go online on Discord and draw until stopped."""
    settings = _load_settings()
    _set_up_logging(settings, settings.log_level)
    if new:
        _run(lambda: begin_new_record(settings.data_dir, get_migrations_folder()))
    _run(lambda: serve(settings, make_engine(settings)))


@app.command()
def imagine(
    prompt: Annotated[str, typer.Argument(help="What to draw.")],
    negative_prompt: Annotated[str, typer.Option(help="What to avoid.")] = "",
    seed: Annotated[int | None, typer.Option(help="0 to 4294967295; random if left out.")] = None,
    steps: Annotated[int | None, typer.Option(help="UNet steps.")] = None,
    guidance_scale: Annotated[float | None, typer.Option(help="0 to 30.")] = None,
    width: Annotated[int | None, typer.Option(help="Pixels.")] = None,
    height: Annotated[int | None, typer.Option(help="Pixels.")] = None,
    sampler: Annotated[str | None, typer.Option(help="Noise algorithm, e.g. ddim.")] = None,
    preset: Annotated[str | None, typer.Option(help=_PRESET_HELP)] = None,
    image: Annotated[
        Path | None, typer.Option(help="A picture to start from.", exists=True, dir_okay=False)
    ] = None,
    strength: Annotated[
        float, typer.Option(help="With --image: 0.1 keeps it, 1 keeps nothing of it.")
    ] = DEFAULT_STRENGTH,
    model: Annotated[str | None, typer.Option(help="Instead of MODEL.")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder to copy the pictures to.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Draw three pictures here and now, without Discord."""
    settings = _load_settings(**({"model": model} if model else {}))
    _set_up_logging(settings, "WARNING" if settings.log_level == "INFO" else settings.log_level)
    ask = Ask(prompt, negative_prompt, width, height, steps, guidance_scale, sampler, seed, preset)
    if image is not None:
        upload = Upload(str(image), image.stat().st_size)
        ask = replace(ask, start=StartPicture(0, 0, strength), upload=upload)
    job, delivery = _run(lambda: draw_once(settings, make_engine(settings), ask))
    if output is not None:
        delivery = _copy(delivery, output)
    sys.stdout.write(_describe_as_json(job, delivery) if as_json else _describe(job, delivery))


@app.command()
def usage(
    since: Annotated[str, typer.Option(help="A date (2026-11-01) or days (30d).")] = "30d",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Totals per day, server and member."""
    settings = _load_settings()
    moment = _parse_since(since)
    try:
        rows = read_usage(settings.data_dir, moment.timestamp())
    except StoreError as error:
        _leave(error)
    if as_json:
        report = {"since": moment.isoformat(), "rows": [asdict(row) for row in rows]}
        sys.stdout.write(json.dumps(report) + "\n")
        return
    table = Table(title=f"Usage since {moment:%Y-%m-%d}")
    for heading in ("Day", "Server", "Member", "Prompts", "Delivered", "Pictures", "GPU s"):
        table.add_column(heading)
    for row in rows:
        guild = "–" if row.guild_id is None else str(row.guild_id)
        counts = (row.jobs, row.delivered, row.pictures)
        table.add_row(row.day, guild, str(row.user_id), *map(str, counts), f"{row.gpu_seconds:.1f}")
    Console().print(table)


@app.command()
def restore(
    backup: Annotated[Path | None, typer.Argument(help="The newest if left out.")] = None,
    only_list: Annotated[bool, typer.Option("--list", help="Print the backups.")] = False,
) -> None:
    """Put a backup in the place of the database; Triptych must not be running."""
    try:
        restore_backup(_load_settings().data_dir, backup, only_list=only_list)
    except StoreError as error:
        _leave(error)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check this installation; every line says ok or what to do."""
    from bot.doctor import examine  # noqa: PLC0415 - only this command needs it

    findings = asyncio.run(examine())
    if as_json:
        sys.stdout.write(json.dumps({"checks": [asdict(finding) for finding in findings]}) + "\n")
    else:
        sys.stdout.write("".join(f"{finding}\n" for finding in findings))
    if not all(finding.ok for finding in findings):
        raise typer.Exit(EXIT_REFUSED)


@asynccontextmanager
async def open_data_dir(settings: Settings) -> AsyncIterator[Database]:
    """The data directory, owned by this process, and its database. Raises StoreError."""
    os.umask(0o077)  # prompts, tokens and pictures are nobody else's business
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


async def draw_once(settings: Settings, engine: EngineFace, ask: Ask) -> tuple[Job, Delivery]:
    """One prompt from the terminal, through the same rooms as the bot's.

    Raises UserError with the reason if it is not drawn.
    """
    async with open_data_dir(settings) as database:
        messenger = TerminalMessenger(Console(stderr=True))
        services = compose_services(settings, database, engine, messenger, time.time)
        await services.recovery.drop_terminal_jobs()
        await services.line.load()
        drawing = asyncio.create_task(services.dispatcher.run())
        tasks: list[asyncio.Task[Any]] = [drawing]
        job = None
        try:
            job = await services.intake.submit(ask, Origin(), TerminalCaller())
            waiting = asyncio.create_task(messenger.wait())
            tasks.append(waiting)
            await asyncio.wait({waiting, drawing}, return_when=asyncio.FIRST_COMPLETED)
            if drawing.done():
                waiting.cancel()
                drawing.result()
            return await waiting
        except BaseException:
            if job is not None:
                await services.dispatcher.cancel(job.job_id)
            raise
        finally:
            await services.dispatcher.stop(FINISH_SECONDS, REQUEUE_SECONDS)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await services.board.close()
            services.gate.close()
            await services.workers.close()
            services.writer.close()
            services.check.close()
            await asyncio.to_thread(engine.close, REQUEUE_SECONDS)


async def serve(settings: Settings, engine: EngineFace) -> None:
    """The bot, from start to SIGTERM. Raises ConfigError, StoreError or EngineLost."""
    from bot.client import TriptychClient, use_api_base  # noqa: PLC0415 - only `run` needs Discord
    from bot.monitor import serve_monitor  # noqa: PLC0415

    if settings.discord_token is None:
        raise ConfigError(
            "DISCORD_TOKEN is not set. Create an application on "
            "https://discord.com/developers/applications, copy the token of its bot into .env, "
            "and try `python -m bot doctor`. To draw without Discord: python -m bot imagine PROMPT"
        )
    if settings.discord_api_base:
        use_api_base(settings.discord_api_base)
    stop = _listen_for_signals()
    sys.setswitchinterval(SWITCH_SECONDS)
    now = make_clock()
    supervisor = Supervisor.of_environment()
    async with open_data_dir(settings) as database:
        client = TriptychClient(
            lambda messenger: compose_services(settings, database, engine, messenger, now),
            now,
            supervisor,
        )
        services = client.services
        await services.line.load()
        drawing = asyncio.create_task(services.dispatcher.run())
        keeper = BackupKeeper(database, settings.data_dir)
        watch = RecordWatch(database, keeper, now)
        async with client, serve_monitor(settings.monitor_port, client.examine):
            online = asyncio.create_task(client.serve(settings.discord_token.get_secret_value()))
            stopping = asyncio.create_task(stop.wait())
            upkeep = [
                asyncio.create_task(supervisor.beat()),
                asyncio.create_task(keep_backups(keeper, now)),
                asyncio.create_task(watch.run()),
                asyncio.create_task(services.keeper.run()),
            ]
            tasks = {drawing, online, stopping}
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            supervisor.tell("STOPPING=1")
            services.intake.draining = True
            await services.review.stop()
            await services.dispatcher.stop(FINISH_SECONDS, REQUEUE_SECONDS)
            await services.board.close()
            for task in {*tasks, *upkeep} - done:
                task.cancel()
            await asyncio.gather(*tasks, *upkeep, return_exceptions=True)
            services.gate.close()  # who waits there is told that the bot restarts
            await services.intake.drain(REQUEUE_SECONDS)
            await services.workers.close()
            await watch.save()
        services.writer.close()
        services.check.close()
        await asyncio.to_thread(engine.close, REQUEUE_SECONDS)
        for task in done:
            task.result()


def _listen_for_signals() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; the second ends the process at once, without loss."""
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(128 + signal.SIGTERM)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    return stop


def make_engine(settings: Settings) -> Engine:
    """An engine for the model of the settings, whose files were looked at. Raises ConfigError."""
    source = choose_model_source(settings)
    check_model(source)
    return Engine(
        source,
        cache_dir=settings.data_dir / "engine",
        deterministic=settings.deterministic,
        compile_unet=settings.compile_unet,
    )


def _load_settings(**overrides: Any) -> Settings:
    try:
        return load_settings(**overrides)
    except ConfigError as error:
        _leave(error)


def _run(begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
    try:
        return asyncio.run(begin())
    except KeyboardInterrupt:
        sys.stderr.write("Cancelled.\n")
        raise typer.Exit(128 + signal.SIGINT) from None
    except TriptychError as error:
        _leave(error)


def _leave(error: TriptychError) -> NoReturn:
    sys.stderr.write(f"{error}\n")
    if isinstance(error, EngineLost):
        logging.shutdown()
        os._exit(EXIT_ENGINE_LOST)  # a dead device context can hang an orderly exit
    raise typer.Exit(EXIT_REFUSED if isinstance(error, UserError) else EXIT_CONFIG) from None


def _set_up_logging(settings: Settings, level: str) -> None:
    secrets = (settings.discord_token, settings.hf_token)
    known = [secret.get_secret_value() for secret in secrets if secret is not None]
    set_up_logging(level, settings.log_format, known)


def _parse_since(text: str) -> datetime:
    try:
        if text.endswith("d"):
            return datetime.now(UTC) - timedelta(days=int(text[:-1]))
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        _leave(UserError(f"--since {text!r} is neither a date like 2026-11-01 nor days like 30d."))


def _copy(delivery: Delivery, folder: Path) -> Delivery:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        grid, *images = (
            Path(shutil.copy(path, folder)) for path in (delivery.grid, *delivery.images)
        )
    except OSError as error:
        _leave(
            UserError(
                f"The pictures could not be copied to {folder} ({error.strerror or error}); "
                f"nothing was lost, they lie in {delivery.grid.parent}."
            )
        )
    return Delivery(grid, tuple(images), delivery.verdicts)


def _describe(job: Job, delivery: Delivery) -> str:
    paths = "".join(f"  {path}\n" for path in (delivery.grid, *delivery.images))
    lines = [
        f"Job {job.job_id}: {job.recipe.model}, {job.recipe.sampler}, "
        f"{job.recipe.num_inference_steps} steps, guidance {job.recipe.guidance}, "
        f"seeds {', '.join(map(str, job.recipe.seeds))}, {job.gpu_seconds:.1f} s\n",
        paths,
    ]
    lines += [f"{sentence}\n" for sentence in list_hidden(delivery)]
    if job.cut_words:
        lines.append(f"Too long for the model, so these words were cut: {job.cut_words}\n")
    return "".join(lines)


def _describe_as_json(job: Job, delivery: Delivery) -> str:
    recipe = job.recipe
    report = {
        "job_id": job.job_id,
        "prompt": recipe.prompt,
        "negative_prompt": recipe.negative_prompt,
        "model": recipe.model,
        "sampler": recipe.sampler,
        "num_inference_steps": recipe.num_inference_steps,
        "guidance_scale": recipe.guidance_scale,
        "guidance_until": recipe.guidance_until,
        "preset": recipe.preset,
        "width": recipe.width,
        "height": recipe.height,
        "seeds": recipe.seeds,
        "grid": str(delivery.grid.resolve()),
        "images": [str(path.resolve()) for path in delivery.images],
        "nsfw_content_detected": [v.nsfw_content_detected for v in delivery.verdicts],
        "nsfw_scores": [v.nsfw_score for v in delivery.verdicts],
        "spoiler": job.spoiler,
        "cut_words": job.cut_words,
        "seconds": job.gpu_seconds,
    }
    return json.dumps(report) + "\n"
