"""Says in which places Discord offers each command: in servers, or in direct messages too.

We set it on every command, because a default of the command tree would override ``guild_only``.
"""

from __future__ import annotations

from typing import Any, TypeVar

from discord import app_commands

T = TypeVar("T")


def anywhere(command: T) -> T:
    """Offer a command in servers, in direct messages, and wherever a person has installed it."""
    return _offer(command, outside=True)


def in_servers(command: T) -> T:
    """Offer a command only in servers that have installed Triptych."""
    return app_commands.guild_only()(_offer(command, outside=False))


def is_for_servers(command: Any) -> bool:
    """Return whether a command, or its group, is only for servers. That is the default."""
    installs = (getattr(command, "root_parent", None) or command).allowed_installs
    return installs is None or not installs.user


def _offer(command: T, *, outside: bool) -> T:
    contexts = app_commands.allowed_contexts(guilds=True, dms=outside, private_channels=outside)
    installs = app_commands.allowed_installs(guilds=True, users=outside)
    return contexts(installs(command))
