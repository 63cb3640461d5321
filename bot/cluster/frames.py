"""The messages between the bot's process and the child process with Ray's driver."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Joined:
    """A card can be used. key: its id until its machine leaves. name: its name for people."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class Left:
    """The machine of a card has left."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Noted:
    """What the owner should know about the cluster; "" if all is well."""

    text: str


@dataclass(frozen=True, slots=True)
class Open:
    """Start a worker on a card. session: a number that no earlier worker had."""

    key: str
    session: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End a worker."""

    session: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker has ended."""

    session: int
    reason: str


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes to or from a worker; see ``bot.engine.fleet.messages``."""

    session: int
    data: bytes
