"""The state of all pictures in flight with one latent size, and the step that advances them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from bot.engine.conditioning import Conditioning, Network, Rows
from bot.engine.models.family import Predictor
from bot.engine.sampling.step_tables import DEPTH, NUM_COLUMNS


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One picture in a step.

    row: its row of the step table. guidance_scale: None if it has no unconditional row.
    """

    slot: int
    row: torch.Tensor
    guidance_scale: float | None

    @property
    def num_rows(self) -> int:
        """Return how many rows of the model's batch it takes."""
        return 1 if self.guidance_scale is None else 2


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything that one step reads, as tensors, so that a captured graph can be replayed with
    another plan.

    numbers: (N, 1 + NUM_COLUMNS): guidance, s, t, A, B, D of the N pictures, in the state's dtype.
    pictures: int64 (3, N): slot, conditional row and unconditional row of each picture.
    rows: int64 (2, R): for each row of the model's batch, the indices of its picture and of its
    conditioning.
    """

    numbers: torch.Tensor
    pictures: torch.Tensor
    rows: torch.Tensor

    def pin(self) -> Plan:
        """Copy to page-locked memory, which a device can read without making the CPU wait."""
        return Plan(*(part.pin_memory() for part in (self.numbers, self.pictures, self.rows)))

    def to(self, device: torch.device) -> Plan:
        """Copy to a device."""
        return Plan(*(part.to(device) for part in (self.numbers, self.pictures, self.rows)))

    def copy_(self, other: Plan) -> None:
        """Overwrite this plan with another one of the same shape."""
        self.numbers.copy_(other.numbers, non_blocking=True)
        self.pictures.copy_(other.pictures, non_blocking=True)
        self.rows.copy_(other.rows, non_blocking=True)


class Slots:
    """Keeps the last DEPTH samples and model outputs of up to ``num_slots`` pictures.

    rings: (num_slots + 1, 2·DEPTH, C, h, w), newest first, samples before outputs; float32 (or
    float64 for a float64 model), because steps in float16, as in diffusers, are off by 1e-3 to
    8e-3. noise: (num_slots + 1, C, h, w) in the same precision, the noise for the next step.
    conditioning: the family's tensors, each with 2·num_slots + 2 rows, in the model's dtype. Slot i
    has its unconditional row at 2·i and its conditional one at 2·i + 1. The last slot is used for
    padding only. slot_bytes: the memory of one slot.
    """

    def __init__(
        self,
        num_slots: int,
        latent_shape: Sequence[int],
        row_shapes: Mapping[str, Sequence[int]],
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.num_slots = num_slots
        self.dtype = dtype
        self.device = device
        self.state_dtype = torch.promote_types(dtype, torch.float32)
        self.rings = torch.zeros(
            num_slots + 1, 2 * DEPTH, *latent_shape, device=device, dtype=self.state_dtype
        )
        self.noise = torch.zeros_like(self.rings[:, 0])
        self.conditioning = {
            name: torch.zeros(2 * num_slots + 2, *shape, device=device, dtype=dtype)
            for name, shape in row_shapes.items()
        }
        self.slot_bytes = sum(
            each.nbytes for each in (self.rings, self.noise, *self.conditioning.values())
        ) // (num_slots + 1)
        self._free = list(range(num_slots - 1, -1, -1))
        self._gathered: tuple[torch.Tensor, Rows] = (torch.zeros(0), {})

    def take(self, latent: torch.Tensor, cond: Conditioning, uncond: Conditioning) -> int:
        """Give a free slot to a latent (C, h, w) and its conditioning."""
        slot = self._free.pop()
        # if an old value were infinity, a coefficient of zero would turn it into NaN
        self.rings[slot] = 0
        self.rings[slot, 0] = latent
        for name, rows in self.conditioning.items():
            rows[2 * slot] = uncond.tensors[name]
            rows[2 * slot + 1] = cond.tensors[name]
        self._gathered = (torch.zeros(0), {})
        return slot

    def free(self, slots: Sequence[int]) -> None:
        """Mark slots as free."""
        self._free.extend(slots)

    def blank(self) -> None:
        """Overwrite the old prompts and pictures in free slots."""
        for slot in self._free:
            self.rings[slot] = 0
            self.noise[slot] = 0
            for rows in self.conditioning.values():
                rows[2 * slot : 2 * slot + 2] = 0
        self._gathered = (torch.zeros(0), {})

    def gather(self, plan: Plan) -> Rows:
        """Gather the conditioning of a plan's rows."""
        rows = plan.rows[1]
        return {name: each.index_select(0, rows) for name, each in self.conditioning.items()}

    def recall(self, plan: Plan) -> Rows:
        """Gather the conditioning of a plan's rows. For the same rows, return the same tensor
        objects again. This reads the plan on the host, so it is only for the CPU.
        """
        rows = plan.rows[1]
        if not torch.equal(rows, self._gathered[0]):
            self._gathered = (rows, self.gather(plan))
        return self._gathered[1]

    @property
    def num_free(self) -> int:
        """Return how many slots are free."""
        return len(self._free)

    def plan(self, entries: Sequence[Entry], num_rows: int | None = None) -> Plan:
        """Lay out a batch as diffusers does: first all unconditional rows, then all conditional.

        num_rows: pad the rows and the pictures to this number, using the last slot.
        """
        guided = [n for n, entry in enumerate(entries) if entry.guidance_scale is not None]
        owners = [*guided, *range(len(entries))]
        embeds = [2 * entries[n].slot for n in guided] + [2 * e.slot + 1 for e in entries]
        cond = [len(guided) + n for n in range(len(entries))]
        uncond = list(cond)
        for row, n in enumerate(guided):
            uncond[n] = row
        slots = [entry.slot for entry in entries]
        numbers = torch.zeros(
            max(len(entries), num_rows or 0), 1 + NUM_COLUMNS, dtype=torch.float64
        )
        for n, entry in enumerate(entries):
            numbers[n, 0] = 1.0 if entry.guidance_scale is None else entry.guidance_scale
            numbers[n, 1:] = entry.row
        if num_rows is not None:
            owners += [num_rows - 1] * (num_rows - len(owners))
            embeds += [2 * self.num_slots] * (num_rows - len(embeds))
            rest = num_rows - len(entries)
            slots, cond, uncond = (
                slots + [self.num_slots] * rest,
                cond + [0] * rest,
                uncond + [0] * rest,
            )
        return Plan(
            numbers.to(self.state_dtype),
            torch.tensor([slots, cond, uncond]),
            torch.tensor([owners, embeds]),
        )


