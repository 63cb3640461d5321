"""Holds a loaded model, and does each piece of work with the right part of its pipeline."""

from __future__ import annotations

import gc
import math
import os
from contextlib import suppress
from dataclasses import replace
from functools import partial

import torch
from PIL import Image

from bot.engine.api import EngineOptions, GenerationRequest, ModelSource
from bot.engine.capacity.autotune import Knee, KneeFile, make_key, measure_knee
from bot.engine.capacity.buckets import find_bucket
from bot.engine.capacity.capacity import Capacity, count_default_rows
from bot.engine.capacity.learning import Learner
from bot.engine.conditioning import Conditioning, Network
from bot.engine.models.decoder import Decoding
from bot.engine.models.family import Predictor
from bot.engine.models.loading import LoadedModel, load_model
from bot.engine.models.prompt_cache import forget_prompts, remember_prompts
from bot.engine.models.tiling import TiledFamily
from bot.engine.sampling.step_tables import NotTabled, StepTable, StepTables
from bot.engine.steps.groups import Group
from bot.engine.steps.slots import Slots
from bot.engine.steps.steppers import CompiledNetwork, GraphStepper, Stepper
from bot.errors import EngineError, EngineLost, GenerationFailed, GenerationRejected
from bot.texts.codes import Code
from bot.texts.reasons import because

MAX_GROUP_BYTES = 2**30
"""The state of one group takes at most this much memory, but has room for one request. A slot of
FLUX.2 takes 39 MB at 1024 × 1024 pixels: 16 for its two texts, and the rest for its latents.
"""


class DeviceFull(GenerationFailed):
    """The device's memory ran out."""


def open_runner(source: ModelSource, options: EngineOptions) -> ModelRunner:
    """Load a model. Raises ConfigError."""
    return ModelRunner(load_model(source, options.unit_flop, options.cache_dir), options)


