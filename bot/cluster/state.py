"""Small files through which `triptych worker`, its engines and `triptych worker drain` talk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

STATE_FOLDER = "TRIPTYCH_WORKER_STATE"
"""The variable with the path of the folder."""

_DRAIN = "drain"
_SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A folder on the worker's machine. A file with a process id counts while that process runs."""

    folder: Path

    def begin(self) -> None:
        """Note that this process supervises the worker, and delete the files of an earlier one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.iterdir():
            path.unlink()
        self._write(_SUPERVISOR)

    def end(self) -> None:
        """Note that the worker has ended."""
        (self.folder / _SUPERVISOR).unlink(missing_ok=True)

    def is_supervised(self) -> bool:
        """Return whether a worker runs on this machine."""
        return self._is_alive(self.folder / _SUPERVISOR)

    def ask_to_drain(self) -> None:
        """Ask the worker to finish its pictures and then end."""
        (self.folder / _DRAIN).touch()

    def is_draining(self) -> bool:
        """Return whether the worker was asked to drain."""
        return (self.folder / _DRAIN).exists()

    def note_busy(self, number: int) -> None:
        """Note that this process draws on a card."""
        self._write(f"card-{number}")

    def note_idle(self, number: int) -> None:
        """Note that the card's engine has finished everything."""
        (self.folder / f"card-{number}").unlink(missing_ok=True)

    def is_drained(self) -> bool:
        """Return whether the worker was asked to drain, and no engine is drawing any more."""
        return self.is_draining() and not any(map(self._is_alive, self.folder.glob("card-*")))

    def _write(self, name: str) -> None:
        (self.folder / name).write_text(str(os.getpid()), "utf-8")

    @staticmethod
    def _is_alive(path: Path) -> bool:
        try:
            process = int(path.read_text("utf-8"))
            os.kill(process, 0)
        except (OSError, ValueError):
            return False
        # in a container, an earlier process often had this process's id
        return process != os.getpid()
