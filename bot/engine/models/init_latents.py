"""Makes the first latents of a request: noise alone, or a picture with noise."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image

from bot.engine.api import GenerationRequest
from bot.engine.conditioning import Start
from bot.engine.models.tiling import tile_vae
from bot.engine.models.vae_precision import in_float32
from bot.engine.models.vae_scaling import scale_latents
from bot.engine.sampling.step_tables import StepTable
from bot.errors import GenerationFailed

_NOT_A_NUMBER = (
    "The model's VAE makes not-a-number of the picture to start from, in float32 too: its weights "
    "are damaged. Copy or download the model again."
)


def draw_start(
    pipe: Any, request: GenerationRequest, table: StepTable, *, tiled: bool = False
) -> Start:
    """Draw the latents that the pipelines of diffusers would start from.

    Each picture has its own CPU generator, which draws in the pipeline's dtype, so that every
    device starts from the same noise. After that, latents are float32 (float64 for a float64
    pipeline). With a picture, the generator first samples the VAE's posterior, as in
    ``StableDiffusionImg2ImgPipeline``. tiled: the VAE encodes tile by tile.
    """
    dtype, device = pipe.unet.dtype, pipe.unet.device
    state = torch.promote_types(dtype, torch.float32)
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in request.recipe.seeds]
    scale = pipe.vae_scale_factor
    width, height = request.recipe.size
    shape = (pipe.unet.config.in_channels, height // scale, width // scale)
    image = None
    if request.image is not None:
        picture = Image.fromarray(request.image)
        with tile_vae(pipe) if tiled else nullcontext():
            image = _encode(pipe, picture, (width, height), generators)
    noise = randn_tensor((len(generators), *shape), generators, device=device, dtype=dtype)
    latents = table.start_noise * noise.to(state)
    if image is not None:
        latents = table.start_image * image.to(state) + latents
    return Start(latents, tuple(generators))


def _encode(
    pipe: Any, picture: Image.Image, size: tuple[int, int], generators: list[torch.Generator]
) -> torch.Tensor:
    """Encode a picture as scaled latents (N, C, h, w), one for each generator.

    A picture of another size is resized first (Lanczos).
    """
    width, height = size
    pixels = pipe.image_processor.preprocess(picture, height=height, width=width)
    parameters = _encode_pixels(pipe.vae, pixels)
    if pipe.vae.dtype == torch.float16 and not parameters.isfinite().all():
        with in_float32(pipe.vae):
            parameters = _encode_pixels(pipe.vae, pixels).half()
    if not parameters.isfinite().all():
        raise GenerationFailed(_NOT_A_NUMBER)
    posterior = DiagonalGaussianDistribution(parameters)
    latents = torch.cat([posterior.sample(generator) for generator in generators])
    return scale_latents(pipe.vae, latents)


def _encode_pixels(vae: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Return the posterior's mean and log-variance. The precision does not affect later noise."""
    return vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.parameters
