"""Computes which settings make a model fit on a card. No weights and no card are needed.

    python -m benchmarks.memory              prints the table of docs/memory.md
    python -m benchmarks.memory --measure    builds the networks without weights (diffusers'
                                             classes on the device "meta"), and writes their sizes
                                             to model_sizes.json

The configurations are those that the models' authors have published. What is not given below is
the default of the class, which diffusers takes from the first model of its kind.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from bot.engine.capacity.memory import PartSize, estimate, find_fit, measure_part

FILE = Path(__file__).with_name("model_sizes.json")
CARDS = (8, 12, 16, 24, 48)

MODELS: dict[str, tuple[str, ...]] = {
    "Z-Image-Turbo": ("z_image", "vae_16", "qwen3_4b"),
    "FLUX.2 klein 4B": ("flux2_klein_4b", "vae_flux2", "qwen3_4b"),
    "FLUX.1 dev and schnell": ("flux", "vae_16", "clip_l", "t5_xxl"),
    "Qwen-Image": ("qwen_image", "vae_qwen", "qwen25_vl_7b"),
    "Stable Diffusion 3.5 Medium": ("sd35_medium", "vae_16", "clip_l_proj", "clip_g", "t5_xxl"),
    "Stable Diffusion 3.5 Large": ("sd35_large", "vae_16", "clip_l_proj", "clip_g", "t5_xxl"),
    "Chroma1-HD": ("chroma", "vae_16", "t5_xxl"),
    "Sana 1.6B": ("sana", "vae_dc", "gemma2_2b"),
}
"""The transformer, the VAE and the text encoders of each model."""

_SHORT = {
    ("none", "none"): "as it is",
    ("encoders", "none"): "encoders",
    ("model", "none"): "model (slow)",
}


def read_sizes() -> dict[str, PartSize]:
    """Read the sizes of all parts in 16 bits."""
    return {name: PartSize(**each) for name, each in json.loads(FILE.read_text("utf-8")).items()}


def list_parts(model: str, sizes: dict[str, PartSize]) -> tuple[PartSize, ...]:
    """List the parts of a model under the names that they have in its folder."""
    network, vae, *encoders = (sizes[part] for part in MODELS[model])
    return (
        replace(network, name="transformer"),
        replace(vae, name="vae"),
        *(replace(part, name=f"text_encoder_{n}") for n, part in enumerate(encoders, 1)),
    )


def make_table() -> list[str]:
    """Make the table of models and cards in Markdown."""
    sizes = read_sizes()
    heads = ["model", "transformer", "text encoders", "needs", *(f"{card} GB" for card in CARDS)]
    lines = [f"| {' | '.join(heads)} |", "| --- |" + " ---: |" * 3 + " --- |" * len(CARDS)]
    for model in MODELS:
        parts = list_parts(model, sizes)
        encoders = sum(part.num_bytes for part in parts if part.is_encoder)
        numbers = (parts[0].num_bytes, encoders, estimate(parts, "none", "none"))
        fits = (_name_fit(find_fit(parts, card * 10**9)) for card in CARDS)
        cells = [model, *(f"{each / 1e9:.1f} GB" for each in numbers), *fits]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _name_fit(fit: tuple[str, str] | None) -> str:
    if fit is None:
        return "–"
    offload, kind = fit
    return _SHORT.get(fit) or f"{kind}, {'model (slow)' if offload == 'model' else offload}"


def measure_all() -> dict[str, PartSize]:
    """Build every part on the device "meta" and measure it. Takes half a minute."""
    return {name: measure_class(name, build) for name, build in list_builders()}


def measure_class(name: str, build: Callable[[], Any]) -> PartSize:
    """Build one part without weights and measure it, in 16 bits."""
    import torch  # noqa: PLC0415 the table needs no torch
    from diffusers.models.modeling_utils import no_init_weights  # noqa: PLC0415

    with torch.device("meta"), no_init_weights():
        part = build()
    kind = "text_encoder" if hasattr(part.config, "vocab_size") or _has_text(part) else "part"
    tensors = {
        key: {"dtype": "BF16", "shape": list(each.shape), "data_offsets": [0, 2 * each.numel()]}
        for key, each in part.named_parameters()
    }
    return replace(measure_part(kind, tensors), name=name)


def _has_text(part: Any) -> bool:
    return hasattr(part.config, "text_config")


def list_builders() -> Iterator[tuple[str, Callable[[], Any]]]:
    """List the name of each part and a function that builds it."""
    # Neither says which of its classes are public.
    diffusers: Any = import_module("diffusers")
    transformers: Any = import_module("transformers")
    sd3 = partial(
        diffusers.SD3Transformer2DModel,
        sample_size=128,
        joint_attention_dim=4096,
        pooled_projection_dim=2048,
        out_channels=16,
        qk_norm="rms_norm",
    )
    yield "z_image", diffusers.ZImageTransformer2DModel
    yield (
        "flux2_klein_4b",
        partial(
            diffusers.Flux2Transformer2DModel,
            num_layers=5,
            num_single_layers=20,
            num_attention_heads=24,
            joint_attention_dim=7680,
            guidance_embeds=False,
        ),
    )
    yield "flux", partial(diffusers.FluxTransformer2DModel, guidance_embeds=True)
    yield "qwen_image", diffusers.QwenImageTransformer2DModel
    yield "chroma", diffusers.ChromaTransformer2DModel
    yield "sana", diffusers.SanaTransformer2DModel
    medium = {"num_layers": 24, "num_attention_heads": 24, "caption_projection_dim": 1536}
    medium |= {"pos_embed_max_size": 384, "dual_attention_layers": tuple(range(13))}
    yield "sd35_medium", partial(sd3, **medium)
    large = {"num_layers": 38, "num_attention_heads": 38, "caption_projection_dim": 2432}
    yield "sd35_large", partial(sd3, **large, pos_embed_max_size=192)
    yield from _list_vaes(diffusers)
    yield from _list_encoders(transformers)


def _list_vaes(diffusers: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    yield (
        "vae_16",
        partial(
            diffusers.AutoencoderKL,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            latent_channels=16,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
    )
    yield "vae_flux2", diffusers.AutoencoderKLFlux2
    yield "vae_qwen", diffusers.AutoencoderKLQwenImage
    kinds = ("ResBlock",) * 3 + ("EfficientViTBlock",) * 3
    channels, scales = (128, 256, 512, 512, 1024, 1024), ((), (), (), (5,), (5,), (5,))
    yield (
        "vae_dc",
        partial(
            diffusers.AutoencoderDC,
            encoder_block_types=kinds,
            decoder_block_types=kinds,
            encoder_block_out_channels=channels,
            decoder_block_out_channels=channels,
            encoder_layers_per_block=(2, 2, 2, 3, 3, 3),
            decoder_layers_per_block=(3, 3, 3, 3, 3, 3),
            encoder_qkv_multiscales=scales,
            decoder_qkv_multiscales=scales,
            downsample_block_type="conv",
            upsample_block_type="interpolate",
        ),
    )


def _list_encoders(transformers: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    def make(model: str, config: str, **values: Any) -> Callable[[], Any]:
        return lambda: getattr(transformers, model)(getattr(transformers, config)(**values))

    t5 = {"vocab_size": 32128, "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24}
    yield (
        "t5_xxl",
        make("T5EncoderModel", "T5Config", **t5, num_heads=64, feed_forward_proj="gated-gelu"),
    )
    qwen3 = {"vocab_size": 151936, "hidden_size": 2560, "intermediate_size": 9728}
    qwen3 |= {"num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8}
    yield "qwen3_4b", make("Qwen3Model", "Qwen3Config", **qwen3, head_dim=128)
    text = {"vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944}
    text |= {"num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4}
    vision = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16}
    configs = {"text_config": text, "vision_config": {**vision, "out_hidden_size": 3584}}
    vl = "Qwen2_5_VL"
    yield "qwen25_vl_7b", make(f"{vl}ForConditionalGeneration", f"{vl}Config", **configs)
    yield "gemma2_2b", make("Gemma2Model", "Gemma2Config")
    clip = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12}
    clip |= {"num_attention_heads": 12}
    yield "clip_l", make("CLIPTextModel", "CLIPTextConfig", **clip)
    projected = {**clip, "projection_dim": 768}
    yield "clip_l_proj", make("CLIPTextModelWithProjection", "CLIPTextConfig", **projected)
    big = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32}
    big |= {"num_attention_heads": 20, "projection_dim": 1280}
    yield "clip_g", make("CLIPTextModelWithProjection", "CLIPTextConfig", **big)


def main() -> None:
    """Print the table, or measure the parts again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true")
    if parser.parse_args().measure:
        sizes = {name: asdict(part) for name, part in measure_all().items()}
        FILE.write_text(json.dumps(sizes, indent=2) + "\n", "utf-8")
    print("\n".join(make_table()))


if __name__ == "__main__":
    main()
