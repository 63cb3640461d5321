"""The fakes that ``tests.fakes.run_bot`` puts into the real bot process.

FAKE_STEP_SECONDS: how long a step takes. FAKE_LOAD_GATE: the path of a ``Gate``; the model loads
once it is open. FAKE_FLAW: at a prompt with the word "poison", ``lost`` loses the device and
``fail`` fails. FAKE_LOAD_ERROR: the model does not load. FAKE_PICTURE_CHECK: ``crash`` fails at
every picture, ``missing`` does not load, and a number is the score of every picture; without it,
the real network judges them. FAKE_SHOWS_ENLARGED: the model's pictures are shown enlarged.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from dataclasses import replace

from bot import services
from bot.cli import doctor
from bot.cli import main as cli
from bot.engine.api import GenerationRequest
from bot.errors import ConfigError, EngineLost, GenerationFailed
from bot.moderation import PictureCheck
from bot.settings import Settings
from tests.fakes.classifier import FakeClassifier
from tests.fakes.engine import INFO, FakeEngine
from tests.fakes.gate import wait_at


def _flaw(request: GenerationRequest) -> None:
    kind = os.environ.get("FAKE_FLAW")
    if kind and "poison" in request.recipe.prompt:
        raise EngineLost("the device is gone") if kind == "lost" else GenerationFailed("no luck")


def _make_engine(settings: object) -> FakeEngine:
    error = os.environ.get("FAKE_LOAD_ERROR")
    upscaler = None if os.environ.get("UPSCALER") == "off" else INFO.upscaler
    shows_enlarged = "FAKE_SHOWS_ENLARGED" in os.environ
    engine = FakeEngine(
        info=replace(INFO, upscaler=upscaler, shows_enlarged=shows_enlarged),
        step_seconds=float(os.environ.get("FAKE_STEP_SECONDS", "0")),
        load_error=ConfigError(error) if error else None,
        flaw=_flaw,
    )
    if gate := os.environ.get("FAKE_LOAD_GATE"):
        engine.may_load.clear()
        threading.Thread(target=_load_after, args=(gate, engine), daemon=True).start()
    # nobody reads this list, and a soak test would measure its growth
    engine.drawn = deque(maxlen=0)
    return engine


def _load_after(gate: str, engine: FakeEngine) -> None:
    wait_at(gate)
    engine.may_load.set()


def _load_classifier() -> FakeClassifier:
    kind = os.environ["FAKE_PICTURE_CHECK"]
    if kind == "missing":
        raise ConfigError("the weights are missing")
    return FakeClassifier(None if kind == "crash" else float(kind))


def _make_picture_check(settings: Settings) -> PictureCheck:
    return PictureCheck(settings.nsfw_threshold, _load_classifier)


def install() -> None:
    """Replace the bot's parts by fakes, as the environment says."""
    if os.environ.get("FAKE_PICTURE_CHECK"):
        services.make_picture_check = _make_picture_check
    cli.make_engine = _make_engine
    doctor._run_probe = lambda device: ("cpu", "2 threads")  # the real one would import torch
