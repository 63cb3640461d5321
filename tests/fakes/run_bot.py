"""python -m tests.fakes.run_bot: the real bot process with the fake engine.

FAKE_STEP_SECONDS, FAKE_LOAD_SECONDS: how slow it is. FAKE_FLAW: ``lost`` loses the device on the
word "poison", ``fail`` fails on it. FAKE_LOAD_ERROR: the model does not load.
"""

from __future__ import annotations

import os

from bot import cli
from bot.engine.face import GenerationRequest
from bot.errors import ConfigError, EngineLost, GenerationFailed
from tests.fakes.engine import FakeEngine


def _flaw(request: GenerationRequest) -> None:
    kind = os.environ.get("FAKE_FLAW")
    if kind and "poison" in request.prompt:
        raise EngineLost("the device is gone") if kind == "lost" else GenerationFailed("no luck")


def _make_engine(settings: object) -> FakeEngine:
    error = os.environ.get("FAKE_LOAD_ERROR")
    return FakeEngine(
        step_seconds=float(os.environ.get("FAKE_STEP_SECONDS", "0")),
        load_seconds=float(os.environ.get("FAKE_LOAD_SECONDS", "0")),
        load_error=ConfigError(error) if error else None,
        flaw=_flaw,
    )


if __name__ == "__main__":
    cli.make_engine = _make_engine
    cli.main()
