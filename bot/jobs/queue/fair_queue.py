"""Picks the guild with the smallest use, its member with the smallest use, and their oldest job.

The *use* is the sum of the costs of all started jobs. Each cost halves every hour after the job's
start. A member's use is divided by the weight of their roles. The turn of a round's job depends on
the mean use of its authors. The sum is computed from the job rows, so a restart changes nothing.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from bot.domain.jobs import Job
from bot.jobs.queue.places import Place, PlaceReason
from bot.jobs.queue.usage import Member, RecentUse, Totals, member_of


class JobQueue:
    """The waiting jobs in memory, loaded from the database."""

    def __init__(self, use: RecentUse) -> None:
        self._use = use
        self._jobs: dict[int, Job] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._jobs

    @property
    def cost(self) -> float:
        """Return the estimated cost of all waiting jobs together."""
        return sum(job.cost_estimate for job in self._jobs.values())

    def count_of(self, guild_id: int | None) -> int:
        """Return how many jobs of a server are waiting."""
        return sum(job.origin.guild_id == guild_id for job in self._jobs.values())

    def add(self, jobs: Iterable[Job]) -> None:
        """Put jobs into the queue."""
        self._jobs.update((job.job_id, job) for job in jobs)

    def list_jobs(self) -> list[Job]:
        """List all waiting jobs, in no particular order."""
        return list(self._jobs.values())

    def get(self, job_id: int) -> Job:
        """Return a waiting job. Raises KeyError if there is none with this id."""
        return self._jobs[job_id]

    def remove(self, job_id: int) -> Job | None:
        """Take a job out of the queue; None if it is not in it."""
        return self._jobs.pop(job_id, None)

    def next(self, now: float) -> Job | None:
        """Return the next job. It stays in the queue."""
        return next(self.walk(now), None)

    def walk(self, now: float) -> Iterator[Job]:
        """List all waiting jobs in the order in which they will be drawn if no more come."""
        totals = self._use.totals(now)
        lines: dict[Member, deque[Job]] = {}
        for job in sorted(self._jobs.values(), key=lambda job: job.job_id):
            lines.setdefault(member_of(job), deque()).append(job)
        guilds: dict[int | None, list[_Turn]] = {}
        for member, line in lines.items():
            turn = (totals.use_for(line[0]), line[0].job_id, member)
            guilds.setdefault(member[0], []).append(turn)
        for turns in guilds.values():
            heapq.heapify(turns)
        heap = [(totals.use_of(turns[0][2])[0], *turns[0]) for turns in guilds.values()]
        heapq.heapify(heap)
        while heap:
            member = heap[0][3]
            turns, line = guilds[member[0]], lines[member]
            job = line.popleft()
            totals.add_job(job)
            _step(turns, (totals.use_for(line[0]), line[0].job_id, member) if line else None)
            _correct(turns, lines, totals)
            _step(heap, (totals.use_of(member)[0], *turns[0]) if turns else None)
            yield job

    def places(
        self,
        now: float,
        busy_cost: float,
        pace: float | None,
        count_swaps: Callable[[Job, float], float] = lambda job, seconds: 0.0,
    ) -> dict[int, Place]:
        """Return the place of every waiting job, in the order of ``walk``.

        busy_cost: the cost of running jobs. pace: cost per second, None if it is not known yet.
        count_swaps: for a job that waits these seconds, the seconds that swapping models adds.
        """
        places: dict[int, Place] = {}
        totals = self._use.totals(now)
        for job in filter(lambda job: job.shares, self._jobs.values()):
            totals.name_use(job)
        newest: dict[Member, int] = {}  # for each member, the id of their newest job ahead
        ahead: set[int] = set()
        newest_ahead = 0
        cost = busy_cost
        for job in self.walk(now):
            cost += job.cost_estimate
            member = member_of(job)
            seconds = cost / pace if pace else None
            num_others = len(ahead) - (member[1] in ahead)
            later: list[Member] = []
            if newest_ahead > job.job_id:  # this check saves time in a long queue
                later = [
                    other
                    for other, job_id in newest.items()
                    if job_id > job.job_id and other[1] != member[1]
                ]
            places[job.job_id] = Place(
                position=len(places) + 1,
                members_ahead=num_others,
                overtaken_by=len({other[1] for other in later}),
                reason=_explain(member, bool(places), num_others > 0, later, totals),
                wait_seconds=(
                    None if seconds is None else float(round(seconds + count_swaps(job, seconds)))
                ),
            )
            newest[member] = job.job_id
            ahead.add(member[1])
            newest_ahead = max(newest_ahead, job.job_id)
        return places


_Turn = tuple[float, int, Member]
"""A member's recent use, and the id of their next job. The smallest turn is next in the guild."""

H = TypeVar("H", bound=tuple[Any, ...])


def _step(heap: list[H], following: H | None) -> None:
    """Replace the heap's first entry by ``following``. If that is None, only remove the entry."""
    if following is None:
        heapq.heappop(heap)
    else:
        heapq.heapreplace(heap, following)


def _correct(turns: list[_Turn], lines: dict[Member, deque[Job]], totals: Totals) -> None:
    """Put the right line first.

    The use of a line may have grown since it was sorted, because an author of a round also has a
    line of their own. The use never shrinks, so only the first line can be in a wrong place.
    """
    while turns:
        use, job_id, member = turns[0]
        present = totals.use_for(lines[member][0])
        if present <= use:
            return
        heapq.heapreplace(turns, (present, job_id, member))


def _explain(
    member: Member, any_ahead: bool, any_others: bool, later: list[Member], totals: Totals
) -> PlaceReason:
    """Find the reason for a place. later: people who are ahead although they asked later."""
    if not any_ahead:
        return PlaceReason.NEXT
    if not any_others:
        return PlaceReason.OWN_FIRST
    if not later:
        return PlaceReason.CAME_FIRST
    return _explain_overtaking(member, later, totals)


def _explain_overtaking(member: Member, later: list[Member], totals: Totals) -> PlaceReason:
    if any(totals.use_of(other) >= totals.use_of(member) for other in later):
        return PlaceReason.TURNS
    if any(other[0] != member[0] for other in later):
        return PlaceReason.GUILD_LESS_USE
    own = totals.unweighted.get(member, 0.0)
    if any(totals.unweighted.get(other, 0.0) >= own for other in later):
        return PlaceReason.GREATER_SHARE
    return PlaceReason.LESS_USE
