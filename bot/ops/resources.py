"""Finds the files that come with the code, both in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

from bot.engine.api import ModelSource
from bot.settings import Settings

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


def choose_model_source(settings: Settings) -> ModelSource:
    """Return the model that the settings name, or the starter model."""
    return ModelSource(
        model=settings.model or str(get_starter_model_folder()),
        model_config=settings.model_config_folder,
        vae=settings.vae,
        hf_token=settings.hf_token.get_secret_value() if settings.hf_token else None,
        device=settings.device,
        offload=settings.offload,
        quantization=settings.quantization,
    )
