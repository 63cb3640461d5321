"""Adds up how much servers and members have drawn lately. Old use counts less."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from bot.domain.jobs import Job, JobStatus

Member = tuple[int | None, int]
"""Guild (None for direct messages) and user."""

HALF_LIFE_SECONDS = 3600.0
# how far back the start reads; older use would count less than 1e-6
MEMORY_SECONDS = 20 * HALF_LIFE_SECONDS
FADED = 1e-9  # in default requests; sums below this are dropped

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
    member: Member
    cost: float
    weight: float
    at: float


@dataclass(slots=True)
class _Sum:
    """The sum of one member's settled costs at the epoch. by_weight: each divided by its weight."""

    cost: float = 0.0
    by_weight: float = 0.0

    def scale(self, share: float) -> None:
        self.cost *= share
        self.by_weight *= share


class RecentUse:
    """Sums what guilds and members drew lately, in default requests. Costs halve every hour.

    Because all costs halve together, one sum of settled costs per member is enough. All sums are
    valued at one moment, the epoch, which moves with the clock. Charges that may still change are
    kept apart.
    """

    def __init__(self) -> None:
        self._open: dict[int, list[_Charge]] = {}  # charges that may still change, by job
        self._settled: dict[Member, _Sum] = {}
        self._epoch = float("-inf")
        self._now = float("-inf")  # the latest time seen, which never goes back

    def charge(self, job: Job, at: float) -> None:
        """Charge ``job.cost`` at the time ``at``, in place of an earlier charge for the same job.

        A job that has ended keeps the charge it had at its end.
        """
        if job.status not in _SETTLED or job.job_id in self._open:
            self.load(job, at)

    def load(self, job: Job, at: float) -> None:
        """Count a job from the database that was not counted yet."""
        self.refund(job.job_id)
        if job.cost <= 0:
            return
        self._move(at)
        charges = [
            _Charge((job.origin.guild_id, each.user_id), job.cost * each.share, each.weight, at)
            for each in job.payers
        ]
        if job.status not in _SETTLED:
            self._open[job.job_id] = charges
            return
        for charge in charges:
            total = self._settled.setdefault(charge.member, _Sum())
            cost = charge.cost * _decay(self._epoch - at)
            total.cost += cost
            total.by_weight += cost / charge.weight

    def refund(self, job_id: int) -> None:
        """Forget the charge of a job, if it may still change."""
        self._open.pop(job_id, None)

    def totals(self, now: float) -> Totals:
        """Return the use of each guild and each member at ``now``."""
        self._move(now)
        totals = Totals({}, {}, {})
        share = _decay(self._now - self._epoch)
        for member, total in self._settled.items():
            totals.add(member, total.cost * share, total.by_weight * share)
        for charge in chain.from_iterable(self._open.values()):
            cost = charge.cost * _decay(self._now - charge.at)
            totals.add(charge.member, cost, cost / charge.weight)
        return totals

    def _move(self, now: float) -> None:
        """Move the epoch forward once per half-life, so that no sum overflows."""
        self._now = max(self._now, now)
        if self._now - self._epoch <= HALF_LIFE_SECONDS:
            return
        share = _decay(self._now - self._epoch)
        self._epoch = self._now
        for total in self._settled.values():
            total.scale(share)
        self._settled = {
            member: total for member, total in self._settled.items() if total.cost > FADED
        }
        self._open = {
            job_id: charges
            for job_id, charges in self._open.items()
            if any(each.cost * _decay(self._epoch - each.at) > FADED for each in charges)
        }


def _decay(seconds: float) -> float:
    return 0.5 ** (seconds / HALF_LIFE_SECONDS)


@dataclass(frozen=True, slots=True)
class Totals:
    """The use at one time. by_member: costs divided by weights. unweighted: undivided costs.

    A weight helps a member against others in the guild, but never the guild against other guilds.
    """

    by_guild: dict[int | None, float]
    by_member: dict[Member, float]
    unweighted: dict[Member, float]

    def add(self, member: Member, cost: float, by_weight: float) -> None:
        guild_id, _ = member
        self.by_guild[guild_id] = self.by_guild.get(guild_id, 0.0) + cost
        self.by_member[member] = self.by_member.get(member, 0.0) + by_weight
        self.unweighted[member] = self.unweighted.get(member, 0.0) + cost

    def add_job(self, job: Job) -> None:
        """Add a job's estimated cost to the use of everybody who pays for it."""
        if not job.shares:  # quickly, because this runs for each job of a long queue
            self.add(member_of(job), job.cost_estimate, job.cost_estimate / job.weight)
            return
        for each in job.payers:
            cost = job.cost_estimate * each.share
            self.add((job.origin.guild_id, each.user_id), cost, cost / each.weight)

    def use_for(self, job: Job) -> float:
        """Return the use that decides about a job's turn: the mean of those who pay for it."""
        if not job.shares:
            return round(self.by_member.get(member_of(job), 0.0), 6)
        guild_id = job.origin.guild_id
        uses = [self.by_member.get((guild_id, each.user_id), 0.0) for each in job.shares]
        return round(sum(uses) / len(uses), 6)

    def name_use(self, job: Job) -> None:
        """Note the mean use of a round's authors as that of the line in which its job waits."""
        line = member_of(job)
        self.by_member[line] = self.use_for(job)
        members = [(job.origin.guild_id, each.user_id) for each in job.shares]
        uses = [self.unweighted.get(member, 0.0) for member in members]
        self.unweighted[line] = sum(uses) / len(uses)

    def use_of(self, member: Member) -> tuple[float, float]:
        """Return the use of the guild and of the member. All direct messages are one guild.

        They are rounded, so that equal sums are equal no matter in which order they were added up.
        """
        guild_id, _ = member
        return (
            round(self.by_guild.get(guild_id, 0.0), 6),
            round(self.by_member.get(member, 0.0), 6),
        )


def member_of(job: Job) -> Member:
    """Return whose line a job waits in. The job of a round waits in a line of its own."""
    return job.origin.guild_id, -job.job_id if job.shares else job.origin.user_id
