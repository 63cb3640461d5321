"""Lets the fake engine's messages in."""

from __future__ import annotations

import pytest

from bot.engine.fleet import messages


@pytest.fixture(autouse=True)
def fakes_are_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "ROOMS", messages.ROOMS | {"tests"})
