"""The commands of triptych, such as run, imagine, usage and doctor, with their options."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from bot.cli import cluster, models, rules
from bot.cli.exits import EXIT_REFUSED, leave
from bot.cli.imagine import copy_pictures, describe, describe_as_json, draw_once
from bot.cli.restore import begin_new_record, restore_backup
from bot.cli.run import make_engine, serve
from bot.domain.recipes import Ask, StartPicture, Upload
from bot.errors import ConfigError, StoreError, TriptychError, UserError
from bot.ops.logs import set_up_logging
from bot.ops.resources import get_migrations_folder
from bot.recipes.presets import DEFAULT_STRENGTH
from bot.settings import Settings, load_settings
from bot.store import read_usage
from bot.texts.commands import PRESETS

T = TypeVar("T")

_PRESET_HELP = "; ".join(text.english for text in PRESETS.values()) + "."

_WIDEST = 1000  # columns of a terminal: more than any table needs

app = typer.Typer(
    name="triptych",
    help="A Discord bot that draws three pictures for every prompt.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(models.app, name="models")
app.add_typer(rules.app, name="rules")
app.add_typer(cluster.cluster, name="cluster")
app.add_typer(cluster.worker, name="worker")


def main() -> None:
    """Run the command line; see ``bot/__main__.py``."""
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"Triptych {metadata.version('triptych-bot')}")
        raise typer.Exit


@app.callback()
def set_up(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """A Discord bot that draws three pictures for every prompt."""


@app.command()
def run(
    new: Annotated[
        bool, typer.Option("--new", help="If the database is lost: start with an empty one.")
    ] = False,
) -> None:
    """Go online on Discord and draw until you stop it."""
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
    clip_skip: Annotated[
        int | None, typer.Option(help="How many of the text encoder's last layers to leave out.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help=_PRESET_HELP)] = None,
    image: Annotated[
        Path | None, typer.Option(help="A picture to start from.", exists=True, dir_okay=False)
    ] = None,
    strength: Annotated[
        float, typer.Option(help="With --image: 0.1 keeps it, 1 keeps nothing of it.")
    ] = DEFAULT_STRENGTH,
    model: Annotated[
        str | None, typer.Option(help="Use this instead of MODEL and MODELS_FILE.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Folder to copy the pictures to.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Draw three pictures here and now, without Discord."""
    settings = _load_settings(**({"model": model, "models_file": None} if model else {}))
    _set_up_logging(settings, "WARNING" if settings.log_level == "INFO" else settings.log_level)
    ask = Ask(
        prompt,
        negative_prompt,
        width=width,
        height=height,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
        sampler=sampler,
        clip_skip=clip_skip,
        seed=seed,
        preset=preset,
    )
    if image is not None:
        upload = Upload(str(image), image.stat().st_size)
        ask = replace(ask, start=StartPicture(0, 0, strength), upload=upload)
    job, delivery = _run(lambda: draw_once(settings, make_engine(settings), ask))
    if output is not None:
        delivery = copy_pictures(delivery, output)
    sys.stdout.write(describe_as_json(job, delivery) if as_json else describe(job, delivery))


@app.command()
def usage(
    since: Annotated[str, typer.Option(help="A date (2026-11-01) or days (30d).")] = "30d",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show totals per day, server and member."""
    settings = _load_settings()
    moment = _parse_since(since)
    try:
        rows = read_usage(settings.data_dir, moment.timestamp())
    except StoreError as error:
        leave(error)
    if as_json:
        report = {"since": moment.isoformat(), "rows": [asdict(row) for row in rows]}
        sys.stdout.write(json.dumps(report) + "\n")
        return
    table = Table(title=f"Usage since {moment:%Y-%m-%d}")
    for heading in ("Day", "Server", "Member", "Prompts", "Delivered", "Pictures", "GPU s"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        guild = "–" if row.guild_id is None else str(row.guild_id)
        counts = (row.jobs, row.delivered, row.pictures)
        table.add_row(row.day, guild, str(row.user_id), *map(str, counts), f"{row.gpu_seconds:.1f}")
    console = Console()
    width = console.measure(table, options=console.options.update(width=_WIDEST)).maximum
    # Do not wrap ids, because nobody can use half an id.
    Console(width=max(console.width, width)).print(table)


@app.command()
def restore(
    backup: Annotated[Path | None, typer.Argument(help="Default: the newest.")] = None,
    only_list: Annotated[bool, typer.Option("--list", help="Only list the backups.")] = False,
) -> None:
    """Replace the database with a backup. Triptych must not be running."""
    try:
        restore_backup(_load_settings().data_dir, backup, only_list=only_list)
    except StoreError as error:
        leave(error)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check this installation. Every line says ok, or what to do."""
    from bot.cli.doctor import examine  # noqa: PLC0415 - only this command needs it

    findings = asyncio.run(examine())
    if as_json:
        sys.stdout.write(json.dumps({"checks": [asdict(finding) for finding in findings]}) + "\n")
    else:
        sys.stdout.write("".join(f"{finding}\n" for finding in findings))
    if not all(finding.ok for finding in findings):
        raise typer.Exit(EXIT_REFUSED)


def _load_settings(**overrides: Any) -> Settings:
    try:
        return load_settings(**overrides)
    except ConfigError as error:
        leave(error)


def _run(begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
    try:
        return asyncio.run(begin())
    except KeyboardInterrupt:
        sys.stderr.write("Cancelled.\n")
        raise typer.Exit(128 + signal.SIGINT) from None
    except TriptychError as error:
        leave(error)


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
        leave(UserError(f"--since {text!r} is neither a date like 2026-11-01 nor days like 30d."))
