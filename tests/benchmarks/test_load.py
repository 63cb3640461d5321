"""If a request fails, a benchmark ends with its error and does not hang."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmarks.arms import Ask, PipelineArm, Workshop
from benchmarks.clock import Clock
from benchmarks.load import measure_short_behind_long, run_closed_loop


class FailingArm:
    """An arm that draws ``num_good`` requests. All later requests fail."""

    def __init__(self, num_good: int) -> None:
        self._num_good = num_good

    def submit(self, ask: Ask, report: Any) -> tuple[Future[Any], Callable[[], None]]:
        future: Future[Any] = Future()
        self._num_good -= 1
        if self._num_good >= 0:
            future.set_result(None)
        else:
            future.set_exception(ArithmeticError("no more"))
        return future, lambda: None


def make_workshop(arm: Any) -> Workshop:
    return cast(Workshop, SimpleNamespace(arms={"A": arm}, clock=Clock(), stepping_share=1.0))


@pytest.mark.timeout(30)
@pytest.mark.parametrize("num_good", [0, 2])
def test_closed_loop_ends_with_the_error_of_a_request(num_good: int) -> None:
    with pytest.raises(ArithmeticError, match="no more"):
        run_closed_loop(make_workshop(FailingArm(num_good)), "A", users=2, seconds=60.0)


@pytest.mark.timeout(30)
def test_short_wish_behind_a_long_one_that_fails_ends_with_its_error() -> None:
    with pytest.raises(ArithmeticError, match="no more"):
        measure_short_behind_long(make_workshop(FailingArm(0)), "A")


@pytest.mark.timeout(30)
def test_whatever_a_pipeline_raises_reaches_who_waits() -> None:
    def pipe(*args: Any, **rest: Any) -> Any:
        raise RuntimeError("broken weights")

    info = SimpleNamespace(num_inference_steps=2, guidance_scale=1.0)
    workshop = SimpleNamespace(num_threads=1, info=info, device="cpu")
    arm = PipelineArm(cast(Workshop, workshop), pipe, autocast=False, max_collected=1)
    future, _ = arm.submit(Ask(1), lambda share, has_preview: None)
    with pytest.raises(RuntimeError, match="broken weights"):
        future.result(20)
