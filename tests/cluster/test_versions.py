"""Which versions draw together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.cluster.versions import Versions

OURS = Versions("1.2.0", "2.13.1+cu130", "3.11.7")


@pytest.mark.parametrize(
    "other",
    [
        OURS,
        replace(OURS, torch="2.13.0+cpu"),
        replace(OURS, python="3.11.9"),
        Versions.of_labels(OURS.as_labels("far", "1")),
    ],
)
def test_machines_that_differ_in_the_last_number_draw_together(other: Versions):
    assert OURS.find_misfit(other) is None


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (replace(OURS, triptych="1.2.1"), "Triptych 1.2.1, but Triptych 1.2.0 is needed"),
        (replace(OURS, torch="2.12.1"), "torch 2.12, but torch 2.13.1"),
        (replace(OURS, python="3.12.7"), "Python 3.12, but Python 3.11.7"),
        (Versions.of_labels({}), "Triptych unknown"),
    ],
)
def test_machine_of_another_version_is_told_what_to_install(other: Versions, words: str):
    misfit = OURS.find_misfit(other)
    assert misfit is not None
    assert words in misfit
