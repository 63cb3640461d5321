"""Loads a model as a diffusers pipeline on its device. Raises ConfigError with a remedy."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import hf_hub_download

from bot.engine.api import ModelInfo, ModelSource
from bot.engine.capacity.cost import CostModel
from bot.engine.capacity.memory import PartSize, choose_offload
from bot.engine.hardware import CPU, Hardware, find_hardware, name_engine
from bot.engine.models.checks import check_vae_fit, find_kind
from bot.engine.models.defaults import Defaults, Traits, read_defaults
from bot.engine.models.facts import find_facts
from bot.engine.models.families import Family
from bot.engine.models.family import ModelFamily
from bot.engine.models.few_steps import FewSteps
from bot.engine.models.files import BrokenFiles
from bot.engine.models.folders import CheckedFolder, check_folder
from bot.engine.models.gguf_files import SUFFIX
from bot.engine.models.hub import (
    NO_SAFETENSORS,
    check_before_download,
    download_card,
    download_faults,
    download_vae,
)
from bot.engine.models.licences import note_licence, read_licence
from bot.engine.models.network_files import (
    NetworkFile,
    check_network_file,
    refuse_other_family,
)
from bot.engine.models.placement import place
from bot.engine.models.places import blame_cache
from bot.engine.models.prompt_encoder import measure_letters
from bot.engine.models.quantization import check_quantization, join_configs, make_configs
from bot.engine.models.rehearsal import (
    assemble,
    hide_progress_bars,
    library_faults,
    rehearse,
)
from bot.engine.models.single_files import CheckedFile, check_single_file
from bot.engine.models.sizes import measure
from bot.engine.models.traits import set_spacing
from bot.engine.models.vaes import CheckedVae, check_cached_vae, check_vae
from bot.engine.models.weights import read_network, read_parts, read_vae
from bot.engine.process import keep_freed_memory
from bot.engine.sampling.samplers import Samplers
from bot.errors import ConfigError

_OFFLOAD_NOTES: dict[str, tuple[str, ...]] = {
    "none": (),
    "encoders": ("The text encoders wait in host memory while they are not needed.",),
    "model": (
        "The text encoders and the network wait in host memory; each layer is copied to the "
        "device when it is needed, which takes time in every step.",
    ),
}


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in evaluation mode on its device, and its measured properties.

    runs_eagerly: its steps cannot be captured as graphs, because its weights move or are quantised.
    offload: what waits in host memory; see ``place``.
    """

    family: ModelFamily
    hardware: Hardware
    samplers: Samplers
    info: ModelInfo
    cost_model: CostModel
    runs_eagerly: bool = False
    offload: str = "none"

    @property
    def pipe(self) -> Any:
        """Return the diffusers pipeline."""
        return self.family.pipe


@dataclass(frozen=True, slots=True)
class _Loaded:
    family: ModelFamily
    folder: Path | None
    sizes: tuple[PartSize, ...]
    notes: tuple[str, ...] = ()
    is_quantised: bool = False


def load_model(
    source: ModelSource, unit_flop: float | None = None, cache_dir: Path | None = None
) -> LoadedModel:
    """Load a model: float16 or bfloat16 on an accelerator, float32 on the CPU.

    Raises ConfigError with the remedy.
    unit_flop, cache_dir: see EngineOptions.
    Broken weights may also raise other errors from diffusers.
    """
    hardware = find_hardware(source.device)
    if hardware is CPU:
        _leave_one_core()
        keep_freed_memory()
    load = {"folder": _load_local, "file": _load_single_file, "hub": _load_from_hub}
    try:
        check_quantization(source, hardware)
        loaded = load[find_kind(source.model)](source, hardware.dtype)
        offload = _choose_offload(source, loaded, hardware)
        place(loaded.family, hardware, offload)
        loaded.family.prepare()
    except torch.OutOfMemoryError:
        raise ConfigError(
            f"{source.model} does not fit into the free memory of the GPU: close other programs "
            "on it, set OFFLOAD=encoders or OFFLOAD=model, or choose a smaller model. `triptych "
            "doctor` says what it needs."
        ) from None
    notes = loaded.notes + _OFFLOAD_NOTES[offload]
    model = describe_model(
        source, loaded.family, hardware, loaded.folder, notes, unit_flop, cache_dir
    )
    runs_eagerly = offload == "model" or loaded.is_quantised
    return replace(model, runs_eagerly=runs_eagerly, offload=offload)


def _choose_offload(source: ModelSource, loaded: _Loaded, hardware: Hardware) -> str:
    """Choose what waits in host memory. On the CPU and on Apple's chips, nothing does."""
    if not hardware.has_peaks:
        return "none"
    if source.quantization == "nf4":
        return "none"
    if source.offload != "auto":
        return source.offload
    free, _ = hardware.read_memory() or (None, 0)
    width, height = loaded.family.size
    return choose_offload(loaded.sizes, free, source.quantization, width * height)


