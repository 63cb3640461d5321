"""The count of requests that Discord refused."""

from __future__ import annotations

from bot.chat.rate_guard import InvalidRequestBreaker


class TestBreaker:
    def test_opens_at_the_limit_and_closes_when_the_window_has_passed(self):
        now = [0.0]
        breaker = InvalidRequestBreaker(3, lambda: now[0])
        for status in (401, 403, 404, 500, 200):
            breaker.count(status, None)
        breaker.count(429, "shared")
        assert (breaker.num_invalid, breaker.is_open) == (2, False)
        breaker.count(429, "user")
        assert breaker.is_open
        now[0] = 601.0
        assert not breaker.is_open

    def test_limit_is_well_below_that_of_discord(self):
        breaker = InvalidRequestBreaker(now=lambda: 0.0)
        for _ in range(1_000):
            breaker.count(403, None)
        assert breaker.is_open
