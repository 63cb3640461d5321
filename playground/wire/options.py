"""Fills in a slash command. Refuses values that Discord's client would not send."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from playground.wire.message_payloads import MessagePayloads
from playground.wire.payloads import channel_payload, member_payload, role_payload, user_payload
from playground.world.files import Upload, store_upload
from playground.world.mentions import CHANNEL_MENTION, ROLE_MENTION, USER_MENTION
from playground.world.permissions import permissions_in
from playground.world.world import Channel, Command, Json, Role, User, World

SUBCOMMAND, SUBCOMMAND_GROUP, STRING, INTEGER, BOOLEAN = 1, 2, 3, 4, 5
USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = 6, 7, 8, 9, 10, 11
MAX_STRING = 6_000

OptionValue = str | int | float | bool | Upload | User | Channel | Role


class ClientRefusedError(Exception):
    """Raised if Discord's client would not let a person do this."""


@dataclass(slots=True)
class Resolved:
    """Collects the objects whose ids are in an interaction, for its field `resolved`."""

    world: World
    payloads: MessagePayloads
    channel: Channel
    data: Json = field(default_factory=dict)

    def add(self, value: OptionValue) -> str:
        """Add an object and return its id."""
        match value:
            case Upload():
                stored = store_upload(self.world, value, self.channel.id, is_ephemeral=True)
                self._put("attachments", stored.id, self.payloads.attachment(stored))
                return str(stored.id)
            case User():
                self._add_user(value)
            case Role():
                self._put("roles", value.id, role_payload(value))
            case Channel():
                self._put("channels", value.id, channel_payload(self.world, value))
                permissions = permissions_in(self.world, self.world.bot.id, value)
                self.data["channels"][str(value.id)]["permissions"] = str(permissions)
            case _:
                raise ClientRefusedError(f"{value!r} cannot be picked")
        return str(value.id)

    def add_mentioned(self, text: str) -> None:
        """Add the people, roles and channels that a text option mentions, as Discord does."""
        guild = self.world.guilds.get(self.channel.guild_id or 0)
        things: list[tuple[re.Pattern[str], Mapping[int, OptionValue]]]
        things = [(USER_MENTION, self.world.users)]
        if guild is not None:
            things += [(ROLE_MENTION, guild.roles), (CHANNEL_MENTION, guild.channels)]
        for pattern, known in things:
            for thing_id in map(int, pattern.findall(text)):
                if thing_id in known:
                    self.add(known[thing_id])

    def _add_user(self, user: User) -> None:
        self._put("users", user.id, user_payload(user))
        if self.channel.guild_id is None:
            return
        member = self.world.guilds[self.channel.guild_id].members.get(user.id)
        if member is not None:
            permissions = permissions_in(self.world, user.id, self.channel)
            payload = member_payload(member, with_user=False) | {"permissions": str(permissions)}
            self._put("members", user.id, payload)

    def _put(self, kind: str, thing_id: int, payload: Json) -> None:
        self.data.setdefault(kind, {})[str(thing_id)] = payload


def find_subcommand(command: Command, words: list[str]) -> Json:
    """Find the definition of the subcommand that the words name."""
    definition = command.definition
    for word in words:
        found = [o for o in definition.get("options") or [] if o["name"] == word]
        if not found or found[0]["type"] not in (SUBCOMMAND, SUBCOMMAND_GROUP):
            raise ClientRefusedError(f"/{command.name} has no subcommand {word!r}")
        definition = found[0]
    if any(o["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP) for o in definition.get("options") or []):
        raise ClientRefusedError(f"/{command.name} needs a subcommand")
    return definition


def fill_options(
    definition: Json, values: Mapping[str, OptionValue], resolved: Resolved, *, checked: bool
) -> list[Json]:
    """Return the `options` of the payload. If not checked, send even impossible values."""
    known = {option["name"]: option for option in definition.get("options") or []}
    if checked:
        _check_names(known, values)
    filled = []
    for name, value in values.items():
        option = known.get(name) or {"name": name, "type": _guess_type(value)}
        if checked:
            _check_value(option, value)
        picked = not isinstance(value, (str, int, float))
        shown = resolved.add(value) if picked else value
        if isinstance(value, str):
            resolved.add_mentioned(value)
        filled.append({"name": name, "type": option["type"], "value": shown})
    return filled


def nest_options(words: list[str], options: list[Json]) -> list[Json]:
    """Wrap the options in the name of the subcommand, and of its group."""
    kinds = [SUBCOMMAND_GROUP] * (len(words) - 1) + [SUBCOMMAND]
    for word, kind in zip(reversed(words), reversed(kinds), strict=False):
        options = [{"name": word, "type": kind, "options": options}]
    return options


def _check_names(known: Mapping[str, Json], values: Mapping[str, Any]) -> None:
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ClientRefusedError(f"no such option: {', '.join(unknown)}")
    missing = [n for n, option in known.items() if option.get("required") and n not in values]
    if missing:
        raise ClientRefusedError(f"required option missing: {', '.join(missing)}")


def _check_value(option: Json, value: OptionValue) -> None:
    wanted: dict[int, tuple[type, ...]] = {
        STRING: (str,),
        INTEGER: (int,),
        BOOLEAN: (bool,),
        USER: (User,),
        CHANNEL: (Channel,),
        ROLE: (Role,),
        MENTIONABLE: (User, Role),
        NUMBER: (int, float),
        ATTACHMENT: (Upload,),
    }
    name, kind = option["name"], option["type"]
    is_stray_bool = isinstance(value, bool) and kind != BOOLEAN
    if not isinstance(value, wanted[kind]) or is_stray_bool:
        raise ClientRefusedError(f"option {name}: {value!r} is of the wrong type")
    choices = option.get("choices")
    if choices and value not in [choice["value"] for choice in choices]:
        raise ClientRefusedError(f"option {name}: {value!r} is not among the choices")
    if isinstance(value, str):
        _check_range(name, len(value), option.get("min_length"), option.get("max_length"))
        _check_range(name, len(value), None, MAX_STRING)
    elif isinstance(value, (int, float)):
        _check_range(name, value, option.get("min_value"), option.get("max_value"))
        _check_range(name, value, -(2**53), 2**53)


def _check_range(name: str, value: float, least: float | None, most: float | None) -> None:
    if (least is not None and value < least) or (most is not None and value > most):
        raise ClientRefusedError(f"option {name}: {value} is not between {least} and {most}")


def _guess_type(value: OptionValue) -> int:
    for kinds, option_type in (
        (bool, BOOLEAN),
        (int, INTEGER),
        (float, NUMBER),
        (Upload, ATTACHMENT),
        (User, USER),
        (Channel, CHANNEL),
        (Role, ROLE),
    ):
        if isinstance(value, kinds):
            return option_type
    return STRING
