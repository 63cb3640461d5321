"""Enlarges the pictures of several requests in turn, one tile at a time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from bot.engine.api import GenerationOutput, GenerationRequest, Progress
from bot.engine.sampling.step_tables import StepTable
from bot.engine.steps.groups import Drawing
from bot.engine.upscaling.upscaler import Enlarging, Upscaler
from bot.errors import GenerationRejected, TriptychError
from bot.texts.codes import Code
from bot.texts.reasons import because

_NO_STEPS = StepTable(torch.empty(0, 0), torch.empty(0, 2), 0.0, 0.0, (), None)

Attempt = Callable[[Drawing, Callable[[], object]], object]
"""Does work for a request. If that fails, it fails the request and returns the error."""


@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    """One of the requests that take turns. drawn: the pictures as they were drawn, if they are only
    shown enlarged; otherwise None.
    """

    drawing: Drawing
    enlarging: Enlarging
    drawn: GenerationOutput | None = None


class Enlargements:
    """Enlarges between the steps: one tile per tick of the batch, for at most half of the time."""

    def __init__(
        self,
        upscaler: Upscaler | None,
        engine: str,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._upscaler = upscaler
        self._engine = engine
        self._clock = clock
        self._owed_seconds = 0.0
        self._turns: deque[_Turn] = deque()

    @property
    def drawings(self) -> list[Drawing]:
        """List the requests whose pictures are being enlarged."""
        return [turn.drawing for turn in self._turns]

    def begin(self, request: GenerationRequest, report: Callable[[Progress], None]) -> Drawing:
        """Start on a request that only enlarges a picture. Raises GenerationRejected."""
        start, image = request.recipe.start, request.image
        upscaler, factor = self._upscaler, start.upscaled if start else 0
        if upscaler is None or upscaler.factor % factor:
            raise GenerationRejected(because(Code.UPSCALER_CHANGED))
        width, height = (side // factor for side in request.recipe.size)
        if image is None or image.shape != (height, width, 3):
            raise GenerationRejected(because(Code.START_OF_WRONG_SHAPE))
        drawing = Drawing(request, _NO_STEPS, report)
        self._turns.append(_Turn(drawing, Enlarging(upscaler, image[None], factor)))
        return drawing

    def show(self, drawing: Drawing, drawn: GenerationOutput) -> bool:
        """Start to enlarge drawn pictures if people see them enlarged; False if not."""
        factor = drawing.request.recipe.shown_factor
        if self._upscaler is None or factor == 1:
            return False
        enlarging = Enlarging(self._upscaler, drawn.images, factor)
        self._turns.append(_Turn(drawing, enlarging, drawn))
        return True

    def leave(self, drawing: Drawing) -> None:
        """Forget a request."""
        self._turns = deque(turn for turn in self._turns if turn.drawing is not drawing)

    def pay(self, seconds: float) -> None:
        """Count a step's time. The next tile waits until steps took as long as the last tile."""
        self._owed_seconds -= seconds

    def step(self, attempt: Attempt, *, is_alone: bool) -> list[tuple[Drawing, GenerationOutput]]:
        """Enlarge one tile of the request whose turn it is. Return the request if it is now
        finished.

        is_alone: whether no request waits for a step.
        """
        if not self._turns or (self._owed_seconds > 0 and not is_alone):
            return []
        turn = self._turns.popleft()
        started = self._clock()
        fault = attempt(turn.drawing, turn.enlarging.step)
        self._owed_seconds = self._clock() - started
        turn.drawing.seconds += self._owed_seconds
        if isinstance(fault, TriptychError):
            return []
        _report(turn)
        if turn.enlarging.is_done:
            return [(turn.drawing, self._finish(turn))]
        self._turns.append(turn)
        return []

    def _finish(self, turn: _Turn) -> GenerationOutput:
        enlarged, seconds = turn.enlarging.result, turn.drawing.seconds
        if turn.drawn is not None:
            return replace(turn.drawn, enlarged=enlarged, gpu_seconds=seconds)
        # The model's own checker has judged the small picture.
        return GenerationOutput(enlarged, (None,) * len(enlarged), seconds, engine=self._engine)


def _report(turn: _Turn) -> None:
    """Report progress after a tile. For drawn pictures, report again that all steps are done."""
    if turn.drawn is not None:
        num_steps = turn.drawing.table.num_steps
        turn.drawing.report(Progress(num_steps, num_steps))
    else:
        turn.drawing.report(Progress(turn.enlarging.num_done, turn.enlarging.num_tiles))
