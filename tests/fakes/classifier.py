"""A classifier of pictures that finds what a test wants, at once."""

from __future__ import annotations

from typing import Any


class FakeClassifier:
    """score: of every picture; None crashes."""

    def __init__(self, score: float | None = 0.0) -> None:
        self.value = score

    def score(self, image: Any) -> float:
        if self.value is None:
            raise RuntimeError("the checker crashed")
        return self.value

    def rest(self) -> None:
        pass
