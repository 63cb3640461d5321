"""Makes the first latents of a request: noise alone, or a picture with noise."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image

from bot.engine.api import GenerationRequest
from bot.engine.conditioning import Start
from bot.engine.models.family import ModelFamily
from bot.engine.models.vae_precision import in_float32
from bot.engine.sampling.step_tables import StepTable
from bot.errors import GenerationFailed

_NOT_A_NUMBER = (
    "The model's VAE makes not-a-number of the picture to start from, in float32 too: its weights "
    "are damaged. Copy or download the model again."
)


def draw_start(
    family: ModelFamily,
    request: GenerationRequest,
    table: StepTable,
    *,
    tiled: bool = False,
    noise_dtype: torch.dtype | None = None,
) -> Start:
    """Draw the latents that the pipelines of diffusers would start from.

    Each picture has its own CPU generator, which draws in the model's dtype, so that every device
    starts from the same noise. After that, latents are float32 (float64 for a float64 model). With
    a picture, the generator first samples the VAE's posterior, as in
    ``StableDiffusionImg2ImgPipeline``. tiled: the VAE encodes tile by tile. noise_dtype: the dtype
    in which the pipeline draws; None means the model's own.
    """
    dtype, device = family.network.dtype, family.network.device
    state = torch.promote_types(dtype, torch.float32)
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in request.recipe.seeds]
    image = None
    if request.image is not None:
        picture = Image.fromarray(request.image)
        with family.codec.tiled() if tiled else nullcontext():
            image = _encode(family, picture, request.recipe.size, generators)
    shape = family.latent_shape(*request.recipe.size)
    noise = randn_tensor(
        (len(generators), *shape), generators, device=device, dtype=noise_dtype or dtype
    )
    latents = table.start_noise * noise.to(state)
    if image is not None:
        latents = table.start_image * image.to(state) + latents
    return Start(latents, tuple(generators))


def _encode(
    family: ModelFamily,
    picture: Image.Image,
    size: tuple[int, int],
    generators: list[torch.Generator],
) -> torch.Tensor:
    """Encode a picture as scaled latents (N, C, h, w), one for each generator.

    A picture of another size is resized first (Lanczos).
    """
    codec, (width, height) = family.codec, size
    pixels = family.pipe.image_processor.preprocess(picture, height=height, width=width)
    parameters = codec.encode(pixels)
    if codec.vae.dtype == torch.float16 and not parameters.isfinite().all():
        with in_float32(codec.vae):
            parameters = codec.encode(pixels).half()
    if not parameters.isfinite().all():
        raise GenerationFailed(_NOT_A_NUMBER)
    return codec.sample(parameters, generators)
