from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import bot.engine.runner
from bot.engine import Engine, ModelSource, Progress
from bot.engine.batch import Batch
from bot.engine.models.loading import LoadedModel, load_model
from bot.errors import (
    ConfigError,
    EngineLost,
    GenerationCancelled,
    GenerationFailed,
    GenerationRejected,
)
from tests.engine.conftest import make_request


class Gate:
    """A progress callback that blocks the engine thread after the first step until ``open``."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.steps: list[int] = []
        self._open = threading.Event()

    def __call__(self, progress: Progress) -> None:
        self.steps.append(progress.step)
        self.reached.set()
        assert self._open.wait(30)

    def wait(self) -> Gate:
        assert self.reached.wait(30)
        return self

    def open(self) -> None:
        self._open.set()


class Fail:
    """A forward hook that lets the UNet fail: the first time, or if ``when`` returns True."""

    def __init__(self, error: Exception, when: Callable[[torch.Tensor], bool] | None) -> None:
        self._errors = [error]
        self._when = when

    def __call__(self, module: object, inputs: tuple[torch.Tensor, torch.Tensor]) -> None:
        if self._when is not None:
            if self._when(inputs[1]):
                raise self._errors[0]
        elif self._errors:
            raise self._errors.pop()


@pytest.fixture
def break_unet(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the UNet of the next loaded model fail. ``when`` gets the times."""

    def break_it(error: Exception, when: Callable[[torch.Tensor], bool] | None = None) -> None:
        def load(source: ModelSource, *rest: Any) -> LoadedModel:
            model = load_model(source, *rest)
            model.pipe.unet.register_forward_pre_hook(Fail(error, when))
            return model

        monkeypatch.setattr(bot.engine.runner, "load_model", load)

    return break_it


def test_importing_the_engine_imports_nothing_heavy() -> None:
    check = (
        "import sys, bot.engine, bot.engine.models.checks; "
        "heavy = {'torch', 'diffusers', 'transformers', 'numpy', 'asyncio', 'discord', "
        "'huggingface_hub', 'sqlite3'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", check], check=True, cwd=root, timeout=30)


def test_request_submitted_while_the_model_loads_is_drawn_after_it(tiny_model: Path) -> None:
    engine = Engine(ModelSource(str(tiny_model), device="cpu"), rows=12)
    future = engine.submit(make_request())
    assert engine.cost(make_request().recipe) == 1.0
    info = engine.start().result(30)
    output = future.result(30)
    assert engine.close(30)
    assert (info.name, info.width, info.height, info.max_tokens) == ("model", 32, 32, 12)
    assert (info.device, info.dtype) == ("cpu", "float32")
    assert output.images.shape == (3, 32, 32, 3)
    assert output.images.dtype == np.uint8
    assert output.gpu_seconds > 0
    assert output.cut_words == ""
    assert output.engine == info.engine == "CPU"


def test_progress_counts_the_unet_steps(engine: Engine) -> None:
    seen: list[Progress] = []
    engine.submit(make_request(sampler="pndm", num_inference_steps=4), seen.append).result(30)
    # PNDM makes one call more
    assert [(p.step, p.num_steps) for p in seen] == [(n, 5) for n in range(1, 6)]


