"""Checks whether the versions of Triptych, torch and Python on two machines fit together."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

CARDS = "triptych_card"
"""The name of a Ray resource: each machine has one for each device that it draws on."""

_LABELS = {"triptych": "Triptych", "torch": "torch", "python": "Python"}
_NAME_LABEL = "triptych-name"
_INSTALLATION = "triptych-installation"
_NOT_IN_A_LABEL = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions on one machine."""

    triptych: str
    torch: str
    python: str

    @classmethod
    def of_this_machine(cls) -> Versions:
        """Read what is installed here."""
        return cls(_find("triptych-bot"), _find("torch"), "{}.{}.{}".format(*sys.version_info))

    @classmethod
    def of_labels(cls, labels: Mapping[str, str]) -> Versions:
        """Read the labels of a machine's Ray node."""
        return cls(*(labels.get(name, "unknown") for name in _LABELS))

    def as_labels(self, name: str, installation: str) -> dict[str, str]:
        """Return the labels for this machine's Ray node. installation: the worker's id, which never
        changes.
        """
        values = zip(_LABELS, (self.triptych, self.torch, self.python), strict=True)
        labels = {label: _clean(value) for label, value in values}
        return labels | {_NAME_LABEL: _clean(name) or "machine", _INSTALLATION: installation}

    def find_misfit(self, other: Versions) -> str | None:
        """Say which version differs on another machine, and what to do; None if all fit.

        Triptych's version must be equal. For torch and Python, the first two numbers must be equal.
        """
        ours = (_clean(self.triptych), _shorten(self.torch), _shorten(self.python))
        theirs = (_clean(other.triptych), _shorten(other.torch), _shorten(other.python))
        full = zip(_LABELS.values(), (self.triptych, self.torch, self.python), strict=True)
        for (label, wanted), here, there in zip(full, ours, theirs, strict=True):
            if here != there:
                return f"it has {label} {there}, but {label} {wanted} is needed: install that there"
        return None


def read_name(labels: Mapping[str, str]) -> str:
    """Return a machine's name for people."""
    return labels.get(_NAME_LABEL, "machine")


def read_installation(labels: Mapping[str, str]) -> str:
    """Return the id of a worker, which stays the same when the worker joins again."""
    return labels.get(_INSTALLATION, "")


def _find(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _clean(text: str) -> str:
    """Remove endings such as "+cpu", and characters that Ray labels must not contain."""
    return _NOT_IN_A_LABEL.sub("-", text.partition("+")[0]).strip("-_.")[:63]


def _shorten(text: str) -> str:
    """Return the first two numbers of a version."""
    return ".".join(_clean(text).split(".")[:2])