class ModelRunner:
    """One loaded model, ready for use. Not thread-safe."""

    def __init__(self, model: LoadedModel, options: EngineOptions | None = None) -> None:
        self.info = model.info
        self.cost_model = model.cost_model
        self.hardware = model.hardware
        self.device = torch.device(model.hardware.type)
        self.family = model.family
        self.offload = model.offload
        self.preview = model.family.find_preview().to(self.device)
        self._options = options or EngineOptions()
        self._tables = StepTables(model.samplers.create)
        self._network: Network = model.family.network
        self._has_graphs = (
            model.hardware.has_graphs and model.family.is_capturable and not model.runs_eagerly
        )
        if self.device.type == "cpu" and self.family.caches_prompts:
            remember_prompts(model.family.network)

    @torch.inference_mode()
    def find_knee(self) -> Knee:
        """Read the knee that an earlier start measured or learned, or measure it and keep it."""
        if self._options.rows is not None:
            return Knee(self._options.rows)
        known = self._read_knee()
        if known is None:
            known = measure_knee(
                self.hardware,
                partial(self._make_slots, *self.family.size),
                self._make_stepper,
                self._decode_noise,
                least_rows=count_default_rows(self.info),
            )
            self.forget_prompts()
            self._keep_knee(known)
        return known

    def make_learner(self, capacity: Capacity, max_rows: int | None) -> Learner | None:
        """Make the object that learns the best number of rows; None if the options fix it."""
        if self._options.rows is not None or self._options.deterministic:
            return None
        return Learner(capacity.rows, count_default_rows(self.info), max_rows)

    def use_learned(self, learner: Learner) -> None:
        """Prepare for the number of rows that was learned, and keep it for the next start."""
        self.start_compiling(learner.next_rows)
        known = self._read_knee()
        if known is not None:
            self._keep_knee(replace(known, rows=learner.rows))

    def _read_knee(self) -> Knee | None:
        folder = self._options.cache_dir
        return KneeFile(folder).read(self._make_key()) if folder else None

    def _keep_knee(self, knee: Knee) -> None:
        if self._options.cache_dir:
            KneeFile(self._options.cache_dir).write(self._make_key(), knee)

    def _make_key(self) -> str:
        shape = self.family.latent_shape(*self.family.size)
        return make_key(self.hardware, self.family.network, shape)

    def start_compiling(self, max_rows: int) -> None:
        """Compile the model in the background, if the options ask for it and there is CUDA.

        It may be called again with more rows.
        """
        if isinstance(self._network, CompiledNetwork):
            self._network.start(find_bucket(max_rows))
        elif self._options.compile_unet and self._has_graphs:
            if self._options.cache_dir:  # Inductor and Triton read only these variables
                folder = self._options.cache_dir / "inductor"
                os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))
            compiled = CompiledNetwork(self.family)
            compiled.start(find_bucket(max_rows))
            self._network = compiled

    def get_table(self, request: GenerationRequest) -> StepTable:
        """Check a request and return its step table. Raises GenerationRejected."""
        self._check(request)
        recipe = request.recipe
        strength = None if request.image is None else recipe.strength
        sampler, num_steps = recipe.sampler or "", recipe.num_inference_steps or 0
        try:
            schedule = self.family.schedule(recipe)
            return self._tables.get(sampler, num_steps, strength, schedule)
        except NotTabled as error:
            raise GenerationRejected(
                because(Code.NOT_IN_TABLES, sampler=sampler, steps=num_steps, fault=str(error))
            ) from None

    def encode(self, request: GenerationRequest) -> tuple[Conditioning, Conditioning | None]:
        """Encode a request's prompts and, if it edits a picture, that picture.

        Raises GenerationRejected.
        """
        editor, recipe = self.family.editor, request.recipe
        if not recipe.is_edit:
            if self.info.only_edits:
                raise GenerationRejected(because(Code.MODEL_ONLY_EDITS, model=self.info.name))
            return self.family.encode(recipe)
        if editor is None:
            raise GenerationRejected(because(Code.MODEL_EDITS_NOTHING, model=self.info.name))
        if request.image is None:
            raise GenerationRejected(because(Code.START_OF_WRONG_SHAPE))
        return editor.encode(recipe, Image.fromarray(request.image))

    def make_group(
        self,
        width: int,
        height: int,
        num_slots: int,
        num_tokens: int,
        reference: tuple[int, ...] | None = None,
        *,
        tiled: bool = False,
    ) -> Group:
        """Allocate the state for pictures of one size whose texts have one length.

        reference: the shape of the latents of the pictures that are edited.
        """
        slots = self._make_slots(width, height, num_slots, num_tokens, reference)
        family: Predictor = self.family
        if tiled:
            size = self.family.latent_shape(width, height)[1:]
            tile = self.family.latent_shape(*self.family.size)[1:]
            family = TiledFamily(self.family, size, tile, self.device)
        stepper = self._make_stepper(slots, family)
        arrange = self.family.arrange_noise
        return Group(width, height, slots, stepper, arrange, is_tiled=tiled)

    def count_slots(
        self, width: int, height: int, num_tokens: int, reference: tuple[int, ...] | None
    ) -> int:
        """Return how many slots ``MAX_GROUP_BYTES`` hold, of a group as ``make_group`` makes it."""
        device = torch.device("meta")
        slots = self._make_slots(width, height, 0, num_tokens, reference, device=device)
        return MAX_GROUP_BYTES // slots.slot_bytes

    def pad(self, num_rows: int, fixed_rows: int) -> int | None:
        """Return the number of rows to pad a batch to; None means no padding."""
        if self._options.deterministic:
            return max(num_rows, fixed_rows)
        return find_bucket(num_rows) if self._has_graphs else None

    def decode(
        self, latents: torch.Tensor, *, tiled: bool = False, may_tile: bool = False
    ) -> Decoding:
        """Start decoding, one picture or tile at a time if memory has no room for more."""
        if not tiled:
            with suppress(torch.OutOfMemoryError):
                return self.family.decoder.start(latents)
            # This is after the block, because inside it the traceback keeps the tensors alive.
            self.free()
        return self.family.decoder.decode_singly(latents, tiled=tiled or may_tile)

    def explain(self, error: Exception) -> EngineError:
        """Turn torch's error into one of ours. A CUDA error means that the context is dead."""
        # If memory runs out during a graph capture, ending the capture raises another error.
        # On Apple's chips, only the text of torch's error says so.
        is_full = any(isinstance(e, torch.OutOfMemoryError) for e in (error, error.__context__))
        if is_full or "out of memory" in str(error):
            return DeviceFull(
                "The device ran out of memory; fewer or smaller pictures need less of it."
            )
        if isinstance(error, torch.AcceleratorError) or "CUDA error" in str(error):
            return EngineLost(f"The CUDA context is lost: {_first_line(error)}")
        return GenerationFailed(f"{type(error).__name__}: {_first_line(error)}")

    def forget_prompts(self) -> None:
        """Clear the model's caches of prompts. Prompts that are being drawn are computed again."""
        forget_prompts(self.family.network)

    def free(self) -> None:
        """Free the memory of work that failed. Raises EngineLost if the device is dead."""
        gc.collect()
        if self.device.type == "cpu":
            return
        try:
            # this raises an error if the device's context is dead
            self.hardware.module.synchronize()
            self.hardware.module.empty_cache()
        except RuntimeError as error:
            raise EngineLost(f"The device is lost: {_first_line(error)}") from None

    def _check(self, request: GenerationRequest) -> None:
        info, multiple = self.info, self.info.size_multiple
        recipe, size = request.recipe, request.recipe.size
        if request.model not in {None, info.id}:
            why = because(Code.MODEL_NOT_LOADED, loaded=[info.id], asked=request.model)
            raise GenerationRejected(why)
        if not recipe.seeds:
            raise GenerationRejected(because(Code.NO_SEEDS))
        if any(side < multiple or side % multiple for side in size):
            named = {"width": size[0], "height": size[1], "multiple": multiple}
            raise GenerationRejected(because(Code.SIZE_NOT_OF_MODEL, model=info.name, **named))
        if recipe.sampler not in info.samplers:
            named = {"sampler": recipe.sampler, "known": info.samplers}
            raise GenerationRejected(because(Code.SAMPLER_NOT_OF_MODEL, model=info.name, **named))
        if (recipe.num_inference_steps or 0) < 1:
            raise GenerationRejected(because(Code.NO_STEPS))
        scale = recipe.drawn_guidance_scale
        if not (math.isfinite(scale) and scale >= 0):
            raise GenerationRejected(because(Code.GUIDANCE_NOT_A_NUMBER))
        if not (0 <= recipe.guidance_until <= 1 and 0 < recipe.strength <= 1):
            raise GenerationRejected(because(Code.SHARES_OUT_OF_RANGE))
        if request.image is not None and request.image.shape[2:] != (3,):
            raise GenerationRejected(because(Code.START_OF_WRONG_SHAPE))

    def _make_slots(
        self,
        width: int,
        height: int,
        num_slots: int,
        num_tokens: int | None = None,
        reference: tuple[int, ...] | None = None,
        device: torch.device | None = None,
    ) -> Slots:
        shapes = self.family.row_shapes(num_tokens)
        return Slots(
            num_slots,
            self.family.latent_shape(width, height),
            shapes if reference is None else {**shapes, "reference": reference},
            device=device or self.device,
            dtype=self.family.network.dtype,
        )

    def _make_stepper(self, slots: Slots, family: Predictor | None = None) -> Stepper:
        kind = GraphStepper if self._has_graphs else Stepper
        return kind(slots, family or self.family, self._network)

    def _decode_noise(self) -> None:
        shape = self.family.latent_shape(*self.family.size)
        self.family.decoder.start(torch.randn(1, *shape, device=self.device))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
