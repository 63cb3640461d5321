"""The files of a job, and the verdicts of the picture check."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PanelVerdict:
    """The verdict of the picture check on one panel.

    nsfw_content_detected: None if the check did not work. shown: whether people may see the panel.
    nsfw_score: 0 to 1, from the built-in classifier; None if it gave no score.
    """

    nsfw_content_detected: bool | None
    shown: bool
    nsfw_score: float | None = None

    @property
    def was_judged(self) -> bool:
        """Return whether any checker reached a verdict."""
        return self.nsfw_content_detected is not None


ENLARGED = 3
"""Add this to a picture's panel number to get the panel number of its enlarged copy."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """One file of a job. panel: 0 for the grid, 1 to 3 for the pictures as they were drawn.

    4 to 6 are the enlarged copies of 1 to 3, if people see the pictures enlarged. They have no
    verdict of their own.
    """

    panel: int
    path: str
    sha256: str
    verdict: PanelVerdict | None = None
    num_bytes: int = 0
