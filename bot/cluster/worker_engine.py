"""Makes a worker's engine from the bot's settings and the settings of the worker's machine."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.domain.models import ModelEntry
from bot.engine import Engine, EngineApi, ModelSource, read_device
from bot.ops.resources import (
    check_sources,
    choose_model_sources,
    choose_upscaler,
    list_sources,
    load_models,
)
from bot.settings import Settings, load_settings

ENV_FILE = "TRIPTYCH_ENV_FILE"
"""The variable with the path of the worker's own .env."""

_OWN_MODELS = {"model", "models_file"}
_MODEL = ("model", "model_config_folder", "vae")
_DRAWING = ("deterministic", "compile_unet", "upscaler")


@dataclass(frozen=True, slots=True)
class WorkerEngineMaker:
    """Carries the bot's settings and models to a worker.

    entries: the models in the bot's MODELS_FILE. If the worker sets MODEL or MODELS_FILE, it uses
    its own models instead.
    """

    wishes: dict[str, Any]
    entries: tuple[ModelEntry, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> WorkerEngineMaker:
        """Copy what a worker needs of the bot's settings. No token is among it."""
        wishes = {name: getattr(settings, name) for name in (*_MODEL, *_DRAWING)}
        return cls(wishes, load_models(settings).entries)

    def __call__(self, number: int) -> EngineApi:
        """Make the engine for the card with this number. Raises ConfigError."""
        here = load_settings(_env_file=os.environ.get(ENV_FILE))
        settings = self.combine(here)
        device = settings.devices[number] if settings.devices else settings.device
        kind, environ = read_device(device, settings.devices.count("cpu"))
        os.environ.pop("OMP_NUM_THREADS", None)  # Ray limits an actor without CPUs to one thread
        os.environ.update({k: v for k, v in environ.items() if k == "OMP_NUM_THREADS"})
        sources = [replace(each, device=kind) for each in self.choose_sources(here)]
        check_sources(sources)
        return Engine(
            sources,
            cache_dir=settings.data_dir / "engine",
            deterministic=settings.deterministic,
            compile_unet=settings.compile_unet,
            upscaler=choose_upscaler(settings),
        )

    def combine(self, settings: Settings) -> Settings:
        """Use the bot's value for each setting that the worker does not set."""
        own = settings.model_fields_set
        wishes = {name: self.wishes[name] for name in _DRAWING if name not in own}
        if not own & _OWN_MODELS:
            wishes |= {name: self.wishes[name] for name in _MODEL}
        return settings.model_copy(update=wishes)

    def choose_sources(self, here: Settings) -> tuple[ModelSource, ...]:
        """Return where a worker's models come from. The bot's default model is marked as such.

        here: the settings of the worker's machine.
        """
        settings, has_own = self.combine(here), here.model_fields_set & _OWN_MODELS
        if self.entries and not has_own:
            return list_sources(self.entries, settings)
        first, *others = choose_model_sources(settings)
        is_same = not self.entries and _name(settings.model) == _name(self.wishes["model"])
        return (replace(first, is_default=is_same and settings.models_file is None), *others)


def _name(model: str | None) -> str | None:
    """Return the part of MODEL that is the same on every machine, wherever the files are."""
    return None if model is None else Path(model).name
