"""What went wrong with a download from the Hugging Face Hub, in words that name the remedy."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import httpx

from bot.engine.api import ModelSource
from bot.errors import ConfigError


def explain_download(error: BaseException, source: ModelSource) -> ConfigError:
    """Turn what huggingface_hub or diffusers raised into a ConfigError, never with the token."""
    for link in _walk_chain(error):
        sentence = _explain_answer(link, source) or _explain_files(link, source)
        if sentence is not None:
            return ConfigError(sentence)
    return ConfigError(
        f"{source.model} could not be fetched: the Hugging Face Hub cannot be reached from this "
        "machine and the model is not (completely) in its cache: check the connection, or set "
        "MODEL to a model folder on this machine."
    )


def _explain_answer(error: BaseException, source: ModelSource) -> str | None:
    """Explain what the Hub answered about the account and the model."""
    model, card = source.model, f"https://huggingface.co/{source.model}"
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if isinstance(error, GatedRepoError) or status == 403:
        return (
            f"{model} is a gated model: accept its terms at {card}, then set HF_TOKEN to an "
            "access token of the same account (https://huggingface.co/settings/tokens)."
        )
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"There is no model {model} on the Hugging Face Hub, or it is private: correct MODEL, "
            f"or set HF_TOKEN to an access token of an account that may open {card}."
        )
    if status == 401 or isinstance(error, httpx.LocalProtocolError):
        return (
            f"The Hugging Face Hub does not accept HF_TOKEN for {model} ({card}): make a new "
            "access token at https://huggingface.co/settings/tokens, or leave HF_TOKEN unset."
        )
    return None


def _explain_files(error: BaseException, source: ModelSource) -> str | None:
    """Explain what the model lacks on the Hub, or this machine for it."""
    if isinstance(error, RemoteEntryNotFoundError):
        return f"{source.model} has no model_index.json: choose a model in the diffusers format."
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return (
            f"The disk is full: {source.model} needs a few GB in {constants.HF_HUB_CACHE}. Free "
            "some space, or set HF_HOME to a folder on a larger disk."
        )
    if "necessary `safetensors` weights" in str(error):
        return (
            f"{source.model} offers only pickle files (.bin, .ckpt); pickle files can run code, "
            "so Triptych does not open them: choose a model that has .safetensors files."
        )
    return None


def _walk_chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
