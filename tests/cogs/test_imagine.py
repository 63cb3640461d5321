"""The sizes that /imagine offers."""

from __future__ import annotations

from dataclasses import replace

from bot.chat.suggestions import list_sizes
from tests.fakes.engine import INFO


def test_sizes_offered_can_all_be_drawn():
    info = replace(INFO, width=512, height=512, size_multiple=64)
    sizes = list_sizes(info, 1024)
    assert [suggestion(size=size) for _, suggestion, size in sizes] == [
        "512x512 (square)",
        "512x768 (portrait)",
        "768x512 (landscape)",
    ]
    assert [size for _, _, size in list_sizes(info, 512)] == ["512x512"]


def test_model_of_several_sizes_offers_those():
    info = replace(INFO, sizes=((512, 512), (384, 640), (640, 384), (320, 704)))
    sizes = list_sizes(info, 640)
    assert [suggestion(size=size) for _, suggestion, size in sizes] == [
        "512x512 (square)",
        "384x640 (portrait)",
        "640x384 (landscape)",
    ]
