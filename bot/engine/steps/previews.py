"""Reports progress to requests, now and then with a small preview."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable

from bot.engine.api import Progress
from bot.engine.models.latent_preview import PreviewMatrix
from bot.engine.steps.groups import PREVIEW_STEPS, Drawing, Group
from bot.engine.steps.transfers import Transfer

PREVIEW_SECONDS = 1.0
"""A request gets a preview every PREVIEW_STEPS steps, but not sooner than this many seconds."""


class Previews:
    """Renders previews on the device, and sends them when they have arrived."""

    def __init__(self, matrix: PreviewMatrix, clock: Callable[[], float] = time.monotonic) -> None:
        self._matrix = matrix
        self._clock = clock
        self._on_their_way: list[tuple[Drawing, Transfer]] = []

    def report(self, group: Group, drawings: Iterable[Drawing]) -> None:
        """Report a step to each of these requests that is still in the group."""
        now = self._clock()
        for drawing in drawings:
            if drawing not in group.drawings:
                continue
            if _is_due(drawing, now):
                drawing.previewed_at = now
                latents = group.estimate_clean(drawing)
                self._on_their_way.append((drawing, Transfer(self._matrix.render(latents))))
            else:
                drawing.report(Progress(drawing.step, drawing.table.num_steps))

    def send(self, here: Collection[Drawing]) -> None:
        """Report the previews that are ready, unless their request is no longer ``here``."""
        arrived = [item for item in self._on_their_way if item[1].is_ready()]
        self._on_their_way = [item for item in self._on_their_way if item not in arrived]
        for drawing, transfer in arrived:
            if drawing in here:
                [preview] = transfer.get()
                progress = Progress(drawing.step, drawing.table.num_steps, preview.numpy())
                drawing.report(progress)


def _is_due(drawing: Drawing, now: float) -> bool:
    return (
        drawing.step > 0
        and drawing.step % PREVIEW_STEPS == 0
        and drawing.step < drawing.table.num_steps
        and now - drawing.previewed_at >= PREVIEW_SECONDS
    )
