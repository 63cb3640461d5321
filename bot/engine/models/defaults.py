"""Reads ``triptych.json``, in which an owner says what a model's own files do not."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bot.domain.samplers import find_sampler
from bot.engine.models.files import BrokenFiles, read_json
from bot.errors import ConfigError

PREDICTION_TYPES = {"epsilon": "epsilon", "v": "v_prediction", "v_prediction": "v_prediction"}
"""What a UNet can predict: the names that people use, each with diffusers' own name."""

_FILE = "triptych.json"
_SPACINGS = ("leading", "linspace", "trailing")
_SIDES = range(64, 4097, 8)


@dataclass(frozen=True, slots=True)
class Traits:
    """Facts about a model that its config files do not state. None: trust the config files.

    prediction_type, timestep_spacing: the values that diffusers uses. zero_snr: whether the model
    was trained up to pure noise. size: native width and height in pixels.
    """

    prediction_type: str | None = None
    zero_snr: bool = False
    size: tuple[int, int] | None = None
    timestep_spacing: str | None = None


@dataclass(frozen=True, slots=True)
class Defaults:
    """The owner's defaults for a model, used where a member chooses nothing.

    None: use what ``few_steps`` recognised, or else the pipeline's own default.
    shows_enlarged: whether the upscaler enlarges its small pictures before people see them.
    traits: facts that overrule the model's files. licence: "" if this file does not name it.
    """

    name: str
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    sampler: str | None = None
    shows_enlarged: bool = False
    licence: str = ""
    traits: Traits = field(default_factory=Traits)


def read_defaults(folder: Path | None, model: str) -> Defaults:
    """Read the owner's file about a model.

    folder: the diffusers folder; None for a single file. Beside a single file,
    ``NAME.triptych.json`` is used if it exists, otherwise ``triptych.json``. Raises ConfigError.
    """
    path = Path(model)
    is_file = model.lower().endswith((".safetensors", ".gguf"))
    name = path.stem if is_file else path.name
    if folder is not None:
        places = (folder / _FILE,)
    else:
        places = (path.with_suffix(f".{_FILE}"), path.parent / _FILE) if is_file else ()
    place = next((each for each in places if each.exists() or each.is_symlink()), None)
    return Defaults(name) if place is None else _read(place, name)


def _read(path: Path, name: str) -> Defaults:
    try:
        values = {key: _read_value(key, value) for key, value in read_json(path).items()}
    except (BrokenFiles, ValueError) as error:
        raise ConfigError(
            f"{path} must be a JSON object of any of these: name (text), num_inference_steps "
            "(1 to 1000), guidance_scale (0 to 100), prediction_type (epsilon or v_prediction), "
            "sampler (its id or name), timestep_spacing (leading, linspace or trailing), "
            "native_size (pixels, or [width, height]; multiples of 8 from 64 to 4096), "
            "shows_enlarged (true or false), licence (text). "
            f"This stands in the way: {error}"
        ) from error
    traits = Traits(
        prediction_type=values.pop("prediction_type", None),
        size=values.pop("native_size", None),
        timestep_spacing=values.pop("timestep_spacing", None),
    )
    return Defaults(**{"name": name, **values}, traits=traits)


def _read_value(key: str, value: Any) -> Any:
    if key not in _READERS:
        raise ValueError(f"{key} is none of them")
    return _READERS[key](value)


def _read_name(value: Any, key: str = "name") -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key} is no text")
    return value.strip()


def _read_steps(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= 1000:
        raise ValueError(f"num_inference_steps is {value!r}")
    return value


def _read_guidance(value: Any) -> float:
    if type(value) not in {int, float} or not math.isfinite(value) or not 0 <= value <= 100:
        raise ValueError(f"guidance_scale is {value!r}")
    return float(value)


def _read_prediction(value: Any) -> str:
    if not isinstance(value, str) or value not in PREDICTION_TYPES:
        raise ValueError(f"prediction_type is {value!r}")
    return PREDICTION_TYPES[value]


def _read_size(value: Any) -> tuple[int, int]:
    sides = value if isinstance(value, list) else [value, value]
    if len(sides) != 2 or not all(type(side) is int and side in _SIDES for side in sides):
        raise ValueError(f"native_size is {value!r}")
    return sides[0], sides[1]


def _read_sampler(value: Any) -> str:
    found = find_sampler(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"sampler is {value!r}")
    return found


def _read_spacing(value: Any) -> str:
    if value not in _SPACINGS:
        raise ValueError(f"timestep_spacing is {value!r}")
    return value


def _read_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"shows_enlarged is {value!r}")
    return value


_READERS = {
    "name": _read_name,
    "num_inference_steps": _read_steps,
    "guidance_scale": _read_guidance,
    "prediction_type": _read_prediction,
    "sampler": _read_sampler,
    "timestep_spacing": _read_spacing,
    "native_size": _read_size,
    "shows_enlarged": _read_flag,
    "licence": partial(_read_name, key="licence"),
}
