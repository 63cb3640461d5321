"""A classifier of pictures that finds what a test wants, at once."""

from __future__ import annotations

from typing import Any


class FakeClassifier:
    """score: of every picture; None crashes. shapes: of the pictures that it was shown."""

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
