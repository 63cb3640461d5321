"""Sends Discord's rate-limit headers, and 429 to a client that ignores them."""

import hashlib
import time
from dataclasses import dataclass

LIMIT = 50
WINDOW_SECONDS = 1.0


@dataclass(slots=True)
class Window:
    resets_at: float
    remaining: int


class RateLimits:
    """Counts requests. Uses real time, not the world's clock, because clients wait in real time."""

    def __init__(self) -> None:
        self._windows: dict[str, Window] = {}

    def count(self, route: str, major: str) -> tuple[dict[str, str], float | None]:
        """Count a request. Return the headers, and the seconds to wait if the limit is exceeded."""
        now = time.monotonic()
        key = f"{route} {major}"
        window = self._windows.get(key)
        if window is None or window.resets_at <= now:
            self._forget_old(now)
            window = self._windows[key] = Window(now + WINDOW_SECONDS, LIMIT)
        retry_after = None
        if window.remaining:
            window.remaining -= 1
        else:
            retry_after = window.resets_at - now
        reset_after = window.resets_at - now
        headers = {
            "X-RateLimit-Limit": str(LIMIT),
            "X-RateLimit-Remaining": str(window.remaining),
            "X-RateLimit-Reset": f"{time.time() + reset_after:.3f}",
            "X-RateLimit-Reset-After": f"{reset_after:.3f}",
            "X-RateLimit-Bucket": hashlib.sha256(route.encode()).hexdigest()[:32],
        }
        return headers, retry_after

    def _forget_old(self, now: float) -> None:
        if len(self._windows) > 1_000:
            self._windows = {k: w for k, w in self._windows.items() if w.resets_at > now}
