"""An engine in a child process behaves as one in this process, until the process dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from PIL import Image

from bot.engine.api import EngineApi, GenerationOutput, ModelStatus, Progress
from bot.engine.fleet import preview_files
from bot.engine.fleet.channels import PipeChannel
from bot.engine.fleet.hosting import EngineHost
from bot.engine.fleet.messages import (
    Changed,
    Close,
    Drawn,
    Failed,
    Loaded,
    Stepped,
    Submit,
    pack,
    unpack,
)
from bot.engine.fleet.preview_files import unpack_preview
from bot.engine.fleet.processes import start_child, start_engine
from bot.engine.fleet.remote_engine import RemoteEngine
from bot.engine.pool import EnginePool
from bot.errors import (
    ConfigError,
    EngineLost,
    GenerationCancelled,
    GenerationFailed,
    GenerationRejected,
)
from tests.engine.fleet.asks import make_recipe, make_request
from tests.engine.fleet.children import fail_to_obey, make_fake, make_none
from tests.fakes.engine import INFO, FakeEngine, FakeEstimator

MODELS = (ModelStatus(INFO.id, INFO),)

SECONDS = 60  # a child imports numpy and this file


Start = Callable[..., RemoteEngine]


@pytest.fixture
def start() -> Iterator[Start]:
    engines: list[RemoteEngine] = []

    def start_(make: Callable[[], EngineApi] = make_fake) -> RemoteEngine:
        engine = RemoteEngine("cpu:0", lambda: start_engine(make, {"FAKE": "1"}))
        engines.append(engine)
        return engine

    yield start_
    for engine in engines:
        engine.close(5)


def process_of(engine: RemoteEngine) -> int:
    channel = engine._channel
    assert isinstance(channel, PipeChannel)
    assert channel._process is not None
    assert channel._process.pid is not None
    return channel._process.pid


def test_requests_are_drawn_and_progress_comes_back(start: Start):
    engine = start()
    assert engine.start().result(SECONDS) == INFO
    steps: list[Progress] = []
    output = engine.submit(make_request(7), steps.append).result(SECONDS)
    assert output.images.shape == (3, 64, 64, 3)
    assert output.images[2, 0, 0, 0] == 3
    assert [(each.step, each.num_steps) for each in steps] == [(n, 4) for n in range(1, 5)]
    assert steps[0].preview is not None
    assert np.abs(steps[0].preview[1].astype(int) - 2).max() <= 4
    assert [each.preview is not None for each in steps[1:]] == [False] * 3  # at most two a second


def test_room_and_cost_are_known_without_asking(start: Start):
    engine = start(partial(make_fake, step_seconds=0.01))
    assert engine.cost(make_recipe(8)) == 1.0
    engine.start().result(SECONDS)
    assert engine.cost(make_recipe(8)) == 2.0
    assert engine.has_room(make_recipe())
    future = engine.submit(make_request(7))
    assert not engine.has_room(make_recipe())
    future.result(SECONDS)
    assert engine.has_room(make_recipe())


def test_cancelled_request_ends_and_others_go_on(start: Start):
    engine = start(partial(make_fake, step_seconds=0.01))
    engine.start().result(SECONDS)
    began = threading.Event()
    long = engine.submit(make_request(7, num_steps=5000), lambda progress: began.set())
    next_one = engine.submit(make_request(8))
    assert began.wait(SECONDS)
    engine.cancel(7)
    with pytest.raises(GenerationCancelled):
        long.result(SECONDS)
    next_one.result(SECONDS)


@pytest.mark.parametrize(
    ("num_steps", "kind", "words"),
    [(13, GenerationRejected, "does not fit"), (14, GenerationFailed, "a fault of ours")],
)
def test_request_that_fails_there_fails_here(
    start: Start, num_steps: int, kind: type[Exception], words: str
):
    engine = start()
    engine.start().result(SECONDS)
    with pytest.raises(kind, match=words):
        engine.submit(make_request(7, num_steps)).result(SECONDS)
    engine.submit(make_request(7)).result(SECONDS)


@pytest.mark.parametrize(("num_steps", "words"), [(15, "exit code 3"), (16, "context is dead")])
def test_engine_that_is_lost_there_is_lost_here(start: Start, num_steps: int, words: str):
    engine = start()
    engine.start().result(SECONDS)
    lost, waiting = engine.submit(make_request(7, num_steps)), engine.submit(make_request(8))
    with pytest.raises(EngineLost, match=words):
        lost.result(SECONDS)
    with pytest.raises(EngineLost):
        waiting.result(SECONDS)
    with pytest.raises(EngineLost):
        engine.submit(make_request(9)).result(SECONDS)
    assert engine.fault is not None


def test_killed_process_fails_everything_at_once(start: Start):
    engine = start(partial(make_fake, step_seconds=0.01))
    engine.start().result(SECONDS)
    futures = [engine.submit(make_request(number, 5000)) for number in range(3)]
    os.kill(process_of(engine), signal.SIGKILL)
    for future in futures:
        with pytest.raises(EngineLost, match="cpu:0: its process was ended by signal 9"):
            future.result(SECONDS)


def test_model_that_cannot_be_loaded_there_is_told_here(start: Start):
    engine = start(partial(make_fake, load_error=ConfigError("No such model.")))
    with pytest.raises(ConfigError, match="No such model"):
        engine.start().result(SECONDS)


def test_engine_that_cannot_be_made_there_is_told_here(start: Start):
    engine = start(make_none)
    with pytest.raises(ConfigError, match="no card 7"):
        engine.start().result(SECONDS)
    assert engine.close(5)


def test_process_that_hangs_is_killed(start: Start):
    engine = start()
    engine.start().result(SECONDS)
    pid = process_of(engine)
    os.kill(pid, signal.SIGSTOP)
    future = engine.submit(make_request(7))
    engine.abandon("it hangs")
    with pytest.raises(EngineLost, match="it hangs"):
        future.result(SECONDS)
    channel = engine._channel
    assert channel is not None
    assert channel.wait(SECONDS)


def test_process_that_cannot_be_started_is_a_lost_engine():
    def fail() -> PipeChannel:
        raise OSError(24, "Too many open files")

    engine = RemoteEngine("cpu:0", fail)
    with pytest.raises(EngineLost, match=r"cpu:0: it cannot be started: .*Too many open files"):
        engine.start().result(0)
    assert engine.fault is not None
    assert engine.close(0)


def test_signal_to_all_processes_of_the_bot_ends_no_drawing(start: Start):
    engine = start(partial(make_fake, step_seconds=0.01))
    engine.start().result(SECONDS)
    began, went_on = threading.Event(), threading.Event()

    def hear(progress: Progress) -> None:
        (went_on if progress.step > 30 else began).set()

    future = engine.submit(make_request(7, 50), hear)
    assert began.wait(SECONDS)
    os.kill(process_of(engine), signal.SIGTERM)  # systemd sends it to all of them
    assert future.result(SECONDS).images is not None
    assert went_on.is_set()


_BOT_THAT_FAILS = """
import threading
from tests.engine.fleet.children import make_fake
from bot.engine.fleet.preview_files import unpack_preview
from bot.engine.fleet.processes import start_child, start_engine
from bot.engine.fleet.remote_engine import RemoteEngine
from bot.engine.fleet import messages

