"""The smallest forms of the fault figures. Each must meet its goal, however slow the machine is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.faults.__main__ import FIGURES
from benchmarks.faults.bench import count_tracebacks
from benchmarks.faults.finding import Plan
from benchmarks.faults.mutations import MUTATIONS
from playground import interactions, people
from tests.fakes.nursery import Nursery

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery("benchmarks.faults.shim") as nursery:
        yield nursery


@pytest.mark.parametrize(
    "figure", ["F1", "F2", "F3", "F5", "F7", "F10", "F12", "F17", "F18", "F19"]
)
async def test_figure_holds_in_its_smallest_form(
    nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: str
):
    # these figures are about faults, so a slow machine must not make first answers late
    if figure in {"F2", "F3"}:
        for module in (interactions, people):
            monkeypatch.setattr(module, "FIRST_RESPONSE_SECONDS", 10.0)
    found = await FIGURES[figure](Plan("test", 1, nursery, tmp_path))
    assert found.holds, found


async def test_every_mutation_of_the_figures_finds_what_it_breaks():
    edits = [edit for _, edits in MUTATIONS.values() for edit in edits]
    counts = {(edit.path, edit.old): (_ROOT / edit.path).read_text().count(edit.old)
              for edit in edits}  # fmt: skip
    assert {what for what, count in counts.items() if count != 1} == set()


async def test_log_of_a_planned_reconnection_is_no_fault():
    planned = "2026-11-24 02:44:21,383 ERROR discord.client: Attempting a reconnect in 0.71s\n"
    other = "2026-11-24 02:44:21,383 ERROR bot.chat.client: interaction 1 failed\n"
    trace = "Traceback (most recent call last):\n  File x\n"
    assert count_tracebacks(planned + trace) == 0
    assert count_tracebacks(planned + trace + other + trace) == 1
