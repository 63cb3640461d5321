"""What the picture checkers found, turned into what people may see."""

from __future__ import annotations

from collections.abc import Sequence

from bot.records import PanelVerdict


class PictureCheck:
    """A panel that the model's own checker flags is hidden; where no checker ran it is shown."""

    def judge(self, nsfw_content_detected: Sequence[bool | None]) -> tuple[PanelVerdict, ...]:
        """One verdict per picture, in their order."""
        return tuple(PanelVerdict(found, shown=not found) for found in nsfw_content_detected)
