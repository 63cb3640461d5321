"""Gets models and config files from the Hugging Face Hub, and explains what goes wrong."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from huggingface_hub import constants, hf_hub_download, list_repo_files, snapshot_download
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import httpx

from bot.engine.api import ModelSource
from bot.engine.models.families import Family
from bot.engine.models.files import read_json
from bot.engine.models.folders import check_index
from bot.engine.models.licences import CARD_NAME
from bot.engine.models.places import find_cached_file
from bot.errors import ConfigError

NO_SAFETENSORS = "necessary `safetensors` weights"
"""Words in diffusers' error if a part of a model exists only as a pickle."""


def ask_hub(source: ModelSource) -> None:
    """Check that the Hub has the model, without downloading its weights. Raises ConfigError."""
    with TemporaryDirectory() as folder:
        family = check_before_download(source, folder)
    with download_faults(source):
        files = list_repo_files(source.model, token=source.hf_token)
    for part in family.parts:
        names = [name for name in files if name.startswith(f"{part}/")]
        if not any(name.endswith(".safetensors") for name in names):
            fault = _refuse_pickles(source.model)
            raise ConfigError(f"{fault.what}: {fault.remedy}.")


def check_before_download(source: ModelSource, folder: str | None = None) -> Family:
    """Read a model's family from small files, before gigabytes are downloaded. Raises ConfigError.

    folder: where the small files are saved; None means the cache.
    """

    def fetch(name: str) -> Path:
        with download_faults(source):
            return Path(
                hf_hub_download(source.model, name, token=source.hf_token, local_dir=folder)
            )

    family, index = check_index(fetch("model_index.json"), source.model)
    if index["_class_name"] != family.pipelines[0]:
        parts = (family.network, "vae")
        network, vae = (read_json(fetch(f"{part}/config.json")) for part in parts)
        family.check(network, vae, source.model)
    return family


def ask_hub_for_vae(source: ModelSource) -> str:
    """Find the folder of the VAE in its repository on the Hub. Raises ConfigError."""
    repository = str(source.vae)
    with download_faults(source, repository):
        files = list_repo_files(repository, token=source.hf_token)
    for folder in ("", "vae/"):
        names = [name for name in files if Path(name).parent == Path(folder)]
        is_there = any(
            Path(name).name.startswith("diffusion_pytorch_model.")
            and name.removesuffix(".index.json").endswith(".safetensors")
            for name in names
        )
        if f"{folder}config.json" in names and is_there:
            return folder
    raise ConfigError(
        f"VAE names {repository}, which has no config.json with .safetensors weights beside it on "
        "the Hugging Face Hub: choose a VAE in the diffusers format, or download its .safetensors "
        "file and set VAE to that."
    )


def download_vae(source: ModelSource) -> Path:
    """Download the VAE that ``VAE`` names on the Hub. Raises ConfigError."""
    repository = str(source.vae)
    folder = ask_hub_for_vae(source)
    patterns = [f"{folder}config.json", f"{folder}diffusion_pytorch_model*.safetensors*"]
    with download_faults(source, repository):
        snapshot = snapshot_download(repository, token=source.hf_token, allow_patterns=patterns)
    return Path(snapshot) / folder


def download_card(source: ModelSource) -> None:
    """Download the model's card, which names the licence. A model without a card is fine."""
    if find_cached_file(source.model, CARD_NAME):
        return
    with suppress(OSError, httpx.HTTPError):
        hf_hub_download(source.model, CARD_NAME, token=source.hf_token)


@contextmanager
def download_faults(source: ModelSource, vae: str | None = None) -> Iterator[None]:
    """Turn download errors into a ConfigError that never contains the token.

    vae: the repository that ``VAE`` names; None if the model is downloaded, or what MODEL_CONFIG
    names, if that is the source's model too.
    """
    try:
        yield
    except (OSError, httpx.HTTPError) as error:
        # The original error may hold the request with its token, so it must not reach a log.
        setting = "MODEL_CONFIG" if source.model == source.model_config else "MODEL"
        fault = _explain(error, vae or source.model, "VAE" if vae else setting)
        raise ConfigError(f"{fault.what}: {fault.remedy}.") from None


