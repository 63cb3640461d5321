"""A cluster on this machine, started with Triptych's own commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue

from bot.engine import EngineApi, EnginePool, EngineState, ModelInfo
from tests.engine.fleet.children import fail_some
from tests.fakes.engine import FakeEngine

ROOT = Path(__file__).resolve().parents[2]
FIRST_PORT = 27_000
_STALE = """
from bot.cluster import versions
versions._find = lambda package: "0.0.1" if package == "triptych-bot" else versions.version(package)
from bot.cli.main import main
main()
"""
SECONDS = 180  # a node of Ray takes several seconds to start, far more on a busy machine


@dataclass(frozen=True, slots=True)
class FakeMaker:
    """Makes fake engines on the workers."""

    step_seconds: float = 0.0

    def __call__(self, number: int) -> EngineApi:
        return FakeEngine(step_seconds=self.step_seconds, flaw=fail_some)


@dataclass
class Nodes:
    """The commands that run. Each has a folder of its own."""

    folder: Path
    first_port: int = FIRST_PORT
    host: str = "127.0.0.1"
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    python: list[str] = field(default_factory=lambda: ["-m", "bot"])
    _num_started: int = 0

    @property
    def address(self) -> str:
        return f"{self.host}:{self.first_port}"

    @property
    def token_file(self) -> Path:
        return self.folder / "head" / "cluster-token"

    def start_head(self) -> str:
        """Start the head; returns what the command prints."""
        options = ["--ports", str(self.first_port), "--host", self.host]
        process = self._run("head", "cluster", "start", *options)
        assert process.stdout is not None
        return "".join(process.stdout.readline() for _ in range(4))

    def start_worker(
        self, name: str, prefix: Sequence[str] = (), host: str = "", **environ: str
    ) -> subprocess.Popen[str]:
        """Start a worker. prefix: what its command begins with. host: its address, if another."""
        self._num_started += 1
        ports = str(self.first_port + 120 * self._num_started)
        arguments = ["--join", self.address, "--token-file", str(self.token_file)]
        arguments += ["--ports", ports, "--name", name]
        arguments += ["--host", host or self.host]
        return self._run(name, "worker", *arguments, prefix=prefix, **environ)

    def start_stale_worker(self, name: str) -> subprocess.Popen[str]:
        """Start a worker whose Triptych is another version."""
        self.python = ["-c", _STALE]
        try:
            return self.start_worker(name)
        finally:
            self.python = ["-m", "bot"]

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "bot", *arguments],
            env=self._environ(name),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def stop(self, name: str) -> None:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        process.wait(SECONDS)
        if process.stdout is not None:
            process.stdout.close()

    def stop_all(self) -> None:
        for name in reversed(list(self.processes)):
            self.stop(name)

    def read_logs(self) -> list[tuple[str, str]]:
        """Return what each command has printed since the last call, and what Ray told it."""
        found = []
        for name, process in self.processes.items():
            assert process.stdout is not None
            os.set_blocking(process.stdout.fileno(), False)
            found.append((f"{name} prints", process.stdout.read()))
        return found + [
            (f"{path.parent.name}/{path.name}", path.read_text("utf-8"))
            for path in self.folder.glob("*/*.log")
        ]

    def _run(
        self, name: str, *arguments: str, prefix: Sequence[str] = (), **environ: str
    ) -> subprocess.Popen[str]:
        process = self.processes[name] = subprocess.Popen(
            [*prefix, sys.executable, *self.python, *arguments],
            env=self._environ(name) | environ,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        return process

    def _environ(self, name: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        return kept | {
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "DATA_DIR": str(self.folder / name),
            "DEVICE": "cpu",
            # Ray notices sooner that a node is gone than it does by itself
            "RAY_health_check_period_ms": "1000",
            "RAY_health_check_timeout_ms": "3000",
            "RAY_health_check_failure_threshold": "3",
            "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
        }


def start(pool: EnginePool) -> ModelInfo:
    """Start a pool, and tend it until it is ready, as the bot does: the head may not answer yet."""
    ready = pool.start()
    for _ in range(SECONDS * 2):
        with suppress(TimeoutError):
            return ready.result(0.5)
        pool.tend()
    raise AssertionError(f"not ready: {pool.list_notes()}")


class Watch:
    """Waits for a pool's engines."""

    def __init__(self, pool: EnginePool) -> None:
        self.pool = pool
        self._changes: SimpleQueue[None] = SimpleQueue()
        pool.on_change = lambda: self._changes.put(None)

    def until(self, **states: EngineState | None) -> None:
        """Wait until each engine has this state; None: until it is gone. Tends the pool."""
        wanted = {name.replace("_", "-"): state for name, state in states.items()}
        for _ in range(SECONDS * 2):
            found = {each.name: each.state for each in self.pool.list_engines()}
            if all(found.get(name) is state for name, state in wanted.items()):
                return
            self.pool.tend()
            try:
                self._changes.get(timeout=0.5)
            except Empty:
                continue
        raise AssertionError(f"{wanted} wanted, {self.pool.list_engines()} found")

    def until_note(self, words: str) -> None:
        """Wait until the owner is told something with these words; "": until there is nothing."""
        for _ in range(SECONDS * 2):
            notes = self.pool.list_notes()
            if any(words in note for note in notes) if words else not notes:
                return
            self.pool.tend()
            threading.Event().wait(0.5)
        raise AssertionError(f"{words!r} wanted, {self.pool.list_notes()} found")
