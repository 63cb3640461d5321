"""Reads MODELS_FILE: the models that the bot offers, as the owner describes them in TOML."""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from bot.domain.models import ModelEntry
from bot.domain.recipes import Parameters
from bot.domain.samplers import SAMPLERS, find_sampler, suggest_sampler

STARTER = "starter"
"""What ``model`` names for the model that comes with Triptych."""

_ID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,38}[A-Za-z0-9])?")
"""Fits into a button's custom_id, into the value of a choice, and into a file's name."""
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
_DISCORD_ID = re.compile(r"[0-9]{15,20}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FILE_SUFFIXES = (".safetensors", ".gguf", ".ckpt", ".pt", ".pth", ".bin", ".pkl")
_SIDES = range(64, 4097, 8)
_STEPS = range(1, 1001)
_GUIDANCE = Parameters.list_bounds()["guidance_scale"]
_MAX_SIZES = 20
_MAX_LABEL_LENGTH = 80
_MAX_TEXT_LENGTH = 200
_MAX_PATH_LENGTH = 4096
_MAX_FILE_BYTES = 1_000_000
_SHOWN_LENGTH = 60  # the most characters of a wrong value that a fault shows
_OTHER_NAMES = {
    "steps": "num_inference_steps",
    "guidance": "guidance_scale",
    "cfg": "guidance_scale",
    "scheduler": "sampler",
    "name": "label",
    "path": "model",
    "source": "model",
    "license": "licence",
    "servers": "guilds",
}
"""What owners may write for a key, apart from misspelling it."""


@dataclass(frozen=True, slots=True)
class ModelsFile:
    """What is in MODELS_FILE.

    entries: the models that can be used, in the order of the file; the first one is the default.
    faults: one sentence for each mistake. An entry with a mistake is left out.
    """

    entries: tuple[ModelEntry, ...] = ()
    faults: tuple[str, ...] = ()


class _Fault(ValueError):
    """Says what is wrong with one value, and what to write."""


def read_models_file(path: Path) -> ModelsFile:
    """Read the file, and find every mistake in it. This does not open the models themselves."""
    try:
        document = _parse(path)
        tables = document.pop("model", [])
        if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
            raise _Fault("must have each model below a line [[model]], in double brackets")
    except _Fault as fault:
        return ModelsFile(faults=(f"{path} {fault}.",))
    faults = [_explain_outside(key) for key in document]
    found = _Entries(Path(os.path.abspath(path)).parent)
    for number, table in enumerate(tables, 1):
        found.add(number, table)
    faults += found.faults
    if not found.entries:
        faults.append(f"{path} names no model that can be used.")
    return ModelsFile(tuple(found.entries), tuple(faults))


def _parse(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise _Fault("is larger than 1 MB, so it is no list of models; correct MODELS_FILE")
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        why = error.strerror or error
        raise _Fault(f"cannot be read ({why}); correct MODELS_FILE, or the file") from None
    except UnicodeDecodeError:
        raise _Fault("is not UTF-8; save it as UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise _Fault(f"is no TOML: {error}") from None
    except RecursionError:
        raise _Fault(
            "is no TOML that can be read, because its values are nested too deep"
        ) from None


class _Entries:
    """Collects the entries of a file, and the mistakes. base: the folder that paths count from."""

    def __init__(self, base: Path) -> None:
        self.entries: list[ModelEntry] = []
        self.faults: list[str] = []
        self._base = base
        self._numbers: dict[str, int] = {}

    def add(self, number: int, table: dict[str, Any]) -> None:
        """Read one entry. If it has a mistake, note all its mistakes and leave it out."""
        id_ = table.get("id")
        where = f"model {number}" + (f" ({_show(id_)})" if id_ is not None else "")
        faults: list[str] = []
        values: dict[str, Any] = {}
        for key, value in table.items():
            try:
                if key in _PLACES:
                    values[key] = _PLACES[key](value, self._base)
                elif key in _READERS:
                    values[key] = _READERS[key](value)
                else:
                    faults.append(_explain_key(key, _KEYS, where))
            except _Fault as fault:
                faults.append(f"{where}: {key} {fault}.")
        for key, example in _NEEDED.items():
            if key not in table:
                faults.append(f"{where}: {key} is missing; write, for example, {example}.")
        faults += self._note_names(number, where, values)
        self.faults += faults
        if not faults:
            self.entries.append(ModelEntry(**values))

    def _note_names(self, number: int, where: str, values: Mapping[str, Any]) -> list[str]:
        """Check that no other entry has the same id or label, in any case."""
        faults = []
        names = {key: values[key].casefold() for key in ("id", "label") if key in values}
        for key, name in names.items():
            other = self._numbers.get(name, number)
            if other != number:
                faults.append(
                    f"{where}: {key} is already the name of model {other}; write another one."
                )
        for name in names.values():
            self._numbers.setdefault(name, number)
        return faults


def _explain_outside(key: str) -> str:
    """Explain a key that belongs to no model."""
    if key in _KEYS:
        return f"the file: {key!r} must be below a line [[model]], because it describes one model."
    return _explain_key(key, ("model",), "the file")


def _explain_key(key: str, known: tuple[str, ...], where: str) -> str:
    near = get_close_matches(key.casefold(), known, n=1, cutoff=0.7)
    meant = _OTHER_NAMES.get(key.casefold())
    guess = meant if meant in known else next(iter(near), None)
    remedy = f"did you mean {guess}?" if guess else f"write only {', '.join(known)}."
    return f"{where}: {_show(key)} is no key; {remedy}"


def _show(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN_LENGTH else f"{shown[:_SHOWN_LENGTH]}…"


def _read_text(value: Any, most: int = _MAX_TEXT_LENGTH) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Fault(f"is {_show(value)}; write a text in quotes")
    if len(value) > most or _CONTROL.search(value):
        raise _Fault(f"is {_show(value)}; write one line of at most {most} characters")
    return value.strip()


def _read_id(value: Any) -> str:
    text = _read_text(value)
    if not _ID.fullmatch(text):
        raise _Fault(
            f"is {_show(value)}; write at most 40 letters from a to z, digits, dots, hyphens and "
            "underscores, with a letter or digit at both ends"
        )
    return text


def _read_label(value: Any) -> str:
    return _read_text(value, _MAX_LABEL_LENGTH)


def _read_model(value: Any, base: Path) -> str:
    return STARTER if value == STARTER else _read_place(value, base)


def _read_place(value: Any, base: Path) -> str:
    """Return the absolute path of a file or folder that is there, or else a Hugging Face id."""
    text = _read_text(value, _MAX_PATH_LENGTH)
    place = base / os.path.expanduser(text)
    if os.path.lexists(place):
        return str(place)
    if _is_path(text, base):
        raise _Fault(
            f"names {place}, which is not there; correct the path, which counts from the folder of "
            "this file, or write a Hugging Face id such as CompVis/stable-diffusion-v1-4"
        )
    if not _HUB_ID.fullmatch(text):
        raise _Fault(
            f"is {_show(value)}, which is neither a file or folder here nor a Hugging Face id such "
            "as CompVis/stable-diffusion-v1-4"
        )
    return text


def _is_path(text: str, base: Path) -> bool:
    """Return whether a text that names nothing on this machine was meant as a path."""
    is_file = text.lower().endswith(_FILE_SUFFIXES)
    first, *others = text.split("/")
    return is_file or text[0] in "/~." or (bool(others) and (base / first).is_dir())


def _read_steps(value: Any) -> int:
    if type(value) is not int or value not in _STEPS:
        raise _Fault(f"is {_show(value)}; write a whole number from 1 to {_STEPS[-1]}")
    return value


def _read_guidance(value: Any) -> float:
    least, most = _GUIDANCE
    is_number = type(value) in {int, float} and math.isfinite(value)
    if not is_number or not least <= value <= most:
        raise _Fault(f"is {_show(value)}; write a number from {least} to {most}")
    return float(value)


def _read_sampler(value: Any) -> str:
    text = _read_text(value)
    found = find_sampler(text)
    if found is None:
        near = suggest_sampler(text)
        remedy = f"write, for example, {near}" if near else f"write one of {', '.join(SAMPLERS)}"
        raise _Fault(f"is {_show(value)}, which is no sampler; {remedy}")
    return found


def _read_size(value: Any) -> tuple[int, int]:
    sides = value if isinstance(value, list) else []
    if len(sides) != 2 or not all(type(side) is int and side in _SIDES for side in sides):
        raise _Fault(
            f"is {_show(value)}; write [width, height] in pixels, such as [1024, 768]: multiples "
            f"of 8 from {_SIDES[0]} to {_SIDES[-1]}"
        )
    return sides[0], sides[1]


def _read_sizes(value: Any) -> tuple[tuple[int, int], ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_SIZES:
        raise _Fault(
            f"is {_show(value)}; write a list of 1 to {_MAX_SIZES} sizes, such as "
            "[[1024, 1024], [1024, 768]]"
        )
    return tuple(dict.fromkeys(_read_size(each) for each in value))


def _read_ids(value: Any) -> frozenset[int]:
    """Read Discord ids. An empty list is a mistake, because it might mean nobody or everybody."""
    each = value if isinstance(value, list) else []
    texts = [str(one) if type(one) in {int, str} else "" for one in each]
    wrong = [one for one, text in zip(each, texts, strict=True) if not _DISCORD_ID.fullmatch(text)]
    if not texts or wrong:
        raise _Fault(
            f"is {_show(wrong[0] if wrong else value)}; write a list of ids of 15 to 20 digits, "
            'such as ["123456789012345678"], or leave it out for everybody'
        )
    return frozenset(map(int, texts))


def _read_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Fault(f"is {_show(value)}; write true or false, without quotes")
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "id": _read_id,
    "label": _read_label,
    "num_inference_steps": _read_steps,
    "guidance_scale": _read_guidance,
    "sampler": _read_sampler,
    "size": _read_size,
    "sizes": _read_sizes,
    "licence": _read_text,
    "guilds": _read_ids,
    "roles": _read_ids,
    "depicts_person": _read_flag,
}
"""The keys, each with a function that reads its value."""
_PLACES: dict[str, Callable[[Any, Path], str]] = {
    "model": _read_model,
    "model_config": _read_place,
    "vae": _read_place,
}
"""The keys whose values may be paths. Their functions also get the folder of the file."""
_KEYS = tuple(field.name for field in fields(ModelEntry))
_NEEDED = {"id": 'id = "my-model"', "model": 'model = "CompVis/stable-diffusion-v1-4"'}
