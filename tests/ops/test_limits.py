"""Limits for how often people may do something, and for how much heavy work runs at once."""

from __future__ import annotations

import asyncio

import pytest

from bot.errors import UserError
from bot.ops.limits import Buckets, HeavyWork
from tests.conftest import Clock


def test_so_many_at_once_and_then_one_by_one():
    clock = Clock()
    buckets = Buckets[int](3, 10.0, clock)
    assert [buckets.take(1) for _ in range(4)] == [True, True, True, False]
    assert buckets.take(2)
    assert buckets.find_opening(1) == clock.now + 10.0
    clock.now += 9.9
    assert not buckets.take(1)
    clock.now += 0.2
    assert buckets.find_opening(1) is None
    assert [buckets.take(1) for _ in range(2)] == [True, False]
    clock.now += 1000.0
    assert [buckets.take(1) for _ in range(4)] == [True, True, True, False]


def test_clock_that_is_set_back_gives_and_takes_nothing():
    clock = Clock()
    buckets = Buckets[int](1, 10.0, clock)
    assert buckets.take(1)
    clock.now -= 3600.0
    assert not buckets.take(1)
    assert buckets.find_opening(1) == clock.now + 10.0


def test_nothing_is_kept_of_people_whose_bucket_is_full_again():
    clock = Clock()
    buckets = Buckets[int](1, 10.0, clock)
    for key in range(5000):
        clock.now += 1.0
        assert buckets.take(key)
    assert len(buckets._kept) <= 1000


async def test_heavy_work_is_done_one_at_a_time_and_not_twice_for_one_person():
    work, may_go, at_work = HeavyWork(Clock()), asyncio.Event(), []

    async def do(who: int) -> None:
        async with work.turn(who, "export"):
            at_work.append(who)
            await may_go.wait()

    tasks = [asyncio.create_task(do(who)) for who in (1, 2, 3)]
    await asyncio.sleep(0)
    for who in (1, 3):  # person 3 only waits for a turn
        with pytest.raises(UserError, match="still working"):
            await asyncio.wait_for(do(who), 5.0)
    assert at_work == [1]
    tasks[1].cancel()
    may_go.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert at_work == [1, 3]
    await do(1)


async def test_heavy_work_is_done_so_often_an_hour_each_kind_for_itself():
    clock = Clock()
    work = HeavyWork(clock, per_hour=4)

    async def do(who: int, what: str = "export") -> None:
        async with work.turn(who, what):
            pass

    for _ in range(4):
        await do(1)
    with pytest.raises(UserError, match=f"<t:{clock.now + 900:.0f}:R>"):
        await do(1)
    await do(1, "deletion")
    await do(2)
    clock.now += 901.0
    await do(1)
