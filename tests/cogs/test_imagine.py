"""What /imagine offers."""

from __future__ import annotations

from dataclasses import replace

from bot.cogs.imagine import list_sizes
from tests.fakes.engine import INFO


def test_sizes_offered_can_all_be_drawn():
    info = replace(INFO, width=512, height=512, size_multiple=64)
    sizes = list_sizes(info, 1024)
    assert sizes == [("square", "512x512"), ("portrait", "512x768"), ("landscape", "768x512")]
    assert list_sizes(info, 512) == [("square", "512x512")]
