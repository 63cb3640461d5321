"""The fakes that ``tests.fakes.run_bot`` puts into the real bot process.

FAKE_STEP_SECONDS: how long a step takes. FAKE_LOAD_GATE: the path of a ``Gate``; the model loads
once it is open. FAKE_FLAW: at a prompt with the word "poison", ``lost`` loses the device and
``fail`` fails. FAKE_LOAD_ERROR: the model does not load. FAKE_PICTURE_CHECK: ``crash`` fails at
every picture, ``missing`` does not load, and a number is the score of every picture; without it,
the real network judges them. FAKE_SHOWS_ENLARGED: the model's pictures are shown enlarged.
FAKE_EDITORS: the ids of the models that edit pictures, separated by commas.
FAKE_BROKEN_MODEL: the id of a model of MODELS_FILE at which every prompt fails.
FAKE_CHILDREN: how many child processes draw, instead of the bot's own. FAKE_CLUSTER,
FAKE_CLUSTER_TOKEN: the address and the token's file of a cluster of Ray, whose machines draw too.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from dataclasses import replace
from functools import partial
from pathlib import Path

from bot import services
from bot.cli import doctor
from bot.cli import main as cli
from bot.cluster.machines import Machines, start_driver
from bot.cluster.nodes import make_environ
from bot.domain.models import ModelEntry
from bot.engine import EnginePool, RemoteEngine
from bot.engine.api import GenerationRequest
from bot.engine.fleet import messages
from bot.engine.fleet.processes import start_engine
from bot.errors import ConfigError, EngineLost, GenerationFailed
from bot.moderation import PictureCheck
from bot.ops.resources import load_models
from bot.settings import Settings
from tests.fakes.classifier import FakeClassifier
from tests.fakes.engine import INFO, FakeEngine, describe_fake
from tests.fakes.gate import wait_at


def _flaw(request: GenerationRequest) -> None:
    if request.model is not None and request.model == os.environ.get("FAKE_BROKEN_MODEL"):
        raise GenerationFailed("this model is broken")
    kind = os.environ.get("FAKE_FLAW")
    if kind and "poison" in request.recipe.prompt:
        raise EngineLost("the device is gone") if kind == "lost" else GenerationFailed("no luck")


def _edits(model: str) -> bool:
    return model in os.environ.get("FAKE_EDITORS", "").split(",")


def _make_engine(settings: Settings) -> FakeEngine | EnginePool:
    if "FAKE_CHILDREN" in os.environ:
        return _make_fleet(int(os.environ["FAKE_CHILDREN"]), os.environ.get("FAKE_CLUSTER"))
    if entries := load_models(settings).entries:
        return EnginePool({each.id: partial(_make_for, each, entries[0]) for each in entries})
    error = os.environ.get("FAKE_LOAD_ERROR")
    upscaler = None if os.environ.get("UPSCALER") == "off" else INFO.upscaler
    shows_enlarged = "FAKE_SHOWS_ENLARGED" in os.environ
    engine = FakeEngine(
        info=replace(
            INFO,
            upscaler=upscaler,
            shows_enlarged=shows_enlarged,
            edits=_edits(INFO.id),
        ),
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


def _make_for(entry: ModelEntry, default: ModelEntry) -> FakeEngine:
    info = describe_fake(entry, is_default=entry is default)
    info = replace(info, edits=_edits(entry.id))
    return FakeEngine(
        info=info, step_seconds=float(os.environ.get("FAKE_STEP_SECONDS", "0")), flaw=_flaw
    )


def _load_after(gate: str, engine: FakeEngine) -> None:
    wait_at(gate)
    engine.may_load.set()


def _make_fleet(num_children: int, cluster: str | None) -> EnginePool:
    from tests.cluster.clusters import FakeMaker

    messages.ROOMS |= {"tests"}  # the fake's estimator
    make = FakeMaker(float(os.environ["FAKE_STEP_SECONDS"]))
    names = [f"card {number}" for number in range(num_children)]
    makers = {
        each: partial(RemoteEngine, each, partial(start_engine, partial(make, 0), {}))
        for each in names
    }
    if cluster is None:
        return EnginePool(makers)
    environ = make_environ(Path(os.environ["FAKE_CLUSTER_TOKEN"]))
    return EnginePool(makers, [Machines(partial(start_driver, cluster, make, environ))])


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
    doctor._run_probe = lambda device: ("cpu", "2 threads", 0)  # the real one would import torch
