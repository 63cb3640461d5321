"""The engine: everything that touches torch. Importing this package does not import torch.

Read it in this order:
        api                   what the rest of the program sees: requests, pictures, progress
        engine                the thread: receive, drop cancelled requests, admit, tick, book
        batch                 `Batch.tick`: everything in flight takes one step
        steps/groups          which pictures take part in a step: `Group.select`
    steps/slots           the step itself: `advance`, a few operations around the model
    sampling/step_tables  what a scheduler's step is, read off diffusers' own object
    steps/steppers        the same step as a captured CUDA graph, and compiled
        models/prompt_cache   the parts of the UNet that are computed once per prompt, on the CPU
        models/tiling         draws an enlarged picture in tiles if it is too large for one pass
        models/family         what the batch asks of a model; one file for each family beside it
        upscaling/            enlarges finished pictures, one tile between two steps
    Around them: runner and the rest of models/ load the model and make pictures;
    capacity/ says how much fits on the device, and what a request costs; capacity/learning learns
    from the steps how many rows at once are best.
"""

from bot.engine.api import (
    NUM_IMAGES,
    SAMPLER_IDS,
    EngineApi,
    EngineOptions,
    GenerationOutput,
    GenerationRequest,
    ModelInfo,
    ModelSource,
    Progress,
    ProgressCallback,
    UpscalerInfo,
)
from bot.engine.engine import Engine
from bot.engine.models.checks import check_model
from bot.engine.models.families import FAMILIES
from bot.engine.upscaling.files import check_upscaler

__all__ = [
    "FAMILIES",
    "NUM_IMAGES",
    "SAMPLER_IDS",
    "Engine",
    "EngineApi",
    "EngineOptions",
    "GenerationOutput",
    "GenerationRequest",
    "ModelInfo",
    "ModelSource",
    "Progress",
    "ProgressCallback",
    "UpscalerInfo",
    "check_model",
    "check_upscaler",
]
