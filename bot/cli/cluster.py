"""triptych cluster and triptych worker: draw on several machines."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.exits import leave
from bot.cluster.nodes import (
    DEFAULT_PORT,
    Ports,
    Supervisor,
    check_ray,
    check_token,
    find_token_file,
    make_environ,
    make_head_command,
    make_token,
    make_worker_command,
)
from bot.cluster.state import STATE_FOLDER, WorkerState
from bot.cluster.worker_engine import ENV_FILE
from bot.errors import ConfigError
from bot.settings import Settings, load_settings

cluster = typer.Typer(help="Draw on several machines (see docs/scaling.md).", no_args_is_help=True)
worker = typer.Typer(help="Draw for the bot on another machine.", invoke_without_command=True)

_COUNT_CARDS = "from bot.engine.hardware import count_cards; print(count_cards({!r}))"
_PROBE_SECONDS = 120

_Ports = Annotated[
    int, typer.Option("--ports", help="The first of the 100 ports that Ray uses here.")
]
_Host = Annotated[str | None, typer.Option(help="This machine's address in the private network.")]


@cluster.callback()
def describe_cluster() -> None:
    """Draw on several machines (see docs/scaling.md)."""


@cluster.command()
def start(
    host: _Host = None,
    ports: _Ports = DEFAULT_PORT,
    dashboard: Annotated[bool, typer.Option(help="Also start Ray's dashboard.")] = False,
) -> None:
    """Let other machines join this one, until you stop this command."""
    settings = _prepare()
    token_file = find_token_file(settings)
    make_token(token_file)
    check_token(token_file)
    address = f"{host or _find_own_address()}:{ports}"
    typer.echo(
        f"The cluster starts at {address}.\n"
        f"In the bot's .env: CLUSTER={address}\n"
        f"Copy {token_file} to each other machine, keep it secret, and run there:\n"
        f"    triptych worker --join {address} --token-file {token_file.name}"
    )
    command = make_head_command(Ports(ports), host, has_dashboard=dashboard)
    log_file = settings.data_dir / "cluster.log"
    _supervise(Supervisor(command, make_environ(token_file), typer.echo, log_file))


@worker.callback()
def work(
    context: typer.Context,
    join: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="The address that `triptych cluster start` printed."),
    ] = "",
    token_file: Annotated[
        Path | None, typer.Option(help="The copy of the cluster's token.", dir_okay=False)
    ] = None,
    name: Annotated[
        str, typer.Option(help="The name in /status. Default: the machine's name.")
    ] = "",
    host: _Host = None,
    ports: _Ports = DEFAULT_PORT,
) -> None:
    """Draw for the bot with this machine's MODEL, DEVICE and DEVICES, until you stop it."""
    if context.invoked_subcommand is not None:
        return
    settings = _prepare()
    state = WorkerState((settings.data_dir / "worker").absolute())
    try:
        token_file = _check_worker(join, token_file, state)
    except ConfigError as error:
        leave(error)
    state.begin()
    num_cards = len(settings.devices) or _count_cards(settings.device)
    command = make_worker_command(
        join, Ports(ports), host, name or socket.gethostname(), num_cards, state.folder
    )
    environ = make_environ(token_file) | {
        STATE_FOLDER: str(state.folder),
        ENV_FILE: str(Path(".env").absolute()),
        "DATA_DIR": str(settings.data_dir.absolute()),
    }
    typer.echo(f"This machine joins {join} with {num_cards} engine(s). Ctrl-C ends it.")
    log_file = settings.data_dir / "worker.log"
    _supervise(Supervisor(command, environ, typer.echo, log_file, state.is_drained))
    state.end()


@worker.command()
def drain() -> None:
    """End the worker when its current pictures are finished, for example before an update."""
    state = WorkerState((_prepare().data_dir / "worker").absolute())
    if not state.is_supervised():
        leave(ConfigError("No worker runs on this machine with this DATA_DIR."))
    state.ask_to_drain()
    typer.echo("The worker takes no more prompts. It ends when its pictures are finished.")
    while state.is_supervised():
        time.sleep(0.5)
    typer.echo("The worker has ended.")


def _prepare() -> Settings:
    try:
        check_ray()
        return load_settings()
    except ConfigError as error:
        leave(error)


def _check_worker(join: str, token_file: Path | None, state: WorkerState) -> Path:
    """Check what the worker needs, and return the token's file. Raises ConfigError."""
    if not join or token_file is None:
        raise ConfigError(
            "A worker needs --join ADDRESS and --token-file FILE; `triptych cluster start` on the "
            "bot's machine prints the whole command."
        )
    check_token(token_file)
    if state.is_supervised():
        raise ConfigError(f"A worker is already running on this machine; it uses {state.folder}.")
    return token_file


def _supervise(supervisor: Supervisor) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.stop())
    supervisor.run()


def _count_cards(device: str) -> int:
    """Count the cards with torch. This runs in another process, so that this one needs no torch."""
    if device == "cpu":
        return 1
    done = subprocess.run(
        [sys.executable, "-c", _COUNT_CARDS.format(device)],
        capture_output=True,
        text=True,
        timeout=_PROBE_SECONDS,
        check=False,
    )
    return int(done.stdout) if done.returncode == 0 else 1


def _find_own_address() -> str:
    """Find the address at which other machines reach this one. Nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # reserved, so no machine has this address (RFC 5737)
            return probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"
