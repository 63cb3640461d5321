"""Who is next: the guild, then the member, that has drawn least lately; then first come.

*Recent use* is the cost of everything whose drawing began, halved for every hour since. It is a sum
over job rows, so it is the same after a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bot.jobs.port import Place, PlaceReason
from bot.records import Job

HALF_LIFE_SECONDS = 3600.0
MEMORY_SECONDS = 12 * HALF_LIFE_SECONDS  # what is older weighs less than 1/4096


@dataclass(frozen=True, slots=True)
class _Charge:
    guild_id: int | None
    user_id: int
    cost: float
    at: float


class RecentUse:
    """What guilds and members have drawn lately, in default requests, decayed."""

    def __init__(self) -> None:
        self._charges: dict[int, _Charge] = {}

    def charge(self, job: Job, at: float) -> None:
        """Count ``job.cost`` from ``at`` on, in place of an earlier charge for the same job."""
        if job.cost > 0:
            origin = job.origin
            self._charges[job.job_id] = _Charge(origin.guild_id, origin.user_id, job.cost, at)
        else:
            self._charges.pop(job.job_id, None)

    def refund(self, job_id: int) -> None:
        """Forget what was charged for this job."""
        self._charges.pop(job_id, None)

    def totals(self, now: float) -> _Totals:
        """Use per guild and per member at ``now``."""
        totals = _Totals({}, {})
        for job_id, charge in list(self._charges.items()):
            age = max(now - charge.at, 0.0)
            if age > MEMORY_SECONDS:
                del self._charges[job_id]
            else:
                cost = charge.cost * 0.5 ** (age / HALF_LIFE_SECONDS)
                totals.add(charge.guild_id, charge.user_id, cost)
        return totals


@dataclass(slots=True)
class _Totals:
    by_guild: dict[int | None, float]
    by_member: dict[tuple[int | None, int], float]

    def add(self, guild_id: int | None, user_id: int, cost: float) -> None:
        member = (guild_id, user_id)
        self.by_guild[guild_id] = self.by_guild.get(guild_id, 0.0) + cost
        self.by_member[member] = self.by_member.get(member, 0.0) + cost

    def use_of(self, job: Job) -> tuple[float, float]:
        """The use of a job's guild and member, DMs being one guild.

        Rounded, so that equal sums stay equal in whatever order they were added.
        """
        origin = job.origin
        return (
            round(self.by_guild.get(origin.guild_id, 0.0), 6),
            round(self.by_member.get((origin.guild_id, origin.user_id), 0.0), 6),
        )

    def rank(self, job: Job) -> tuple[float, float, int]:
        """The smallest rank is next: guild's use, member's use, age."""
        return (*self.use_of(job), job.job_id)


class JobQueue:
    """The waiting jobs, in memory; the rows in the database are the truth they are loaded from."""

    def __init__(self, use: RecentUse) -> None:
        self._use = use
        self._jobs: dict[int, Job] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, jobs: Iterable[Job]) -> None:
        """Put jobs in line."""
        self._jobs.update((job.job_id, job) for job in jobs)

    def remove(self, job_id: int) -> Job | None:
        """Take a job out of the line; None if it is not in it."""
        return self._jobs.pop(job_id, None)

    def next(self, now: float) -> Job | None:
        """The job whose turn it is; it stays in line."""
        return next(self.walk(now), None)

    def walk(self, now: float) -> Iterator[Job]:
        """All waiting jobs in the order in which they would be drawn if nobody else came."""
        totals = self._use.totals(now)
        lines: dict[tuple[int | None, int], list[Job]] = {}
        for job in sorted(self._jobs.values(), key=lambda job: -job.job_id):
            lines.setdefault((job.origin.guild_id, job.origin.user_id), []).append(job)
        while lines:
            job = min((line[-1] for line in lines.values()), key=totals.rank)
            member = (job.origin.guild_id, job.origin.user_id)
            lines[member].pop()
            if not lines[member]:
                del lines[member]
            totals.add(*member, job.cost_estimate)
            yield job

    def places(self, now: float, busy_cost: float, pace: float | None) -> dict[int, Place]:
        """Every waiting job's place. busy_cost: cost being drawn; pace: cost per second."""
        places: dict[int, Place] = {}
        totals = self._use.totals(now)
        ahead: list[Job] = []
        cost = busy_cost
        for job in self.walk(now):
            cost += job.cost_estimate
            others = [other for other in ahead if other.origin.user_id != job.origin.user_id]
            later = [other for other in others if other.job_id > job.job_id]
            places[job.job_id] = Place(
                position=len(ahead) + 1,
                members_ahead=len({other.origin.user_id for other in others}),
                overtaken_by=len({other.origin.user_id for other in later}),
                reason=_explain(job, bool(ahead), bool(others), later, totals),
                wait_seconds=cost / pace if pace else None,
            )
            ahead.append(job)
        return places


def _explain(
    job: Job, any_ahead: bool, any_others: bool, later: list[Job], totals: _Totals
) -> PlaceReason:
    """later: jobs of other people that were asked for later and stand ahead."""
    if not any_ahead:
        return PlaceReason.NEXT
    if not any_others:
        return PlaceReason.OWN_FIRST
    if not later:
        return PlaceReason.CAME_FIRST
    if any(totals.use_of(other) >= totals.use_of(job) for other in later):
        return PlaceReason.TURNS
    if any(other.origin.guild_id != job.origin.guild_id for other in later):
        return PlaceReason.GUILD_LESS_USE
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
