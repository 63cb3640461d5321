"""What the owner chooses for an engine: its models, and how it works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Says where the model comes from and which device runs it.

    model: a diffusers folder, a ``.safetensors`` or ``.gguf`` file, or a Hugging Face id.
    model_config: for a file that holds only a transformer, the diffusers folder or the Hugging Face
    id of the rest of the model; for another single file, a diffusers folder with its config files,
    where None means those that come with Triptych. vae: a ``.safetensors`` file, a diffusers folder
    or a Hugging Face id of a VAE that takes the place of the model's own. device: ``auto`` (the
    first accelerator found, else the CPU), ``cuda``, ``rocm``, ``xpu``, ``mps`` or ``cpu``.
    is_default: see ``ModelInfo``. id: what recipes call the model; None means its own name. label:
    its name for people; "" means its own. The other values are the owner's defaults. They overrule
    all others: those in ``triptych.json``, then those that were recognised, then the model's own.
    size: width and height in pixels. sizes: what people may choose from. licence: "" means
    what the model says itself. offload: what waits in host memory: "none", "encoders" (the text
    encoders), "model" (the network too), or "auto". quantization: "none", "int8" or "nf4".
    """

    model: str
    model_config: str | None = None
    vae: str | None = None
    hf_token: str | None = None
    device: str = "auto"
    is_default: bool = True
    id: str | None = None
    label: str = ""
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    sampler: str | None = None
    size: tuple[int, int] | None = None
    sizes: tuple[tuple[int, int], ...] = ()
    licence: str = ""
    offload: str = "auto"
    quantization: str = "none"


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Options for how the engine works. None of them changes what a drawn picture shows.

    cache_dir: where measurements and compiled code are kept for the next start; None keeps none.
    rows: how many latents one call of the UNet gets; None measures the best number.
    deterministic: always step with the same number of rows, so that a picture is the same bit by
    bit, whatever else is drawn. A small batch then costs as much as a full one. The exception is
    an enlarged picture that is drawn in tiles because memory runs short: it looks different.
    compile_unet: on CUDA, compile the UNet in the background. The first time takes minutes.
    unit_flop: ``ModelInfo.request_flop`` of the default model, whose default request is the unit of
    cost; None if this model is the default one. upscaler: the file of the network that enlarges
    pictures; None leaves them as they are drawn. weight_bytes: how much of the device's memory the
    weights of all models together may take; None means a share of it, or no limit on the CPU.
    """

    cache_dir: Path | None = None
    rows: int | None = None
    deterministic: bool = False
    compile_unet: bool = False
    unit_flop: float | None = None
    upscaler: Path | None = None
    weight_bytes: int | None = None
