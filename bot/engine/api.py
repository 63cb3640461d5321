"""The engine's interface for the rest of the program. Importing this does not import torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from bot.domain.recipes import Recipe
from bot.domain.samplers import SAMPLERS
from bot.engine.options import EngineOptions, ModelSource  # noqa: F401 part of the interface
from bot.errors import EngineError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NUM_IMAGES = 3
"""Pictures per request: one triptych."""

CLIP_TOKENS = 77
MAX_CHUNKS = 4
"""A prompt may be this many times as long as the input of CLIP's text encoder.

Other programs do the same for models with that encoder. A model with a shorter encoder was trained
with whole captions, so it gets one chunk.
"""

SHOWN_PIXELS = 512
"""Small pictures are shown enlarged, but with sides of at most this length."""

SAMPLER_IDS = tuple(SAMPLERS)
"""Every sampler that people may name. A model offers those that support its noise schedule."""


def count_chunks(max_tokens: int) -> int:
    """Return how many times a text encoder of this length is used for one prompt."""
    return MAX_CHUNKS if max_tokens >= CLIP_TOKENS else 1


@dataclass(frozen=True, slots=True)
class UpscalerInfo:
    """The network that enlarges pictures, without drawing anything new.

    name: what recipes call it. factor: how many times longer the sides become.
    flop_per_pixel: the work for one pixel of the small picture. margin_pixels: how much around a
    tile the network needs, so that tiles have no seams.
    """

    name: str
    factor: int
    flop_per_pixel: float
    margin_pixels: int

    @property
    def factors(self) -> tuple[int, ...]:
        """Return the possible factors, largest first. Smaller factors reduce the full result."""
        return tuple(n for n in range(self.factor, 1, -1) if self.factor % n == 0)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the loaded model can do, read from its own files.

    id: the model's name in recipes and requests. name: the model's name for people.
    width, height: native size in pixels. size_multiple: both sides must be multiples of it.
    max_tokens: the text encoder's length, start and end markers included. reads_chunks: a longer
    prompt is cut into chunks of this length, as is usual with CLIP's text encoder.
    is_default: it is the bot's own model; False if the owner of another machine chose it.
    samplers: the ids of the samplers offered for this model, first ``default_sampler`` (usually the
    model's own scheduler). device: the id of its kind of device, such as "cuda" or "cpu"; dtype:
    "float16" or "float32". engine: the id of the engine that has loaded it.
    request_flop: the work of the model's default request. cost_factor: this work in default
    requests of the default model. max_clip_skip: the number of layers in the text encoder, minus
    one.
    sizes: the sizes (width, height) that it was trained with, if there are several.
    embeds_guidance: the model was distilled to take the guidance scale as an input. is_distilled:
    the model draws in a few steps, so presets with more steps are not used.
    edits: it can change a picture as an instruction says. only_edits: it can do nothing else.
    reference_pixels: the area to which it brings the picture that is edited; 0 means about the area
    that is drawn.
    notes: sentences for the owner's log, e.g. that no fp16 variant was found.
    shows_enlarged: people see the model's pictures enlarged, because they are small. upscaler: the
    network that enlarges pictures; None if enlarging is off. letters_per_token:
    how many letters of a usual English text make one token; used to estimate how much of a prompt
    the model reads. licence: its name, as the owner or the model's card gives it; "" if unknown.
    """

    id: str
    name: str
    width: int
    height: int
    size_multiple: int
    max_tokens: int
    samplers: tuple[str, ...]
    default_sampler: str
    num_inference_steps: int
    guidance_scale: float
    device: str
    dtype: str
    notes: tuple[str, ...] = ()
    engine: str = ""
    request_flop: float = 0.0
    cost_factor: float = 1.0
    max_clip_skip: int = 11
    embeds_guidance: bool = False
    is_distilled: bool = False
    edits: bool = False
    only_edits: bool = False
    reference_pixels: int = 0
    sizes: tuple[tuple[int, int], ...] = ()
    shows_enlarged: bool = False
    upscaler: UpscalerInfo | None = None
    is_default: bool = True
    letters_per_token: float = 4.5
    reads_chunks: bool = True
    licence: str = ""

    @property
    def prompt_tokens(self) -> int:
        """Return how many tokens of a prompt the model reads; the rest is cut."""
        num_chunks = count_chunks(self.max_tokens) if self.reads_chunks else 1
        return num_chunks * (self.max_tokens - 2)  # without start and end

    def count_rows(self, guidance_scale: float) -> int:
        """Return how many rows of a batch one picture takes. Most models need two for guidance."""
        return 2 if guidance_scale > 1 and not self.embeds_guidance else 1

    def count_read(self, width: int, height: int, *, is_edit: bool) -> float:
        """Return how many pictures of this size the network reads in each step, to draw one."""
        if not is_edit:
            return 1.0
        return 1.0 + (self.reference_pixels or width * height) / (width * height)

    def find_shown_factor(self, width: int, height: int) -> int | None:
        """Return by which factor a picture of this size is shown enlarged; None if it is not."""
        if self.upscaler is None or not self.shows_enlarged:
            return None
        room = SHOWN_PIXELS // max(width, height, 1)
        return next((factor for factor in self.upscaler.factors if factor <= room), None)


@dataclass(frozen=True, slots=True, eq=False)
class GenerationRequest:
    """One job for the engine. recipe: has all of the model's defaults filled in.

    The recipe has one seed in [0, 2³²) for each picture. Classifier-free guidance runs if its scale
    is above 1. If ``guidance_until`` is below 1, the last steps run without guidance and cost half,
    and the picture is no longer the one that diffusers' pipeline draws. image: uint8 (H, W, 3) RGB
    to start from. If it is None, the recipe's strength only affects the cost. If the recipe
    ``is_upscaled``, the image is enlarged and nothing is drawn.
    """

    request_id: int
    recipe: Recipe
    image: NDArray[np.uint8] | None = None

    @property
    def model(self) -> str | None:
        """Return the ``ModelInfo.id`` of the model that will draw this request."""
        return self.recipe.model


