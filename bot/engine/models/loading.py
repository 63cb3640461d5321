"""Loads a model as a diffusers pipeline on its device. Raises ConfigError with a remedy."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders.single_file_utils import create_diffusers_clip_model_from_ldm
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from safetensors.torch import load_file
from transformers import CLIPTextModel

from bot.engine.api import ModelInfo, ModelSource
from bot.engine.capacity.cost import CostModel
from bot.engine.hardware import name_engine
from bot.engine.models.checks import blame_cache, find_kind, read_defaults
from bot.engine.models.files import BrokenFiles
from bot.engine.models.flop import count_unet_flop, count_vae_flop
from bot.engine.models.folders import check_folder
from bot.engine.models.hub import (
    NO_SAFETENSORS,
    check_before_download,
    download_config,
    download_faults,
)
from bot.engine.models.rehearsal import (
    assemble,
    choose_samplers,
    hide_progress_bars,
    library_faults,
    rehearse,
)
from bot.engine.models.single_files import CheckedFile, check_single_file, rename_key
from bot.engine.sampling.samplers import Samplers
from bot.errors import ConfigError

_NO_CHECKER: dict[str, None] = {"safety_checker": None, "feature_extractor": None}


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A pipeline in evaluation mode on its device, and its measured properties."""

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
    Broken weights may also raise other errors from diffusers.
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
    """Leave the event loop a core: OpenMP threads that share it wait for each other.

    Measured on two busy cores: three starter pictures take 0.6 s with one thread, 2.5 s or far
    more with two. The setting holds for the calling thread's OpenMP regions.
    """
    spare = len(os.sched_getaffinity(0)) - 1 if hasattr(os, "sched_getaffinity") else 1
    torch.set_num_threads(max(1, min(torch.get_num_threads(), spare)))


def _load_local(source: ModelSource, dtype: torch.dtype) -> _Loaded:
    return _load_folder(Path(source.model), dtype, source.model)


def _load_folder(folder: Path, dtype: torch.dtype, name: str) -> _Loaded:
    half = dtype == torch.float16
    checked = check_folder(folder, name, half=half)
    hide_progress_bars()
    rehearse(checked, folder)
    checker = {} if "safety_checker" in checked.weights else _NO_CHECKER
    with library_faults(name):
        pipe = StableDiffusionPipeline.from_pretrained(
            folder,
            dtype=dtype,
            variant=checked.variant,
            use_safetensors=True,
            local_files_only=True,
            **checker,
        )
    notes = checked.notes
    if half and checked.variant is None:
        notes += (f"{name} has no fp16 variant: its weights were cast to float16.",)
    return _Loaded(pipe, folder, notes)


def _load_from_hub(source: ModelSource, dtype: torch.dtype) -> _Loaded:
    check_before_download(source)
    with download_faults(source):
        variant = "fp16" if dtype == torch.float16 else None
        folder = _download(source.model, variant, source.hf_token)
    try:
        return _load_folder(folder, dtype, source.model)
    except BrokenFiles as error:
        raise blame_cache(error, folder) from None


def _download(model: str, variant: str | None, token: str | None, **without: None) -> Path:
    """Download missing files. A variant or a safety checker that does not exist is left out."""
    try:
        return Path(
            StableDiffusionPipeline.download(
                model, variant=variant, use_safetensors=True, token=token, **without
            )
        )
    except (OSError, ValueError) as error:
        if variant is not None and f"variant={variant}" in str(error):
            return _download(model, None, token, **without)
        if without or NO_SAFETENSORS not in str(error):
            raise
    return _download(model, variant, token, **_NO_CHECKER)


def _load_single_file(source: ModelSource, dtype: torch.dtype) -> _Loaded:
    checked = check_single_file(source)
    config = checked.config
    if config is None:
        config = download_config(source, checked.repository)
        checked = check_single_file(replace(source, model_config=str(config)))
    rehearse(checked, config)
    with library_faults(source.model):
        pipe = assemble(config, _read_parts(checked, config, dtype), dtype=dtype)
    return _Loaded(pipe, None, (f"{source.model} is a single file: no safety checker is in it.",))


def _read_parts(checked: CheckedFile, config: Path, dtype: torch.dtype) -> dict[str, Any]:
    """Read the parts in the file, converted as diffusers does."""
    weights = {rename_key(name): tensor for name, tensor in load_file(checked.path).items()}
    where = {"config": str(config), "local_files_only": True}
    classes: dict[str, Any] = {"unet": UNet2DConditionModel, "vae": AutoencoderKL}
    parts = {
        name: kind.from_single_file(weights, subfolder=name, dtype=dtype, **where)
        for name, kind in classes.items()
        if name in checked.parts
    }
    if "text_encoder" in checked.parts:
        parts["text_encoder"] = create_diffusers_clip_model_from_ldm(
            CLIPTextModel, weights, subfolder="text_encoder", torch_dtype=dtype, **where
        )
    return parts


def _describe(
    source: ModelSource,
    loaded: _Loaded,
    device: str,
    dtype: torch.dtype,
    unit_flop: float | None,
) -> LoadedModel:
    pipe, unet = loaded.pipe, loaded.pipe.unet
    samplers = Samplers(pipe.scheduler)
    choice = choose_samplers(samplers, source.model)
    notes = (*loaded.notes, *choice.notes)
    defaults = read_defaults(loaded.folder, source.model)
    side = unet.config.sample_size
    height, width = (side, side) if isinstance(side, int) else side
    # Sides must halve without remainder at every level of the UNet.
    num_halvings = sum(bool(getattr(block, "downsamplers", None)) for block in unet.down_blocks)
    info = ModelInfo(
        id=defaults.name,  # for a single model; with several, each has its own
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
        shows_enlarged=defaults.shows_enlarged,
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
