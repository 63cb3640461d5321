"""Shows people the queue: each prompt's place, its cost, and how long it will take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from bot.domain.jobs import Job, JobStatus
from bot.domain.recipes import Recipe
from bot.engine import EnginePool, EngineState, ModelInfo
from bot.errors import UserError
from bot.jobs.model_choice import explain_out
from bot.jobs.queue.fair_queue import JobQueue
from bot.jobs.queue.pace import Paces
from bot.jobs.queue.places import Place
from bot.jobs.queue.usage import MEMORY_SECONDS, RecentUse
from bot.policy.models import ModelCatalog
from bot.recipes.resolve import complete_recipe
from bot.store import JobRepository
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because


class Waitlist:
    """The waiting and running jobs of this process. Callers also write changes to the database."""

    def __init__(
        self,
        jobs: JobRepository,
        engine: EnginePool,
        models: ModelCatalog,
        now: Callable[[], float],
    ) -> None:
        self._jobs = jobs
        self._engine = engine
        self.models = models
        self._now = now
        self.use = RecentUse()
        self.paces = Paces()
        # (model, engine) pairs whose pace was computed from earlier jobs
        self._known: set[tuple[str, str]] = set()
        self.queue = JobQueue(self.use)
        self.running: dict[int, Job] = {}
        self._met: set[str] = set()  # the models whose defaults were filled in
        self.info: ModelInfo | None = None  # of the default model
        # for each waiting job that its model cannot draw: the reason
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
        self._met.add(info.id)
        self.queue.add([self._complete(job) for job in self.queue.walk(self._now())])

    async def meet_engines(self) -> None:
        """Compute the pace of new engines from earlier jobs, and fill in new models' defaults."""
        for info in self._list_infos():
            await self._learn_pace(info)
        loaded = {each.id for each in self._engine.list_models() if each.info is not None}
        if not loaded <= self._met:
            self._met |= loaded
            self.queue.add([self._complete(job) for job in self.queue.walk(self._now())])

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
            recipe, cost = self.price(job.recipe, job.cost_estimate)
        except UserError as error:
            self.unfit[job.job_id] = error.reason
            return job
        return replace(job, recipe=recipe, cost_estimate=cost)

    def price(self, recipe: Recipe, unknown_cost: float = 1.0) -> tuple[Recipe, float]:
        """Return the complete recipe, and its cost in default requests of the default model.

        Until the recipe's model is loaded, the recipe stays as it is, and the cost is
        ``unknown_cost``. Raises UserError if the model cannot draw the recipe.
        """
        # a picture can be enlarged also if the model that drew it is gone
        info = self.info if recipe.is_upscaled else self.find_info(recipe.model)
        if info is None:
            return recipe, unknown_cost
        complete = complete_recipe(recipe, info)
        return complete, self._engine.cost(complete)

    def find_info(self, model: str | None) -> ModelInfo | None:
        """Return what a model can do; None until it is loaded. model: None for the default one.

        Raises UserError if the owner has removed the model. But if there is only one model, and
        everybody may use it, it draws whatever it can of the prompts for other models.
        """
        if self.info is None or model in (None, self.info.id):
            return self.info
        infos = {each.id: each.info for each in self.models.list_all()}
        if model in infos:
            return infos[model]
        if len(infos) < 2 and self.models.is_for_all(self.info.id):
            return self.info
        raise UserError(because(Code.MODEL_GONE, model=model))

    def take_refusal(self, job: Job) -> Reason | None:
        """Return why a waiting job cannot be drawn, and forget it; None if it can be drawn.

        The reason names only models that everybody in the job's server can use.
        """
        refusal = self.unfit.pop(job.job_id, None)
        if refusal is None or refusal.code not in {Code.MODEL_OUT, Code.MODEL_NOT_LOADED}:
            return refusal
        model = next((each for each in self.models.list_all() if each.id == job.recipe.model), None)
        if model is None:
            return because(Code.MODEL_GONE, model=job.recipe.model)
        return explain_out(model, self.models.list_for(job.origin.guild_id))

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

    def estimate_wait_seconds(self, cost: float) -> float | None:
        """Estimate the seconds until a new job of this cost would be done; None if unknown."""
        pace = self.measure_pace()
        return (self._busy_cost() + self.queue.cost + cost) / pace if pace else None

    def estimate_default_wait(self, info: ModelInfo) -> float | None:
        """Estimate the seconds until a new default prompt of a model would be done, swaps included.

        None if nothing has been drawn yet.
        """
        seconds = self.estimate_wait_seconds(info.cost_factor)
        turns = self._engine.find_swapping(Recipe("", model=info.id))
        if seconds is None or turns is None:
            return seconds
        is_contended = any(job.recipe.model != info.id for job in self.queue.list_jobs())
        return seconds + turns.count_seconds(info.id, seconds, is_contended=is_contended)

    def _busy_cost(self) -> float:
        return sum(job.cost_estimate for job in self.running.values())
