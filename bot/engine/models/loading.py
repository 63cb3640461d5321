"""From a ModelSource to a diffusers pipeline on its device, or a ConfigError with a remedy."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from huggingface_hub import hf_hub_download
from huggingface_hub.utils import httpx

from bot.engine.api import ModelInfo, ModelSource
from bot.engine.capacity.cost import CostModel
from bot.engine.hardware import name_engine
from bot.engine.models.checks import (
    BrokenFiles,
    check_folder,
    check_index,
    check_single_file,
    find_kind,
    read_defaults,
)
from bot.engine.models.flop import count_unet_flop, count_vae_flop
from bot.engine.models.hub_errors import explain_download
from bot.engine.sampling.samplers import Samplers
from bot.errors import ConfigError


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A pipeline in evaluation mode on its device, and what was read off it."""

    pipe: Any
    samplers: Samplers
    info: ModelInfo
    cost_model: CostModel
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class _Loaded:
    pipe: Any
    folder: Path | None
    notes: tuple[str, ...] = ()


def load_model(source: ModelSource, unit_flop: float | None = None) -> LoadedModel:
    """Load a model: float16 on CUDA, float32 on the CPU. Raises ConfigError with the remedy.

    unit_flop: see EngineOptions.
    What is wrong with the weights themselves may also surface as whatever diffusers raises.
    """
    device = _choose_device(source.device)
    dtype = torch.float16 if device == "cuda" else torch.float32
    if device == "cpu":
        _leave_one_core()
    load = {"folder": _load_local, "file": _load_single_file, "hub": _load_from_hub}
    try:
        loaded = load[find_kind(source.model)](source, dtype)
        loaded.pipe.to(device)
        for part in (loaded.pipe.unet, loaded.pipe.vae):
            part.to(memory_format=torch.channels_last)
    except torch.OutOfMemoryError:
        raise ConfigError(
            f"{source.model} does not fit into the free memory of the GPU: close other programs "
            "on it, or choose a smaller model."
        ) from None
    return _describe(source, loaded, device, dtype, unit_flop)


