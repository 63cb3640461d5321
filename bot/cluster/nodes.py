"""Starts and supervises Ray on this machine, for `triptych cluster start` and `triptych worker`."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from uuid import getnode

from bot.cluster.versions import CARDS, Versions
from bot.errors import ConfigError
from bot.settings import Settings

DEFAULT_PORT = 6379
TOKEN_FILE = "cluster-token"
_NUM_WORKER_PORTS = 90
_STORE_BYTES = 512 * 2**20  # for pictures in transit; Ray's default is a third of the memory
_STOP_SECONDS = 20.0
_LOOK_SECONDS = 0.5
_STEADY_SECONDS = 60.0  # a node that ran for longer is started again at once
_LONGEST_PAUSE_SECONDS = 30.0

MISSING = (
    "This needs Ray, which does not come with the plain installation: "
    "pip install 'triptych-bot[cluster]'"
)


def check_ray() -> None:
    """Raise ConfigError if Ray is not installed."""
    if find_spec("ray") is None:
        raise ConfigError(MISSING)


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one machine, all counted from ``first``; docs/scaling.md lists them."""

    first: int = DEFAULT_PORT

    def as_options(self, *, is_head: bool) -> list[str]:
        """Return the options of `ray start` that set these ports."""
        first = self.first
        pinned = {
            "node-manager-port": first + 1,
            "object-manager-port": first + 2,
            "runtime-env-agent-port": first + 3,
            "dashboard-agent-listen-port": first + 4,
            "dashboard-agent-grpc-port": first + 5,
            "metrics-export-port": first + 6,
            "min-worker-port": first + 10,
            "max-worker-port": first + 10 + _NUM_WORKER_PORTS - 1,
        }
        if is_head:
            pinned |= {"port": first}
        return [f"--{name}={port}" for name, port in pinned.items()]


def find_token_file(settings: Settings) -> Path:
    """Return where the token of the cluster is, or will be."""
    return (settings.cluster_token_file or settings.data_dir / TOKEN_FILE).absolute()


def make_token(path: Path) -> None:
    """Write a new token that only this user can read, unless the file exists already."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")  # renamed when it is complete
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32))
    draft.replace(path)


def check_token(path: Path) -> None:
    """Raise ConfigError if a token cannot be read from the file."""
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The cluster's token cannot be read from {path} ({error}). Copy it from the "
            "machine on which `triptych cluster start` runs, which names the file."
        ) from None
    if len(text) < 32:
        raise ConfigError(
            f"{path} does not contain a cluster token. Use the file that `triptych cluster start` "
            "names. If it is this one, delete it and run that command again: it makes a new one."
        )


def make_environ(token_file: Path) -> dict[str, str]:
    """Return Ray's environment variables: require the token, send no statistics, and log little."""
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token_file.absolute()),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_BACKEND_LOG_LEVEL": "error",
    }


def make_head_command(ports: Ports, host: str | None, *, has_dashboard: bool) -> list[str]:
    """Return the command for the machine to which all others connect."""
    command = [*_RAY_START, "--head", f"--include-dashboard={str(has_dashboard).lower()}"]
    return [*command, *_make_options(ports, host, 0, {}, is_head=True)]


def make_worker_command(
    address: str, ports: Ports, host: str | None, name: str, num_cards: int, folder: Path
) -> list[str]:
    """Return the command for a machine that draws. folder: where this worker keeps its state."""
    installation = sha256(f"{getnode()} {folder.absolute()}".encode()).hexdigest()[:32]
    labels = Versions.of_this_machine().as_labels(name, installation)
    return [
        *_RAY_START,
        f"--address={address}",
        *_make_options(ports, host, num_cards, labels, is_head=False),
    ]


_RAY_START = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block"]


def _make_options(
    ports: Ports, host: str | None, num_cards: int, labels: Mapping[str, str], *, is_head: bool
) -> list[str]:
    options = [
        "--num-cpus=0",
        f"--object-store-memory={_STORE_BYTES}",
        "--disable-usage-stats",
        "--include-log-monitor=false",  # it passes logs on to the bot, which does not ask for them
        *ports.as_options(is_head=is_head),
    ]
    if host:
        options.append(f"--node-ip-address={host}")
    if num_cards:
        options.append(f"--resources={json.dumps({CARDS: num_cards})}")
        options.append("--labels=" + ",".join(f"{k}={v}" for k, v in labels.items()))
    return options


class Supervisor:
    """Runs a command, and runs it again whenever it ends, until ``stop`` or until ``is_done``."""

    def __init__(
        self,
        command: list[str],
        environ: Mapping[str, str],
        say: Callable[[str], None],
        log_file: Path,
        is_done: Callable[[], bool] = lambda: False,
    ) -> None:
        self._command = command
        self._environ = {k: v for k, v in os.environ.items() if k != "RAY_AUTH_TOKEN"}
        self._environ |= environ
        self._say = say
        self._log_file = log_file
        self._is_done = is_done
        self._stop = threading.Event()

    def stop(self) -> None:
        """End the command and do not run it again. A signal handler may call this."""
        self._stop.set()

    def run(self) -> None:
        """Run the command. Returns after ``stop``, once the command has ended."""
        pause_seconds = 1.0
        while not self._stop.is_set():
            began_at = time.monotonic()
            code = self._run_once()
            if self._stop.is_set():
                return
            if time.monotonic() - began_at > _STEADY_SECONDS:
                pause_seconds = 1.0
            reason = self._read_last_line()
            self._say(
                f"Ray ended ({reason or f'exit code {code}'}). "
                f"It starts again in {pause_seconds:.0f} s."
            )
            self._stop.wait(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)

    def _run_once(self) -> int:
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        with self._log_file.open("w") as log:
            process = subprocess.Popen(
                self._command,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # so that Ctrl-C does not reach the command; we end it ourselves
                start_new_session=True,
            )
            while process.poll() is None and not self._stop.wait(_LOOK_SECONDS):
                if self._is_done():
                    self._stop.set()
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            return process.returncode

    def _read_last_line(self) -> str:
        lines = self._log_file.read_text("utf-8", errors="replace").splitlines()
        told = [line.strip() for line in lines if "Error" in line or "error" in line]
        return told[-1][:300] if told else ""
