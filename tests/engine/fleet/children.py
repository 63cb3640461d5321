"""What runs in child processes. It imports little, so that they start quickly."""

from __future__ import annotations

import os
import threading

from bot.engine.api import EngineApi, GenerationRequest
from bot.engine.fleet.channels import PipeChannel
from bot.errors import ConfigError, EngineLost, GenerationRejected
from tests.fakes.engine import FakeEngine


def fail_some(request: GenerationRequest) -> None:
    match request.recipe.num_inference_steps:
        case 13:
            raise GenerationRejected("It does not fit.")
        case 14:
            raise KeyError("a fault of ours")
        case 15:
            os._exit(3)
        case 16:
            raise EngineLost("the context is dead")


def make_fake(step_seconds: float = 0.0, load_error: Exception | None = None) -> EngineApi:
    return FakeEngine(step_seconds=step_seconds, flaw=fail_some, load_error=load_error)


def make_none() -> EngineApi:
    raise ConfigError("There is no card 7.")


def fail_to_obey(channel: PipeChannel) -> None:
    """What a child does if it cannot read an order: a fault of ours."""
    raised = threading.Event()
    threading.excepthook = lambda args: raised.set()

    def obey(data: bytes) -> None:
        raise KeyError(data)

    channel.open(obey, lambda reason: os._exit(7))
    raised.wait()
    threading.Event().wait()