def _choose_device(wish: str) -> str:
    if wish == "cpu" or (wish == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    raise ConfigError(
        "The device is set to cuda, but torch finds no CUDA GPU: install the NVIDIA driver and a "
        "CUDA build of torch (https://pytorch.org/get-started), or set the device to auto or cpu."
    )


def _leave_one_core() -> None:
    """Let the event loop have a core: OpenMP threads that share theirs with it wait for each other.

    Measured on two busy cores: three starter pictures take 0.6 s with one thread, 2.5 s or far
    more with two. The setting holds for the calling thread's OpenMP regions.
    """
    spare = len(os.sched_getaffinity(0)) - 1 if hasattr(os, "sched_getaffinity") else 1
    torch.set_num_threads(max(1, min(torch.get_num_threads(), spare)))


def _load_local(source: ModelSource, dtype: torch.dtype) -> _Loaded:
    return _load_folder(Path(source.model), dtype, source.model)


def _load_folder(folder: Path, dtype: torch.dtype, name: str) -> _Loaded:
    check_folder(folder, name)
    has_fp16 = any((folder / "unet").glob("*.fp16*.safetensors"))
    has_plain = any(".fp16" not in p.name for p in (folder / "unet").glob("*.safetensors"))
    variant = "fp16" if has_fp16 and (dtype == torch.float16 or not has_plain) else None
    _hide_progress_bars()
    pipe = StableDiffusionPipeline.from_pretrained(
        folder, dtype=dtype, variant=variant, use_safetensors=True, local_files_only=True
    )
    if dtype == torch.float16 and variant is None:
        note = f"{name} has no fp16 variant: its weights were cast to float16."
        return _Loaded(pipe, folder, (note,))
    return _Loaded(pipe, folder)


def _load_from_hub(source: ModelSource, dtype: torch.dtype) -> _Loaded:
    token = source.hf_token
    try:
        index = hf_hub_download(source.model, "model_index.json", token=token)
        check_index(Path(index), source.model)  # before gigabytes of another family arrive
        folder = _download(source.model, "fp16" if dtype == torch.float16 else None, token)
    except (OSError, httpx.HTTPError) as error:
        # The chain may hold the request with its token: it stays out of every log.
        raise explain_download(error, source) from None
    try:
        return _load_folder(folder, dtype, source.model)
    except BrokenFiles as error:
        raise ConfigError(
            f"{error} It lies in the download cache: delete {folder.parents[1]} and start again "
            "with the Hugging Face Hub in reach."
        ) from None


def _download(model: str, variant: str | None, token: str | None) -> Path:
    try:
        return Path(
            StableDiffusionPipeline.download(
                model, variant=variant, use_safetensors=True, token=token
            )
        )
    except (OSError, ValueError) as error:
        if variant is None or f"variant={variant}" not in str(error):
            raise
    return _download(model, None, token)


def _load_single_file(source: ModelSource, dtype: torch.dtype) -> _Loaded:
    check_single_file(source)
    _hide_progress_bars()
    try:
        pipe = StableDiffusionPipeline.from_single_file(
            source.model,
            config=source.model_config,
            dtype=dtype,
            local_files_only=source.model_config is not None,
            token=source.hf_token,
        )
    except (OSError, httpx.HTTPError) as error:
        if source.model_config is not None:
            raise
        raise ConfigError(
            f"The small config files for {source.model} come from the Hugging Face Hub, which "
            "did not give them: connect this machine to the internet once, or set MODEL_CONFIG "
            f"to a diffusers folder of this kind of model. ({type(error).__name__})"
        ) from None
    return _Loaded(pipe, None, (f"{source.model} is a single file: no safety checker is in it.",))


def _hide_progress_bars() -> None:
    """Downloads keep their bars; these are about milliseconds."""
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()


def _describe(
    source: ModelSource,
    loaded: _Loaded,
    device: str,
    dtype: torch.dtype,
    unit_flop: float | None,
) -> LoadedModel:
    pipe, unet = loaded.pipe, loaded.pipe.unet
    samplers = Samplers(pipe.scheduler)
    choice = samplers.choose()
    notes = (*loaded.notes, *choice.notes)
    defaults = read_defaults(loaded.folder, source.model)
    side = unet.config.sample_size
    height, width = (side, side) if isinstance(side, int) else side
    # Sides that every level of the UNet halves without a rest.
    num_halvings = sum(bool(getattr(block, "downsamplers", None)) for block in unet.down_blocks)
    info = ModelInfo(
        id=defaults.name,  # of one model alone; a list of several gives each its own
        name=defaults.name,
        width=width * pipe.vae_scale_factor,
        height=height * pipe.vae_scale_factor,
        size_multiple=pipe.vae_scale_factor * 2**num_halvings,
        max_tokens=min(
            pipe.tokenizer.model_max_length, pipe.text_encoder.config.max_position_embeddings
        ),
        samplers=choice.ids,
        default_sampler=choice.default,
        num_inference_steps=defaults.num_inference_steps,
        guidance_scale=defaults.guidance_scale,
        device=device,
        dtype=str(dtype).removeprefix("torch."),
        notes=notes,
        engine=name_engine(device),
        max_clip_skip=pipe.text_encoder.config.num_hidden_layers - 1,
    )
    cost_model = replace(_measure_cost(pipe, samplers, info), unit_flop=unit_flop)
    info = replace(info, request_flop=cost_model.request_flop, cost_factor=cost_model.factor)
    return LoadedModel(pipe, samplers, info, replace(cost_model, info=info), loaded.folder)


def _measure_cost(pipe: Any, samplers: Samplers, info: ModelInfo) -> CostModel:
    """Count the FLOP of one UNet row and one VAE decode at native size, without computing."""
    latent = (info.height // pipe.vae_scale_factor, info.width // pipe.vae_scale_factor)
    text_width = pipe.text_encoder.config.hidden_size
    unet_flop = count_unet_flop(pipe.unet, *latent, info.max_tokens, text_width)
    vae_flop = count_vae_flop(pipe.vae, *latent)
    evaluations = {}
    for sampler in info.samplers:
        ten, twenty = (samplers.count_evaluations(sampler, n) for n in (10, 20))
        slope = (twenty - ten) // 10
        evaluations[sampler] = (slope, ten - 10 * slope)
    return CostModel(info, unet_flop, vae_flop, evaluations)
