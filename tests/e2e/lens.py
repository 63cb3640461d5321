"""Checks between the bot and the playground that every text is translated and fits."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bot.engine.api import SAMPLER_IDS
from bot.recipes.styles import STARTERS
from playground.api.contract import Contract, Violation
from playground.wire.components import check_components, check_modal
from playground.wire.errors import ApiError, FormErrors
from playground.world.world import Interaction, Json, MessageFlag, World
from tests.texts.catalogues import PSEUDO, find_undisguised, undisguise

SAID = {"content", "label", "placeholder", "title", "description"}
"""The fields of a message or a form that people read. Choices also have a ``name``."""
MAX_CONTENT, MAX_CHOICE = 2000, 100
MODAL = 9
NAMES = (
    *("fake model", "cpu", "float32", *SAMPLER_IDS, "quality", "fast", "gif"),
    "realesr-animevideov3-x4",
    "text",  # the key of a file of rules
    "and seconds minutes hours days",  # words from Babel, which translates them itself
    *(
        "invalid perl operator",
        "missing",
        "database is locked",
    ),  # words from RE2 and SQLite, which speak only English
)
"""Names of the model, its engine and its presets, and words that come from libraries."""
_MARKUP = re.compile(r"<[@#/:at][^>]*>|attachment://\S+|https://discord\.com/\S+|`/[\w -]+`")
_WORD = re.compile(r"[^\W\d_]{2,}")


class Lens(Contract):
    """Finds texts that are not in the disguised language of ``catalogues.disguise``, or too long in
    it. Then it removes the disguise, so that the playground's people see English. world: the words
    of its people need no disguise. known: other words that need none.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.is_open = True
        styles = (text for style in STARTERS for text in (style.name, style.before, style.after))
        self.known = {word for text in (*NAMES, *styles) for word in list_words(text)}

    def learn(self, settings: Iterable[str]) -> None:
        """Learn the words in the bot's environment variables and files, which need no disguise."""
        for text in settings:
            is_file = text.startswith("/") and Path(text).is_file()
            self.known |= list_words(Path(text).read_text("utf-8") if is_file else text)

    def check(self, method: str, route: str, body: Any) -> list[str]:
        problems = super().check(method, route, body)
        if not self.is_open:
            return problems
        if route.endswith("/commands"):
            found = [p for command in body or [] for p in _find_unnamed(command, command["name"])]
        else:
            found = [*self._find_untranslated(body), *_find_too_long(body)]
            _undisguise(body)
        self.violations += [Violation(method, route, problem, body) for problem in found]
        return problems + found

    def _find_untranslated(self, body: Any) -> Iterator[str]:
        for key, text in _list_said(body):
            words = list_words(find_undisguised(text)) - self.known
            if words and (strange := words - self._list_written(words)):
                yield f"not translated: {sorted(strange)} in {key} {text!r}"

    def _list_written(self, words: set[str]) -> set[str]:
        """List what people have written. The bot may cut the end of a text within a word."""
        world = self._world
        people = [text for user in world.users.values() for text in (user.name, user.global_name)]
        places: list[Any] = [*people, *map(self._list_sent, world.interactions.values())]
        for guild in world.guilds.values():
            places += [guild.name, [role.name for role in guild.roles.values()]]
            places += [channel.name for channel in guild.channels.values()]
            places += guild.automod_rules
        written = {word for text in _list_strings(places) for word in list_words(text)} | self.known
        return {word for word in words if any(each.startswith(word) for each in written)}

    def _list_sent(self, interaction: Interaction) -> list[Any]:
        sent = (interaction.data.get("resolved") or {}).get("attachments") or {}
        files = [self._world.attachments[int(each)] for each in sent]
        texts = [
            each.content.decode(errors="ignore") for each in files if "json" in each.content_type
        ]
        return [interaction.data, *texts]


def list_words(text: str) -> set[str]:
    """List the words of a text, except markup that Discord replaces by its own words."""
    plain = unicodedata.normalize("NFKC", _MARKUP.sub(" ", text).replace("\\", ""))
    return set(_WORD.findall(plain.casefold()))


def _list_strings(thing: Any) -> Iterator[str]:
    if isinstance(thing, str):
        yield thing
    elif isinstance(thing, dict | list):
        for each in thing.values() if isinstance(thing, dict) else thing:
            yield from _list_strings(each)


def _list_said(thing: Any, within: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(thing, list):
        for each in thing:
            yield from _list_said(each, within)
    elif isinstance(thing, dict):
        for key, value in thing.items():
            if isinstance(value, str) and (key in SAID or (key, within) == ("name", "choices")):
                yield key, value
            else:
                yield from _list_said(value, key)


def _undisguise(thing: Any) -> None:
    """Remove the disguise in place, in the body that the playground reads."""
    if isinstance(thing, dict | list):
        pairs: Iterable[tuple[Any, Any]] = (
            thing.items() if isinstance(thing, dict) else enumerate(thing)
        )
        for key, value in [*pairs]:
            if isinstance(value, str):
                thing[key] = undisguise(value)
            else:
                _undisguise(value)


def _find_too_long(body: Any) -> Iterator[str]:
    if not isinstance(body, dict):
        return
    data: Json = body["data"] if isinstance(body.get("data"), dict) else body
    errors = FormErrors()
    errors.check_length(("content",), data.get("content"), MAX_CONTENT)
    for index, choice in enumerate(data.get("choices") or []):
        errors.check_length(("choices", index, "name"), choice["name"], MAX_CHOICE)
    if body.get("type") == MODAL:
        check_modal(data, errors)
    elif data.get("components"):
        names = re.findall(r"attachment://([^\"]+)", json.dumps(data, ensure_ascii=False))
        is_v2 = bool(int(data.get("flags") or 0) & MessageFlag.COMPONENTS_V2)
        check_components(data["components"], names, errors, is_v2=is_v2)
    try:
        errors.raise_if_any()
    except ApiError as error:
        yield f"does not fit: {json.dumps(error.errors)}"


def _find_unnamed(thing: Json, path: str) -> Iterator[str]:
    """Find names and descriptions of a command that have no translation."""
    for key in ("name", "description"):
        if list_words(thing.get(key) or "") and PSEUDO not in (
            thing.get(f"{key}_localizations") or {}
        ):
            yield f"not translated: the {key} of {path}"
    for key in ("options", "choices"):
        for each in thing.get(key) or []:
            yield from _find_unnamed(each, f"{path} {each['name']}")
