"""python -m benchmarks.faults.mutations [NAME …]: breaks the code on purpose; a figure must fail.

The program applies each mutation to a copy of the code. There it runs the quick form of the
mutation's figure with one seed after the other until it fails. The exit status is 1 if a figure
does not notice a mutation.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_PARTS = ("bot", "migrations", "tests", "playground", "benchmarks")
_MAX_SEEDS = 5


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces ``old``, which must be in the file exactly once."""

    path: str
    old: str
    new: str


MUTATIONS: dict[str, tuple[str, tuple[Edit, ...]]] = {
    "acknowledge before the commit": (
        "F1",
        (
            Edit(
                "bot/jobs/intake.py",
                "        async with self._commits:\n",
                "        acknowledged = await caller.acknowledge(None)\n"
                "        async with self._commits:\n",
            ),
            Edit(
                "bot/jobs/intake.py",
                "            message_id = await caller.acknowledge(job)\n",
                "            message_id = None\n",
            ),
        ),
    ),
    "no unique key": (
        "F4",
        (
            Edit(
                "migrations/0001_initial.sql",
                "interaction_id      INTEGER UNIQUE,\n    token",
                "interaction_id      INTEGER,\n    token",
            ),
            Edit(
                "bot/store/jobs.py",
                "ON CONFLICT DO NOTHING",
                "",
            ),
        ),
    ),
    "delivery by follow-up": (
        "F3",
        (
            Edit(
                "bot/chat/messenger.py",
                "            edit = partial(webhook.edit_message, original)\n",
                "            async def edit(view, attachments, **rest):\n"
                "                if attachments:\n"
                "                    sent = await webhook.send(\n"
                "                        view=view, files=attachments, wait=True)\n"
                "                    await webhook.edit_message(original, view=view)\n"
                "                    return sent\n"
                "                rest |= {'view': view, 'attachments': attachments}\n"
                "                return await webhook.edit_message(original, **rest)\n",
            ),
        ),
    ),
    "no lock": (
        "F10",
        (
            Edit(
                "bot/store/database.py",
                "            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
                "            pass\n",
            ),
        ),
    ),
    "retry on 403": (
        "F3",
        (
            Edit(
                "bot/chat/retries.py",
                "FINAL_STATUSES = {400, 401, 403,",
                "FINAL_STATUSES = {400, 401,",
            ),
        ),
    ),
    "an end is told only once": (
        "F1",
        (Edit("bot/jobs/recovery.py", "await self._jobs.list_not_notified()", "[]"),),
    ),
    "a lost engine is no attempt": (
        "F18",
        (
            Edit(
                "bot/jobs/dispatcher.py",
                "mark_requeued(job, attempted=True)",
                "mark_requeued(job, attempted=False)",
            ),
        ),
    ),
    "a prompt dies with its engine": (
        "F18",
        (
            Edit(
                "bot/jobs/dispatcher.py",
                "job.engines_lost >= MAX_ENGINES",
                "job.engines_lost >= 1",
            ),
        ),
    ),
    "the job of a round and its next state are two transactions": (
        "F19",
        (
            Edit(
                "bot/rounds/closing.py",
                "async with self._rounds.transaction():",
                "if True:",
            ),
        ),
    ),
}


def main() -> None:
    """Run the mutations that the arguments name. Print one JSON object for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MUTATIONS))
    unnoticed = 0
    for name in parser.parse_args().names or list(MUTATIONS):
        report = try_mutation(name)
        unnoticed += report["noticed"] is False
        print(json.dumps(report), flush=True)
    sys.exit(1 if unnoticed else 0)


def try_mutation(name: str) -> dict[str, Any]:
    """Apply a mutation to a copy, and return what its figure finds there."""
    figure, edits = MUTATIONS[name]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in _PARTS:
            shutil.copytree(_ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        for edit in edits:
            path = copy / edit.path
            text = path.read_text("utf-8")
            if text.count(edit.old) != 1:
                raise SystemExit(f"{name}: {edit.path} has changed; adapt the mutation")
            path.write_text(text.replace(edit.old, edit.new), "utf-8")
        for seed in range(1, _MAX_SEEDS + 1):
            seen = _run(copy, figure, seed)
            if seen is not None:
                return {"mutation": name, "figure": figure, "noticed": True, "seed": seed, **seen}
    return {"mutation": name, "figure": figure, "noticed": False, "seeds": _MAX_SEEDS}


def _run(copy: Path, figure: str, seed: int) -> dict[str, Any] | None:
    """Return the figure's result if it missed its goal or the run failed, otherwise None."""
    command = ["-m", "benchmarks.faults", "--quick", "--json", "--figure", figure]
    done = subprocess.run(
        [sys.executable, *command, "--seed", str(seed)],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return None
    if not done.stdout.strip():
        return {"broke_off": done.stderr.strip().splitlines()[-1][:200]}
    return {"result": json.loads(done.stdout)["result"]}


if __name__ == "__main__":
    main()
