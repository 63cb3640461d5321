"""Handles the registration of application commands, both global ones and those of a guild."""

import re
from collections.abc import Iterator
from typing import Any

from playground.api.router import Call, Created, Route
from playground.backend import Backend
from playground.wire.errors import FormErrors, Path, api_error, form_error
from playground.wire.payloads import command_payload
from playground.world.world import Command, Json

# Discord's pattern also allows letters of two scripts that \w lacks. We leave these out.
NAME = re.compile(r"[-_'\w]{1,32}")
# https://discord.com/developers/docs/reference#locales
LOCALES = (
    *("ar", "bg", "cs", "da", "de", "el", "en-GB", "en-US", "es-419", "es-ES", "fi", "fr", "he"),
    *("hi", "hr", "hu", "id", "it", "ja", "ko", "lt", "nl", "no", "pl", "pt-BR", "ro", "ru"),
    *("sv-SE", "th", "tr", "uk", "vi", "zh-CN", "zh-TW"),
)
MAX_SLASH_COMMANDS = 100
MAX_OPTIONS = MAX_CHOICES = 25


def overwrite_commands(backend: Backend, call: Call) -> list[Json]:
    """Replace all commands. A command with the same type and name keeps its id."""
    scope = _scope(call)
    definitions: list[Json] = call.body or []
    errors = FormErrors()
    for index, definition in enumerate(definitions):
        _check(definition, (index,), errors)
    errors.raise_if_any()
    if sum((d.get("type") or 1) == 1 for d in definitions) > MAX_SLASH_COMMANDS:
        raise form_error((), "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.")
    old = {(c.type, c.name): c for c in _commands(backend, scope)}
    for command in old.values():
        del backend.world.commands[command.id]
    return [_store(backend, scope, definition, old) for definition in definitions]


def list_commands(backend: Backend, call: Call) -> list[Json]:
    """List the commands. Translations are included only if the request asks for them."""
    found = [command_payload(backend.world, c) for c in _commands(backend, _scope(call))]
    is_asked = call.query.get("with_localizations", "").lower() in {"1", "true"}
    return found if is_asked else _without_localizations(found)


def create_command(backend: Backend, call: Call) -> Created:
    """Create a command, or replace the one with its type and name, as Discord does."""
    definition, scope = call.object(), _scope(call)
    errors = FormErrors()
    _check(definition, (), errors)
    errors.raise_if_any()
    old = {(c.type, c.name): c for c in _commands(backend, scope)}
    return Created(_store(backend, scope, definition, old))


def get_command(backend: Backend, call: Call) -> Json:
    return command_payload(backend.world, _command(backend, call))


def edit_command(backend: Backend, call: Call) -> Json:
    command = _command(backend, call)
    definition = command.definition | call.object()
    errors = FormErrors()
    _check(definition, (), errors)
    errors.raise_if_any()
    command.definition = definition
    command.version = backend.world.snowflakes.next()
    return command_payload(backend.world, command)


def delete_command(backend: Backend, call: Call) -> None:
    del backend.world.commands[_command(backend, call).id]


def _without_localizations(thing: Any) -> Any:
    if isinstance(thing, list):
        return [_without_localizations(each) for each in thing]
    if not isinstance(thing, dict):
        return thing
    kept = {key: each for key, each in thing.items() if not key.endswith("_localizations")}
    return {key: _without_localizations(each) for key, each in kept.items()}


def _scope(call: Call) -> int | None:
    return call.id("guild_id") if "guild_id" in call.params else None


def _commands(backend: Backend, scope: int | None) -> list[Command]:
    return [c for c in backend.world.commands.values() if c.guild_id == scope]


def _command(backend: Backend, call: Call) -> Command:
    command = backend.world.commands.get(call.id("command_id"))
    if command is None or command.guild_id != _scope(call):
        raise api_error(10063)
    return command


def _store(
    backend: Backend, scope: int | None, definition: Json, old: dict[tuple[int, str], Command]
) -> Json:
    snowflakes = backend.world.snowflakes
    known = old.get((definition.get("type") or 1, definition["name"]))
    if known is None:
        command = Command(snowflakes.next(), snowflakes.next(), scope, definition)
    elif known.definition == definition:
        command = known
    else:
        command = Command(known.id, snowflakes.next(), scope, definition)
    backend.world.commands[command.id] = command
    return command_payload(backend.world, command)


def _check(definition: Json, path: Path, errors: FormErrors) -> None:
    if (definition.get("type") or 1) == 1:
        _check_texts(definition, path, errors)
        _check_options(definition.get("options") or [], path, errors)
        return
    for where, name in _in_all_languages(definition, "name", path, errors):
        errors.check_length(where, name, 32, least=1)


def _check_options(options: list[Json], path: Path, errors: FormErrors) -> None:
    errors.check_length((*path, "options"), options, MAX_OPTIONS)
    for index, option in enumerate(options):
        where: Path = (*path, "options", index)
        _check_texts(option, where, errors)
        errors.check_length((*where, "choices"), option.get("choices"), MAX_CHOICES)
        for number, choice in enumerate(option.get("choices") or []):
            named = _in_all_languages(choice, "name", (*where, "choices", number), errors)
            for place, name in named:
                errors.check_length(place, name, 100, least=1)
        _check_options(option.get("options") or [], where, errors)


def _check_texts(thing: Json, path: Path, errors: FormErrors) -> None:
    for where, name in _in_all_languages(thing, "name", path, errors):
        if not NAME.fullmatch(name) or name != name.lower():
            errors.add(where, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    for where, description in _in_all_languages(thing, "description", path, errors):
        errors.check_length(where, description, 100, least=1)


def _in_all_languages(
    thing: Json, field: str, path: Path, errors: FormErrors
) -> Iterator[tuple[Path, str]]:
    """List all translations of the name or the description, each with its path in the payload."""
    yield (*path, field), thing.get(field) or ""
    for locale, text in (thing.get(f"{field}_localizations") or {}).items():
        where: Path = (*path, f"{field}_localizations", locale)
        if locale not in LOCALES:
            errors.add(where, "BASE_TYPE_CHOICES", f"Value must be one of {LOCALES}.")
        yield where, text


ROUTES = [
    route
    for base in (
        "/applications/{application_id}/commands",
        "/applications/{application_id}/guilds/{guild_id}/commands",
    )
    for route in (
        Route("PUT", base, overwrite_commands),
        Route("GET", base, list_commands),
        Route("POST", base, create_command),
        Route("GET", base + "/{command_id}", get_command),
        Route("PATCH", base + "/{command_id}", edit_command),
        Route("DELETE", base + "/{command_id}", delete_command),
    )
]
