"""What /status tells the bot's owner about the engines."""

from __future__ import annotations

from dataclasses import replace

from bot.engine.api import EngineState, EngineStatus
from bot.views.status import describe_process
from tests.fakes.engine import INFO

READY = EngineStatus("cuda:0", EngineState.READY, INFO, 2, 1.5, 120, 0)


def describe(*engines: EngineStatus, notes: tuple[str, ...] = ()) -> str:
    return describe_process(
        counts=(0, 0),
        waits=None,
        engines=engines,
        notes=notes,
        peak_memory_mib=100,
        invalid_requests=0,
        chore_faults=(),
        warnings=(),
    )


def test_single_engine_takes_one_line():
    assert "**Engine**: fake model on cpu (float32)." in describe(READY)
    loading = replace(READY, state=EngineState.LOADING, info=None)
    assert "**Engine**: the model is loading." in describe(loading)


def test_several_engines_are_listed_with_what_they_do():
    text = describe(
        READY,
        replace(READY, name="cuda:1", state=EngineState.LOST, note="signal *9*", num_faults=3),
        replace(READY, name="far", state=EngineState.DRAINING),
        replace(READY, name="old", state=EngineState.REFUSED, note="no memory"),
        replace(READY, name="new", state=EngineState.LOADING, info=None),
    )
    for line in (
        "**Engines**: 1 of 5 can draw.",
        "• cuda:0: fake model on cpu (float32); 2 being drawn; 120 pictures in the last hour; "
        "faults: 0.",
        "cuda:1: lost, and will start again (signal \\*9\\*);",
        "faults: 3.",
        "far: finishes what it draws and takes no more;",
        "old: cannot load its model (no memory);",
        "new: loads its model;",
    ):
        assert line in text


def test_64_engines_fit_in_a_message():
    engines = [replace(READY, name=f"machine-{number} cuda:0") for number in range(64)]
    text = describe(*engines, notes=("the cluster does not answer",))
    assert "**Engines**: 64 of 64 can draw." in text
    assert "• …" in text
    assert "• the cluster does not answer" in text
    assert len(text) <= 2000
