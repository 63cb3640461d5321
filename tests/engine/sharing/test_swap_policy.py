"""Whose turn it is on a device that cannot hold all models."""

from __future__ import annotations

from bot.engine.sharing.swap_policy import MIN_TURN_SECONDS, SwapPolicy


class Device:
    """A device with a clock. Model "a" is on it."""

    def __init__(self, swap_seconds: float = 4.0) -> None:
        self.now = 0.0
        self.swap_seconds = swap_seconds
        self.policy = SwapPolicy(lambda: self.now)
        self.policy.note_swapped("a", swap_seconds)

    def draw(self, seconds: float, *wanted: str) -> str | None:
        """Draw with the loaded model, and return the model that should be loaded now."""
        self.now += seconds
        self.policy.note_drawn(seconds)
        return self.policy.choose(wanted)

    def swap(self, model: str) -> None:
        self.now += self.swap_seconds
        self.policy.note_swapped(model, self.swap_seconds)


def test_model_keeps_the_device_for_its_turn_while_another_one_waits():
    device = Device()
    assert [device.draw(5.0, "a", "b") for _ in range(4)] == ["a", "a", "a", "b"]


def test_resting_model_is_next_at_once_if_the_loaded_one_has_no_requests():
    device = Device()
    assert device.draw(1.0, "b") == "b"
    assert device.draw(1.0) == "a"  # nobody wants anything, so nothing moves


def test_loaded_model_keeps_the_device_for_a_moment_after_its_last_request():
    device = Device()
    assert device.draw(1.0, "a", "b") == "a"
    device.now += 0.2
    assert device.policy.choose(["b"]) == "a"
    device.now += 0.1
    assert device.policy.choose(["b"]) == "b"


def test_what_is_drawn_while_nobody_waits_is_not_held_against_a_model():
    device = Device()
    for _ in range(100):
        assert device.draw(5.0, "a") == "a"
    assert device.policy.choose(["a", "b"]) == "b"  # its turn is over
    device.swap("b")
    device.draw(MIN_TURN_SECONDS, "a", "b")
    device.swap("a")
    assert device.draw(MIN_TURN_SECONDS - 0.5, "a", "b") == "a"


def test_model_that_drew_beyond_its_turn_gets_a_shorter_one_but_never_a_very_short_one():
    device = Device(swap_seconds=7.5)
    assert device.policy.turn_seconds == 30.0
    assert device.draw(35.0, "a", "b") == "b"
    device.swap("b")
    assert device.draw(31.0, "a", "b") == "a"
    device.swap("a")
    assert device.draw(24.5, "a", "b") == "a"
    assert device.draw(1.0, "a", "b") == "b"

    device = Device(swap_seconds=7.5)
    device.draw(100.0, "a", "b")
    device.swap("b")
    device.draw(30.0, "a", "b")
    device.swap("a")
    assert device.draw(MIN_TURN_SECONDS - 0.5, "a", "b") == "a"


def test_three_models_take_turns_in_a_circle():
    device, order = Device(), []
    for _ in range(6):
        chosen = device.draw(MIN_TURN_SECONDS, "a", "b", "c")
        assert chosen is not None
        order.append(chosen)
        device.swap(chosen)
    assert order == ["b", "c", "a", "b", "c", "a"]


def test_slower_swaps_make_longer_turns():
    device = Device(swap_seconds=1.0)
    assert device.policy.turn_seconds == MIN_TURN_SECONDS
    for _ in range(5):
        device.policy.note_swapped("a", 15.0)
    assert device.policy.turn_seconds == 60.0


def test_another_model_is_next_if_the_loaded_one_failed():
    device = Device()
    device.policy.note_gone("a")
    assert device.policy.choose(["b"]) == "b"
