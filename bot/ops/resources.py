"""Finds the files that come with the code, both in a checkout and in an installed wheel."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bot.domain.models import ModelEntry
from bot.engine import ModelSource, check_model
from bot.errors import ConfigError
from bot.ops.models_file import STARTER, ModelsFile, read_models_file
from bot.settings import Settings

log = logging.getLogger(__name__)

_PACKAGE = Path(__file__).resolve().parents[1]


def get_migrations_folder() -> Path:
    """Return the folder of SQL files: bot/migrations in a wheel, ../migrations in a checkout."""
    packaged = _PACKAGE / "migrations"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "migrations"


def get_starter_model_folder() -> Path:
    """Return the diffusers folder of the model that comes with Triptych."""
    return _PACKAGE / "starter_model"


def choose_upscaler(settings: Settings) -> Path | None:
    """Return the file of the network that enlarges pictures; None if the settings turn it off."""
    wish = (settings.upscaler or "").strip()
    if wish.lower() == "off":
        return None
    return Path(wish) if wish else _PACKAGE / "upscaler" / "realesr-animevideov3-x4.safetensors"


def load_models(settings: Settings) -> ModelsFile:
    """Read the models that MODELS_FILE names; none without this setting.

    Raises ConfigError with all mistakes if no model can be used.
    """
    if settings.models_file is None:
        return ModelsFile()
    found = read_models_file(settings.models_file)
    if not found.entries:
        faults = "\n".join(f"  {fault}" for fault in found.faults)
        raise ConfigError(f"MODELS_FILE cannot be used:\n{faults}")
    return found


def choose_model_source(settings: Settings) -> ModelSource:
    """Return the default model: see ``choose_model_sources``."""
    return choose_model_sources(settings)[0]


def choose_model_sources(settings: Settings) -> tuple[ModelSource, ...]:
    """Return the models in MODELS_FILE, else MODEL, else the starter model; the default one first.

    Raises ConfigError if no model in MODELS_FILE can be used.
    """
    entries = load_models(settings).entries
    if entries:
        return list_sources(entries, settings)
    config = settings.model_config_folder
    source = make_model_source(ModelEntry("", STARTER, "", config, settings.vae), settings)
    return (replace(source, model=settings.model) if settings.model else source,)


def list_sources(entries: Sequence[ModelEntry], settings: Settings) -> tuple[ModelSource, ...]:
    """Describe the models of MODELS_FILE for the engine. The first one is the default."""
    first, *others = [make_model_source(entry, settings) for entry in entries]
    return (first, *(replace(each, is_default=False) for each in others))


def check_sources(sources: Sequence[ModelSource]) -> None:
    """Check the models' files, and log what is wrong. Raises ConfigError if none can be used."""
    faults: list[str] = []
    for source in sources:
        try:
            check_model(source)
        except ConfigError as error:
            if len(sources) == 1:
                raise
            log.error("The model %s cannot be used: %s", source.id, error)
            faults.append(f"{source.id}: {error}")
    if len(faults) == len(sources):
        raise ConfigError("No model can be used.\n" + "\n".join(faults))


def make_model_source(entry: ModelEntry, settings: Settings) -> ModelSource:
    """Describe a model of MODELS_FILE for the engine."""
    is_starter = entry.model == STARTER
    return ModelSource(
        model=str(get_starter_model_folder()) if is_starter else entry.model,
        model_config=entry.model_config,
        vae=entry.vae,
        hf_token=settings.hf_token.get_secret_value() if settings.hf_token else None,
        device=settings.device,
        offload=settings.offload,
        quantization=settings.quantization,
        id=entry.id or None,
        label=entry.label,
        num_inference_steps=entry.num_inference_steps,
        guidance_scale=entry.guidance_scale,
        sampler=entry.sampler,
        size=entry.size,
        sizes=entry.sizes,
        licence=entry.licence,
    )


def describe_ignored(settings: Settings) -> str:
    """Name the settings that do not count because MODELS_FILE is set; "" if there are none."""
    values = {
        "MODEL": settings.model,
        "MODEL_CONFIG": settings.model_config_folder,
        "VAE": settings.vae,
    }
    ignored = [name for name, value in values.items() if value and settings.models_file]
    verb = "does" if len(ignored) == 1 else "do"
    return f"{', '.join(ignored)} {verb} not count" if ignored else ""