if __name__ == "__main__":
    messages.ROOMS.add("tests")
    engine = RemoteEngine("cpu:0", lambda: start_engine(make_fake, {}))
    engine.start().result(60)
    print(engine._channel._process.pid)
    raise SystemExit(1)  # without closing the engine
"""


def test_bot_that_ends_without_closing_takes_its_children_along(tmp_path: Path):
    script = tmp_path / "bot_that_fails.py"
    script.write_text(_BOT_THAT_FAILS)
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    done = subprocess.run(
        [sys.executable, str(script)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert not psutil.pid_exists(int(done.stdout))


def test_close_ends_the_process(start: Start):
    engine = start(partial(make_fake, step_seconds=0.01))
    engine.start().result(SECONDS)
    future = engine.submit(make_request(7, 5000))
    assert engine.close(SECONDS)
    with pytest.raises(GenerationCancelled):
        future.result(SECONDS)


class _Tape:
    """A channel whose other side is the test."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.news: SimpleQueue[None] = SimpleQueue()
        self.is_closed = False

    def open(self, on_data: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        self.say, self.end = on_data, on_end

    def send(self, data: bytes) -> None:
        self.sent.append(data)
        self.news.put(None)

    def until(self, kind: type) -> None:
        """Wait until a message of this kind was sent."""
        while not any(isinstance(unpack(data), kind) for data in self.sent):
            self.news.get(timeout=SECONDS)

    def wait(self, seconds: float) -> bool:
        return True

    def close(self) -> None:
        self.is_closed = True


def open_tape() -> tuple[RemoteEngine, _Tape, Future[GenerationOutput]]:
    tape = _Tape()
    engine = RemoteEngine("far", lambda: tape)
    engine.start()
    return engine, tape, engine.submit(make_request(7))


def _make_output(**wrong: Any) -> GenerationOutput:
    return replace(FakeEngine()._draw(make_request(1), None), **wrong)


def _make_picture(side: int) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (side, side)).save(buffer, "WEBP", quality=10, method=0)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"garbage",
        pack(Stepped(1, 1, 4, 3, b"no picture")),
        pack(Stepped(1, 1, 4, 1, _make_picture(2500))),
        pack(Stepped(1, 1, 0)),
        pack(Failed(1, "no exception")),  # pyright: ignore[reportArgumentType]
        pack(Failed(None, "no exception")),  # pyright: ignore[reportArgumentType]
        pack(Drawn(1, _make_output(gpu_seconds="long"))),
        pack(Drawn(1, _make_output(gpu_seconds=float("inf")))),
        pack(Drawn(1, _make_output(images=None))),
    ],
    ids=[
        "bytes",
        "preview",
        "large preview",
        "no steps",
        "error",
        "fault",
        "seconds",
        "endless",
        "pictures",
    ],
)
def test_engine_that_sends_nonsense_is_dropped_and_logged_once(
    data: bytes, caplog: pytest.LogCaptureFixture
):
    tape = _Tape()
    engine = RemoteEngine("far", lambda: tape)
    engine.start()
    future = engine.submit(make_request(7), lambda progress: None)
    for _ in range(3):
        tape.say(data)
    assert tape.is_closed
    assert [record.levelname for record in caplog.records if "far" in record.message] == ["ERROR"]
    with pytest.raises(EngineLost, match="make no sense"):
        future.result(0)


