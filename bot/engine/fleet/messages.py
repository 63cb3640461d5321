"""The messages between the bot and an engine in another process, and their form as bytes."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, is_dataclass
from enum import Enum
from io import BytesIO
from typing import Any, TypeAlias

from bot.engine.api import Estimator, GenerationOutput, GenerationRequest, ModelInfo, ModelStatus
from bot.errors import TriptychError

ROOMS = {"bot"}
"""The packages whose data a message may hold."""

_OTHERS = {
    "builtins": {"dict", "frozenset", "list", "set", "tuple"},
    "numpy": {"dtype", "ndarray"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.numeric": {"_frombuffer"},
}
"""What else a message may hold, by module: containers, and all that makes an array."""


@dataclass(frozen=True, slots=True)
class Submit:
    """Draw a request. Its ``request_id`` is new for each attempt."""

    request: GenerationRequest


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop a request."""

    request_id: int


@dataclass(frozen=True, slots=True)
class Forget:
    """Forget every prompt that is not being drawn."""


@dataclass(frozen=True, slots=True)
class Close:
    """Cancel everything and end within these seconds."""

    deadline_seconds: float


@dataclass(frozen=True, slots=True)
class Loaded:
    """The first model is loaded. models: see ``EngineApi.models``."""

    info: ModelInfo
    estimator: Estimator
    models: tuple[ModelStatus, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """A request failed; or, without a ``request_id``, the model could not be loaded."""

    request_id: int | None
    error: TriptychError


@dataclass(frozen=True, slots=True)
class Changed:
    """The engine now has room for more or less work than before, or its models have changed.

    estimator: None if no model works any more. is_loading: see ``EngineApi.is_loading``.
    """

    estimator: Estimator | None
    models: tuple[ModelStatus, ...]
    is_loading: bool


@dataclass(frozen=True, slots=True)
class Stepped:
    """Progress of a request. preview: ``num_pictures`` small pictures as one WebP, or b""."""

    request_id: int
    step: int
    num_steps: int
    num_pictures: int = 0
    preview: bytes = b""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The pictures of a request."""

    request_id: int
    output: GenerationOutput


@dataclass(frozen=True, slots=True)
class Draining:
    """The engine finishes its requests and takes no more: the owner wants the machine back."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A line for the bot's log."""

    logger: str
    level: int
    text: str


Order: TypeAlias = Submit | Cancel | Forget | Close
"""What the bot tells an engine."""

Report: TypeAlias = Loaded | Failed | Changed | Stepped | Drawn | Draining | Logged
"""What an engine tells the bot."""


def pack(message: object) -> bytes:
    """Return a message as bytes."""
    return pickle.dumps(message, protocol=5)


def unpack(data: bytes) -> Any:
    """Read a message from bytes. Raises ValueError if they contain anything unexpected.

    The result may be any of our data, not only a message. While bytes are read, only our
    dataclasses, enums and errors are called, and the functions that make an array.
    """
    try:
        return _Reader(BytesIO(data)).load()
    except Exception as error:
        raise ValueError(f"not a message of Triptych: {type(error).__name__}: {error}") from error


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name in _OTHERS.get(module, ()):
            return super().find_class(module, name)
        if module.partition(".")[0] in ROOMS:
            # also finds "os.system" in a module that imports os
            found = super().find_class(module, name)
            if getattr(found, "__module__", "") == module and _is_data(found):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is not expected")


def _is_data(found: object) -> bool:
    if not isinstance(found, type):
        return False
    return is_dataclass(found) or issubclass(found, Enum | TriptychError)
