"""Requests in flight, grouped by latent size: only equal sizes share a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from bot.engine.face import GenerationRequest, Progress
from bot.engine.prompts import Prompt
from bot.engine.slots import Entry, Slots
from bot.engine.stepping import Stepper
from bot.engine.tables import DEPTH, StepTable


@dataclass(slots=True)
class Panel:
    """One picture of a request: where its latent lies and how many steps are done."""

    slot: int
    step: int = 0


@dataclass(slots=True, eq=False)
class Drawing:
    """A request in flight. report must not raise; seconds: what the device gave it so far."""

    request: GenerationRequest
    table: StepTable
    report: Callable[[Progress], None]
    cut_words: str = ""
    panels: list[Panel] = field(default_factory=list)
    seconds: float = 0.0
    previewed_at: float = -math.inf

    @property
    def step(self) -> int:
        """Steps that all of its pictures have behind them."""
        return min(panel.step for panel in self.panels)

    @property
    def is_done(self) -> bool:
        """Whether its latents are finished."""
        return self.step == self.table.num_steps

    def make_entry(self, panel: Panel) -> Entry:
        """Describe the next step of one picture; guidance ends after its share of the steps."""
        request = self.request
        num_guided = math.ceil(request.guidance_until * self.table.num_steps)
        guided = request.guidance_scale > 1 and panel.step < num_guided
        scale = request.guidance_scale if guided else None
        return Entry(panel.slot, self.table.rows[panel.step], scale)


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One picture that takes part in a step."""

    drawing: Drawing
    panel: Panel
    entry: Entry


class Group:
    """All requests of one size. used: the work it had so far, per request, in native rows."""

    def __init__(self, width: int, height: int, slots: Slots, stepper: Stepper) -> None:
        self.width = width
        self.height = height
        self.drawings: list[Drawing] = []
        self.used = 0.0
        self._slots = slots
        self._stepper = stepper

    @property
    def num_free(self) -> int:
        """Pictures that still fit in."""
        return self._slots.num_free

    @property
    def is_active(self) -> bool:
        """Whether somebody in it has steps to take."""
        return any(not drawing.is_done for drawing in self.drawings)

    def join(
        self, drawing: Drawing, latents: torch.Tensor, cond: Prompt, uncond: Prompt | None
    ) -> None:
        """Take in a request; latents (N, C, h, w), uncond None where it is not guided."""
        other = cond if uncond is None else uncond
        drawing.panels = [
            Panel(self._slots.take(latent, cond.embeds, other.embeds)) for latent in latents
        ]
        self.drawings.append(drawing)

    def leave(self, drawing: Drawing) -> None:
        """Free a request's rows."""
        self.drawings.remove(drawing)
        self._slots.free([panel.slot for panel in drawing.panels])

    def select(self, max_rows: int | None) -> list[Member]:
        """Choose the pictures of the next step, first come first served; all without a bound."""
        members, num_rows = [], 0
        for drawing in self.drawings:
            for panel in drawing.panels:
                if panel.step == drawing.table.num_steps:
                    continue
                entry = drawing.make_entry(panel)
                num_rows += entry.num_rows
                if max_rows is not None and num_rows > max_rows:
                    return members
                members.append(Member(drawing, panel, entry))
        return members

    def step(self, members: Sequence[Member], num_rows: int | None) -> None:
        """Take one step; nobody moves if it fails. num_rows: pads the batch."""
        self._stepper(self._slots.plan([member.entry for member in members], num_rows))
        for member in members:
            member.panel.step += 1

    def get_latents(self, drawing: Drawing) -> torch.Tensor:
        """Copy a request's latents (N, C, h, w)."""
        return self._look_back(drawing, 0)

    def estimate_clean(self, drawing: Drawing) -> torch.Tensor:
        """Estimate from the last step what the latents (N, C, h, w) will become."""
        p, q = drawing.table.estimate[drawing.step - 1].tolist()
        return p * self._look_back(drawing, 1) + q * self._look_back(drawing, DEPTH)

    def _look_back(self, drawing: Drawing, place: int) -> torch.Tensor:
        """Copy one place of a request's rings; a list as index would wait for the device."""
        return torch.stack([self._slots.rings[panel.slot, place] for panel in drawing.panels])
