"""Only one caller at a time holds a key, and a key that nobody uses is dropped."""

from __future__ import annotations

import asyncio

from bot.ops.locks import KeyedLocks


async def test_one_at_a_time_for_a_key_and_others_do_not_wait():
    locks, order = KeyedLocks[int](), []
    may_go = asyncio.Event()

    async def hold(key: int, name: str, until: asyncio.Event | None = None) -> None:
        async with locks[key]:
            order.append(name)
            if until is not None:
                await until.wait()

    first = asyncio.create_task(hold(1, "first", may_go))
    await asyncio.sleep(0)
    second = asyncio.create_task(hold(1, "second"))
    await hold(2, "other")
    assert order == ["first", "other"]
    assert len(locks) == 1
    may_go.set()
    await first
    # while the second caller waits for the lock or holds it
    third = asyncio.create_task(hold(1, "third"))
    await asyncio.gather(second, third)
    assert order == ["first", "other", "second", "third"]


async def test_lock_goes_with_the_last_who_holds_or_waits_for_it():
    locks = KeyedLocks[int]()
    for key in range(1000):
        async with locks[key]:
            assert len(locks) == 1
    assert len(locks) == 0
    async with locks[1]:
        waiting = asyncio.create_task(locks[1].acquire())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert len(locks) == 1
    del waiting
    assert len(locks) == 0
