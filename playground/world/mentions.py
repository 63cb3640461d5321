"""Finds out whom a message notifies, from its text and its `allowed_mentions`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from playground.world.world import Json

USER_MENTION = re.compile(r"<@!?(\d{1,20})>")
CHANNEL_MENTION = re.compile(r"<#(\d{1,20})>")
ROLE_MENTION = re.compile(r"<@&(\d{1,20})>")


@dataclass(slots=True, frozen=True)
class Mentions:
    user_ids: tuple[int, ...] = ()
    role_ids: tuple[int, ...] = ()
    everyone: bool = False


def find_mentions(
    text: str, allowed: Json | None, *, default: tuple[str, ...], may_mention_all: bool
) -> Mentions:
    """Find mentions. default: the kinds that count if the request has no `allowed_mentions`."""
    rules = {"parse": list(default)} if allowed is None else allowed
    parse = rules.get("parse") or []
    users = _named(USER_MENTION, text, "users" in parse, rules.get("users"))
    roles = _named(ROLE_MENTION, text, "roles" in parse, rules.get("roles"))
    everyone = may_mention_all and "everyone" in parse and ("@everyone" in text or "@here" in text)
    return Mentions(users, roles, everyone)


def _named(
    pattern: re.Pattern[str], text: str, all_of_them: bool, chosen: Sequence[str | int] | None
) -> tuple[int, ...]:
    found = dict.fromkeys(int(match) for match in pattern.findall(text))
    allowed = {int(i) for i in chosen or []}
    return tuple(i for i in found if all_of_them or i in allowed)
