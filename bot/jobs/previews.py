"""What is shown of a picture while it is drawn: judged like the finished one, or not at all."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from bot.jobs.port import Drawing
from bot.moderation import PictureCheck
from bot.pictures import PictureWriter, encode_preview
from bot.records import Job


class Previews:
    """Develops sketches; one that is covered or was not judged is not shown."""

    def __init__(self, check: PictureCheck, writer: PictureWriter) -> None:
        self._check = check
        self._writer = writer

    async def develop(self, job: Job, drawing: Drawing) -> Drawing:
        """With its preview, unless nobody may see it yet."""
        sketch = drawing.sketch
        if sketch is None or job.spoiler:
            return drawing
        judging = self._check.judge(job.job_id, sketch, [None] * len(sketch))
        verdicts = await asyncio.wrap_future(judging)
        if not any(verdict.shown for verdict in verdicts):
            return drawing
        file = await self._writer.run(encode_preview, sketch, verdicts)
        return replace(drawing, preview=file)