@dataclass(frozen=True, slots=True)
class _Fault:
    """What happened, and what the owner should do, as in "Set HF_TOKEN"."""

    what: str
    remedy: str


def _explain(error: BaseException, asked: str, setting: str) -> _Fault:
    faults = (
        _explain_answer(link, asked, setting) or _explain_files(link, asked)
        for link in _walk(error)
    )
    return next((fault for fault in faults if fault), None) or _Fault(
        f"{asked} could not be fetched: the Hugging Face Hub cannot be reached from this machine "
        "and the model is not (completely) in its cache",
        f"check the connection, or set {setting} to a folder on this machine",
    )


def _explain_answer(error: BaseException, model: str, setting: str) -> _Fault | None:
    """Explain an answer in which the Hub refuses the account or the model."""
    card = f"https://huggingface.co/{model}"
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if isinstance(error, GatedRepoError):
        return _Fault(
            f"{model} is a gated model",
            f"accept its terms at {card}, then set HF_TOKEN to an access token of the same "
            "account (https://huggingface.co/settings/tokens)",
        )
    if isinstance(error, DisabledRepoError):
        return _Fault(f"The Hugging Face Hub has disabled {model}", "choose another model")
    if isinstance(error, RepositoryNotFoundError):
        return _Fault(
            f"There is no model {model} on the Hugging Face Hub, or it is private",
            f"correct {setting}, or set HF_TOKEN to an access token of an account that may open "
            f"{card}",
        )
    if status == 401 or isinstance(error, httpx.LocalProtocolError):
        return _Fault(
            f"The Hugging Face Hub does not accept HF_TOKEN for {model} ({card})",
            "make a new access token at https://huggingface.co/settings/tokens, or leave HF_TOKEN "
            "unset",
        )
    return None if status is None else _explain_status(status, model)


def _explain_status(status: int, model: str) -> _Fault | None:
    if status == 403:
        return _Fault(
            f"The Hugging Face Hub does not let this account read {model} (403)",
            "give HF_TOKEN the permission to read it (https://huggingface.co/settings/tokens), or "
            f"look at https://huggingface.co/{model} for what it asks",
        )
    if status == 429:
        return _Fault(
            f"The Hugging Face Hub has had too many requests from this address (429), so {model} "
            "did not come",
            "wait a few minutes and start again; with an HF_TOKEN the limit is higher",
        )
    if status >= 500:
        return _Fault(
            f"The Hugging Face Hub has a fault of its own ({status}), so {model} did not come",
            "wait a few minutes and start again (https://status.huggingface.co says how it is)",
        )
    return None


def _explain_files(error: BaseException, model: str) -> _Fault | None:
    """Explain which files are missing on the Hub, or on this machine."""
    if isinstance(error, RemoteEntryNotFoundError):
        name = urlsplit(str(error.response.url)).path.partition("/resolve/")[2].partition("/")[2]
        return _Fault(f"{model} has no {name}", "choose a model in the diffusers format")
    if isinstance(error, OfflineModeIsEnabled):
        return _Fault(
            f"HF_HUB_OFFLINE is set, and {model} is not (completely) in the cache of this machine",
            "unset it for one start, or copy the cache from a machine that has it",
        )
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return _Fault(
            f"The disk is full: {model} needs room in {constants.HF_HUB_CACHE}, a whole model a "
            "few GB",
            "free some space, or set HF_HOME to a folder on a larger disk",
        )
    if NO_SAFETENSORS in str(error):
        return _refuse_pickles(model)
    return None


def _refuse_pickles(model: str) -> _Fault:
    return _Fault(
        f"{model} offers only pickle files (.bin, .ckpt); pickle files can run code, so Triptych "
        "does not open them",
        "choose a model that has .safetensors files",
    )


def _walk(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
