"""Notices that one model of an engine no longer works, although the engine does."""

from __future__ import annotations

from collections.abc import Callable

from bot.domain.recipes import Recipe
from bot.engine.api import ModelInfo

NUM_FAILURES = 3
"""A model is tested after this many different requests in a row failed for the same cause."""

_FIRST_PAUSE_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 3600.0


def make_default_recipe(info: ModelInfo, num_pictures: int) -> Recipe:
    """Make the recipe of a model's defaults with an empty prompt."""
    return Recipe(
        prompt="",
        negative_prompt="",
        seeds=tuple(range(num_pictures)),
        width=info.width,
        height=info.height,
        num_inference_steps=info.num_inference_steps,
        guidance_scale=info.guidance_scale,
        sampler=info.default_sampler,
        model=info.id,
    )


class ModelHealth:
    """Counts how requests for one model of one engine end.

    Requests may fail because of what members asked for. So when several failed, the engine draws a
    test picture with the model's defaults. Only if that fails too, the model is out. From then on,
    it is tested again after a pause, which doubles each time.

    note: why the model is out; "" while it works.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.note = ""
        self._now = now
        self._cause = ""
        self._failed: set[int] = set()
        self._is_being_tested = False
        self._test_at = 0.0
        self._pause_seconds = _FIRST_PAUSE_SECONDS

    @property
    def needs_test(self) -> bool:
        """Return whether to draw a test picture now."""
        is_suspect = len(self._failed) >= NUM_FAILURES
        is_due = bool(self.note) and self._now() >= self._test_at
        return not self._is_being_tested and (is_due if self.note else is_suspect)

    def note_drawn(self) -> None:
        """Count a request that was drawn."""
        self._failed.clear()

    def note_failed(self, request_id: int, cause: str) -> None:
        """Count a request that failed. The same request may be tried several times."""
        if cause != self._cause:
            self._failed.clear()
        self._cause = cause
        self._failed.add(request_id)

    def begin_test(self) -> None:
        """Note that the test picture is being drawn."""
        self._is_being_tested = True

    def end_test(self, fault: str) -> bool:
        """Note how the test ended; ``fault`` is "" if it was drawn. Return whether this is news."""
        had_failed, self.note, self._is_being_tested = bool(self.note), fault, False
        self._failed.clear()
        if fault:
            self._test_at = self._now() + self._pause_seconds
            self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)
        else:
            self._pause_seconds = _FIRST_PAUSE_SECONDS
        return had_failed != bool(fault)
