"""Makes previews of pictures being drawn. Previews pass the same check as finished pictures."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.jobs import Job
from bot.images.render import encode_preview
from bot.images.store import PictureWriter
from bot.jobs.ports import InProgress
from bot.policy.pictures import PictureJudge


class Previews:
    """Turns sketches into preview files, but only those that may be shown openly."""

    def __init__(self, judge: PictureJudge, writer: PictureWriter) -> None:
        self._judge = judge
        self._writer = writer

    async def develop(self, job: Job, drawing: InProgress) -> InProgress:
        """Add the preview, unless the picture must be covered, held or hidden."""
        sketch = drawing.sketch
        if sketch is None or job.spoiler:
            return drawing
        judgement = await self._judge.judge_drawn(job, sketch, [None] * len(sketch))
        is_shown = any(verdict.shown for verdict in judgement.verdicts)
        if judgement.spoiler or judgement.held_for or not is_shown:
            return drawing
        file = await self._writer.run(encode_preview, sketch, judgement.verdicts)
        return replace(drawing, preview=file)
