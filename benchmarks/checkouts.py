"""Measures two checkouts in turn, so that other work on the machine slows both equally."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]


def measure_in_turn(file: str, checkouts: Sequence[Path], question: Any, rounds: int) -> list[Any]:
    """In each round, ask a program in every checkout the same question. Return their answers.

    The program is `python FILE answer` with the modules of that checkout. It reads questions and
    prints answers, each as one line of JSON.
    """
    answers: list[list[Any]] = [[] for _ in checkouts]
    programs = [_start(file, checkout) for checkout in checkouts]
    try:
        for _ in range(rounds):
            for program, found in zip(programs, answers, strict=True):
                assert program.stdin is not None and program.stdout is not None
                program.stdin.write(json.dumps(question) + "\n")
                program.stdin.flush()
                found.append(json.loads(program.stdout.readline()))
    finally:
        for program in programs:
            program.communicate()
    return answers


def _start(file: str, checkout: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        # -P, so that "import bot" finds the package and not benchmarks/bot.py
        [sys.executable, "-P", file, "answer"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
