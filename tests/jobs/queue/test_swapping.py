"""Two models that take turns on one card: nobody waits too long, and swaps are rare."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import count

import pytest

from bot.engine.sharing.swap_policy import MIN_TURN_SECONDS
from tests.jobs.queue.swap_simulation import STEP_SECONDS, Asked, Result, simulate

Prompts = dict[int, Asked]


def number(asked: list[Asked]) -> Prompts:
    return dict(zip(count(1), sorted(asked, key=lambda each: each.at)))


def draw_stream(
    model: str,
    load: float,
    seed: int,
    seconds: tuple[float, float] = (1.0, 5.0),
    until: float = 600,
) -> list[Asked]:
    """Ask at random times, so that the card is busy for this share of the time."""
    rng, at, asked = random.Random(seed), 0.0, []
    while True:
        at += rng.expovariate(load / (sum(seconds) / 2))
        if at >= until:
            return asked
        length = rng.randrange(round(4 * seconds[0]), round(4 * seconds[1]) + 1) / 4
        asked.append(Asked(at, rng.randrange(8), model, length))


def draw_burst(model: str, at: float, num: int, seconds: float, first_user: int = 0) -> list[Asked]:
    return [Asked(at, first_user + n % 10, model, seconds) for n in range(num)]


MIXES: dict[str, Callable[[], list[Asked]]] = {
    "two long queues at once": lambda: draw_burst("a", 0, 80, 3) + draw_burst("b", 0, 80, 3, 20),
    "few for one": lambda: (
        draw_stream("a", 0.6, 1) + draw_burst("b", 200, 1, 2) + draw_burst("b", 500.5, 2, 2)
    ),
    "one always busy, one now and then": lambda: (
        draw_burst("a", 0, 120, 3) + [Asked(25.0 * n, 50, "b", 2.0) for n in range(1, 12)]
    ),
    "both quiet": lambda: draw_stream("a", 0.15, 2) + draw_stream("b", 0.15, 3),
    "both busy": lambda: draw_stream("a", 0.4, 4) + draw_stream("b", 0.4, 5),
    "both far too busy": lambda: (
        draw_stream("a", 0.9, 6, until=250) + draw_stream("b", 0.9, 7, until=250)
    ),
    "long and short": lambda: (
        draw_stream("a", 0.5, 8, (20, 40)) + draw_stream("b", 0.2, 9, (0.5, 1))
    ),
    "bursts": lambda: (
        draw_stream("a", 0.4, 10)
        + [each for n in range(5) for each in draw_burst("b", 120.0 * n + 7, 12, 2, 20)]
    ),
}
SWAPS = (1.0, 8.0, 15.0)


def run(mix: str, swap_seconds: float) -> tuple[Prompts, Result]:
    prompts = number(MIXES[mix]())
    return prompts, simulate(prompts, swap_seconds)


def find_excess(prompts: Prompts, result: Result, swap_seconds: float) -> float:
    """Return by how much a wait exceeds the policy's bound at most; negative if none does.

    The bound: the wait that the prompt has if a card of a third of the speed draws only the prompts
    for its model, in the same order, plus one turn (with the swap before it), plus one swap.
    """
    allowed = (result.turn_seconds + swap_seconds) + swap_seconds
    worst = -float("inf")
    for model in ("a", "b"):
        own = {n: asked for n, asked in prompts.items() if asked.model == model}
        order = [n for n in result.order if n in own]
        alone = simulate(own, 0.0, speed=1 / 3, order=order)
        worst = max(worst, *(result.waits[n] - alone.waits[n] - allowed for n in own))
    return worst


@pytest.mark.parametrize("swap_seconds", SWAPS)
@pytest.mark.parametrize("mix", MIXES)
def test_no_prompt_waits_longer_than_three_times_as_long_as_alone_and_a_turn_and_a_swap(
    mix: str, swap_seconds: float
):
    prompts, result = run(mix, swap_seconds)
    assert find_excess(prompts, result, swap_seconds) <= 2 * STEP_SECONDS
    contended = [swap for swap in result.swaps if swap.is_contended]
    assert all(swap.drawn >= MIN_TURN_SECONDS for swap in contended)


def test_model_that_everybody_wants_gets_the_card_at_once_when_the_other_is_idle():
    prompts = number([Asked(5.0, 1, "a", 1.0), Asked(10.0, 2, "b", 1.0), Asked(30.0, 3, "a", 1.0)])
    result = simulate(prompts, 4.0)
    assert all(wait <= 1.0 + 4.0 + 2 * STEP_SECONDS for wait in result.waits.values())
    assert [swap.is_contended for swap in result.swaps] == [False, False]
