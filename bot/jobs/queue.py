"""Who is next: the guild, then the member, that has drawn least lately; then first come.

*Recent use* is the cost of everything whose drawing began, halved for every hour since; a member's
is divided by the weight of their roles. It is a sum over job rows, so a restart changes nothing.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.jobs.port import Place, PlaceReason
from bot.records import Job, JobStatus

_Member = tuple[int | None, int]
"""Guild (None for direct messages) and user."""

HALF_LIFE_SECONDS = 3600.0
MEMORY_SECONDS = 12 * HALF_LIFE_SECONDS  # by full hours; what is older weighs less than 1/2048

_SETTLED = {
    JobStatus.DELIVERED,
    JobStatus.UNDELIVERABLE,
    JobStatus.REFUSED,
    JobStatus.FAILED,
    JobStatus.CANCELLED,
    JobStatus.EXPIRED,
}


@dataclass(frozen=True, slots=True)
class _Charge:
    member: _Member
    cost: float
    weight: float
    at: float


@dataclass(slots=True)
class _Sum:
    """Of one member's charges, as they weigh at one moment: their costs, and those by weight."""

    count: int = 0
    cost: float = 0.0
    by_weight: float = 0.0

    def add(self, count: int, cost: float, by_weight: float) -> None:
        self.count += count
        self.cost += cost
        self.by_weight += by_weight


class RecentUse:
    """What guilds and members have drawn lately, in default requests, decayed.

    All costs halve together, so sums are kept: neither time nor memory grow with a day's jobs.
    """

    def __init__(self) -> None:
        self._open: dict[int, _Charge] = {}  # those that may change yet
        self._sums: dict[_Member, _Sum] = {}  # at ``_at``
        self._hours: dict[int, dict[_Member, _Sum]] = {}  # the same by hours, each at its begin
        self._at = float("-inf")  # never goes back

    def charge(self, job: Job, at: float) -> None:
        """Count ``job.cost`` from ``at`` on, in place of an earlier charge for the same job.

        One that has ended counts as it was charged at its end.
        """
        if job.status not in _SETTLED or job.job_id in self._open:
            self.load(job, at)

    def load(self, job: Job, at: float) -> None:
        """Count a job that is on record and was not counted yet."""
        self.refund(job.job_id)
        if job.cost > 0:
            self._move(at)
            charge = _Charge(_member_of(job), job.cost, job.weight, at)
            self._add(charge, 1)
            if job.status not in _SETTLED:
                self._open[job.job_id] = charge

    def refund(self, job_id: int) -> None:
        """Forget what was charged for this job."""
        charge = self._open.pop(job_id, None)
        if charge is not None:
            self._add(charge, -1)

    def totals(self, now: float) -> _Totals:
        """Use per guild and per member at ``now``."""
        self._move(now)
        for hour in [hour for hour in self._hours if not self._is_kept(hour)]:
            share = _decay(self._at - hour * HALF_LIFE_SECONDS)
            for member, part in self._hours.pop(hour).items():
                self._count(member, -part.count, -part.cost * share, -part.by_weight * share)
            self._open = {
                job_id: charge
                for job_id, charge in self._open.items()
                if self._is_kept(_hour_of(charge.at))
            }
        totals = _Totals({}, {}, {})
        for member, total in self._sums.items():
            totals.add(member, total.cost, total.by_weight)
        return totals

    def _move(self, now: float) -> None:
        if now > self._at:
            share = _decay(now - self._at)
            for total in self._sums.values():
                total.cost *= share
                total.by_weight *= share
            self._at = now

    def _add(self, charge: _Charge, sign: int) -> None:
        hour = _hour_of(charge.at)
        if not self._is_kept(hour):
            return
        cost, by_weight = sign * charge.cost, sign * charge.cost / charge.weight
        grown = 1 / _decay(charge.at - hour * HALF_LIFE_SECONDS)
        part = self._hours.setdefault(hour, {}).setdefault(charge.member, _Sum())
        part.add(sign, cost * grown, by_weight * grown)
        share = _decay(self._at - charge.at)
        self._count(charge.member, sign, cost * share, by_weight * share)

    def _count(self, member: _Member, count: int, cost: float, by_weight: float) -> None:
        total = self._sums.setdefault(member, _Sum())
        total.add(count, cost, by_weight)
        if not total.count:  # nor does what rounding left
            del self._sums[member]

    def _is_kept(self, hour: int) -> bool:
        return hour > (self._at - MEMORY_SECONDS) // HALF_LIFE_SECONDS


