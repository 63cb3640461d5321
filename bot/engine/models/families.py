"""The model families that Triptych supports, and how to recognise their files. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from bot.domain.samplers import SAMPLERS
from bot.errors import ConfigError

FLOW_SAMPLERS = ("dpmpp_2m", "euler", "unipc", "heun", "lcm", "deis")
"""The samplers for flow models."""

Config = dict[str, Any]
"""A part's config.json."""


@dataclass(frozen=True, slots=True)
class Family:
    """A model family, as far as it is known without loading a model.

    id, label: its name for programs and for people. example: the Hugging Face id of one model.
    pipelines: the names (in model_index.json) of the diffusers pipelines that consist of these
    parts; the first is the plain text-to-image pipeline. parts: the parts with weights; the first
    is the network that runs at every step. tokenizers: the folder of each tokenizer, and its text
    encoder. find_fault: takes the configs of the network and the VAE, and says why Triptych cannot
    use such a model; None if it can. implementation:
    "module:class" of its ``ModelFamily``, which is imported when a model is loaded. network_of: the
    id of another family, if files with the networks of both cannot be told apart. processor: the
    folder that says how the text encoder gets pictures; "" if it sees none. kinds: the kinds of
    single files, as ``recognition`` names them; none if Triptych loads no single files of this
    family. samplers: the samplers for its kind of noise schedule; a model offers those of them that
    support its own schedule.
    """

    id: str
    label: str
    example: str
    pipelines: tuple[str, ...]
    parts: tuple[str, ...]
    tokenizers: Mapping[str, str]
    find_fault: Callable[[Config, Config], str | None]
    implementation: str
    network_of: str = ""
    processor: str = ""
    kinds: tuple[str, ...] = ()
    samplers: tuple[str, ...] = tuple(SAMPLERS)

    @property
    def is_loaded_from(self) -> tuple[str, ...]:
        """Return what the setting MODEL may name for this family."""
        single = ("single .safetensors file",) if self.kinds else ()
        return ("diffusers folder", "Hugging Face id", *single)

    @property
    def network(self) -> str:
        """Return the name of the part that runs at every step, such as "unet"."""
        return self.parts[0]

    def check(self, network: Config, vae: Config, model: str) -> None:
        """Check the configs of the network and the VAE. Raises ConfigError."""
        fault = self.find_fault(network, vae)
        if fault is not None:
            raise ConfigError(refuse_family(model, fault))

    def load_class(self) -> Any:
        """Import the family's ``ModelFamily`` class, and with it torch."""
        module, _, name = self.implementation.partition(":")
        return getattr(import_module(module), name)


def _find_no_fault(network: Config, vae: Config) -> str | None:
    return None


def _find_channels_fault(unet: Config, vae: Config) -> str | None:
    channels = unet.get("in_channels", 4)
    if channels != unet.get("out_channels", 4) or channels != vae.get("latent_channels", 4):
        return f"its UNet takes {channels} channels, as for inpainting"
    return None


def _find_sd_fault(unet: Config, vae: Config) -> str | None:
    if unet.get("addition_embed_type") == "text_time":
        return "its UNet asks for more than a prompt"
    return _find_channels_fault(unet, vae)


def _find_sdxl_fault(unet: Config, vae: Config) -> str | None:
    if unet.get("addition_embed_type") != "text_time":
        return "its UNet asks for less than one of Stable Diffusion XL"
    if unet.get("projection_class_embeddings_input_dim") == 2560:
        return "it is the refiner of Stable Diffusion XL, which cannot draw by itself"
    return _find_channels_fault(unet, vae)


def _find_packed_fault(transformer: Config, vae: Config) -> str | None:
    """Compare the channels of a transformer that takes 2 x 2 latents as one token with its VAE."""
    taken, given = transformer.get("in_channels", 64), 4 * vae.get("latent_channels", 4)
    if taken != given:
        return f"its transformer takes {taken} channels instead of {given}, as for editing"
    return None


def _find_z_image_fault(transformer: Config, vae: Config) -> str | None:
    if transformer.get("siglip_feat_dim") is not None:
        return "its transformer asks for pictures besides a prompt, as Z-Image-Omni's"
    return _compare_channels(transformer.get("in_channels", 16), vae.get("latent_channels", 16))


