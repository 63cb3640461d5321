"""The files of a job, and what the picture check says about them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PanelVerdict:
    """What the picture check says about one panel.

    nsfw_content_detected: None if the check did not work. shown: whether people may see the panel.
    nsfw_score: 0 to 1, from the built-in classifier; None if it did not judge.
    """

    nsfw_content_detected: bool | None
    shown: bool
    nsfw_score: float | None = None

    @property
    def was_judged(self) -> bool:
        """Return whether any checker reached a verdict."""
        return self.nsfw_content_detected is not None


@dataclass(frozen=True, slots=True)
class PictureFile:
    """One file of a job. panel: 0 for the grid, 1 to 3 for the pictures."""

    panel: int
    path: str
    sha256: str
    verdict: PanelVerdict | None = None
    num_bytes: int = 0