def _leave_one_core() -> None:
    """Leave one core to the event loop: OpenMP threads on a shared core wait for each other.

    Measured on two busy cores: three starter pictures take 0.6 s with one thread, 2.5 s or far
    more with two. The setting applies only to OpenMP work of the calling thread.
    """
    spare = len(os.sched_getaffinity(0)) - 1 if hasattr(os, "sched_getaffinity") else 1
    torch.set_num_threads(max(1, min(torch.get_num_threads(), spare)))


def _load_local(source: ModelSource, dtype: torch.dtype) -> _Loaded:
    return _load_folder(source, Path(source.model), dtype)


def _load_folder(
    source: ModelSource, folder: Path, dtype: torch.dtype, network: NetworkFile | None = None
) -> _Loaded:
    """Load a diffusers folder. network: a file with the transformer to use instead."""
    name, half = source.model, dtype == torch.float16
    has_vae = source.vae is not None
    checked = check_folder(folder, name, half=half, has_vae=has_vae, network=network)
    hide_progress_bars()
    vae = _check_vae(source, checked)
    rehearse(checked, folder, vae)
    kind = checked.family.load_class()
    dtype = kind.half_dtype if half else dtype
    parts: dict[str, Any] = {}
    if "safety_checker" not in checked.weights:
        parts |= kind.without_checker
    shrunk = [part for part in checked.family.parts if part != "vae"]
    configs = make_configs(source.quantization, shrunk, dtype)
    with library_faults(name):
        if vae is not None:
            parts["vae"] = read_vae(vae, folder, dtype)
        if network is not None:
            part_class = dict(kind.part_classes)[checked.family.network]
            config = configs.pop(checked.family.network, None)
            part = read_network(network, part_class, folder, dtype, config)
            parts[checked.family.network] = part
        pipe = kind.pipeline_class.from_pretrained(
            folder,
            dtype=dtype,
            variant=checked.variant,
            use_safetensors=True,
            local_files_only=True,
            **join_configs(configs),
            **parts,
        )
        kind.adjust(pipe, _choose_traits(source, checked))
        model = kind(pipe, folder)
    notes = checked.notes
    if dtype == torch.float16 and checked.variant is None:
        notes += (f"{name} has no fp16 variant: its weights were cast to float16.",)
    return _Loaded(
        model,
        folder if network is None else None,
        measure(checked, dtype.itemsize),
        notes,
        is_quantised=source.quantization != "none" or (network is not None and network.is_gguf),
    )


def _choose_traits(source: ModelSource, checked: CheckedFolder | CheckedFile) -> Traits:
    return replace(checked.traits, size=source.size or checked.traits.size)


def _check_vae(source: ModelSource, checked: CheckedFolder | CheckedFile) -> CheckedVae | None:
    """Get and check the VAE that replaces the model's own."""
    if source.vae is None:
        return None
    vae = check_vae(source) or check_cached_vae(download_vae(source), source.vae)
    check_vae_fit(checked, vae)
    return vae


def fetch_model(source: ModelSource) -> None:
    """Download what is missing of a model on the Hugging Face Hub. Raises ConfigError."""
    if find_kind(source.model) == "hub":
        _fetch(source, find_hardware(source.device).dtype)


def _fetch(source: ModelSource, dtype: torch.dtype) -> Path:
    family = check_before_download(source)
    with download_faults(source):
        variant = "fp16" if dtype == torch.float16 else None
        folder = _download(family, source.model, variant, source.hf_token)
    download_card(source)
    return folder


def _load_from_hub(source: ModelSource, dtype: torch.dtype) -> _Loaded:
    folder = _fetch(source, dtype)
    try:
        return _load_folder(source, folder, dtype)
    except BrokenFiles as error:
        raise blame_cache(error, folder) from None


def _download(
    family: Family, model: str, variant: str | None, token: str | None, **without: Any
) -> Path:
    """Download missing files. A variant or a safety checker that does not exist is left out."""
    kind = family.load_class()
    try:
        return Path(
            kind.pipeline_class.download(
                model, variant=variant, use_safetensors=True, token=token, **without
            )
        )
    except (OSError, ValueError) as error:
        if variant is not None and f"variant={variant}" in str(error):
            return _download(family, model, None, token, **without)
        if without or NO_SAFETENSORS not in str(error):
            raise
    return _download(family, model, variant, token, **kind.without_checker)


def _load_network(source: ModelSource, dtype: torch.dtype, network: NetworkFile) -> _Loaded:
    """Load a transformer file, and the rest of its model from MODEL_CONFIG."""
    config = str(source.model_config)
    if Path(config).is_dir():
        return _load_folder(source, Path(config), dtype, network)
    rest = replace(source, model=config)
    family = check_before_download(rest)
    refuse_other_family(network, family, config)
    with download_faults(rest):
        variant = "fp16" if dtype == torch.float16 else None
        without = {family.network: None}
        folder = _download(family, config, variant, source.hf_token, **without)
        hf_hub_download(config, f"{family.network}/config.json", token=source.hf_token)
    try:
        return _load_folder(source, folder, dtype, network)
    except BrokenFiles as error:
        raise blame_cache(error, folder) from None