def _find_qwen_image_fault(transformer: Config, vae: Config) -> str | None:
    for setting, use in _QWEN_USES.items():
        if transformer.get(setting):
            return f"its transformer is for {use} ({setting})"
    if vae.get("input_channels", 3) != 3:
        return "its VAE is for pictures with transparent layers"
    channels = transformer.get("in_channels", 64)
    if channels != 4 * (transformer.get("out_channels", 16) or channels):
        return f"its transformer takes {channels} channels, as for inpainting"
    return _compare_channels(channels // 4, vae.get("z_dim", 16))


def _find_qwen_edit_fault(transformer: Config, vae: Config) -> str | None:
    return _find_qwen_image_fault({**transformer, "zero_cond_t": False}, vae)


_QWEN_USES = {
    "zero_cond_t": "editing",
    "use_additional_t_cond": "transparent layers",
    "use_layer3d_rope": "transparent layers",
    "guidance_embeds": "an embedded guidance scale, which diffusers cannot draw",
}


def _compare_channels(network: int, vae: int) -> str | None:
    if network == vae:
        return None
    return f"its transformer takes latents of {network} channels, and its VAE makes {vae}"


def _find_flux2_fault(transformer: Config, vae: Config) -> str | None:
    if transformer.get("guidance_embeds", True):
        return "its transformer takes the guidance scale as an input, as that of FLUX.2 [dev]"
    channels = transformer.get("in_channels", 128)
    outs = transformer.get("out_channels") or channels
    if outs != channels:
        return f"its transformer takes {channels} channels and predicts {outs}"
    return _compare_channels(channels, 4 * vae.get("latent_channels", 32))


def _find_sana_fault(transformer: Config, vae: Config) -> str | None:
    if transformer.get("guidance_embeds"):
        return "its transformer takes the guidance scale as an input, as that of Sana-Sprint"
    channels = transformer.get("in_channels", 32)
    outs = transformer.get("out_channels", 32) or channels
    if outs not in (channels, 2 * channels):
        return f"its transformer takes {channels} channels and predicts {outs}"
    return _compare_channels(channels, vae.get("latent_channels", 32))


FAMILIES = {
    each.id: each
    for each in (
        Family(
            "sd",
            "Stable Diffusion 1.x and 2.x",
            "CompVis/stable-diffusion-v1-4",
            (
                "StableDiffusionPipeline",
                "StableDiffusionImg2ImgPipeline",
                "StableDiffusionInpaintPipeline",
                "StableDiffusionInpaintPipelineLegacy",
                "LatentConsistencyModelPipeline",
                "LatentConsistencyModelImg2ImgPipeline",
            ),
            ("unet", "vae", "text_encoder"),
            {"tokenizer": "text_encoder"},
            _find_sd_fault,
            "bot.engine.models.stable_diffusion:StableDiffusion",
            kinds=("sd1", "sd2"),
        ),
        Family(
            "sdxl",
            "Stable Diffusion XL",
            "stabilityai/stable-diffusion-xl-base-1.0",
            (
                "StableDiffusionXLPipeline",
                "StableDiffusionXLImg2ImgPipeline",
                "StableDiffusionXLInpaintPipeline",
            ),
            ("unet", "vae", "text_encoder", "text_encoder_2"),
            {"tokenizer": "text_encoder", "tokenizer_2": "text_encoder_2"},
            _find_sdxl_fault,
            "bot.engine.models.stable_diffusion_xl:StableDiffusionXL",
            kinds=("sdxl",),
        ),
        Family(
            "sd3",
            "Stable Diffusion 3 and 3.5",
            "stabilityai/stable-diffusion-3.5-medium",
            ("StableDiffusion3Pipeline", "StableDiffusion3Img2ImgPipeline"),
            ("transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3"),
            {
                "tokenizer": "text_encoder",
                "tokenizer_2": "text_encoder_2",
                "tokenizer_3": "text_encoder_3",
            },
            _find_no_fault,
            "bot.engine.models.stable_diffusion_3:StableDiffusion3",
            samplers=FLOW_SAMPLERS,
        ),
        Family(
            "flux",
            "FLUX.1",
            "black-forest-labs/FLUX.1-schnell",
            ("FluxPipeline", "FluxImg2ImgPipeline", "FluxInpaintPipeline"),
            ("transformer", "vae", "text_encoder", "text_encoder_2"),
            {"tokenizer": "text_encoder", "tokenizer_2": "text_encoder_2"},
            _find_packed_fault,
            "bot.engine.models.flux:Flux",
            samplers=FLOW_SAMPLERS,
        ),
        Family(
            "flux_kontext",
            "FLUX.1 Kontext",
            "black-forest-labs/FLUX.1-Kontext-dev",
            ("FluxKontextPipeline", "FluxKontextInpaintPipeline"),
            ("transformer", "vae", "text_encoder", "text_encoder_2"),
            {"tokenizer": "text_encoder", "tokenizer_2": "text_encoder_2"},
            _find_packed_fault,
            "bot.engine.models.flux_kontext:FluxKontext",
            network_of="flux",
            samplers=FLOW_SAMPLERS,
        ),
        Family(
            "chroma",
            "Chroma",
            "lodestones/Chroma1-HD",
            ("ChromaPipeline", "ChromaImg2ImgPipeline", "ChromaInpaintPipeline"),
            ("transformer", "vae", "text_encoder"),
            {"tokenizer": "text_encoder"},
            _find_packed_fault,
            "bot.engine.models.chroma:Chroma",
            samplers=FLOW_SAMPLERS,
        ),
        Family(
            "z_image",
            "Z-Image",
            "Tongyi-MAI/Z-Image-Turbo",
            ("ZImagePipeline", "ZImageImg2ImgPipeline", "ZImageInpaintPipeline"),
            ("transformer", "vae", "text_encoder"),
            {"tokenizer": "text_encoder"},
            _find_z_image_fault,
            "bot.engine.models.z_image:ZImage",
            samplers=FLOW_SAMPLERS,
        ),
        Family(
            "qwen_image",
            "Qwen-Image",
            "Qwen/Qwen-Image",
            ("QwenImagePipeline", "QwenImageImg2ImgPipeline", "QwenImageInpaintPipeline"),
            ("transformer", "vae", "text_encoder"),
            {"tokenizer": "text_encoder"},
            _find_qwen_image_fault,
            "bot.engine.models.qwen_image:QwenImage",
            samplers=FLOW_SAMPLERS,
        ),
        Family(
            "qwen_image_edit",
            "Qwen-Image-Edit",
            "Qwen/Qwen-Image-Edit",
            ("QwenImageEditPipeline", "QwenImageEditInpaintPipeline"),
            ("transformer", "vae", "text_encoder"),
            {"tokenizer": "text_encoder"},
            _find_qwen_edit_fault,
            "bot.engine.models.qwen_image_edit:QwenImageEdit",
            network_of="qwen_image",
            processor="processor",
            samplers=FLOW_SAMPLERS,
        ),
        Family(
            "qwen_image_edit_plus",
            "Qwen-Image-Edit-2509 and 2511",
            "Qwen/Qwen-Image-Edit-2511",
            ("QwenImageEditPlusPipeline",),
            ("transformer", "vae", "text_encoder"),
            {"tokenizer": "text_encoder"},
            _find_qwen_edit_fault,
            "bot.engine.models.qwen_image_edit:QwenImageEditPlus",
            network_of="qwen_image",
            processor="processor",
            samplers=FLOW_SAMPLERS,
        ),
        Family(
            "flux2",
            "FLUX.2 klein",
            "black-forest-labs/FLUX.2-klein-4B",
            ("Flux2KleinPipeline", "Flux2KleinInpaintPipeline"),
            ("transformer", "vae", "text_encoder"),
            {"tokenizer": "text_encoder"},
            _find_flux2_fault,
            "bot.engine.models.flux2:Flux2Klein",
            samplers=FLOW_SAMPLERS,
        ),
        Family(
            "sana",
            "Sana",
            "Efficient-Large-Model/Sana_1600M_1024px_BF16_diffusers",
            ("SanaPipeline",),
            ("transformer", "vae", "text_encoder"),
            {"tokenizer": "text_encoder"},
            _find_sana_fault,
            "bot.engine.models.sana:Sana",
            samplers=FLOW_SAMPLERS,
        ),
    )
}
"""The families by id. A new family needs one more entry here, and one more file in this folder."""

_OTHERS = (
    ("StableCascade", "Stable Cascade"),
    ("Flux2", "FLUX.2 other than klein"),
    ("FluxControl", "FLUX.1 Control, which follows a picture"),
    ("FluxFill", "FLUX.1 Fill, which fills holes in pictures"),
    ("Flux", "FLUX.1"),
    ("QwenImageLayered", "Qwen-Image-Layered"),
    ("ZImageOmni", "Z-Image-Omni"),
    ("Chroma", "Chroma"),
    ("SanaSprint", "Sana-Sprint"),
    ("PixArt", "PixArt"),
    ("HunyuanDiT", "Hunyuan-DiT"),
    ("AuraFlow", "AuraFlow"),
    ("Kolors", "Kolors"),
    ("Kandinsky", "Kandinsky"),
    ("Lumina", "Lumina"),
    ("HiDream", "HiDream"),
    ("Cosmos", "Cosmos"),
    ("StableDiffusionX4Upscale", "the Stable Diffusion upscaler"),
    ("StableDiffusionUpscale", "the Stable Diffusion upscaler"),
)
"""Unsupported families: how the names of their pipelines begin, and their usual names."""


def find_family(index: Config, model: str) -> Family:
    """Return the family that a model_index.json belongs to. Raises ConfigError for any other."""
    pipeline = str(index.get("_class_name"))
    for family in FAMILIES.values():
        if pipeline in family.pipelines:
            return family
    label = next((label for start, label in _OTHERS if pipeline.startswith(start)), None)
    fault = f"it is a model of {label}" if label else f"its pipeline is {pipeline}"
    raise ConfigError(refuse_family(model, fault))


def refuse_family(model: str, fault: str) -> str:
    """Explain why a model cannot be used, and list the families that can."""
    *others, last = (family.label for family in FAMILIES.values())
    return (
        f"Triptych cannot draw with {model} ({fault}): choose a text-to-image model of "
        f"{', '.join(others)} or {last}. `triptych models` lists an example of each."
    )
