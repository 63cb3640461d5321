"""A network of two machines: this one, and a network namespace behind a virtual cable. The cable
can be cut.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_SPACE, _HERE, _THERE = "triptych-far", "triptych0", "triptych1"
_ADDRESSES = ("10.254.77.1", "10.254.77.2")


@dataclass(frozen=True, slots=True)
class Cable:
    """The cable between the two. here, there: the addresses at its ends."""

    here: str = _ADDRESSES[0]
    there: str = _ADDRESSES[1]

    @property
    def prefix(self) -> list[str]:
        """Return what a command begins with if it runs at the other end."""
        return ["ip", "netns", "exec", _SPACE]

    def cut(self) -> None:
        """Lose everything that either end sends from now on; neither end is told.

        Each end then sends to a network card that does not exist.
        """
        nobody = ("lladdr", "02:00:00:00:00:01", "nud", "permanent")
        _run("ip", "neigh", "replace", self.there, "dev", _HERE, *nobody)
        _run("ip", "-n", _SPACE, "neigh", "replace", self.here, "dev", _THERE, *nobody)

    def mend(self) -> None:
        """Let the cable carry everything again."""
        _run("ip", "neigh", "del", self.there, "dev", _HERE)
        _run("ip", "-n", _SPACE, "neigh", "del", self.here, "dev", _THERE)


@contextmanager
def lay_cable() -> Iterator[Cable | None]:
    """Lay a cable on this machine; None if that is not possible (it needs root and iproute2)."""
    try:
        cable = _lay()
    except (OSError, subprocess.CalledProcessError):
        yield None
        return
    try:
        yield cable
    finally:
        _run("ip", "netns", "del", _SPACE)  # this removes the cable too


def _lay() -> Cable:
    cable = Cable()
    subprocess.run(
        ["ip", "netns", "del", _SPACE], capture_output=True, check=False
    )  # left by a run that was killed
    _run("ip", "netns", "add", _SPACE)
    _run("ip", "link", "add", _HERE, "type", "veth", "peer", "name", _THERE, "netns", _SPACE)
    _run("ip", "addr", "add", f"{cable.here}/30", "dev", _HERE)
    _run("ip", "link", "set", _HERE, "up")
    _run("ip", "-n", _SPACE, "addr", "add", f"{cable.there}/30", "dev", _THERE)
    _run("ip", "-n", _SPACE, "link", "set", _THERE, "up")
    _run("ip", "-n", _SPACE, "link", "set", "lo", "up")
    return cable


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
