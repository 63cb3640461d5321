"""Recent use: what servers and members have drawn lately, decayed."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.jobs import Job, JobStatus

Member = tuple[int | None, int]
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
    member: Member
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
        self._sums: dict[Member, _Sum] = {}  # at ``_at``
        self._hours: dict[int, dict[Member, _Sum]] = {}  # the same by hours, each at its begin
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
            charge = _Charge(member_of(job), job.cost, job.weight, at)
            self._add(charge, 1)
            if job.status not in _SETTLED:
                self._open[job.job_id] = charge

    def refund(self, job_id: int) -> None:
        """Forget what was charged for this job."""
        charge = self._open.pop(job_id, None)
        if charge is not None:
            self._add(charge, -1)

    def totals(self, now: float) -> Totals:
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
        totals = Totals({}, {}, {})
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

    def _count(self, member: Member, count: int, cost: float, by_weight: float) -> None:
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
class Totals:
    """by_member: each cost divided by its weight; unweighted: the same as it was.

    A weight moves members within their guild, never a guild before others.
    """

    by_guild: dict[int | None, float]
    by_member: dict[Member, float]
    unweighted: dict[Member, float]

    def add(self, member: Member, cost: float, by_weight: float) -> None:
        guild_id, _ = member
        self.by_guild[guild_id] = self.by_guild.get(guild_id, 0.0) + cost
        self.by_member[member] = self.by_member.get(member, 0.0) + by_weight
        self.unweighted[member] = self.unweighted.get(member, 0.0) + cost

    def use_of(self, member: Member) -> tuple[float, float]:
        """The use of a member's guild and their own, DMs being one guild.

        Rounded, so that equal sums stay equal in whatever order they were added.
        """
        guild_id, _ = member
        return (
            round(self.by_guild.get(guild_id, 0.0), 6),
            round(self.by_member.get(member, 0.0), 6),
        )


def member_of(job: Job) -> Member:
    return job.origin.guild_id, job.origin.user_id
