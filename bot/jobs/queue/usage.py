"""Recent use: what servers and members have drawn lately, decayed."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.jobs import Job, JobStatus

Member = tuple[int | None, int]
"""Guild (None for direct messages) and user."""

HALF_LIFE_SECONDS = 3600.0
MEMORY_SECONDS = 20 * HALF_LIFE_SECONDS  # read at a start; what is older weighs less than 1e-6
FADED = 1e-9  # default requests: too little for anybody to see, so it is forgotten

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
    """One member's settled costs, and the same divided by weight, as they weigh at the epoch."""

    cost: float = 0.0
    by_weight: float = 0.0

    def scale(self, share: float) -> None:
        self.cost *= share
        self.by_weight *= share


class RecentUse:
    """What guilds and members have drawn lately, in default requests, decayed.

    All costs halve together. So a settled cost is added to its member's sum as it weighs at one
    moment common to all, the epoch, which follows the clock; charges that may change stand apart.
    """

    def __init__(self) -> None:
        self._open: dict[int, _Charge] = {}  # those that may change yet
        self._settled: dict[Member, _Sum] = {}
        self._epoch = float("-inf")
        self._now = float("-inf")  # never goes back

    def charge(self, job: Job, at: float) -> None:
        """Count ``job.cost`` from ``at`` on, in place of an earlier charge for the same job.

        One that has ended counts as it was charged at its end.
        """
        if job.status not in _SETTLED or job.job_id in self._open:
            self.load(job, at)

    def load(self, job: Job, at: float) -> None:
        """Count a job that is on record and was not counted yet."""
        self.refund(job.job_id)
        if job.cost <= 0:
            return
        self._move(at)
        charge = _Charge(member_of(job), job.cost, job.weight, at)
        if job.status in _SETTLED:
            total = self._settled.setdefault(charge.member, _Sum())
            cost = charge.cost * _decay(self._epoch - at)
            total.cost += cost
            total.by_weight += cost / charge.weight
        else:
            self._open[job.job_id] = charge

    def refund(self, job_id: int) -> None:
        """Forget what was charged for this job."""
        self._open.pop(job_id, None)

    def totals(self, now: float) -> Totals:
        """Use per guild and per member at ``now``."""
        self._move(now)
        totals = Totals({}, {}, {})
        share = _decay(self._now - self._epoch)
        for member, total in self._settled.items():
            totals.add(member, total.cost * share, total.by_weight * share)
        for charge in self._open.values():
            cost = charge.cost * _decay(self._now - charge.at)
            totals.add(charge.member, cost, cost / charge.weight)
        return totals

    def _move(self, now: float) -> None:
        """Follow the clock: the epoch from one half-life to the next, so that no sum overflows."""
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
            job_id: charge
            for job_id, charge in self._open.items()
            if charge.cost * _decay(self._epoch - charge.at) > FADED
        }


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
