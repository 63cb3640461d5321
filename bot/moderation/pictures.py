"""Decides from the picture checkers' results what people may see. If in doubt, hides a picture."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from bot.domain.pictures import PanelVerdict
from bot.moderation.opennsfw import OpenNsfw

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)


class Classifier(Protocol):
    """Judges one picture at a time, always in the same thread."""

    def score(self, image: NDArray[np.uint8]) -> float:
        """Return a score from 0 (fit for everybody) to 1. image: uint8 (H, W, 3) RGB."""
        ...

    def rest(self) -> None:
        """Free memory. Called after all pictures of a job are judged."""
        ...


class PictureCheck:
    """Combines the model's own checker and the built-in classifier. If either flags a picture, it
    is hidden.

    A panel that could not be judged is hidden as well. Any error in the classifier's thread counts
    as "could not be judged", so no fault can show a picture.
    """

    def __init__(self, threshold: float, load: Callable[[], Classifier] = OpenNsfw) -> None:
        self.threshold = threshold
        self._load = load
        self._classifier: Classifier | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="picture-check")

    def prepare(self) -> None:
        """Start to load the classifier, so that the first picture does not wait for it."""
        self.probe().add_done_callback(_report)

    def judge(
        self,
        job_id: int,
        images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
        nsfw_content_detected: Sequence[bool | None],
        threshold: float | None = None,
    ) -> Future[tuple[PanelVerdict, ...]]:
        """Return one verdict per picture, in order. images: uint8 (N, H, W, 3) RGB.

        threshold: scores from this value on are flagged; None uses the instance's threshold.
        """
        limit = self.threshold if threshold is None else threshold
        return self._thread.submit(self._judge, job_id, images, nsfw_content_detected, limit)

    def probe(self) -> Future[Classifier]:
        """Load the classifier. If that fails, the future raises the error."""
        return self._thread.submit(self._ensure_loaded)

    def close(self) -> None:
        """Wait until all pictures are judged, and stop the thread."""
        self._thread.shutdown()

    def _judge(
        self,
        job_id: int,
        images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
        nsfw_content_detected: Sequence[bool | None],
        threshold: float,
    ) -> tuple[PanelVerdict, ...]:
        try:
            classifier = self._ensure_loaded()
            verdicts = tuple(
                _weigh(classifier.score(image), found, threshold)
                for image, found in zip(images, nsfw_content_detected, strict=True)
            )
            classifier.rest()
            return verdicts
        except Exception:  # boundary: if the checker fails, pictures must be hidden and never shown
            log.exception(
                "job %s: the picture check does not work; the pictures are hidden",
                job_id,
                extra={"job_id": job_id},
            )
            return tuple(
                PanelVerdict(found or None, shown=False) for found in nsfw_content_detected
            )

    def _ensure_loaded(self) -> Classifier:
        if self._classifier is None:
            self._classifier = self._load()
        return self._classifier


def _weigh(score: float, found: bool | None, threshold: float) -> PanelVerdict:
    if not (math.isfinite(score) and 0.0 <= score <= 1.0):
        raise ValueError(f"{score} is no score")
    flagged = bool(found) or score >= threshold
    return PanelVerdict(flagged, shown=not flagged, nsfw_score=score)


def _report(loading: Future[Classifier]) -> None:
    error = None if loading.cancelled() else loading.exception()
    if error is not None:
        log.error("the picture check does not work, so every picture will be hidden: %s", error)
