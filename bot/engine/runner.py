"""Draws requests with the parts of one diffusers pipeline, step by step."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from diffusers.utils.torch_utils import randn_tensor

from bot.engine.face import GenerationOutput, GenerationRequest, ModelSource, Progress
from bot.engine.loading import LoadedModel, load_model
from bot.errors import EngineError, EngineLost, GenerationFailed, GenerationRejected

if TYPE_CHECKING:
    from numpy.typing import NDArray


def open_runner(source: ModelSource) -> ModelRunner:
    """Load a model. Raises ConfigError."""
    return ModelRunner(load_model(source))


class ModelRunner:
    """Holds the weights. Not thread-safe: one thread loads, draws and frees.

    The same weights, seeds and scheduler give the same picture as ``StableDiffusionPipeline``
    with one CPU generator per picture, to floating-point tolerance.
    """

    def __init__(self, model: LoadedModel) -> None:
        self.info = model.info
        self.cost_model = model.cost_model
        self._samplers = model.samplers
        self._pipe = model.pipe
        self._device = torch.device(model.info.device)

    @torch.inference_mode()
    def draw(
        self,
        request: GenerationRequest,
        check_cancelled: Callable[[], None],
        report: Callable[[Progress], None],
    ) -> GenerationOutput:
        """Draw the pictures of one request.

        check_cancelled: called before every step and every picture's decoding; what it raises
        ends the drawing. report: called after every step, must not raise.
        Raises GenerationRejected, GenerationFailed and whatever torch raises (see ``explain``).
        """
        started = self._read_clock()

        # 1. Check the request
        self._check(request)
        scheduler = self._samplers.create(request.sampler)
        timesteps = self._make_timesteps(scheduler, request)

        # 2. Encode the prompts: (pictures or 2 × pictures, tokens, width), [uncond; cond]
        guided = request.guidance_scale > 1
        embeds, cut_words = self._encode(request.prompt)
        embeds = embeds.repeat(len(request.seeds), 1, 1)
        if guided:
            uncond, _ = self._encode(request.negative_prompt)
            embeds = torch.cat([uncond.repeat(len(request.seeds), 1, 1), embeds])

        # 3. Draw the noise: (pictures, channels, height / scale, width / scale)
        latents = self._draw_noise(request, embeds.dtype) * scheduler.init_noise_sigma

        # 4. Denoise
        for step, t in enumerate(timesteps, start=1):
            check_cancelled()
            rows = torch.cat([latents] * 2) if guided else latents
            rows = scheduler.scale_model_input(rows, t)
            noise = self._pipe.unet(rows, t, encoder_hidden_states=embeds, return_dict=False)[0]
            if guided:
                uncond_noise, cond_noise = noise.chunk(2)
                noise = uncond_noise + request.guidance_scale * (cond_noise - uncond_noise)
            latents = scheduler.step(noise, t, latents, return_dict=False)[0]
            report(Progress(step, len(timesteps)))

        # 5. Decode and judge, one picture at a time
        images: list[NDArray[np.uint8]] = []
        verdicts: list[bool | None] = []
        for latent in latents.split(1):
            check_cancelled()
            picture = self._decode(latent)
            image = _to_uint8(picture)
            images.append(image)
            verdicts.append(self._judge(picture, image))
        return GenerationOutput(
            np.stack(images), tuple(verdicts), self._read_clock() - started, cut_words
        )

    def explain(self, error: Exception) -> EngineError:
        """Translate what torch raised: after a CUDA error the context is dead for good."""
        if isinstance(error, torch.OutOfMemoryError):
            return GenerationFailed(
                "The device ran out of memory; fewer or smaller pictures need less of it."
            )
        if isinstance(error, torch.AcceleratorError) or "CUDA error" in str(error):
            return EngineLost(f"The CUDA context is lost: {_first_line(error)}")
        return GenerationFailed(f"{type(error).__name__}: {_first_line(error)}")

    def free(self) -> None:
        """Give back the memory of a request that failed."""
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _check(self, request: GenerationRequest) -> None:
        info, multiple = self.info, self.info.size_multiple
        if not request.seeds:
            raise GenerationRejected("Ask for at least one picture: the list of seeds is empty.")
        if any(side < multiple or side % multiple for side in (request.width, request.height)):
            raise GenerationRejected(
                f"{request.width}×{request.height} does not fit {info.name}: "
                f"width and height must be multiples of {multiple} pixels."
            )
        if request.sampler not in info.samplers:
            raise GenerationRejected(
                f"{info.name} has no sampler {request.sampler!r}; choose one of "
                f"{', '.join(info.samplers)}."
            )
        if request.num_inference_steps < 1:
            raise GenerationRejected("At least one inference step is needed.")
        if not (math.isfinite(request.guidance_scale) and request.guidance_scale >= 0):
            raise GenerationRejected("The guidance scale must be a number of at least 0.")
        if request.image is not None:
            raise GenerationRejected("Starting from a picture is not offered yet.")

    def _make_timesteps(self, scheduler: Any, request: GenerationRequest) -> torch.Tensor:
        limit = scheduler.config.num_train_timesteps
        if request.num_inference_steps <= limit:
            scheduler.set_timesteps(request.num_inference_steps, device=self._device)
            if scheduler.timesteps.max() < limit:
                return scheduler.timesteps
        raise GenerationRejected(
            f"{request.num_inference_steps} steps are more than {request.sampler} can take."
        )

    def _encode(self, prompt: str) -> tuple[torch.Tensor, str]:
        """Return embeddings (1, tokens, width) of the encoder's dtype and the words cut off."""
        tokenizer, encoder = self._pipe.tokenizer, self._pipe.text_encoder
        length = self.info.max_tokens
        inputs = tokenizer(
            prompt, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        )
        mask = None
        if getattr(encoder.config, "use_attention_mask", None):
            mask = inputs.attention_mask.to(self._device)
        embeds = encoder(inputs.input_ids.to(self._device), attention_mask=mask)[0]
        whole = tokenizer(prompt, return_offsets_mapping=True, verbose=False)
        if len(whole.input_ids) <= length:
            return embeds.to(encoder.dtype), ""
        # The end marker takes the last place, so the token that stood there is the first one cut.
        start = whole.offset_mapping[length - 1][0]
        return embeds.to(encoder.dtype), prompt[start:].strip()

    def _draw_noise(self, request: GenerationRequest, dtype: torch.dtype) -> torch.Tensor:
        scale = self._pipe.vae_scale_factor
        shape = (
            len(request.seeds),
            self._pipe.unet.config.in_channels,
            request.height // scale,
            request.width // scale,
        )
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in request.seeds]
        return randn_tensor(shape, generator=generators, device=self._device, dtype=dtype)

    def _decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Decode one latent (1, C, h, w) to a finite picture (1, 3, H, W), about [-1, 1]."""
        vae = self._pipe.vae
        latent = latent / vae.config.scaling_factor
        picture = vae.decode(latent, return_dict=False)[0]
        if latent.dtype == torch.float16 and not picture.isfinite().all():
            # float16 ends at 65504, which some decoders pass in their last blocks
            try:
                picture = vae.to(torch.float32).decode(latent.float(), return_dict=False)[0]
            finally:
                vae.to(torch.float16)
        if not picture.isfinite().all():
            raise GenerationFailed(
                "The picture came out as not-a-number; another seed, sampler or a lower "
                "guidance scale may help."
            )
        return picture

    def _judge(self, picture: torch.Tensor, image: NDArray[np.uint8]) -> bool | None:
        """Ask the model's own checker about a picture (1, 3, H, W); None if it has none."""
        checker = self._pipe.safety_checker
        if checker is None:
            return None
        features = self._pipe.feature_extractor(image, return_tensors="pt").pixel_values
        # It blackens what it flags in place; the picture to deliver is uint8 by now.
        _, flags = checker(images=picture, clip_input=features.to(self._device, checker.dtype))
        return bool(flags[0])

    def _read_clock(self) -> float:
        """Return seconds, once the device has done what it was given."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


def _to_uint8(picture: torch.Tensor) -> NDArray[np.uint8]:
    """Turn (1, 3, H, W) in [-1, 1] into uint8 (H, W, 3), as diffusers' VaeImageProcessor does."""
    unit = (picture * 0.5 + 0.5).clamp(0, 1)
    values = unit[0].permute(1, 2, 0).float().cpu().numpy()
    return (values * 255).round().astype(np.uint8)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
