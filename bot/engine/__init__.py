"""The workshop: everything that touches torch. Importing this package does not import torch."""

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
