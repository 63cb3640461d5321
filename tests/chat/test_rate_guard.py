"""Requests that Discord refused are counted, and too many stop all sending."""

from __future__ import annotations

from bot.chat.rate_guard import RateGuard


class TestRateGuard:
    def test_opens_at_the_limit_and_closes_when_the_window_has_passed(self):
        now = [0.0]
        rate_guard = RateGuard(3, lambda: now[0])
        for status in (401, 403, 404, 500, 200):
            rate_guard.count(status, None)
        rate_guard.count(429, "shared")
        assert (rate_guard.num_invalid, rate_guard.is_open) == (2, False)
        rate_guard.count(429, "user")
        assert rate_guard.is_open
        now[0] = 601.0
        assert not rate_guard.is_open

    def test_limit_is_well_below_that_of_discord(self):
        rate_guard = RateGuard(now=lambda: 0.0)
        for _ in range(1_000):
            rate_guard.count(403, None)
        assert rate_guard.is_open
