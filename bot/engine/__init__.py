"""The workshop: everything that touches torch. Importing this package does not import torch.

Read it in this order:
    face        what the rest of the program sees: requests, pictures, progress
    engine      the thread: receive, drop who left, admit, tick, book
    batch       `Batch.tick`: everything in flight takes one step
    groups      who takes part in a step: `Group.select`
    slots       the step itself: `advance`, a few tensor operations around diffusers' UNet
    tables      what a scheduler's step is, read off diffusers' own object
    stepping    the same step as a captured CUDA graph, and compiled
    remembering what of the UNet need not be computed again at every step, on the CPU
    tiling      an enlarged picture that is too large for one pass; tile_counts says when
Around them: loading, inspect_model, samplers, prompts, starts and runner hold the pipeline's
parts; finishing and previews make pictures; capacity, knee and cost say how much fits in.
"""

from bot.engine.engine import Engine
from bot.engine.face import (
    NUM_IMAGES,
    SAMPLER_IDS,
    EngineFace,
    EngineOptions,
    GenerationOutput,
    GenerationRequest,
    ModelInfo,
    ModelSource,
    Progress,
    ProgressCallback,
)
from bot.engine.inspect_model import check_model

__all__ = [
    "NUM_IMAGES",
    "SAMPLER_IDS",
    "Engine",
    "EngineFace",
    "EngineOptions",
    "GenerationOutput",
    "GenerationRequest",
    "ModelInfo",
    "ModelSource",
    "Progress",
    "ProgressCallback",
    "check_model",
]
