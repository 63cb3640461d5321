"""`imagine`: draws one prompt here and now, without Discord."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from bot.cli.exits import leave
from bot.cli.run import FINISH_SECONDS, REQUEUE_SECONDS, open_data_dir
from bot.cli.terminal import TerminalCaller, TerminalMessenger
from bot.domain.jobs import Job, Origin, Source
from bot.domain.recipes import Ask
from bot.engine import EngineApi, EnginePool
from bot.errors import UserError
from bot.jobs.ports import Delivery, list_hidden
from bot.recipes.starter_words import describe_unknown
from bot.services import compose_services
from bot.settings import Settings


async def draw_once(
    settings: Settings, engine: EngineApi | EnginePool, ask: Ask
) -> tuple[Job, Delivery]:
    """Draw one prompt from the terminal, with the same code as the bot.

    Raises UserError with the reason if the prompt is not drawn.
    """
    async with open_data_dir(settings) as database:
        messenger = TerminalMessenger(Console(stderr=True))
        services = compose_services(settings, database, engine, messenger, time.time)
        await services.recovery.drop_terminal_jobs()
        await services.waitlist.load()
        drawing = asyncio.create_task(services.dispatcher.run())
        tasks: list[asyncio.Task[Any]] = [drawing]
        job = None
        try:
            job = await services.intake.submit(
                ask, Origin(source=Source.TERMINAL), TerminalCaller()
            )
            waiting = asyncio.create_task(messenger.wait())
            tasks.append(waiting)
            await asyncio.wait({waiting, drawing}, return_when=asyncio.FIRST_COMPLETED)
            if drawing.done():
                waiting.cancel()
                drawing.result()
            return await waiting
        except BaseException:
            if job is not None:
                await services.dispatcher.cancel(job.job_id)
            raise
        finally:
            await services.dispatcher.stop(FINISH_SECONDS, REQUEUE_SECONDS)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await services.status_messages.close()
            services.reading.close()
            await services.workers.close()
            services.writer.close()
            services.check.close()
            await asyncio.to_thread(engine.close, REQUEUE_SECONDS)


def copy_pictures(delivery: Delivery, folder: Path) -> Delivery:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        grid, *images = (
            Path(shutil.copy(path, folder)) for path in (delivery.grid, *delivery.images)
        )
    except OSError as error:
        leave(
            UserError(
                f"The pictures could not be copied to {folder} ({error.strerror or error}); "
                f"nothing was lost, they are in {delivery.grid.parent}."
            )
        )
    return Delivery(grid, tuple(images), delivery.verdicts)


def describe(job: Job, delivery: Delivery) -> str:
    paths = "".join(f"  {path}\n" for path in (delivery.grid, *delivery.images))
    lines = [
        f"Job {job.job_id}: {job.recipe.model}, {job.recipe.sampler}, "
        f"{job.recipe.num_inference_steps} steps, guidance {job.recipe.guidance}, "
        f"seeds {', '.join(map(str, job.recipe.seeds))}, {job.gpu_seconds:.1f} s\n",
        paths,
    ]
    if (factor := job.recipe.shown_factor) > 1:
        lines.append(
            f"Drawn at {job.recipe.width}×{job.recipe.height} and enlarged {factor} times by "
            f"{job.recipe.upscaler}; the small pictures are beside them in the data directory.\n"
        )
    lines += [f"{sentence}\n" for sentence in list_hidden(delivery)]
    if unknown := describe_unknown(job.recipe):
        lines.append(f"{unknown}\n")
    if job.cut_words:
        lines.append(f"Too long for the model, so these words were cut: {job.cut_words}\n")
    if job.cut_negative_words:
        cut = job.cut_negative_words
        lines.append(f"The negative prompt was too long, so these words of it were cut: {cut}\n")
    return "".join(lines)


def describe_as_json(job: Job, delivery: Delivery) -> str:
    report = {
        "job_id": job.job_id,
        **job.recipe.describe(),
        "grid": str(delivery.grid.resolve()),
        "images": [str(path.resolve()) for path in delivery.images],
        "nsfw_content_detected": [v.nsfw_content_detected for v in delivery.verdicts],
        "nsfw_scores": [v.nsfw_score for v in delivery.verdicts],
        "spoiler": job.spoiler,
        "cut_words": job.cut_words,
        "cut_negative_words": job.cut_negative_words,
        "seconds": job.gpu_seconds,
    }
    return json.dumps(report) + "\n"