def test_failing_progress_callback_is_logged_once_and_harms_nothing(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(progress: Progress) -> None:
        raise RuntimeError("event loop is closed")

    assert engine.submit(make_request(request_id=77), fail).result(30).images.any()
    [record] = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert "progress of request 77" in record.getMessage()


def test_words_beyond_the_text_encoder_are_named(engine: Engine) -> None:
    output = engine.submit(make_request(prompt="dog " * 10 + "cat dog, cat")).result(30)
    assert output.cut_words == "cat dog, cat"


def test_words_of_a_negative_prompt_beyond_the_text_encoder_are_named_where_they_count(
    engine: Engine,
) -> None:
    long = "dog " * 10 + "cat dog, cat"
    output = engine.submit(make_request(negative_prompt=long)).result(30)
    assert (output.cut_words, output.cut_negative_words) == ("", "cat dog, cat")
    unguided = engine.submit(make_request(negative_prompt=long, guidance_scale=1.0)).result(30)
    assert unguided.cut_negative_words == ""


@pytest.mark.parametrize("num_inference_steps", [1, 2, 4])
def test_strength_that_leaves_no_step_runs_one(engine: Engine, num_inference_steps: int) -> None:
    seen: list[Progress] = []
    request = make_request(
        image=np.zeros((32, 32, 3), np.uint8),
        strength=0.2,
        num_inference_steps=num_inference_steps,
        sampler="ddim",
    )
    assert engine.submit(request, seen.append).result(30).images.any()
    assert [(p.step, p.num_steps) for p in seen] == [(1, 1)]


def test_cancelled_request_ends_within_a_step(engine: Engine) -> None:
    gate = Gate()
    future = engine.submit(make_request(num_inference_steps=50), gate)
    gate.wait()
    engine.cancel(1)
    engine.cancel(1)
    gate.open()
    error = future.exception(30)
    assert isinstance(error, GenerationCancelled)
    assert error.__traceback__ is None, "its frames would keep the tensors alive"
    assert gate.steps == [1]


def test_engine_that_is_to_forget_prompts_does_so_though_nobody_draws(
    tiny_model: Path, open_engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten = threading.Event()
    forget = Batch.forget_prompts

    def note(batch: Batch) -> None:
        forget(batch)
        assert not batch.drawings
        forgotten.set()

    monkeypatch.setattr(Batch, "forget_prompts", note)
    engine = open_engine(tiny_model)
    gate = Gate()
    future = engine.submit(make_request(num_inference_steps=50), gate)
    gate.wait()
    engine.cancel(1)
    engine.forget_prompts()  # requests that were cancelled are removed first
    gate.open()
    assert isinstance(future.exception(30), GenerationCancelled)
    assert forgotten.wait(30)
    forgotten.clear()
    engine.forget_prompts()
    assert forgotten.wait(30)
    assert engine.submit(make_request(request_id=2)).result(30).images.any()


def test_request_cancelled_after_its_last_step_is_not_decoded(engine: Engine) -> None:
    gate = Gate()
    future = engine.submit(make_request(num_inference_steps=1), gate)
    gate.wait()
    engine.cancel(1)
    gate.open()
    assert isinstance(future.exception(30), GenerationCancelled)


def test_waiting_request_is_cancelled_at_once_while_others_are_drawn(engine: Engine) -> None:
    gate = Gate()
    first = engine.submit(make_request(request_id=1), gate)
    second = engine.submit(make_request(request_id=2))
    last = engine.submit(make_request(request_id=3, seeds=tuple(range(15))))
    gate.wait()
    engine.cancel(3)
    assert last.done()
    assert isinstance(last.exception(), GenerationCancelled)
    assert not first.done()
    gate.open()
    assert first.result(30).images.any()
    assert second.result(30).images.any()


def test_request_joins_while_another_is_drawn_and_may_finish_before_it(engine: Engine) -> None:
    gate = Gate()
    long = engine.submit(make_request(request_id=1, num_inference_steps=300), gate)
    gate.wait()
    short = engine.submit(make_request(request_id=2, num_inference_steps=2))
    gate.open()
    assert short.result(30).images.any()
    assert not long.done()
    engine.cancel(1)
    assert isinstance(long.exception(30), GenerationCancelled)


def test_request_larger_than_the_capacity_waits_for_an_empty_batch(engine: Engine) -> None:
    gate, begun = Gate(), threading.Event()
    small = engine.submit(make_request(request_id=1, num_inference_steps=3), gate)
    gate.wait()
    large = make_request(request_id=2, num_inference_steps=2, seeds=tuple(range(15)))
    assert not engine.has_room(large.recipe)
    future = engine.submit(large, lambda progress: begun.set())
    gate.open()
    small.result(30)
    assert future.result(30).images.shape[0] == 15
    assert engine.has_room(large.recipe), "nothing is drawn any more"
    assert begun.is_set()


def test_cancelling_an_unknown_or_finished_request_does_nothing(engine: Engine) -> None:
    engine.submit(make_request()).result(30)
    engine.cancel(1)
    engine.cancel(404)
    assert engine.submit(make_request()).result(30).images.any()


def test_request_whose_awaiter_left_is_skipped(engine: Engine) -> None:
    gate, seen = Gate(), []
    first = engine.submit(make_request(request_id=1, seeds=tuple(range(12))), gate)
    left = engine.submit(make_request(request_id=2), seen.append)
    third = engine.submit(make_request(request_id=3))
    gate.wait()
    assert left.cancel()
    gate.open()
    assert first.result(30).images.any()
    assert third.result(30).images.any()
    assert seen == []
    assert engine.has_room(make_request().recipe)


def test_request_left_by_its_awaiter_can_still_be_cancelled_by_id(engine: Engine) -> None:
    gate = Gate()
    first = engine.submit(make_request(request_id=1, seeds=tuple(range(12))), gate)
    left = engine.submit(make_request(request_id=2))
    gate.wait()
    assert left.cancel()
    engine.cancel(2)
    gate.open()
    assert left.cancelled()
    assert first.result(30).images.any()


def test_request_id_in_use_is_rejected(engine: Engine) -> None:
    gate = Gate()
    first = engine.submit(make_request(), gate)
    gate.wait()
    assert isinstance(engine.submit(make_request()).exception(30), GenerationRejected)
    gate.open()
    assert first.result(30).images.any()


def test_there_is_room_until_the_rows_are_shared_out(engine: Engine) -> None:
    gate = Gate()
    assert engine.has_room(make_request().recipe)
    first = engine.submit(make_request(request_id=1), gate)
    gate.wait()
    second = engine.submit(make_request(request_id=2))
    third = engine.submit(make_request(request_id=3))
    assert engine.has_room(make_request().recipe), "12 rows at once, and as many again in turns"
    fourth = engine.submit(make_request(request_id=4))
    assert not engine.has_room(make_request().recipe)
    assert not engine.has_room(make_request(seeds=(1,), guidance_scale=1.0).recipe)
    told = threading.Event()
    rooms: list[bool] = []
    second.add_done_callback(
        lambda _: (rooms.append(engine.has_room(make_request().recipe)), told.set())
    )
    gate.open()
    assert told.wait(30)
    assert rooms == [True], "the place must be free before the future tells"
    for future in (first, third, fourth):
        future.result(30)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 36}, "model cannot draw 36×32: width and height must be multiples of 8"),
        ({"height": 0}, "multiples of 8"),
        ({"width": -8}, "multiples of 8"),
        ({"sampler": "lms"}, "cannot use the sampler lms. Choose one of: pndm, euler_a"),
        ({"num_inference_steps": 0}, "At least one"),
        (
            {"num_inference_steps": 1000},
            "pndm cannot draw .*1000 steps are more than",
        ),
        (
            {"num_inference_steps": 5000, "sampler": "ddim"},
            "ddim cannot draw .*5000 steps are more than",
        ),
        ({"guidance_scale": -1.0}, "Guidance must be a number of at least 0"),
        ({"guidance_scale": float("nan")}, "Guidance must be a number of at least 0"),
        ({"seeds": ()}, "no picture to draw"),
        ({"image": np.zeros((32, 32), np.uint8)}, "must be .height, width, 3."),
        ({"strength": 0.0}, "must be between 0 and 1"),
        ({"guidance_until": 1.5}, "must be between 0 and 1"),
    ],
)
def test_impossible_request_is_rejected_and_disturbs_nobody(
    engine: Engine, changes: dict[str, object], words: str
) -> None:
    rejected = engine.submit(make_request(request_id=1, **changes))
    drawn = engine.submit(make_request(request_id=2, num_inference_steps=1))
    with pytest.raises(GenerationRejected, match=words):
        rejected.result(30)
    assert drawn.result(30).images.any()