@pytest.mark.parametrize("estimator", [INFO, FakeEstimator(None)])  # type: ignore[arg-type]
def test_estimator_that_does_not_work_is_nonsense_too(estimator: Any):
    tape = _Tape()
    loading = RemoteEngine("far", lambda: tape).start()
    tape.say(pack(Loaded(INFO, estimator, MODELS)))
    with pytest.raises(EngineLost, match="make no sense"):
        loading.result(0)
    assert tape.is_closed


def test_later_estimator_is_tried_out_too():
    engine, tape, _ = open_tape()
    tape.say(pack(Loaded(INFO, FakeEstimator(INFO), MODELS)))
    tape.say(
        pack(Changed(FakeEstimator(replace(INFO, num_inference_steps=0)), MODELS, is_loading=False))
    )
    assert engine.fault is not None
    assert tape.is_closed


def test_preview_that_pillow_refuses_is_nonsense_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match="DecompressionBombError"):
        unpack_preview(Stepped(1, 1, 4, 1, _make_picture(64)))


def test_engine_that_is_given_up_in_the_moment_in_which_it_loads_is_lost_quietly():
    tape = _Tape()
    engine = RemoteEngine("far", lambda: tape)
    loading = engine.start()
    tape.say(pack(Loaded(INFO, FakeEstimator(INFO), MODELS)))
    loading.done = lambda: False  # so it was a moment ago
    engine.abandon("its machine has left")
    assert loading.result(0) == INFO
    assert engine.fault is not None


