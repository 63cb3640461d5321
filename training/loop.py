"""What all training stages share: checkpoints, a clean stop, a progress bar, an average."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch

CHECKPOINT_SECONDS = 50.0  # so that a kill loses less than a minute
LOG_SECONDS = 15.0
FORMAT = 1


def save_atomically(state: Any, path: Path) -> None:
    """Save a file so that a reader sees the old one or the new one, never half of one."""
    scratch = path.with_suffix(".part")
    with scratch.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


class Average:
    """Exponential moving average of parameters, over a shorter time at first."""

    def __init__(self, parameters: list[torch.nn.Parameter], decay: float) -> None:
        self.parameters = parameters
        self.decay = decay
        self.values = [parameter.detach().clone() for parameter in parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        keep = min(self.decay, (1 + step) / (12 + step))
        torch._foreach_lerp_(self.values, [p.detach() for p in self.parameters], 1 - keep)

    @torch.no_grad()
    def swap(self) -> None:
        """Swap the averages with the model's parameters."""
        for value, parameter in zip(self.values, self.parameters, strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(value)
            value.copy_(kept)


def learning_rate(peak: float, seen: int, total: int, batch: int, decay_share: float) -> float:
    """Return the learning rate.

    It rises for 100 steps, stays constant, and then falls like half a cosine to 2 % of the peak.
    """
    warm = min(1.0, (seen / batch + 1) / 100)
    begin = (1 - decay_share) * total
    if seen < begin:
        return peak * warm
    done = min(1.0, (seen - begin) / (total - begin))
    return peak * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))


@dataclass(repr=False)  # ``signal.signal`` makes one, of all weights
class Loop:
    """Counts samples, saves and resumes.

    Random numbers depend only on `seen`, so no other state of theirs is saved.
    """

    name: str
    folder: Path
    total: int  # samples
    batch: int
    state: dict[str, Any]  # objects with state_dict(), or lists of tensors
    on_checkpoint: Callable[[int], None] = lambda seen: None
    after_step: Callable[[], None] = lambda: None
    preview_seconds: float = 300.0
    seen: int = 0
    _stopping: bool = False
    _losses: list[float] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.folder / "checkpoint.pt"

    @property
    def step(self) -> int:
        return self.seen // self.batch

    def load(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.path.is_file():
            return
        stored = torch.load(self.path, map_location="cpu", weights_only=True)
        if stored["format"] != FORMAT:
            raise SystemExit(f"{self.path} has another format. Move it away to start again.")
        for name, thing in self.state.items():
            if isinstance(thing, list):
                for target, value in zip(thing, stored[name], strict=True):
                    target.copy_(value)
            else:
                thing.load_state_dict(stored[name])
        self.seen = stored["seen"]

    def save(self) -> None:
        state = {
            name: thing if isinstance(thing, list) else thing.state_dict()
            for name, thing in self.state.items()
        }
        save_atomically({"format": FORMAT, "seen": self.seen, **state}, self.path)

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self._stopping = True

    def log(self, **values: float) -> None:
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"seen": self.seen, **values}) + "\n")

    def record(self, loss: torch.Tensor) -> None:
        """Call after each step. It waits for the device only if a line is to be printed."""
        self._losses.append(loss.detach())

    def _report(self, seconds: float, since: int, rate: float) -> None:
        loss = torch.stack(self._losses).mean().item()
        self._losses.clear()
        speed = (self.seen - since) / seconds
        self.log(loss=round(loss, 5), samples_per_second=round(speed, 1), learning_rate=rate)
        done = int(24 * self.seen / self.total)
        left = (self.total - self.seen) / max(speed, 1e-9) / 60
        print(
            f"{self.name} [{'█' * done}{'·' * (24 - done)}] {self.seen}/{self.total} "
            f"loss {loss:.4f} {speed:.0f}/s {left:.0f} min left",
            flush=True,
        )

    def steps(self, rate: Callable[[], float] = lambda: 0.0) -> Iterator[int]:
        """Yield step numbers until all samples are seen, or until SIGTERM or SIGINT. Before it
        returns, it always writes the checkpoint."""
        old = {s: signal.signal(s, self._stop) for s in (signal.SIGTERM, signal.SIGINT)}
        saved = logged = previewed = time.monotonic()
        since = self.seen
        try:
            while self.seen < self.total and not self._stopping:
                yield self.step
                self.seen += self.batch
                self.after_step()
                now = time.monotonic()
                if now - logged > LOG_SECONDS or self.seen >= self.total:
                    self._report(now - logged, since, rate())
                    logged, since = now, self.seen
                if now - saved > CHECKPOINT_SECONDS:
                    self.save()
                    saved = time.monotonic()
                if now - previewed > self.preview_seconds:
                    self.on_checkpoint(self.seen)
                    previewed = logged = time.monotonic()
                    since = self.seen
            self.save()
            self.on_checkpoint(self.seen)
        finally:
            for signum, handler in old.items():
                signal.signal(signum, handler)

    @property
    def is_finished(self) -> bool:
        return self.seen >= self.total
