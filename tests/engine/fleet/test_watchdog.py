"""How long a step may take before the device counts as hung."""

from __future__ import annotations

import pytest

from bot.engine.fleet.watchdog import FIRST_STEP_SECONDS, HUNG_SECONDS, HUNG_STEPS, Watchdog


class Device:
    """A device with its own clock, which steps move forward."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.watchdog = Watchdog(lambda: self.now)

    def step(self, *seconds: float) -> None:
        for each in seconds:
            self.now += each
            self.watchdog.note_step()

    @property
    def patience(self) -> float:
        return self.watchdog.patience_seconds


def test_first_step_may_take_long_and_says_nothing_about_the_next():
    device = Device()
    assert device.patience == FIRST_STEP_SECONDS
    device.step(400.0)
    assert device.patience == FIRST_STEP_SECONDS
    device.step(0.5)
    assert device.patience == HUNG_SECONDS


def test_slow_device_has_as_much_more_time():
    device = Device()
    device.step(10.0, 6.0, 6.0)
    assert device.patience == pytest.approx(HUNG_STEPS * 6.0)


def test_one_slow_step_among_many_is_an_accident():
    device = Device()
    device.step(1.0, *[0.3] * 20, 45.0, 0.3)
    assert device.patience == HUNG_SECONDS


def test_steps_that_are_slow_again_and_again_count_while_they_are_recent():
    device = Device()
    device.step(1.0, *[0.3, 0.3, 0.3, 9.0] * 10)
    assert device.patience == pytest.approx(HUNG_STEPS * 9.0)
    device.step(*[0.3] * 50)
    assert device.patience == HUNG_SECONDS


def test_pause_in_which_nothing_is_drawn_is_no_step_and_no_silence():
    device = Device()
    device.step(1.0, 0.3)
    device.now += 10_000.0
    assert device.watchdog.silent_seconds == pytest.approx(10_000.0)
    device.watchdog.begin()
    device.step(0.3)
    assert device.patience == HUNG_SECONDS
    device.now += HUNG_SECONDS
    assert not device.watchdog.is_hung
    device.now += 0.1
    assert device.watchdog.is_hung
