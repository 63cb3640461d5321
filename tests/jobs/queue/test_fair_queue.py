"""Whose job is next, and whether the reasons for places are true."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.domain.jobs import Job, JobStatus, Origin
from bot.domain.recipes import Recipe
from bot.engine import Pace
from bot.jobs.queue.fair_queue import JobQueue
from bot.jobs.queue.pace import Paces
from bot.jobs.queue.places import PlaceReason
from bot.jobs.queue.usage import HALF_LIFE_SECONDS, MEMORY_SECONDS, RecentUse

NOW = 1_800_000_000.0


def make_job(
    job_id: int, user_id: int, guild_id: int | None = 1, cost: float = 1.0, **changes: object
) -> Job:
    recipe = Recipe("dog", "", (1, 2, 3))
    job = Job(
        job_id, Origin(user_id, job_id, None, guild_id), recipe, JobStatus.QUEUED, cost, cost, NOW
    )
    return replace(job, **changes)


def make_queue(*jobs: Job, use: RecentUse | None = None) -> JobQueue:
    queue = JobQueue(use or RecentUse())
    queue.add(jobs)
    return queue


def use_of(*charges: tuple[int, int | None, float, float]) -> RecentUse:
    """Return the use after these charges. Each one: member, guild, cost, age in seconds."""
    use = RecentUse()
    for number, (user_id, guild_id, cost, age) in enumerate(charges, start=10_000):
        use.charge(make_job(number, user_id, guild_id, cost), NOW - age)
    return use


def order(queue: JobQueue, now: float = NOW) -> list[int]:
    return [job.job_id for job in queue.walk(now)]


def draw_all(queue: JobQueue, use: RecentUse, now: float = NOW) -> list[Job]:
    """Take jobs as the dispatcher does: choose the next, take it out of the queue, charge it."""
    drawn = []
    while (job := queue.next(now)) is not None:
        queue.remove(job.job_id)
        use.charge(job, now)
        drawn.append(job)
    return drawn


costs = st.sampled_from([0.1, 0.25, 0.3, 1.0, 1.7, 2.0, 12.5])
guilds = st.sampled_from([None, 1, 2])
waiting_jobs = st.lists(st.tuples(st.integers(1, 5), guilds, costs), max_size=20).map(
    lambda rows: [make_job(n, *row) for n, row in enumerate(rows, start=1)]
)
past_use = st.lists(
    st.tuples(st.integers(1, 5), guilds, costs, st.floats(0, 2 * MEMORY_SECONDS)), max_size=12
)


def test_empty_line_has_nobody_next():
    assert make_queue().next(NOW) is None


def test_server_is_told_how_many_of_its_own_prompts_wait():
    queue = make_queue(
        make_job(1, 1, 1), make_job(2, 2, 2), make_job(3, 3, 2), make_job(4, 4, None)
    )
    assert [queue.count_of(guild_id) for guild_id in (1, 2, 3)] == [1, 2, 0]


def test_member_who_has_drawn_least_is_next():
    use = use_of((1, 1, 5.0, 0), (2, 1, 1.0, 0))
    assert order(make_queue(make_job(1, 1), make_job(2, 2), make_job(3, 3), use=use)) == [3, 2, 1]


def test_guild_comes_before_member():
    """Member 2 has drawn nothing, but other members of the same server have."""
    use = use_of((9, 1, 5.0, 0), (3, 2, 1.0, 0))
    assert order(make_queue(make_job(1, 2, 1), make_job(2, 3, 2), use=use)) == [2, 1]


def test_direct_messages_count_as_one_guild():
    use = use_of((9, None, 5.0, 0))
    assert order(make_queue(make_job(1, 2, None), make_job(2, 3, 2), use=use)) == [2, 1]


def test_member_of_two_guilds_is_counted_in_each_alone():
    use = use_of((1, 1, 5.0, 0), (2, 2, 5.0, 0))
    assert order(make_queue(make_job(1, 2, 2), make_job(2, 1, 2), use=use)) == [2, 1]


def test_use_is_halved_every_hour():
    use = use_of((1, 1, 8.0, 3 * HALF_LIFE_SECONDS), (2, 1, 1.01, 0))
    queue = make_queue(make_job(1, 2), make_job(2, 1), use=use)
    assert order(queue) == [2, 1]
    totals = use.totals(NOW)
    assert totals.by_member == pytest.approx({(1, 1): 1.0, (1, 2): 1.01})
    later = use.totals(NOW + HALF_LIFE_SECONDS)
    assert later.by_guild == pytest.approx({1: 2.01 / 2})


@pytest.mark.parametrize("guilds", [(1, 1), (1, 2)])
def test_equal_sums_are_equal_in_whatever_order_they_were_added(guilds: tuple[int, int]):
    """0.1 + 0.2 + 0.3 is not 0.3 + 0.2 + 0.1 in floating point."""
    first, second = guilds
    charges = [(1, first, cost, 0.0) for cost in (0.1, 0.2, 0.3)]
    charges += [(2, second, cost, 0.0) for cost in (0.3, 0.2, 0.1)]
    queue = make_queue(make_job(1, 1, first), make_job(2, 2, second), use=use_of(*charges))
    assert order(queue) == [1, 2]


def test_use_of_long_ago_is_forgotten_and_takes_no_memory():
    use = use_of((1, 1, 8.0, 3 * MEMORY_SECONDS))
    use.load(make_job(1, 2, cost=8.0, status=JobStatus.DELIVERED), NOW - 3 * MEMORY_SECONDS)
    assert use.totals(NOW).by_guild == {}
    assert use._settled == use._open == {}


@pytest.mark.parametrize("num_days", [1, 400])
def test_use_does_not_drift_or_overflow_however_long_the_bot_runs(num_days: int):
    use, at = RecentUse(), NOW
    for hour in range(24 * num_days):
        at += HALF_LIFE_SECONDS
        use.load(make_job(hour, 1, cost=2.0, status=JobStatus.DELIVERED), at)
        use.totals(at + 600.0)
    assert use.totals(at).by_member == pytest.approx({(1, 1): 4.0 * 0.5 ** (1 / 6)}, rel=1e-7)


def test_clock_that_went_back_charges_no_more_than_the_cost():
    use = use_of((1, 1, 8.0, -500.0))
    assert use.totals(NOW).by_guild == {1: 8.0}


def test_refunded_job_counts_no_more():
    use = RecentUse()
    use.charge(make_job(1, 1, cost=3.0), NOW)
    use.refund(1)
    use.refund(1)
    assert use.totals(NOW).by_member == {}


def test_second_charge_for_a_job_replaces_the_first():
    use = RecentUse()
    use.charge(make_job(1, 1, cost=3.0), NOW)
    use.charge(make_job(1, 1, cost=1.0), NOW)
    assert use.totals(NOW).by_member == {(1, 1): 1.0}
    use.charge(make_job(1, 1, cost=0.0), NOW)
    assert use.totals(NOW).by_member == {}


steps = st.lists(
    st.tuples(
        st.sampled_from(["draw", "measure", "end", "refund", "look"]),
        st.integers(1, 6),  # job
        st.sampled_from([0.0, 1.0, 50.0, 4000.0, 30_000.0]),  # seconds later
        costs,
    ),
    max_size=40,
)


@given(steps=steps)
def test_use_is_the_decayed_sum_of_what_was_charged_last(
    steps: list[tuple[str, int, float, float]],
):
    use, now, known = RecentUse(), NOW, dict[int, tuple[float, float, bool]]()
    num_ended = 0
    for what, job_id, seconds, cost in steps:
        now += seconds
        key = job_id + 100 * num_ended  # a number is never given twice
        at = known.get(key, (0.0, now, False))[1]
        if what == "refund":
            use.refund(key)
            known.pop(key, None)
        elif what == "look":
            use.totals(now)
        elif what == "end":
            ended = make_job(key, job_id % 3, cost=cost, weight=2.0, status=JobStatus.DELIVERED)
            for _ in range(2):  # the second time, it has already ended
                use.charge(ended, at)
            if key in known:
                known[key] = (cost, at, True)
                num_ended += 1
        else:
            running = make_job(key, job_id % 3, cost=cost, weight=2.0, status=JobStatus.RUNNING)
            use.charge(running, at)
            known[key] = (cost, at, False)
    totals = use.totals(now)
    expected = dict[tuple[int, int], float]()
    for key, (cost, at, _) in known.items():
        member = (1, key % 100 % 3)
        weighs = cost * 0.5 ** ((now - at) / HALF_LIFE_SECONDS)
        expected[member] = expected.get(member, 0.0) + weighs
    for member in expected.keys() | totals.unweighted.keys():
        use_of_member = totals.unweighted.get(member, 0.0)
        assert use_of_member == pytest.approx(expected.get(member, 0.0), rel=1e-9, abs=4e-9)
    assert {m: 2 * each for m, each in totals.by_member.items()} == pytest.approx(totals.unweighted)
    assert set(use._open) <= {key for key, (_, _, ended) in known.items() if not ended}
    assert len(use._settled) <= 3


def test_removed_job_is_gone_once():
    queue = make_queue(make_job(1, 1))
    assert queue.remove(1) is not None
    assert queue.remove(1) is None
    assert len(queue) == 0


@given(jobs=waiting_jobs, past=past_use)
def test_order_shown_is_the_order_drawn(jobs: list[Job], past: list[tuple[int, int, float, float]]):
    use = use_of(*past)
    queue = make_queue(*jobs, use=use)
    shown = order(queue)
    assert sorted(shown) == [job.job_id for job in jobs]
    assert [job.job_id for job in draw_all(queue, use)] == shown


@given(jobs=waiting_jobs, past=past_use)
def test_within_a_member_first_come_is_first_served(
    jobs: list[Job], past: list[tuple[int, int, float, float]]
):
    drawn = draw_all(make_queue(*jobs, use=(use := use_of(*past))), use)
    for member in {(job.origin.guild_id, job.origin.user_id) for job in jobs}:
        own = [j.job_id for j in drawn if (j.origin.guild_id, j.origin.user_id) == member]
        assert own == sorted(own)


@given(jobs=waiting_jobs)
def test_with_equal_costs_every_waiting_member_is_served_in_each_round(jobs: list[Job]):
    """Everybody waits for at most one job of each other member, however many jobs others have."""
    jobs = [
        replace(job, origin=replace(job.origin, guild_id=1), cost=1.0, cost_estimate=1.0)
        for job in jobs
    ]
    use = RecentUse()
    queue = make_queue(*jobs, use=use)
    while len(queue):
        active = {job.origin.user_id for job in queue.walk(NOW)}
        round_ = []
        for _ in range(len(active)):
            job = queue.next(NOW)
            assert job is not None
            queue.remove(job.job_id)
            use.charge(job, NOW)
            round_.append(job.origin.user_id)
        assert set(round_) == active


@given(jobs=waiting_jobs, past=past_use)
def test_next_job_is_of_a_guild_with_least_use(
    jobs: list[Job], past: list[tuple[int, int, float, float]]
):
    assume(jobs)
    use = use_of(*past)
    queue = make_queue(*jobs, use=use)
    first = queue.next(NOW)
    assert first is not None
    by_guild = {guild: round(cost, 6) for guild, cost in use.totals(NOW).by_guild.items()}
    least = min(by_guild.get(job.origin.guild_id, 0.0) for job in jobs)
    assert by_guild.get(first.origin.guild_id, 0.0) == least


@given(jobs=waiting_jobs, past=past_use, shuffle=st.randoms(use_true_random=False))
def test_order_does_not_depend_on_the_order_in_which_the_record_is_read(
    jobs: list[Job], past: list[tuple[int, int, float, float]], shuffle: object
):
    """After a restart, jobs are not read in the order in which they were charged."""
    charged = [(make_job(n, *row[:3]), NOW - row[3]) for n, row in enumerate(past, start=10_000)]
    orders = []
    for _ in range(2):
        use = RecentUse()
        for job, at in charged:
            use.charge(job, at)
        orders.append(order(make_queue(*jobs, use=use)))
        shuffle.shuffle(charged)
        shuffle.shuffle(jobs)
    assert orders[0] == orders[1]


@given(jobs=waiting_jobs, past=past_use)
def test_every_place_tells_the_truth(jobs: list[Job], past: list[tuple[int, int, float, float]]):
    queue = make_queue(*jobs, use=use_of(*past))
    places = queue.places(NOW, busy_cost=2.0, pace=0.5)
    walked = list(queue.walk(NOW))
    assert places.keys() == {job.job_id for job in jobs}
    for index, job in enumerate(walked):
        ahead, place = walked[:index], places[job.job_id]
        others = {other.origin.user_id for other in ahead} - {job.origin.user_id}
        later = {other.origin.user_id for other in ahead if other.job_id > job.job_id}
        later.discard(job.origin.user_id)
        assert place.position == index + 1
        assert place.members_ahead == len(others)
        assert place.overtaken_by == len(later)
        cost = 2.0 + sum(other.cost_estimate for other in walked[: index + 1])
        assert place.wait_seconds == pytest.approx(cost / 0.5, abs=0.51)
        if not ahead:
            assert place.reason is PlaceReason.NEXT
        elif not others:
            assert place.reason is PlaceReason.OWN_FIRST
        elif not later:
            assert place.reason is PlaceReason.CAME_FIRST
        else:
            assert place.reason in {
                PlaceReason.LESS_USE,
                PlaceReason.GUILD_LESS_USE,
                PlaceReason.TURNS,
            }
            _check_reason_for_being_overtaken(job, ahead, place.reason, queue)


def _check_reason_for_being_overtaken(
    job: Job, ahead: list[Job], reason: PlaceReason, queue: JobQueue
) -> None:
    totals = queue._use.totals(NOW)

    def used(other: Job) -> tuple[float, float]:
        guild, user = other.origin.guild_id, other.origin.user_id
        sums = totals.by_guild.get(guild, 0.0), totals.by_member.get((guild, user), 0.0)
        return round(sums[0], 6), round(sums[1], 6)

    later = [
        other
        for other in ahead
        if other.job_id > job.job_id and other.origin.user_id != job.origin.user_id
    ]
    if reason is PlaceReason.TURNS:
        assert any(used(other) >= used(job) for other in later)
        return
    for other in later:  # each of these members, or their server, has really drawn less
        assert used(other) < used(job)
        if reason is PlaceReason.LESS_USE:
            assert used(other)[1] < used(job)[1]


def test_prompts_of_two_people_who_drew_nothing_yet_take_turns():
    places = make_queue(make_job(1, 1), make_job(2, 1), make_job(3, 2)).places(NOW, 0.0, None)
    assert [places[n].position for n in (1, 3, 2)] == [1, 2, 3]
    assert places[2].reason is PlaceReason.TURNS
    assert places[3].reason is PlaceReason.CAME_FIRST


def test_person_whose_server_drew_less_is_not_said_to_have_drawn_less():
    use = use_of((9, 1, 5.0, 0))
    queue = make_queue(make_job(1, 1, 1), make_job(2, 2, 2), use=use)
    assert queue.places(NOW, 0.0, None)[1].reason is PlaceReason.GUILD_LESS_USE


def test_wait_is_unknown_until_something_was_measured():
    places = make_queue(make_job(1, 1)).places(NOW, 1.0, Pace().cost_per_second)
    assert places[1].wait_seconds is None


def test_pace_learns_from_the_last_jobs_alone():
    pace = Pace(max_samples=3)
    assert pace.measure(1.5, 99.0) == 1.5
    for seconds in (1000.0, 10.0, 10.0, 10.0):
        pace.add(1.0, seconds)
    assert pace.cost_per_second == pytest.approx(0.1)
    assert pace.measure(1.0, 5.0) == pytest.approx(0.5)


@pytest.mark.parametrize(("cost", "seconds"), [(0.0, 1.0), (1.0, 0.0)])
def test_pace_ignores_what_cannot_be_measured(cost: float, seconds: float):
    pace = Pace()
    pace.add(cost, seconds)
    assert pace.cost_per_second is None


def test_slow_moment_is_not_charged_yet_makes_waits_longer():
    pace = Pace()
    pace.add(1.0, 10.0)
    assert pace.measure(2.0, 60.0) == 2.0
    pace.add(2.0, 60.0)
    assert pace.cost_per_second == pytest.approx(3 / 70)


def test_engines_are_as_fast_as_all_together():
    paces = Paces()
    assert paces.sum_up(["fast"]) is None
    paces.of("fast").add(1.0, 1.0)
    paces.of("slow").add(1.0, 10.0)
    assert paces.sum_up(["fast", "slow"]) == pytest.approx(1.1)
    assert paces.sum_up(["slow", "slow"]) == pytest.approx(0.2)
    assert paces.sum_up(["fast", "slow", "new"]) == pytest.approx(1.65)
    assert paces.sum_up([]) is None
    assert paces.of("slow").measure(1.0, 5.0) == pytest.approx(0.5)
