"""Shows people the queue: each prompt's place, its cost, and how long it will take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from bot.domain.jobs import Job, JobStatus
from bot.domain.recipes import Recipe
from bot.engine import EnginePool, EngineState, ModelInfo
from bot.errors import UserError
from bot.jobs.queue.fair_queue import JobQueue
from bot.jobs.queue.pace import Paces
from bot.jobs.queue.places import Place
from bot.jobs.queue.usage import MEMORY_SECONDS, RecentUse
from bot.recipes.resolve import complete_recipe
from bot.store import JobRepository
from bot.texts.reasons import Reason


class Waitlist:
    """The waiting and running jobs of this process. Callers also write changes to the database."""

    def __init__(self, jobs: JobRepository, engine: EnginePool, now: Callable[[], float]) -> None:
        self._jobs = jobs
        self._engine = engine
        self._now = now
        self.use = RecentUse()
        self.paces = Paces()
        # (model, engine) pairs whose pace was computed from earlier jobs
        self._known: set[tuple[str, str]] = set()
        self.queue = JobQueue(self.use)
        self.running: dict[int, Job] = {}
        self.info: ModelInfo | None = None
        # for each waiting job that the loaded model cannot draw: the reason
        self.unfit: dict[int, Reason] = {}
        self.changed = asyncio.Event()

    async def load(self) -> None:
        """Read recent use from the database."""
        for job in await self._jobs.list_started_since(self._now() - MEMORY_SECONDS):
            if job.started_at is not None and job.status is not JobStatus.RUNNING:
                self.use.load(job, min(job.started_at, self._now()))

    def charge(self, job: Job) -> None:
        """Count a job's cost from its start, or from now if its start is in the future."""
        now = self._now()
        self.use.charge(job, min(job.started_at or now, now))

    async def welcome(self, info: ModelInfo) -> None:
        """Note which model is loaded, and fill in its defaults in the waiting jobs."""
        await self._learn_pace(info)
        self.info = info
        self.queue.add([self._complete(job) for job in self.queue.walk(self._now())])

    async def learn_paces(self) -> None:
        """Compute the pace of new engines from earlier jobs."""
        for info in self._list_infos():
            await self._learn_pace(info)

    async def _learn_pace(self, info: ModelInfo) -> None:
        pace = self.paces.of(info.engine)
        if (info.id, info.engine) in self._known:
            return
        drawn = await self._jobs.list_measured(info.id, info.engine, pace.max_samples)
        self._known.add((info.id, info.engine))
        for job in reversed(drawn):
            if job.gpu_seconds is not None:
                pace.add(job.cost_estimate, job.gpu_seconds)

    def measure_pace(self) -> float | None:
        """Return the cost that all engines together draw in a second; None if none drew yet."""
        return self.paces.sum_up(info.engine for info in self._list_infos())

    def _list_infos(self) -> list[ModelInfo]:
        """List the models of the ready engines. If none is ready, list the last known model."""
        engines = self._engine.list_engines()
        ready = [each.info for each in engines if each.state is EngineState.READY and each.info]
        return ready or [self.info] if self.info else ready

    def enqueue(self, *jobs: Job) -> None:
        """Put jobs into the queue and wake the dispatcher.

        Jobs made by a newer version of Triptych are skipped; they wait for that version.
        """
        self.queue.add([self._complete(job) for job in jobs if not job.recipe.is_newer])
        self.changed.set()

    def _complete(self, job: Job) -> Job:
        """Fill in the model's defaults and the estimated cost."""
        if self.info is None:
            return job
        self.unfit.pop(job.job_id, None)
        try:
            recipe = complete_recipe(job.recipe, self.info)
        except UserError as error:
            self.unfit[job.job_id] = error.reason
            return job
        return replace(job, recipe=recipe, cost_estimate=self._engine.cost(recipe))

    def remove(self, job_id: int) -> Job | None:
        """Take a job out of the queue; None if it is not waiting."""
        self.changed.set()
        self.unfit.pop(job_id, None)
        return self.queue.remove(job_id)

    def places(self) -> dict[int, Place]:
        """Return the place of every waiting job, in the order in which they will be drawn."""
        waiting = {job.recipe.model: job.recipe for job in self.queue.list_jobs()}
        swapping = {model: self._engine.find_swapping(recipe) for model, recipe in waiting.items()}
        is_contended = len(waiting) > 1

        def count_swaps(job: Job, seconds: float) -> float:
            model = job.recipe.model
            turns = swapping[model]
            return turns.count_seconds(model, seconds, is_contended=is_contended) if turns else 0.0

        pace = self.measure_pace()
        return self.queue.places(self._now(), self._busy_cost(), pace, count_swaps)

    def count_of(self, guild_id: int | None) -> tuple[int, int]:
        """Return how many prompts of a server are waiting, and how many are being drawn."""
        drawing = sum(job.origin.guild_id == guild_id for job in self.running.values())
        return self.queue.count_of(guild_id), drawing

    def estimate_cost(self, recipe: Recipe) -> float:
        """Return the cost in default requests of the default model; 1.0 before it is loaded."""
        return self._engine.cost(recipe) if self.info else 1.0

    def estimate_wait_seconds(self, cost: float) -> float | None:
        """Estimate the seconds until a new job of this cost would be done; None if unknown."""
        pace = self.measure_pace()
        return (self._busy_cost() + self.queue.cost + cost) / pace if pace else None

    def _busy_cost(self) -> float:
        return sum(job.cost_estimate for job in self.running.values())
