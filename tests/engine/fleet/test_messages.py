"""What the bot and an engine in another process tell each other survives the way, or is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from bot.engine.api import GenerationOutput, GenerationRequest, ModelStatus
from bot.engine.capacity.capacity import Capacity
from bot.engine.capacity.cost import CostModel
from bot.engine.capacity.estimator import ModelEstimator
from bot.engine.fleet.messages import (
    Drawn,
    Failed,
    Loaded,
    Stepped,
    Submit,
    pack,
    unpack,
)
from bot.engine.fleet.preview_files import MAX_PREVIEW_BYTES, pack_preview, unpack_preview
from bot.errors import EngineLost, GenerationRejected
from bot.texts.codes import Code
from bot.texts.reasons import because
from tests.engine.fleet.asks import make_recipe
from tests.fakes.engine import INFO


def test_request_arrives_with_its_picture():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    sent = Submit(GenerationRequest(7, make_recipe(), image))
    arrived = unpack(pack(sent))
    assert arrived.request.recipe == sent.request.recipe
    assert (arrived.request.image == image).all()


def test_pictures_arrive_with_their_verdicts():
    images = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3), np.uint8)
    output = GenerationOutput(images, (False, True, None), 1.5, "cut", "card", "words", images)
    arrived = unpack(pack(Drawn(7, output))).output
    assert (arrived.images == images).all()
    assert (arrived.enlarged == images).all()
    assert arrived.nsfw_content_detected == (False, True, None)
    assert arrived.gpu_seconds == 1.5


def test_reason_of_a_refusal_arrives_as_data():
    error = GenerationRejected(because(Code.DRAWN_ALREADY, request_id=7))
    arrived = unpack(pack(Failed(7, error))).error
    assert isinstance(arrived, GenerationRejected)
    assert arrived.reason == error.reason
    assert str(unpack(pack(Failed(None, EngineLost("gone")))).error) == "gone"


def test_what_fits_and_what_it_costs_are_computed_on_the_other_side_alike():
    costs = CostModel(INFO, 10.0, 1.0, {})
    estimator = ModelEstimator(costs, Capacity(INFO, 12))
    arrived = unpack(pack(Loaded(INFO, estimator, (ModelStatus(INFO.id, INFO),)))).estimator
    assert arrived == estimator
    assert arrived.cost(make_recipe()) == estimator.cost(make_recipe())
    assert not arrived.fits([make_recipe()] * 9, make_recipe())


def test_preview_arrives_in_at_most_50_kb():
    noise = np.random.default_rng(1).integers(0, 256, (3, 128, 128, 3), np.uint8)
    data = pack_preview(noise)
    assert 0 < len(data) <= MAX_PREVIEW_BYTES
    arrived = unpack_preview(unpack(pack(Stepped(7, 1, 4, 3, data))))
    assert arrived is not None
    assert arrived.shape == noise.shape
    assert unpack_preview(Stepped(7, 1, 4)) is None


def test_each_picture_of_a_preview_stays_itself():
    flat = np.stack([np.full((16, 24, 3), grey, np.uint8) for grey in (10, 120, 240)])
    arrived = unpack_preview(Stepped(7, 1, 4, 3, pack_preview(flat)))
    assert arrived is not None
    assert np.abs(arrived.astype(int) - flat).max() <= 4


def test_preview_that_stays_too_large_is_left_out():
    noise = np.random.default_rng(1).integers(0, 256, (3, 1024, 1024, 3), np.uint8)
    assert pack_preview(noise) == b""


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("this must not run",)


def _call(module: str, name: str, argument: str) -> bytes:
    """A pickle that calls something found by its name."""
    found = b"".join(b"\x8c" + bytes([len(each)]) + each.encode() for each in (module, name))
    return (
        b"\x80\x04" + found + b"\x93\x8c" + bytes([len(argument)]) + argument.encode() + b"\x85R."
    )


@pytest.mark.parametrize(
    "data",
    [
        _call("bot.engine.fleet.processes", "os.system", "echo this must not run"),
        _call("bot.engine.fleet.processes", "logging.warning", "this must not run"),
        _call("bot.engine.fleet.processes", "signal.Signals", "an enum of another library"),
        _call("bot.cluster.nodes", "Path", "/"),
        _call("bot.settings", "load_settings", "/"),
        _call("numpy", "load", __file__),
        _call("numpy.testing._private.utils", "build_err_msg", "this must not run"),
    ],
)
def test_only_our_own_data_is_made(data: bytes, capfd: pytest.CaptureFixture[str]):
    with pytest.raises(ValueError, match="is not expected"):
        unpack(data)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", pickle.dumps(_Evil()), pickle.dumps(__import__("os").system), b"\x80\x05"],
)
def test_bytes_that_are_no_message_are_refused_without_being_run(
    data: bytes, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(ValueError, match="not a message"):
        unpack(data)
    assert capsys.readouterr().out == ""
