"""Holds all requests in flight. Each tick takes one step with a group of them."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial

import torch

from bot.engine.api import EngineOptions, GenerationOutput, GenerationRequest, ModelSource, Progress
from bot.engine.boundary import attempt
from bot.engine.capacity.buckets import find_bucket
from bot.engine.capacity.capacity import Capacity, measure_load
from bot.engine.capacity.learning import Learner
from bot.engine.capacity.tile_plan import must_tile
from bot.engine.conditioning import Conditioning
from bot.engine.models.decoder import Decoding
from bot.engine.runner import DeviceFull, ModelRunner, open_runner
from bot.engine.steps.groups import Drawing, Group, Member, list_drawings
from bot.engine.steps.previews import Previews
from bot.engine.steps.stopwatch import Stopwatch
from bot.engine.upscaling.enlargements import Enlargements
from bot.engine.upscaling.files import check_upscaler
from bot.engine.upscaling.upscaler import Upscaler, load_upscaler
from bot.errors import EngineLost, GenerationRejected, TriptychError
from bot.texts.codes import Code
from bot.texts.reasons import because

logger = logging.getLogger(__name__)

TILED_SECONDS = 3600.0
"""How long a size is tiled after one pass ran out of memory. Memory may be free again then."""

_MAX_GROUPS = 4

RequestResult = GenerationOutput | TriptychError
_GroupKey = tuple[int, int, bool, int, tuple[int, ...] | None]
"""Width and height in pixels, whether it is tiled, the length of the text in tokens, and the shape
of the reference picture's latents.
"""


def open_batch(source: ModelSource, options: EngineOptions) -> Batch:
    """Load a model and make the batch that draws with it. Raises ConfigError."""
    runner = open_runner(source, options)
    upscaler = None
    if options.upscaler is not None:
        upscaler = load_upscaler(options.upscaler, runner.device)
        runner.cost_model = runner.cost_model.with_upscaler(check_upscaler(options.upscaler))
        runner.info = runner.cost_model.info
    knee = runner.find_knee()
    capacity = Capacity.from_knee(runner.info, knee.rows, knee.max_rows)
    runner.start_compiling(capacity.rows)
    learner = runner.make_learner(capacity, knee.max_rows)
    if learner is not None:
        runner.start_compiling(learner.next_rows)
    return Batch(runner, capacity, upscaler=upscaler, learner=learner)


class Batch:
    """Draws requests together: they share UNet calls and may join at any step. Not thread-safe."""

    def __init__(
        self,
        runner: ModelRunner,
        capacity: Capacity,
        clock: Callable[[], float] = time.monotonic,
        upscaler: Upscaler | None = None,
        learner: Learner | None = None,
    ) -> None:
        self.runner = runner
        self.capacity = capacity
        self._clock = clock
        self._learner = learner
        self._stopwatch = Stopwatch(on_cpu=runner.device.type == "cpu")
        self._groups: dict[Group, _GroupKey] = {}
        self._tiled_until: dict[tuple[int, int], float] = {}
        self._decodings: list[tuple[Drawing, Decoding]] = []
        self._previews = Previews(runner.preview, clock)
        self._outcomes: list[tuple[Drawing, RequestResult]] = []
        self._last_step: torch.Event | None = None
        self._enlargements = Enlargements(upscaler, runner.info.engine)

    @property
    def drawings(self) -> list[Drawing]:
        """List every request in flight."""
        stepping = [d for group in self._groups for d in group.drawings]
        decoding = [drawing for drawing, _ in self._decodings]
        return stepping + decoding + self._enlargements.drawings

    @torch.inference_mode()
    def join(self, request: GenerationRequest, report: Callable[[Progress], None]) -> Drawing:
        """Start a request beside all others in flight.

        Raises GenerationRejected, and torch's errors; then the request has not joined.
        """
        if request.recipe.is_upscaled:
            return self._enlargements.begin(request, report)
        started = time.perf_counter()
        table = self.runner.get_table(request)
        cond, uncond = self.runner.encode(request)
        if request.recipe.is_edit:  # the rows have the picture, and drawing starts from noise
            request = replace(request, image=None)
        drawing = Drawing(request, table, report, cond.cut_words)
        if uncond is not None:
            drawing.cut_negative_words = uncond.cut_words
            drawing.num_guided = math.ceil(request.recipe.guidance_until * table.num_steps)
        self._enter(drawing, cond, uncond)
        drawing.seconds += time.perf_counter() - started
        return drawing

    def _enter(self, drawing: Drawing, cond: Conditioning, uncond: Conditioning | None) -> None:
        """Give a request its rows, so that it takes part from the next step on."""
        request = drawing.request
        tiled = self._is_tiled(request)
        recipe = request.recipe
        start, may_fail = None, recipe.is_enlarged and not tiled
        with suppress(torch.OutOfMemoryError) if may_fail else nullcontext():
            start = self.runner.family.start(request, drawing.table, tiled=tiled)
        # This is after the block, because inside it the traceback keeps the tensors alive.
        if start is None:
            return self._enter_in_tiles(drawing)
        key = (*recipe.size, tiled, cond.num_tokens, cond.reference_shape)
        group = self._get_group(key, len(recipe.seeds))
        if not group.is_active:  # a group that was idle does not get extra turns for that time
            active = [other.used for other in self._groups if other.is_active]
            group.used = max(group.used, min(active, default=0.0))
        group.join(drawing, start, cond, uncond)
        return None

    def _is_tiled(self, request: GenerationRequest) -> bool:
        recipe = request.recipe
        until = self._tiled_until.get(recipe.size, -math.inf)
        is_known = recipe.is_enlarged and self._clock() < until
        return is_known or must_tile(self.runner.info, recipe)

    def leave(self, drawing: Drawing) -> None:
        """Forget a request, so that its rows are free for the next step."""
        for group in self._groups:
            if drawing in group.drawings:
                group.leave(drawing)
        self._decodings = [item for item in self._decodings if item[0] is not drawing]
        self._outcomes = [item for item in self._outcomes if item[0] is not drawing]
        self._enlargements.leave(drawing)
        if not self.drawings:
            self.runner.forget_prompts()

    @torch.inference_mode()
    def forget_prompts(self) -> None:
        """Forget every prompt that is not being drawn."""
        self.runner.family.forget()
        self.runner.forget_prompts()
        for group in self._groups:
            group.blank()

    @torch.inference_mode()
    def tick(self) -> list[tuple[Drawing, RequestResult]]:
        """Take one step with the group whose turn it is. Return the requests that finished or
        failed. Finished requests are returned before the next step, so that new ones can take their
        room. Raises EngineLost.
        """
        self._decode_finished()
        group = self._choose_group()
        if group is None:
            self.runner.forget_prompts()
        if self._enlargements.drawings:
            self._stopwatch.interrupt()
        self._collect_decoded(wait=group is None)
        self._outcomes += self._enlargements.step(self._attempt_for, is_alone=group is None)
        if group is not None and not self._outcomes:
            members = self._select(group)
            seconds = self._step(group, members)
            self._enlargements.pay(seconds)
            self._charge(group, members, seconds)
            self._previews.report(group, list_drawings(members))
            self._send_previews()
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    @torch.inference_mode()
    def rest(self) -> list[tuple[Drawing, RequestResult]]:
        """Prepare for the weights to leave the device. Return the requests that finished.

        Requests that still have steps to do go on at the next ``tick``. Raises EngineLost.
        """
        self._decode_finished()
        self._collect_decoded(wait=True)
        while self._enlargements.drawings:
            self._outcomes += self._enlargements.step(self._attempt_for, is_alone=True)
        self._send_previews()
        self.runner.forget_prompts()
        self._stopwatch.reset()
        for group in self._groups:
            group.free()
        self.runner.free()
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def _get_group(self, key: _GroupKey, num_pictures: int) -> Group:
        """Find room for a request; a group is replaced by a larger one only while it is empty."""
        width, height, tiled, num_tokens, reference = key
        num_slots = self.capacity.count_slots(*self._measure_load(key))
        num_slots = min(num_slots, self.runner.count_slots(width, height, num_tokens, reference))
        num_slots = max(num_slots, num_pictures)
        for group in reversed(self._groups):
            needed = num_pictures if group.drawings else num_slots
            if self._groups[group] == key and group.num_free >= needed:
                return group
        is_full = len(self._groups) >= _MAX_GROUPS
        self._groups = {
            other: known
            for other, known in self._groups.items()
            if other.drawings or not (is_full or known == key)
        }
        group = self.runner.make_group(width, height, num_slots, num_tokens, reference, tiled=tiled)
        self._groups[group] = key
        return group

    def _measure_load(self, key: _GroupKey) -> tuple[int, int]:
        width, height, *_, reference = key
        return measure_load(self.runner.info, width, height, is_edit=reference is not None)

    def _choose_group(self) -> Group | None:
        active = [group for group in self._groups if group.is_active]
        return min(active, key=lambda group: group.used, default=None)

    def _select(self, group: Group) -> list[Member]:
        """Choose the pictures for the next step. If a trial is due, choose as many as it needs."""
        trial = self._learner and self._learner.next_trial
        if trial and not group.is_tiled:
            num_rows = self.capacity.count_rows(*self._measure_load(self._groups[group]), trial)
            members = group.select(num_rows)
            if find_bucket(self._count_native_rows(group, members)) == trial:
                return members
        return group.select(self.capacity.count_rows(*self._measure_load(self._groups[group])))

    def _learn(self, group: Group, members: Sequence[Member], seconds: float | None) -> None:
        """Learn from a step. If another number of rows is better, use it from the next step on."""
        if self._learner is None or group.is_tiled:
            return
        self._learner.note(self._count_native_rows(group, members), seconds, self._clock())
        if self._learner.rows != self.capacity.rows:
            before, self.capacity.rows = self.capacity.rows, self._learner.rows
            logger.info("from now on, %s rows per step instead of %s", self.capacity.rows, before)
            self.runner.use_learned(self._learner)

    def _count_native_rows(self, group: Group, members: Sequence[Member]) -> float:
        num_rows = sum(member.entry.num_rows for member in members)
        return self.capacity.count_native_rows(num_rows, *self._measure_load(self._groups[group]))

    def _step(self, group: Group, members: Sequence[Member]) -> float:
        """Take a step, or find requests that make it fail. Return its time. Raises EngineLost."""
        drawings, started = list_drawings(members), time.perf_counter()
        result = attempt(
            "a step of requests " + ", ".join(str(d.request.request_id) for d in drawings),
            partial(self._advance, group, members),
            self.runner.explain,
        )
        if isinstance(result, TriptychError):
            self._stopwatch.reset()
            self._recover(group, members, result)
        else:
            self._learn(group, members, result)
        return time.perf_counter() - started

    def _advance(self, group: Group, members: Sequence[Member]) -> float | None:
        """Take a step. Return its seconds if it is typical for its number of rows, else None."""
        num_rows = sum(member.entry.num_rows for member in members)
        padded = self.runner.pad(
            num_rows, self.capacity.count_rows(*self._measure_load(self._groups[group]))
        )
        in_flight = [d.request.request_id for other in self._groups for d in other.drawings]
        kind = (self._groups[group], find_bucket(self._count_native_rows(group, members)))
        self._stopwatch.start(kind, tuple(in_flight))
        group.step(members, padded)
        if self.runner.device.type != "cpu":
            # Stay only one step ahead of the device, so that requests can join and leave soon.
            event = torch.Event(self.runner.device.type)
            event.record()
            if self._last_step is not None:
                self._last_step.synchronize()
            self._last_step = event
        return self._stopwatch.stop()

    def _recover(self, group: Group, members: Sequence[Member], fault: TriptychError) -> None:
        """After a failed step, which changed nothing, try fewer rows, or one request at a time."""
        if isinstance(fault, EngineLost):
            raise fault
        if isinstance(fault, DeviceFull):
            for other in self._groups:
                other.free()
        self.runner.free()
        drawings = list_drawings(members)
        if isinstance(fault, DeviceFull) and len(members) > 1:
            self._take_fewer(group, members)
        elif (
            isinstance(fault, DeviceFull)
            and drawings[0].request.recipe.is_enlarged
            and not group.is_tiled
        ):
            group.leave(drawings[0])
            self._attempt_for(drawings[0], partial(self._enter_in_tiles, drawings[0]))
        elif isinstance(fault, DeviceFull):
            size = {"width": group.width, "height": group.height}
            fault = GenerationRejected(because(Code.TOO_LARGE_FOR_DEVICE, **size))
            self._fail(group, drawings[0], fault)
        elif len(drawings) == 1:
            self._fail(group, drawings[0], fault)
        else:
            for drawing in drawings:
                self._step(group, [m for m in members if m.drawing is drawing])

    def _take_fewer(self, group: Group, members: Sequence[Member]) -> None:
        """Lower the limit, because this many rows did not fit in memory."""
        num_rows = sum(member.entry.num_rows for member in members)
        native = self._count_native_rows(group, members)
        if self._learner is not None and native > self._learner.rows:
            self._learner.limit(self._learner.rows)
            logger.warning("%s rows were tried and did not fit in memory", num_rows)
        else:
            self.capacity.halve(num_rows, *self._measure_load(self._groups[group]))
            logger.warning("%s rows did not fit in memory, so the limit is halved", num_rows)

    def _enter_in_tiles(self, drawing: Drawing) -> None:
        recipe = drawing.request.recipe
        logger.warning("%s×%s is too large for one pass, so it is drawn in tiles", *recipe.size)
        self.runner.free()
        self._tiled_until[recipe.size] = self._clock() + TILED_SECONDS
        self._enter(drawing, *self.runner.family.encode(recipe))

    def _fail(self, group: Group, drawing: Drawing, fault: TriptychError) -> None:
        group.leave(drawing)
        self._outcomes.append((drawing, fault))

    def _charge(self, group: Group, members: Sequence[Member], seconds: float) -> None:
        """Share the step's time among requests by their rows, and count it as the group's use."""
        num_rows = sum(member.entry.num_rows for member in members)
        for member in members:
            member.drawing.seconds += seconds * member.entry.num_rows / num_rows
        native = self._count_native_rows(group, members)
        group.used += native / len(list_drawings(members))

    def _send_previews(self) -> None:
        self._previews.send({drawing for group in self._groups for drawing in group.drawings})

    def _decode_finished(self) -> None:
        for group in self._groups:
            for drawing in [drawing for drawing in group.drawings if drawing.is_done]:
                started = time.perf_counter()
                latents = group.get_latents(drawing)
                group.leave(drawing)
                may_tile = drawing.request.recipe.is_enlarged
                decode = partial(
                    self.runner.decode, latents, tiled=group.is_tiled, may_tile=may_tile
                )
                decoding = self._attempt_for(drawing, decode)
                if isinstance(decoding, Decoding):
                    self._decodings.append((drawing, decoding))
                drawing.seconds += time.perf_counter() - started

    def _collect_decoded(self, *, wait: bool) -> None:
        """Collect decoded pictures. With ``wait``, wait for all, because there is no other work."""
        ready = [item for item in self._decodings if wait or item[1].is_ready()]
        self._decodings = [item for item in self._decodings if item not in ready]
        for drawing, decoding in ready:
            self._attempt_for(drawing, partial(self._finish, drawing, decoding))

    def _finish(self, drawing: Drawing, decoding: Decoding) -> None:
        started = time.perf_counter()
        images, verdicts = self.runner.family.decoder.finish(decoding)
        drawing.seconds += time.perf_counter() - started
        output = GenerationOutput(
            images,
            verdicts,
            drawing.seconds,
            drawing.cut_words,
            self.runner.info.engine,
            drawing.cut_negative_words,
        )
        if not self._enlargements.show(drawing, output):
            self._outcomes.append((drawing, output))

    def _attempt_for(self, drawing: Drawing, work: Callable[[], object]) -> object:
        """Do work for one request. If it fails, only that request fails. Raises EngineLost."""
        label = f"request {drawing.request.request_id}"
        result = attempt(label, work, self.runner.explain)
        if isinstance(result, EngineLost):
            raise result
        if isinstance(result, TriptychError):
            self.runner.free()
            self._outcomes.append((drawing, result))
        return result
