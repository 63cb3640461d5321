"""A fake classifier of pictures that returns the score that a test wants, at once."""

from __future__ import annotations

from typing import Any


class FakeClassifier:
    """score: the score of every picture; None raises an error. shapes: of the pictures it got."""

    def __init__(self, score: float | None = 0.0) -> None:
        self.value = score
        self.shapes: list[tuple[int, ...]] = []

    def score(self, image: Any) -> float:
        self.shapes.append(image.shape)
        if self.value is None:
            raise RuntimeError("the checker crashed")
        return self.value

    def rest(self) -> None:
        pass
