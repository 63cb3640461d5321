"""The engine: everything that touches torch. Importing this package does not import torch.

Read it in this order:
    api                   what the rest of the program sees: requests, pictures, progress
    engine                the thread: it takes in requests, starts steps and returns the pictures
    inbox                 the requests, from ``submit`` until they end
    sharing/              several models on one device: whose turn it is, where weights rest
    batch                 `Batch.tick` takes one step with many requests at once
    steps/groups          `Group.select` chooses the pictures that take part in a step
    steps/slots           `advance` is the step itself: a few operations around the model
    sampling/step_tables  a scheduler's steps as numbers, measured on diffusers' own object
    steps/steppers        runs the step directly, or as a captured CUDA graph, also compiled
    models/prompt_cache   on the CPU, computes some parts of the UNet only once for each prompt
    models/tiling         draws an enlarged picture in tiles if it is too large for one pass
    models/family         the interface of a model family; beside it, each family has one file
    upscaling/            enlarges finished pictures, one tile between two steps
    pool                  makes several engines one; fleet/ has the engines in other processes

runner and the rest of models/ load the model and make pictures. capacity/ says how much fits on the
device, and what a request costs. capacity/learning learns from the steps how many rows at once are
best.
"""

from bot.engine.api import (
    NUM_IMAGES,
    SAMPLER_IDS,
    EngineApi,
    EngineOptions,
    EngineState,
    EngineStatus,
    GenerationOutput,
    GenerationRequest,
    ModelInfo,
    ModelSource,
    ModelStatus,
    Progress,
    ProgressCallback,
    UpscalerInfo,
)
from bot.engine.engine import Engine
from bot.engine.fleet.channels import Channel, PipeChannel
from bot.engine.fleet.devices import open_pool, read_device
from bot.engine.fleet.hosting import EngineHost
from bot.engine.fleet.messages import pack, unpack
from bot.engine.fleet.pace import Pace
from bot.engine.fleet.processes import start_child
from bot.engine.fleet.remote_engine import RemoteEngine
from bot.engine.models.checks import check_model
from bot.engine.models.families import FAMILIES
from bot.engine.models.licences import read_licence
from bot.engine.models.sizes import measure_need
from bot.engine.pool import EnginePool
from bot.engine.upscaling.files import check_upscaler

__all__ = [
    "FAMILIES",
    "NUM_IMAGES",
    "SAMPLER_IDS",
    "Channel",
    "Engine",
    "EngineApi",
    "EngineHost",
    "EngineOptions",
    "EnginePool",
    "EngineState",
    "EngineStatus",
    "GenerationOutput",
    "GenerationRequest",
    "ModelInfo",
    "ModelSource",
    "ModelStatus",
    "Pace",
    "PipeChannel",
    "Progress",
    "ProgressCallback",
    "RemoteEngine",
    "UpscalerInfo",
    "check_model",
    "check_upscaler",
    "measure_need",
    "open_pool",
    "pack",
    "read_device",
    "read_licence",
    "start_child",
    "unpack",
]
