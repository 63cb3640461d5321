"""The small files by which the parts of a worker know of each other."""

from __future__ import annotations

import os
from pathlib import Path

from bot.cluster.state import WorkerState


def test_file_of_an_earlier_container_with_the_same_process_id_is_no_other_worker(tmp_path: Path):
    state = WorkerState(tmp_path)
    (tmp_path / "supervisor").write_text(str(os.getpid()))  # it was killed and is started again
    assert not state.is_supervised()
    (tmp_path / "supervisor").write_text(str(os.getppid()))
    assert state.is_supervised()
