"""Finds files in the cache of earlier downloads from Hugging Face."""

from __future__ import annotations

import re
from pathlib import Path

from bot.engine.models.files import BrokenFiles
from bot.errors import ConfigError

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def is_hub_id(name: str) -> bool:
    """Return whether a name has the form of a Hugging Face id."""
    from huggingface_hub.utils import HFValidationError, validate_repo_id  # noqa: PLC0415

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return _HUB_ID.fullmatch(name) is not None


def find_cached_file(repository: str, name: str) -> Path | None:
    """Find a Hub file that was downloaded earlier."""
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 only ids need it

    found = try_to_load_from_cache(repository, name)
    return Path(found) if isinstance(found, str) else None


def blame_cache(error: BrokenFiles, folder: Path) -> ConfigError:
    """Explain how to download the files of a damaged snapshot again."""
    return ConfigError(
        f"{error} It lies in the download cache: delete {folder.parents[1]} and start again "
        "with the Hugging Face Hub in reach."
    )
