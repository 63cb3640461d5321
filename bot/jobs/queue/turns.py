"""Chooses the next prompt to draw: the first in fair order for which an engine has room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from bot.domain.jobs import Job
from bot.engine import EnginePool
from bot.jobs.queue.waitlist import Waitlist

MAX_PASSED = 64
"""How many prompts of one model may be passed over in the search for one that can start."""

_COST_PER_ENGINE = 1.0
_ROUNDING = 1e-9


class Turns:
    """Chooses from the waitlist, and limits how much may overtake a prompt that has to wait.

    A prompt waits if no engine has room for it, or if a busy engine will finish it sooner than an
    idle one. While it waits, later prompts may start on the engines that it could use. Together,
    these prompts may cost at most one default request for each idle engine. Prompts for another
    model that takes turns on the same device overtake freely, because they delay nobody.
    """

    def __init__(self, waitlist: Waitlist, engine: EnginePool, now: Callable[[], float]) -> None:
        self._waitlist = waitlist
        self._engine = engine
        self._now = now
        self._overtaken: dict[int, float] = {}  # for each job, the cost of jobs that overtook it

    def choose(self) -> Job | None:
        """Return the next job to start; it stays in the queue. None if no job can start now."""
        passed: list[Job] = []
        num_passed: Counter[str | None] = Counter()
        blocked: set[str | None] = set()  # models for which nothing can start now
        ahead_cost = 0.0
        for job in self._waitlist.queue.walk(self._now()):
            model = job.recipe.model
            if model in blocked:
                continue
            refusal = self._engine.find_refusal(job.recipe)
            if refusal is not None:
                self._waitlist.unfit.setdefault(job.job_id, refusal)
            if job.job_id in self._waitlist.unfit:
                return job  # the dispatcher will refuse this job
            engine = self._engine.find_engine(job.recipe, ahead_cost)
            if engine is not None and self._may_begin(job, engine, passed):
                return job
            passed.append(job)
            num_passed[model] += 1
            ahead_cost += job.cost_estimate
            if not self._engine.num_idle or num_passed[model] >= MAX_PASSED:
                blocked.add(model)
                if self._engine.ready_models <= blocked:
                    break
        return None

    def _may_begin(self, job: Job, engine: str, passed: Sequence[Job]) -> bool:
        """Return whether a job may overtake those in front of it. If so, count its cost."""
        delayed = [each for each in passed if self._engine.delays(engine, job.recipe, each.recipe)]
        cost, most = job.cost_estimate, self._engine.num_idle * _COST_PER_ENGINE + _ROUNDING
        if any(self._overtaken.get(each.job_id, 0.0) + cost > most for each in delayed):
            return False
        queue = self._waitlist.queue
        self._overtaken = {k: done for k, done in self._overtaken.items() if k in queue}
        for each in delayed:
            self._overtaken[each.job_id] = self._overtaken.get(each.job_id, 0.0) + cost
        return True
