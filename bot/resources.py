"""Finds what lies beside the code, in a checkout and in an installed wheel alike."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def get_migrations_folder() -> Path:
    """The folder of numbered SQL files: bot/migrations in a wheel, ../migrations in a checkout."""
    packaged = _PACKAGE / "migrations"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "migrations"


def get_starter_model_folder() -> Path:
    """The diffusers folder of the model that comes with Triptych."""
    return _PACKAGE / "starter_model"
