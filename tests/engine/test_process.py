"""What the engine sets for its whole process; each test in one of its own."""

from __future__ import annotations

import platform
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from bot.engine import Engine, ModelSource, check_model

_ROOT = Path(__file__).parents[2]

_IMPORT = """
import gc, sys
from bot.engine.process import importing_libraries
try:
    with importing_libraries():
        assert not gc.isenabled(), "nobody looks for garbage"
        raise ImportError
except ImportError:
    assert gc.isenabled(), "after a fault too"
frozen = gc.get_freeze_count()
assert frozen > 1000, "what was imported is left out"
sys.modules["torch"] = sys
kept = [[] for _ in range(1000)]
with importing_libraries():
    assert gc.isenabled(), "only the first import"
assert gc.get_freeze_count() == frozen, "later objects are freed as ever"
"""

_ALLOCATE = """
import resource, threading
import numpy as np
from bot.engine.process import keep_freed_memory

def count_faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        layers = [np.full(2**20, 1.0, np.float32) for _ in range(4)]
        del layers
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def work():
    count_faults()
    as_usual = count_faults()
    keep_freed_memory()
    count_faults()
    kept = count_faults()
    assert kept < as_usual / 10, (kept, as_usual)
    done.append(True)

done = []
thread = threading.Thread(target=work)
thread.start()
thread.join()
assert done
"""


def _run(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        cwd=_ROOT,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_first_import_of_libraries_does_not_look_for_garbage() -> None:
    _run(_IMPORT)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is a setting of glibc")
def test_freed_memory_is_used_again_without_fetching_it_page_by_page() -> None:
    _run(_ALLOCATE)


def test_engine_on_the_cpu_starts_with_both(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []

    def note(name: str) -> nullcontext[None]:
        used.append(name)
        return nullcontext()

    monkeypatch.setattr("bot.engine.engine.importing_libraries", lambda: note("imports"))
    monkeypatch.setattr("bot.engine.models.loading.keep_freed_memory", lambda: note("memory"))
    engine = Engine(ModelSource(str(tiny_model), device="cpu"), rows=12)
    engine.start().result(60)
    assert used == ["imports", "memory"]
    assert engine.close(30)


def test_thorough_check_of_a_model_imports_them_in_the_same_way(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []

    def note() -> nullcontext[None]:
        used.append("imports")
        return nullcontext()

    monkeypatch.setattr("bot.engine.models.checks.importing_libraries", note)
    assert check_model(ModelSource(str(tiny_model), device="cpu"))
    assert used == []
    assert check_model(ModelSource(str(tiny_model), device="cpu"), thorough=True)
    assert used == ["imports"]