def test_close_cancels_what_is_drawn_and_what_waits(
    open_engine: Callable[..., Engine], tiny_model: Path
) -> None:
    engine, gate = open_engine(tiny_model), Gate()
    drawn = engine.submit(make_request(request_id=1, num_inference_steps=50), gate)
    waiting = engine.submit(make_request(request_id=2, seeds=tuple(range(15))))
    gate.wait()
    assert not engine.close(0.05), "the thread is held by the gate"
    assert isinstance(waiting.exception(0), GenerationCancelled)
    gate.open()
    assert engine.close(30)
    assert isinstance(drawn.exception(0), GenerationCancelled)
    assert gate.steps == [1]
    assert isinstance(engine.submit(make_request()).exception(0), GenerationCancelled)


def test_engine_that_never_started_closes(tiny_model: Path) -> None:
    engine = Engine(ModelSource(str(tiny_model)))
    waiting = engine.submit(make_request())
    assert engine.close(0)
    assert isinstance(waiting.exception(0), GenerationCancelled)


def test_failed_start_arrives_at_the_future_and_fails_every_request(
    open_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    engine = Engine(ModelSource(str(tmp_path / "gone"), device="cpu"))
    waiting = engine.submit(make_request())
    with pytest.raises(ConfigError, match="does not exist"):
        engine.start().result(30)
    assert isinstance(waiting.exception(30), EngineLost)
    assert isinstance(engine.submit(make_request()).exception(30), EngineLost)
    assert engine.close(30)


def test_unforeseen_error_while_loading_becomes_a_config_error_without_the_token(
    monkeypatch: pytest.MonkeyPatch, tiny_model: Path
) -> None:
    def load(source: ModelSource, *rest: Any) -> LoadedModel:
        raise KeyError(f"no idea, token {source.hf_token}")

    monkeypatch.setattr(bot.engine.runner, "load_model", load)
    engine = Engine(ModelSource(str(tiny_model), hf_token="hf_secret"))
    with pytest.raises(ConfigError, match="could not be loaded: KeyError") as caught:
        engine.start().result(30)
    assert "hf_secret" not in str(caught.value)
    assert engine.close(30)


def test_unforeseen_error_fails_one_request_and_is_logged_with_its_id(
    open_engine: Callable[..., Engine],
    tiny_model: Path,
    break_unet: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    break_unet(ZeroDivisionError("by chance"))
    engine = open_engine(tiny_model)
    failed = engine.submit(make_request(request_id=55))
    error = failed.exception(30)
    assert isinstance(error, GenerationFailed)
    assert "by chance" in str(error)
    assert error.__traceback__ is None, "its frames would keep the tensors alive"
    assert engine.submit(make_request(request_id=56)).result(30).images.any()
    assert any("requests 55" in r.getMessage() and r.exc_info for r in caplog.records)


def test_error_in_a_shared_step_fails_only_the_request_that_causes_it(
    open_engine: Callable[..., Engine], tiny_model: Path, break_unet: Callable[..., None]
) -> None:
    break_unet(ZeroDivisionError("odd time"), lambda times: bool((times == 501).any()))
    engine = open_engine(tiny_model)
    good = engine.submit(make_request(request_id=1, sampler="ddim", num_inference_steps=5))
    bad = engine.submit(make_request(request_id=2, sampler="ddim", num_inference_steps=4))
    with pytest.raises(GenerationFailed, match="odd time"):
        bad.result(30)
    assert good.result(30).images.any()


def fail_capture() -> Exception:
    error = torch.AcceleratorError("CUDA error: operation failed due to a previous error")
    error.__context__ = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
    return error


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"), fail_capture()],
    ids=["in-a-step", "in-a-capture"],
)
def test_running_out_of_memory_halves_the_rows_and_goes_on(
    open_engine: Callable[..., Engine],
    tiny_model: Path,
    break_unet: Callable[..., None],
    error: Exception,
) -> None:
    break_unet(error, lambda times: len(times) > 4)
    engine = open_engine(tiny_model)
    first = engine.submit(make_request(request_id=1))
    second = engine.submit(make_request(request_id=2))
    assert first.result(30).images.shape[0] == second.result(30).images.shape[0] == 3
    gate = Gate()
    later = engine.submit(make_request(request_id=3), gate)
    gate.wait()
    assert not engine.has_room(make_request(request_id=4).recipe), "the smaller capacity is kept"
    gate.open()
    assert later.result(30).images.any()


def test_size_that_does_not_fit_alone_is_refused_in_plain_words(
    open_engine: Callable[..., Engine], tiny_model: Path, break_unet: Callable[..., None]
) -> None:
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
    break_unet(error, lambda times: True)
    engine = open_engine(tiny_model)
    with pytest.raises(GenerationRejected, match="32×32 does not fit into the memory of this"):
        engine.submit(make_request(request_id=1)).result(30)


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: device-side assert triggered"),
    ],
)
def test_lost_cuda_context_fails_this_and_every_later_request(
    open_engine: Callable[..., Engine],
    tiny_model: Path,
    break_unet: Callable[..., None],
    error: Exception,
) -> None:
    break_unet(error)
    engine = open_engine(tiny_model)
    drawn = engine.submit(make_request(request_id=1))
    waiting = engine.submit(make_request(request_id=2))
    assert isinstance(drawn.exception(30), EngineLost)
    assert isinstance(waiting.exception(30), EngineLost)
    assert isinstance(engine.submit(make_request(request_id=3)).exception(30), EngineLost)


def test_context_that_turns_out_lost_while_memory_is_freed_ends_the_engine(
    open_engine: Callable[..., Engine],
    tiny_model: Path,
    break_unet: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def free(runner: object) -> None:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(bot.engine.runner.ModelRunner, "free", free)
    break_unet(RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"))
    engine = open_engine(tiny_model)
    drawn = engine.submit(make_request(request_id=1))
    waiting = engine.submit(make_request(request_id=2))
    assert isinstance(drawn.exception(30), EngineLost)
    assert isinstance(waiting.exception(30), EngineLost)