def _hour_of(at: float) -> int:
    return int(at // HALF_LIFE_SECONDS)


def _decay(seconds: float) -> float:
    return 0.5 ** (seconds / HALF_LIFE_SECONDS)


@dataclass(frozen=True, slots=True)
class _Totals:
    """by_member: each cost divided by its weight; unweighted: the same as it was.

    A weight moves members within their guild, never a guild before others.
    """

    by_guild: dict[int | None, float]
    by_member: dict[_Member, float]
    unweighted: dict[_Member, float]

    def add(self, member: _Member, cost: float, by_weight: float) -> None:
        guild_id, _ = member
        self.by_guild[guild_id] = self.by_guild.get(guild_id, 0.0) + cost
        self.by_member[member] = self.by_member.get(member, 0.0) + by_weight
        self.unweighted[member] = self.unweighted.get(member, 0.0) + cost

    def use_of(self, member: _Member) -> tuple[float, float]:
        """The use of a member's guild and their own, DMs being one guild.

        Rounded, so that equal sums stay equal in whatever order they were added.
        """
        guild_id, _ = member
        return (
            round(self.by_guild.get(guild_id, 0.0), 6),
            round(self.by_member.get(member, 0.0), 6),
        )


class JobQueue:
    """The waiting jobs, in memory; the rows in the database are the truth they are loaded from."""

    def __init__(self, use: RecentUse) -> None:
        self._use = use
        self._jobs: dict[int, Job] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def cost(self) -> float:
        """What all waiting jobs are estimated to cost."""
        return sum(job.cost_estimate for job in self._jobs.values())

    def count_of(self, guild_id: int | None) -> int:
        """How many jobs of a server wait."""
        return sum(job.origin.guild_id == guild_id for job in self._jobs.values())

    def add(self, jobs: Iterable[Job]) -> None:
        """Put jobs in line."""
        self._jobs.update((job.job_id, job) for job in jobs)

    def get(self, job_id: int) -> Job:
        """A waiting job. Raises KeyError."""
        return self._jobs[job_id]

    def remove(self, job_id: int) -> Job | None:
        """Take a job out of the line; None if it is not in it."""
        return self._jobs.pop(job_id, None)

    def next(self, now: float) -> Job | None:
        """The job whose turn it is; it stays in line."""
        return next(self.walk(now), None)

    def walk(self, now: float) -> Iterator[Job]:
        """All waiting jobs in the order in which they would be drawn if nobody else came."""
        totals = self._use.totals(now)
        lines: dict[_Member, deque[Job]] = {}
        for job in sorted(self._jobs.values(), key=lambda job: job.job_id):
            lines.setdefault(_member_of(job), deque()).append(job)
        guilds: dict[int | None, list[_Turn]] = {}
        for member, line in lines.items():
            turn = (totals.use_of(member)[1], line[0].job_id, member)
            guilds.setdefault(member[0], []).append(turn)
        for turns in guilds.values():
            heapq.heapify(turns)
        heap = [(totals.use_of(turns[0][2])[0], *turns[0]) for turns in guilds.values()]
        heapq.heapify(heap)
        while heap:
            member = heap[0][3]
            turns, line = guilds[member[0]], lines[member]
            job = line.popleft()
            totals.add(member, job.cost_estimate, job.cost_estimate / job.weight)
            guild_use, member_use = totals.use_of(member)
            _step(turns, (member_use, line[0].job_id, member) if line else None)
            _step(heap, (guild_use, *turns[0]) if turns else None)
            yield job

    def places(self, now: float, busy_cost: float, pace: float | None) -> dict[int, Place]:
        """Every waiting job's place, in the order of ``walk``.

        busy_cost: cost being drawn. pace: cost per second, None if it is not known yet.
        """
        places: dict[int, Place] = {}
        totals = self._use.totals(now)
        newest: dict[_Member, int] = {}  # of everybody ahead
        ahead: set[int] = set()
        newest_ahead = 0
        cost = busy_cost
        for job in self.walk(now):
            cost += job.cost_estimate
            member = _member_of(job)
            num_others = len(ahead) - (member[1] in ahead)
            later: list[_Member] = []
            if newest_ahead > job.job_id:  # looking at every pair would hold up a long line
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
                wait_seconds=float(round(cost / pace)) if pace else None,
            )
            newest[member] = job.job_id
            ahead.add(member[1])
            newest_ahead = max(newest_ahead, job.job_id)
        return places


_Turn = tuple[float, int, _Member]
"""A member's recent use and the id of their next job: the smallest is next in the guild."""

H = TypeVar("H", bound=tuple[Any, ...])


def _step(heap: list[H], following: H | None) -> None:
    """Put ``following`` in the place of the smallest, or take the smallest away."""
    if following is None:
        heapq.heappop(heap)
    else:
        heapq.heapreplace(heap, following)


def _member_of(job: Job) -> _Member:
    return job.origin.guild_id, job.origin.user_id


def _explain(
    member: _Member, any_ahead: bool, any_others: bool, later: list[_Member], totals: _Totals
) -> PlaceReason:
    """later: other people who asked later and stand ahead."""
    if not any_ahead:
        return PlaceReason.NEXT
    if not any_others:
        return PlaceReason.OWN_FIRST
    if not later:
        return PlaceReason.CAME_FIRST
    return _explain_overtaking(member, later, totals)


def _explain_overtaking(member: _Member, later: list[_Member], totals: _Totals) -> PlaceReason:
    if any(totals.use_of(other) >= totals.use_of(member) for other in later):
        return PlaceReason.TURNS
    if any(other[0] != member[0] for other in later):
        return PlaceReason.GUILD_LESS_USE
    own = totals.unweighted.get(member, 0.0)
    if any(totals.unweighted.get(other, 0.0) >= own for other in later):
        return PlaceReason.GREATER_SHARE
    return PlaceReason.LESS_USE


class Pace:
    """How fast this machine draws, from the last jobs it finished: cost per second."""

    def __init__(self, max_samples: int = 50) -> None:
        self._samples: list[tuple[float, float]] = []
        self.max_samples = max_samples

    def add(self, cost_estimate: float, gpu_seconds: float) -> None:
        """Learn from one finished job."""
        if cost_estimate > 0 and gpu_seconds > 0:
            self._samples = [*self._samples[1 - self.max_samples :], (cost_estimate, gpu_seconds)]

    @property
    def cost_per_second(self) -> float | None:
        """None until the first job is done."""
        if not self._samples:
            return None
        return sum(cost for cost, _ in self._samples) / sum(spent for _, spent in self._samples)

    def measure(self, cost_estimate: float, gpu_seconds: float) -> float:
        """A finished job's cost: its GPU time at this machine's pace, or the estimate at first."""
        pace = self.cost_per_second
        return gpu_seconds * pace if pace else cost_estimate