@dataclass(frozen=True, slots=True, eq=False)
class GenerationOutput:
    """The finished pictures of one request.

    images: uint8 (N, H, W, 3) RGB, one per seed, never altered by the checker.
    nsfw_content_detected: the verdict of the model's own checker on each picture; None if the model
    has no checker.
    gpu_seconds: the seconds that the device (GPU or CPU) worked for this request.
    cut_words, cut_negative_words: the end of the prompt and of the negative prompt, if it was too
    long for the text encoder; otherwise "".
    engine: the id of the engine that drew the pictures; each engine has its own pace.
    enlarged: the same pictures enlarged, if people see them enlarged; otherwise None.
    """

    images: NDArray[np.uint8]
    nsfw_content_detected: tuple[bool | None, ...]
    gpu_seconds: float
    cut_words: str = ""
    engine: str = ""
    cut_negative_words: str = ""
    enlarged: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """The progress of a request: ``step`` of ``num_steps`` steps are done.

    If a picture is only enlarged, its tiles count as steps. preview: uint8 (N, h, w, 3) RGB or
    None.
    """

    step: int
    num_steps: int
    preview: NDArray[np.uint8] | None = None


ProgressCallback = Callable[[Progress], None]
"""The engine thread calls this, so it must be quick, such as ``loop.call_soon_threadsafe``."""


class EngineState(StrEnum):
    """The state of an engine in a pool. REFUSED: it could not load its model."""

    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    LOST = "lost"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """Describes an engine in a pool. outstanding_cost: the work left, in default requests.

    info: its model; None until the model is loaded. note: why the engine does not draw.
    """

    name: str
    state: EngineState
    info: ModelInfo | None
    num_drawing: int
    outstanding_cost: float
    pictures_last_hour: int
    num_faults: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A model that a pool offers. id: see ``ModelInfo``.

    info: None until the model has been loaded once. note: why it cannot draw now; "" if it can.
    is_out: it failed, so requests for it are refused until it works again.
    """

    id: str
    info: ModelInfo | None
    note: str = ""
    is_out: bool = False


@dataclass(frozen=True, slots=True)
class Swapping:
    """How an engine takes turns with its models, because its device cannot hold all of them.

    loaded: the model on the device; None if there is none. swap_seconds: how long a swap takes.
    turn_seconds: how long a model draws before the next one, while both have requests.
    """

    loaded: str | None
    swap_seconds: float
    turn_seconds: float

    def count_seconds(self, model: str | None, seconds: float, *, is_contended: bool) -> float:
        """Return how long swaps take until a request for this model is drawn.

        seconds: the time until then without swaps. is_contended: requests for several models wait.
        """
        num_swaps = (model != self.loaded) + is_contended * int(seconds / self.turn_seconds)
        return self.swap_seconds * num_swaps


class Estimator(Protocol):
    """Says whether a request fits and what it costs. Estimators can be sent to other processes."""

    @property
    def swapping(self) -> Swapping | None:
        """Return how the models take turns; None if the device holds all of them."""
        ...

    def fits(self, others: Iterable[Recipe], recipe: Recipe) -> bool:
        """Return whether a request fits beside the others. A single request always fits."""
        ...

    def cost(self, recipe: Recipe) -> float:
        """Estimate the work, in units of one default request of the default model."""
        ...


class EngineApi(Protocol):
    """One engine: one device with one or more models. Every method may be called from any thread.

    on_change: called, in any thread, when ``models`` or ``estimator`` has changed.
    """

    on_change: Callable[[], object]

    @property
    def models(self) -> tuple[ModelStatus, ...]:
        """Return all models, the default one first; empty until the first one is loaded."""
        ...

    @property
    def estimator(self) -> Estimator | None:
        """Return the present estimator of room and costs; None until the model is loaded."""
        ...

    @property
    def is_loading(self) -> bool:
        """Return whether a model is being loaded from its files, so that no steps are taken."""
        ...

    @property
    def fault(self) -> EngineError | None:
        """Return why nothing can be drawn any more; None if all is well."""
        ...

    @property
    def is_draining(self) -> bool:
        """Return whether the engine wants to finish its requests and take no new ones."""
        ...

    def start(self) -> Future[ModelInfo]:
        """Start the engine thread and load the models.

        The future's result is the first model that could be loaded. It fails with ConfigError.
        """
        ...

    def submit(
        self, request: GenerationRequest, on_progress: ProgressCallback | None = None
    ) -> Future[GenerationOutput]:
        """Queue a request.

        The future fails with GenerationCancelled, GenerationRejected, GenerationFailed, ModelOut or
        EngineLost.
        """
        ...

    def cancel(self, request_id: int) -> None:
        """End a request with GenerationCancelled within one step. A second call does nothing."""
        ...

    def has_room(self, recipe: Recipe) -> bool:
        """Return whether a request for this complete recipe would start at once."""
        ...

    def cost(self, recipe: Recipe) -> float:
        """Estimate the work, in units of one default request of the default model."""
        ...

    def forget_prompts(self) -> None:
        """Forget, within a step, every prompt that is not being drawn."""
        ...

    def abandon(self, reason: str) -> None:
        """Stop without waiting. Used if the engine hangs or its machine has left."""
        ...

    def close(self, deadline_seconds: float) -> bool:
        """Cancel all requests and stop the thread; False if it is still busy at the deadline."""
        ...
