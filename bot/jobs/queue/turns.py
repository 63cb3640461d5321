"""Chooses the prompt that is drawn next: the first in fair order for which an engine has room."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.domain.jobs import Job
from bot.engine import EnginePool
from bot.jobs.queue.waitlist import Waitlist

MAX_PASSED = 64
"""Prompts that are looked at if the first ones find no engine."""

_COST_PER_ENGINE = 1.0
_ROUNDING = 1e-9


class Turns:
    """Chooses from the waitlist, and counts what was begun before prompts that were passed by.

    A prompt waits if no engine has room for it, or if a busy engine will finish it sooner than an
    idle one. Meanwhile, the engines that it could use begin at most one default request of other
    work for each engine that has nothing to do.
    """

    def __init__(self, waitlist: Waitlist, engine: EnginePool, now: Callable[[], float]) -> None:
        self._waitlist = waitlist
        self._engine = engine
        self._now = now
        self._overtaken: dict[int, float] = {}  # by job, the work begun before it

    def choose(self) -> Job | None:
        """Return the job that begins next; it stays in the queue. None if none can begin now."""
        passed: list[Job] = []
        ahead_cost = 0.0
        for job in self._waitlist.queue.walk(self._now()):
            if job.job_id in self._waitlist.unfit:
                return job  # whoever begins it will refuse it
            engine = self._engine.find_engine(job.recipe, ahead_cost)
            if engine is not None and self._may_begin(job, engine, passed):
                return job
            if self._engine.num_models < 2 and not self._engine.num_idle:
                return None  # every engine is busy with what this job waits for
            passed.append(job)
            ahead_cost += job.cost_estimate
            if len(passed) >= MAX_PASSED:
                break
        return None

    def _may_begin(self, job: Job, engine: str, passed: Sequence[Job]) -> bool:
        """Return whether a job may begin before those in front of it, and count it if so."""
        delayed = [each for each in passed if self._engine.can_draw(engine, each.recipe)]
        cost, most = job.cost_estimate, self._engine.num_idle * _COST_PER_ENGINE + _ROUNDING
        if any(self._overtaken.get(each.job_id, 0.0) + cost > most for each in delayed):
            return False
        queue = self._waitlist.queue
        self._overtaken = {k: done for k, done in self._overtaken.items() if k in queue}
        for each in delayed:
            self._overtaken[each.job_id] = self._overtaken.get(each.job_id, 0.0) + cost
        return True
