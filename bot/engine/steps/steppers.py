"""Runs the step: directly on the CPU; on CUDA as a captured graph, one per bucket of rows."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from bot.engine.boundary import attempt
from bot.engine.steps.slots import Plan, Slots, Unet, advance
from bot.errors import EngineError

logger = logging.getLogger(__name__)

BUCKETS = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""The numbers of rows that graphs are captured for. A batch is padded up to the next one."""


def find_bucket(num_rows: int) -> int:
    """Return the smallest bucket for this many rows; beyond the last one, a multiple of it."""
    for bucket in BUCKETS:
        if num_rows <= bucket:
            return bucket
    return -(-num_rows // BUCKETS[-1]) * BUCKETS[-1]


class Stepper:
    """Advances the pictures of one group. Only the thread that made it may use it."""

    def __init__(self, slots: Slots, unet: Unet) -> None:
        self._slots = slots
        self._unet = unet

    def __call__(self, plan: Plan) -> None:
        """Take one step. On CUDA this only queues it."""
        on_cpu = self._slots.device.type == "cpu"
        advance(self._slots, self._unet, plan, self._slots.recall_embeds(plan) if on_cpu else None)

    def free(self) -> None:
        """Free memory that a later step can allocate again."""


class GraphStepper(Stepper):
    """Replays one captured graph per bucket: one call instead of about 750 kernel launches.

    Capture and replay stay in one thread. The graphs share one memory pool, because they never run
    at the same time.
    """

    def __init__(self, slots: Slots, unet: Unet) -> None:
        super().__init__(slots, unet)
        self._graphs: dict[tuple[int, bool], tuple[torch.cuda.CUDAGraph, Plan]] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, plan: Plan) -> None:
        num_rows = plan.rows.shape[1]
        compiled = isinstance(self._unet, CompiledUnet) and self._unet.is_ready(num_rows)
        key = (num_rows, compiled)
        if key not in self._graphs:
            self._graphs.pop((num_rows, False), None)
            self._graphs[key] = self._capture(num_rows)
        graph, inputs = self._graphs[key]
        inputs.copy_(plan.pin())
        graph.replay()

    def free(self) -> None:
        """Forget the graphs. Their pool holds as much memory as the largest batch so far."""
        self._graphs.clear()
        self._pool = torch.cuda.graph_pool_handle()

    def _capture(self, num_rows: int) -> tuple[torch.cuda.CUDAGraph, Plan]:
        """Capture a graph on padding rows only, because warming up must not advance a picture."""
        inputs = self._slots.plan([], num_rows).to(self._slots.device)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):  # warm up: lazy initialisation and cuDNN's choice of kernels
                advance(self._slots, self._unet, inputs)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # Other threads, such as a compiler trying kernels, may use the device at the same time.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            advance(self._slots, self._unet, inputs)
        return graph, inputs


class CompiledUnet:
    """The UNet at native size, compiled in its own thread, one bucket after the other.

    Inductor's own CUDA graphs only work in the thread that compiled them (pytorch#123177). So it
    compiles without graphs, and the engine thread captures the result.
    """

    def __init__(self, unet: Any, latent_shape: Sequence[int], embed_shape: Sequence[int]) -> None:
        self._unet = unet
        self._latent_shape, self._embed_shape = tuple(latent_shape), tuple(embed_shape)
        torch._dynamo.config.recompile_limit = 2 * len(BUCKETS)
        self._compiled: Any = torch.compile(
            unet, mode="max-autotune-no-cudagraphs", dynamic=False, fullgraph=True
        )
        self._ready: frozenset[int] = frozenset()

    def __call__(self, latents: torch.Tensor, times: torch.Tensor, **rest: Any) -> Any:
        """Run the compiled UNet if it is ready for this shape, else the plain one."""
        fits = tuple(latents.shape[1:]) == self._latent_shape and self.is_ready(len(latents))
        return (self._compiled if fits else self._unet)(latents, times, **rest)

    def is_ready(self, num_rows: int) -> bool:
        """Return whether this bucket is compiled."""
        return num_rows in self._ready

    def start(self, max_rows: int) -> None:
        """Compile the buckets up to ``max_rows`` in a thread, the largest first."""
        buckets = [bucket for bucket in reversed(BUCKETS) if bucket <= max_rows]
        label = "compiling the UNet, which goes on uncompiled,"
        work = partial(attempt, label, partial(self._compile, buckets), EngineError)
        threading.Thread(target=work, name="compiler", daemon=True).start()

    @torch.inference_mode()
    def _compile(self, buckets: Sequence[int]) -> None:
        dtype, device = self._unet.dtype, self._unet.device
        with torch.cuda.stream(torch.cuda.Stream()):
            for bucket in buckets:
                latents = torch.randn(bucket, *self._latent_shape, dtype=dtype, device=device)
                latents = latents.contiguous(memory_format=torch.channels_last)
                embeds = torch.randn(bucket, *self._embed_shape, dtype=dtype, device=device)
                times = torch.full((bucket,), 500.0, device=device)
                self._compiled(latents, times, encoder_hidden_states=embeds, return_dict=False)
                torch.cuda.current_stream().synchronize()
                self._ready |= {bucket}
                logger.info("the UNet is compiled for %s rows", bucket)
