"""The workshop: everything that touches torch. Importing this package does not import torch.

Read it in this order:
    api                   what the rest of the program sees: requests, pictures, progress
    engine                the thread: receive, drop who left, admit, tick, book
    batch                 `Batch.tick`: everything in flight takes one step
    steps/groups          who takes part in a step: `Group.select`
    steps/slots           the step itself: `advance`, a few operations around diffusers' UNet
    sampling/step_tables  what a scheduler's step is, read off diffusers' own object
    steps/steppers        the same step as a captured CUDA graph, and compiled
    models/prompt_cache   what of the UNet need not be computed again at every step, on the CPU
    models/tiling         an enlarged picture that is too large for one pass
Around them: runner and the rest of models/ hold the pipeline's parts and make pictures;
capacity/ says how much fits in, and what it costs.
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
)
from bot.engine.engine import Engine
from bot.engine.models.checks import check_model

__all__ = [
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
    "check_model",
]