def advance(
    slots: Slots, family: Predictor, network: Network, plan: Plan, rows: Rows | None = None
) -> None:
    """Advance every picture of a plan by one step. No state changes before the model has finished.

    It works on tensors only and never waits for the device. rows: what ``Slots.recall`` returns
    for this plan.
    """
    slot, cond_row, uncond_row = plan.pictures
    owner = plan.rows[0]
    guidance, scale, t, coefficients, noise_scale = plan.numbers.split(
        [1, 1, 1, 2 * DEPTH, 1], dim=1
    )

    # 1. One row per picture and prompt
    history = slots.rings.index_select(0, slot)
    samples, outputs = history.split(DEPTH, dim=1)
    inputs = (samples[:, 0] * _spread(scale[:, 0])).to(slots.dtype).index_select(0, owner)
    rows = slots.gather(plan) if rows is None else rows

    # 2. The model's prediction, guided per picture. Without guidance, both rows are the same.
    times = t[:, 0].index_select(0, owner)
    predicted = family.predict(network, inputs, times, rows).to(slots.state_dtype)
    uncond, cond = predicted.index_select(0, uncond_row), predicted.index_select(0, cond_row)
    output = family.guide(uncond, cond, guidance[:, 0])

    # 3. The linear step. Then all older samples and outputs move one place back.
    outputs = torch.cat([output[:, None], outputs[:, :-1]], dim=1)
    terms = torch.cat([samples, outputs], dim=1) * coefficients[:, :, None, None, None]
    noise = slots.noise.index_select(0, slot) * _spread(noise_scale[:, 0])
    samples = torch.cat([(terms.sum(1) + noise)[:, None], samples[:, :-1]], dim=1)
    slots.rings.index_copy_(0, slot, torch.cat([samples, outputs], dim=1))


def _spread(numbers: torch.Tensor) -> torch.Tensor:
    return numbers[:, None, None, None]
