"""What the bots of these tests, and pytest's workers, are forked from."""

from __future__ import annotations

import gc
import os
import shlex
import subprocess
import warnings
from pathlib import Path

import pytest

from tests.fakes.hatchery import Hatchery
from tests.fakes.nursery import Nursery


def test_nursery_that_does_not_start_leaves_nothing_for_later_tests_to_stumble_over():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(RuntimeError), Nursery("no_such_module"):
            pass
        gc.collect()
    assert [str(each.message) for each in caught if each.category is ResourceWarning] == []


COLLECT = """
import gc, os
files = [os.open(os.devnull, os.O_RDONLY) for _ in range(16)]
gc.collect()
for each in files:
    os.fstat(each)
"""


async def test_garbage_collector_closes_no_file_of_a_bot(nursery: Nursery, tmp_path: Path):
    log = tmp_path / "log"
    words = ("-n", "1", "-r", "1", COLLECT)
    child = await nursery.start("timeit", log, tmp_path, {}, words)
    assert await child.wait(20) == 0, log.read_text()


TELL = "import sys; print('test_known' in sys.modules, sys.stdin.read(), flush=True)"


def ask(command: str) -> str:
    """Start this command as execnet would start Python, and return what it prints."""
    words = [*shlex.split(command), "-u", "-c", TELL]
    done = subprocess.run(words, input="words", capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="only Linux forks")
def test_worker_knows_the_tests_and_is_a_plain_python_once_nobody_forks(tmp_path: Path):
    (tmp_path / "test_known.py").write_text("def test(): ...")
    with Hatchery([str(tmp_path), "-c", os.devnull, "--rootdir", str(tmp_path)]) as hatchery:
        assert ask(hatchery.command) == "True words\n"
        assert ask(hatchery.command) == "True words\n"
    assert ask(hatchery.command) == "False words\n"
