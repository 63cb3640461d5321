"""Makes a worker's engine from the bot's settings and the settings of the worker's machine."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.engine import Engine, EngineApi, ModelSource, check_model, read_device
from bot.ops.resources import choose_model_source, choose_upscaler
from bot.settings import Settings, load_settings

ENV_FILE = "TRIPTYCH_ENV_FILE"
"""The variable with the path of the worker's own .env."""

_MODEL = ("model", "model_config_folder", "vae")
_DRAWING = ("deterministic", "compile_unet", "upscaler")


@dataclass(frozen=True, slots=True)
class WorkerEngineMaker:
    """Carries the bot's settings to a worker. If the worker sets MODEL, it uses its own model."""

    wishes: dict[str, Any]

    @classmethod
    def of(cls, settings: Settings) -> WorkerEngineMaker:
        """Copy those of the bot's settings that a worker needs. No token is among them."""
        return cls({name: getattr(settings, name) for name in (*_MODEL, *_DRAWING)})

    def __call__(self, number: int) -> EngineApi:
        """Make the engine for the card with this number. Raises ConfigError."""
        settings = self.combine(load_settings(_env_file=os.environ.get(ENV_FILE)))
        device = settings.devices[number] if settings.devices else settings.device
        kind, environ = read_device(device, settings.devices.count("cpu"))
        os.environ.pop("OMP_NUM_THREADS", None)  # Ray limits an actor without CPUs to one thread
        os.environ.update({k: v for k, v in environ.items() if k == "OMP_NUM_THREADS"})
        source = replace(self.choose_source(settings), device=kind)
        check_model(source)
        return Engine(
            source,
            cache_dir=settings.data_dir / "engine",
            deterministic=settings.deterministic,
            compile_unet=settings.compile_unet,
            upscaler=choose_upscaler(settings),
        )

    def combine(self, settings: Settings) -> Settings:
        """Use the bot's value for each setting that the worker does not set."""
        own = settings.model_fields_set
        wishes = {name: self.wishes[name] for name in _DRAWING if name not in own}
        if "model" not in own:
            wishes |= {name: self.wishes[name] for name in _MODEL}
        return settings.model_copy(update=wishes)

    def choose_source(self, settings: Settings) -> ModelSource:
        """Return where a worker's model comes from, and whether it is the bot's own model."""
        is_default = _name(settings.model) == _name(self.wishes["model"])
        return replace(choose_model_source(settings), is_default=is_default)


def _name(model: str | None) -> str | None:
    """Return the part of MODEL that is the same on every machine, wherever the files are."""
    return None if model is None else Path(model).name