def _load_single_file(source: ModelSource, dtype: torch.dtype) -> _Loaded:
    network = check_network_file(source)
    if network is not None:
        return _load_network(source, dtype, network)
    checked = check_single_file(source)
    hide_progress_bars()
    vae = _check_vae(source, checked)
    rehearse(checked, checked.config, vae)
    with library_faults(source.model):
        kind = checked.family.load_class()
        dtype = kind.half_dtype if dtype == torch.float16 else dtype
        parts = read_parts(checked, vae, dtype)
        pipe = assemble(checked.family, checked.config, parts, dtype=dtype)
        kind.adjust(pipe, _choose_traits(source, checked))
    notes = (
        f"{source.model} is a single file: no safety checker is in it.",
        f"{source.model} was recognised as {checked.label}.",
    )
    if source.quantization != "none":
        notes += (f"QUANTIZATION does not count for {source.model}, a single file.",)
    return _Loaded(kind(pipe), None, measure(checked, dtype.itemsize), notes)


def describe_model(
    source: ModelSource,
    family: ModelFamily,
    hardware: Hardware,
    folder: Path | None = None,
    notes: tuple[str, ...] = (),
    unit_flop: float | None = None,
    cache_dir: Path | None = None,
) -> LoadedModel:
    """Find out what a loaded model can do. folder: None for a single file. Raises ConfigError.

    What ``source`` says overrules triptych.json. That overrules what was recognised.
    """
    defaults = _read_defaults(source, folder)
    few = family.find_few_steps(_name_model(source.model))
    if few is not None and few.is_trailing and defaults.traits.timestep_spacing is None:
        set_spacing(family.pipe, "trailing")
    samplers = Samplers(family.pipe.scheduler)
    facts = find_facts(family, samplers, source.model, cache_dir)
    choice = facts.choice.prefer(defaults.sampler or (few.sampler if few else None))
    usual = few or FewSteps("", family.num_inference_steps, family.guidance_scale)
    notes = (*notes, *choice.notes, *_describe_few_steps(defaults.name, few))
    licence = read_licence(source)
    notes += note_licence(defaults.name, licence)
    width, height = family.size
    info = ModelInfo(
        is_default=source.is_default,
        id=source.id or defaults.name,
        name=defaults.name,
        width=width,
        height=height,
        size_multiple=family.size_multiple,
        sizes=source.sizes or family.sizes,
        max_tokens=family.max_tokens,
        reads_chunks=family.reads_chunks,
        **_describe_editing(family),
        samplers=choice.ids,
        default_sampler=choice.default,
        num_inference_steps=defaults.num_inference_steps or usual.num_inference_steps,
        guidance_scale=(
            usual.guidance_scale if defaults.guidance_scale is None else defaults.guidance_scale
        ),
        is_distilled=few is not None,
        device=hardware.id,
        dtype=str(family.network.dtype).removeprefix("torch."),
        notes=notes,
        engine=name_engine(hardware),
        max_clip_skip=family.max_clip_skip,
        embeds_guidance=family.embeds_guidance,
        shows_enlarged=defaults.shows_enlarged,
        letters_per_token=measure_letters(family.tokenizer),
        licence=licence,
    )
    cost_model = CostModel(
        info, facts.row_flop, facts.decode_flop, facts.evaluations, unit_flop=unit_flop
    )
    info = replace(info, request_flop=cost_model.request_flop, cost_factor=cost_model.factor)
    cost_model = replace(cost_model, info=info)
    return LoadedModel(family, hardware, samplers, info, cost_model)


def _describe_editing(family: ModelFamily) -> dict[str, Any]:
    editor = family.editor
    area = editor.area if editor else 0
    return {
        "edits": editor is not None,
        "only_edits": family.only_edits,
        "reference_pixels": area,
    }


def _read_defaults(source: ModelSource, folder: Path | None) -> Defaults:
    """Return the owner's defaults: those in ``source``, and for the rest those in triptych.json."""
    wishes = {
        "name": source.label or None,
        "num_inference_steps": source.num_inference_steps,
        "guidance_scale": source.guidance_scale,
        "sampler": source.sampler,
    }
    chosen: dict[str, Any] = {key: wish for key, wish in wishes.items() if wish is not None}
    return replace(read_defaults(folder, source.model), **chosen)


def _name_model(model: str) -> str:
    path = Path(model)
    return path.stem if path.suffix.lower() in {".safetensors", SUFFIX} else path.name


def _describe_few_steps(name: str, few: FewSteps | None) -> tuple[str, ...]:
    if few is None:
        return ()
    guidance = f"guidance {few.guidance_scale:g}" if few.guidance_scale > 1 else "no guidance"
    said = f"{name} was recognised as a {few.label} model: {few.num_inference_steps} steps, "
    return (f"{said}{guidance}, unless triptych.json says otherwise.",)
