"""The interface between the engine and a model family. Each family has its own file here.

A family knows how to build its models and what inputs they take. All other code (the batch, the
samplers, the cost) works only with latents, step tables, rows and FLOP, the same for all families.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from PIL import Image

from bot.domain.recipes import Recipe
from bot.engine.api import GenerationRequest
from bot.engine.conditioning import Conditioning, Network, Rows, Start
from bot.engine.models.decoder import Decoder
from bot.engine.models.defaults import Traits
from bot.engine.models.few_steps import FewSteps
from bot.engine.models.latent_codec import LatentCodec
from bot.engine.models.latent_preview import PreviewMatrix
from bot.engine.sampling.step_tables import Schedule, StepTable


class Predictor(Protocol):
    """Calls the network for all rows of a step, and combines what it predicts."""

    def predict(
        self, network: Network, inputs: torch.Tensor, times: torch.Tensor, rows: Rows
    ) -> torch.Tensor:
        """Call ``network`` once for all rows, with inputs (R, C, h, w) and times (R,).

        times: the timesteps of the scheduler. The result (R, C, h, w) has the sign and the scale
        that ``scheduler.step`` expects.
        """
        ...

    def guide(self, uncond: torch.Tensor, cond: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """Combine two predictions (N, C, h, w) by each picture's guidance scale (N,)."""
        ...


class Editor(Protocol):
    """Shows the network the picture that an instruction changes. area: see
    ``ModelInfo.reference_pixels``.
    """

    area: int

    def encode(
        self, recipe: Recipe, picture: Image.Image
    ) -> tuple[Conditioning, Conditioning | None]:
        """Encode like ``ModelFamily.encode``, and add the picture as "reference" to each row."""
        ...


class ModelFamily(Predictor, Protocol):
    """One loaded model as the engine uses it. Not thread-safe.

    Class attributes: pipeline_class: the diffusers class. part_classes: the classes of the parts
    with weights, by name.
    without_checker: the pipeline's constructor arguments if there is no safety checker, and for
    parts that Triptych does not use.

    compared_parts: the parts whose weights have the same names in the files as in the model.
    caches_prompts: its network computes values from the prompts alone; see ``prompt_cache``.
    is_capturable: a CUDA graph can capture a step: nothing in it depends on values or waits for
    the device.
    half_dtype: its dtype on an accelerator, torch.float16 or torch.bfloat16.

    pipe: the diffusers pipeline with the weights. network: the part that runs at every step.
    tokenizer: the one that decides how much of a prompt is read. codec: converts between pictures
    and latents. decoder: turns finished latents into pictures. size, size_multiple: see
    ``ModelInfo``. sizes: the sizes (width, height) that it was trained with, if there are several.
    max_tokens, reads_chunks, max_clip_skip: see ``ModelInfo``. embeds_guidance: the guidance scale
    is an input of the network, so that a guided picture takes one row instead of two.
    guidance_scale, num_inference_steps: the pipeline's defaults. editor: shows the network the
    picture that an instruction changes; None if this family cannot edit. only_edits: it draws
    nothing without such a picture.
    """

    pipeline_class: Any
    part_classes: tuple[tuple[str, Any], ...]
    compared_parts: tuple[str, ...]
    without_checker: Mapping[str, Any]
    half_dtype: torch.dtype
    caches_prompts: bool
    is_capturable: bool
    pipe: Any
    network: Any
    tokenizer: Any
    codec: LatentCodec
    decoder: Decoder
    size: tuple[int, int]
    size_multiple: int
    sizes: tuple[tuple[int, int], ...]
    max_tokens: int
    reads_chunks: bool
    max_clip_skip: int
    embeds_guidance: bool
    guidance_scale: float
    num_inference_steps: int
    editor: Editor | None
    only_edits: bool

    @classmethod
    def adjust(cls, pipe: Any, traits: Traits) -> None:
        """Set in a pipeline what its config files leave open. Raises ConfigError."""
        ...

    def find_few_steps(self, name: str) -> FewSteps | None:
        """Recognise a model that was distilled to draw in a few steps. name: of its folder."""
        ...

    def prepare(self) -> None:
        """Prepare the parts for quick work, once they are on their device."""
        ...

    def latent_shape(self, width: int, height: int) -> tuple[int, int, int]:
        """Return the shape of one latent for a picture of this size in pixels."""
        ...

    def row_shapes(self, num_tokens: int | None = None) -> dict[str, tuple[int, ...]]:
        """Return the shape of each conditioning tensor of one row. None: the shortest text."""
        ...

    def encode(self, recipe: Recipe) -> tuple[Conditioning, Conditioning | None]:
        """Encode a complete recipe's prompt and, if pictures take two rows, its negative prompt.

        Both get the same length. Raises GenerationRejected.
        """
        ...

    def forget(self) -> None:
        """Forget every prompt."""
        ...

    def schedule(self, recipe: Recipe) -> Schedule:
        """Return what a step table depends on besides sampler, steps and strength."""
        ...

    def arrange_noise(self, noise: torch.Tensor) -> torch.Tensor:
        """Arrange the noise (N, C, h, w) of a step. A pipeline that steps packed tokens draws the
        same numbers in their order.
        """
        ...

    def start(self, request: GenerationRequest, table: StepTable, *, tiled: bool = False) -> Start:
        """Make the latents that the pipelines of diffusers would start from."""
        ...

    def find_preview(self) -> PreviewMatrix:
        """Return the matrix that turns latents into small previews."""
        ...

    def count_flop(self) -> tuple[float, float]:
        """Return the FLOP of one row of the network, and of decoding one picture."""
        ...