def test_stale_answer_is_dropped():
    engine, tape, _ = open_tape()
    tape.say(pack(Drawn(99, _make_output())))
    assert engine.fault is None


def test_process_that_cannot_be_started_is_tried_again(caplog: pytest.LogCaptureFixture):
    tries: list[str] = []

    def start_no_process() -> PipeChannel:
        tries.append("now")
        raise BlockingIOError(11, "Resource temporarily unavailable")

    now = [0.0]
    pool = EnginePool({"a": lambda: RemoteEngine("a", start_no_process)}, now=lambda: now[0])
    ready = pool.start()
    with pytest.raises(EngineLost, match=r"cannot be started.*temporarily unavailable"):
        ready.result(0)
    assert "temporarily unavailable" in caplog.text
    now[0] = 1.5
    pool.tend()
    assert len(tries) == 2


def test_answer_to_an_earlier_attempt_is_none_to_a_later_one():
    engine, tape, first = open_tape()
    tape.say(pack(Failed(1, GenerationFailed("not finite"))))
    second = engine.submit(make_request(7))
    tape.say(pack(Drawn(1, _make_output())))
    assert isinstance(first.exception(0), GenerationFailed)
    assert not second.done()
    tape.say(pack(Drawn(2, _make_output())))
    assert second.result(0).images is not None


def test_engine_that_was_given_up_is_not_heard_any_more():
    engine, tape, future = open_tape()
    steps: list[Progress] = []
    engine.submit(make_request(8), steps.append)
    engine.abandon("it hangs")
    tape.say(pack(Stepped(2, 1, 4)))
    tape.say(pack(Drawn(1, _make_output())))
    tape.say(pack(Loaded(INFO, FakeEstimator(INFO), MODELS)))
    assert isinstance(future.exception(0), EngineLost)
    assert steps == []
    assert engine.estimator is None


def test_engine_does_not_wait_until_its_preview_is_packed(monkeypatch: pytest.MonkeyPatch):
    packed_in: list[str] = []

    def pack_slowly(preview: NDArray[np.uint8]) -> bytes:
        packed_in.append(threading.current_thread().name)
        return _make_picture(8)

    monkeypatch.setattr(preview_files, "pack_preview", pack_slowly)
    tape, engine = _Tape(), FakeEngine()
    host = EngineHost(lambda: engine, tape, forwards_logs=False)
    drained: list[bool] = []  # at each message that is sent
    send = tape.send

    def look_and_send(data: bytes) -> None:
        drained.append(host.is_drained)
        send(data)

    monkeypatch.setattr(tape, "send", look_and_send)
    hosting = threading.Thread(target=host.run)
    hosting.start()
    tape.until(Loaded)
    host.drain()
    assert host.is_drained
    tape.say(pack(Submit(make_request(1))))
    tape.until(Drawn)
    tape.say(pack(Close(SECONDS)))
    hosting.join(SECONDS)
    assert host.is_drained
    assert packed_in
    assert engine._thread.name not in packed_in
    kinds = [type(unpack(data)) for data in tape.sent]
    assert kinds.index(Drawn) > max(n for n, kind in enumerate(kinds) if kind is Stepped)
    assert not drained[kinds.index(Drawn)]


def test_fault_while_reading_ends_the_connection_on_both_sides():
    channel, ended = start_child(fail_to_obey, {}), SimpleQueue[str]()
    channel.open(lambda data: None, ended.put)
    channel.send(b"order")
    assert ended.get(timeout=SECONDS) == "its process ended with exit code 7"
