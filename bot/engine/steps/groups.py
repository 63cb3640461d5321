"""Requests in flight, grouped by latent size: only equal sizes share a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch

from bot.engine.api import GenerationRequest, Progress
from bot.engine.conditioning import Conditioning, Start
from bot.engine.sampling.step_tables import DEPTH, StepTable
from bot.engine.steps.slots import Entry, Slots
from bot.engine.steps.steppers import Stepper

PREVIEW_STEPS = 3
"""The number of steps between previews. A new request takes this many before all others."""


@dataclass(slots=True)
class Panel:
    """One picture of a request: where its latent lies and how many steps are done.

    generator: draws the picture's noise. drawn_for: the last step for which noise was drawn, so
    that a step which is tried again after a failure uses the same noise.
    """

    slot: int
    generator: torch.Generator
    step: int = 0
    drawn_for: int = -1


@dataclass(slots=True, eq=False)
class Drawing:
    """A request in flight. report: must not raise. seconds: the device time it has used so far.

    num_guided: how many of its first steps take two rows for each picture, guided and unguided.
    due: the tick of the group in which the request would finish if it were alone in the group.
    """

    request: GenerationRequest
    table: StepTable
    report: Callable[[Progress], None]
    cut_words: str = ""
    cut_negative_words: str = ""
    num_guided: int = 0
    panels: list[Panel] = field(default_factory=list)
    due: int = 0
    seconds: float = 0.0
    previewed_at: float = -math.inf

    @property
    def step(self) -> int:
        """Return the number of steps that all of its pictures have completed."""
        return min(panel.step for panel in self.panels)

    @property
    def is_done(self) -> bool:
        """Return whether all of its latents are finished."""
        return self.step == self.table.num_steps

    def make_entry(self, panel: Panel) -> Entry:
        """Describe the next step of one picture; guidance ends after its share of the steps."""
        is_guided = panel.step < self.num_guided
        scale = self.request.recipe.drawn_guidance_scale if is_guided else None
        return Entry(panel.slot, self.table.rows[panel.step], scale)


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One picture that takes part in a step."""

    drawing: Drawing
    panel: Panel
    entry: Entry


def list_drawings(members: Iterable[Member]) -> list[Drawing]:
    """List the requests of these pictures, each once."""
    return list(dict.fromkeys(member.drawing for member in members))


class Group:
    """All requests of one size. used: the rows drawn so far, divided by the number of requests.

    Rows of other sizes than the native one count by their area.
    """

    def __init__(
        self,
        width: int,
        height: int,
        slots: Slots,
        stepper: Stepper,
        arrange_noise: Callable[[torch.Tensor], torch.Tensor],
        *,
        is_tiled: bool = False,
    ) -> None:
        self.width = width
        self.height = height
        self.is_tiled = is_tiled
        self.drawings: list[Drawing] = []
        self.used = 0.0
        self._num_ticks = 0
        self._slots = slots
        self._stepper = stepper
        self._arrange_noise = arrange_noise

    @property
    def num_free(self) -> int:
        """Return how many more pictures fit into the group."""
        return self._slots.num_free

    @property
    def is_active(self) -> bool:
        """Return whether any request in the group has steps left."""
        return any(not drawing.is_done for drawing in self.drawings)

    def join(
        self, drawing: Drawing, start: Start, cond: Conditioning, uncond: Conditioning | None
    ) -> None:
        """Add a request; uncond is None if each of its pictures takes one row."""
        other = cond if uncond is None else uncond
        drawing.panels = [
            Panel(self._slots.take(latent, cond, other), generator)
            for latent, generator in zip(start.latents, start.generators, strict=True)
        ]
        drawing.due = self._num_ticks + drawing.table.num_steps
        self.drawings.append(drawing)

    def leave(self, drawing: Drawing) -> None:
        """Free a request's rows."""
        self.drawings.remove(drawing)
        self._slots.free([panel.slot for panel in drawing.panels])

    def select(self, max_rows: int) -> list[Member]:
        """Choose the pictures of the next step, at least one. New requests come first, so that
        everybody sees a preview soon. After them, the request that is due first comes first. So
        equal requests finish in the order in which they came, and a short one overtakes a long one.
        No request waits for ever, because later requests are due later.
        """
        line = [
            (drawing, panel)
            for drawing in sorted(self.drawings, key=lambda drawing: drawing.due)
            for panel in sorted(drawing.panels, key=lambda panel: panel.step)
            if panel.step < drawing.table.num_steps
        ]
        line.sort(key=lambda item: item[1].step >= PREVIEW_STEPS)
        members, num_rows = [], 0
        for drawing, panel in line:
            entry = drawing.make_entry(panel)
            num_rows += entry.num_rows
            if members and num_rows > max_rows:
                break
            members.append(Member(drawing, panel, entry))
        return members

    def step(self, members: Sequence[Member], num_rows: int | None) -> None:
        """Take one step. If it fails, nothing changes. num_rows: pad the batch to this number."""
        for member in members:
            self._draw_noise(member.drawing.table, member.panel)
        self._stepper(self._slots.plan([member.entry for member in members], num_rows))
        self._num_ticks += 1
        for member in members:
            member.panel.step += 1

    def _draw_noise(self, table: StepTable, panel: Panel) -> None:
        """Draw one picture's noise for a step as diffusers does: on the CPU, in the same dtype."""
        if table.draws[panel.step] and panel.drawn_for < panel.step:
            noise, dtype = self._slots.noise, table.find_noise_dtype(self._slots.dtype)
            shape = (1, *noise.shape[1:])
            drawn = torch.randn(shape, generator=panel.generator, dtype=dtype)
            noise[panel.slot] = self._arrange_noise(drawn)[0].to(noise.device)
            panel.drawn_for = panel.step

    def blank(self) -> None:
        """Overwrite the old data in the slots of requests that have left."""
        self._slots.blank()

    def free(self) -> None:
        """Free memory that the next step can allocate again."""
        self._stepper.free()

    def get_latents(self, drawing: Drawing) -> torch.Tensor:
        """Copy a request's latents (N, C, h, w)."""
        return torch.stack([self._slots.rings[panel.slot, 0] for panel in drawing.panels])

    def estimate_clean(self, drawing: Drawing) -> torch.Tensor:
        """Estimate from each picture's last step what the latents (N, C, h, w) will become."""
        estimates = []
        for panel in drawing.panels:
            p, q = drawing.table.estimate[panel.step - 1].tolist()
            ring = self._slots.rings[panel.slot]
            estimates.append(p * ring[1] + q * ring[DEPTH])
        return torch.stack(estimates)
