"""The tests of Triptych."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("triptych", deadline=None)  # tests assert behaviour, not speed
settings.load_profile("triptych")
