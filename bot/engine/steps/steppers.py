"""Runs the step: directly on the CPU; on CUDA as a captured graph for each bucket of rows."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from bot.engine.boundary import attempt
from bot.engine.capacity.buckets import BUCKETS
from bot.engine.conditioning import Network, Rows
from bot.engine.models.family import ModelFamily, Predictor
from bot.engine.steps.slots import Plan, Slots, advance
from bot.errors import EngineError

logger = logging.getLogger(__name__)


class Stepper:
    """Advances the pictures of one group. Only the thread that made it may use it."""

    def __init__(self, slots: Slots, family: Predictor, network: Network) -> None:
        self._slots = slots
        self._family = family
        self._network = network

    def __call__(self, plan: Plan) -> None:
        """Take one step. On CUDA this only queues it."""
        device = self._slots.device
        rows = self._slots.recall(plan) if device.type == "cpu" else None
        self._advance(plan.to(device), rows)

    def free(self) -> None:
        """Free memory that a later step can allocate again."""

    def _advance(self, plan: Plan, rows: Rows | None = None) -> None:
        advance(self._slots, self._family, self._network, plan, rows)


class GraphStepper(Stepper):
    """Replays one captured graph per bucket: one call instead of about 750 kernel launches.

    Capture and replay stay in one thread. The graphs share one memory pool, because they never run
    at the same time.
    """

    def __init__(self, slots: Slots, family: Predictor, network: Network) -> None:
        super().__init__(slots, family, network)
        self._graphs: dict[tuple[int, bool], tuple[torch.cuda.CUDAGraph, Plan]] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, plan: Plan) -> None:
        num_rows = plan.rows.shape[1]
        compiled = isinstance(self._network, CompiledNetwork) and self._network.is_ready(num_rows)
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
                self._advance(inputs)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # Other threads, such as a compiler trying kernels, may use the device at the same time.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            self._advance(inputs)
        return graph, inputs


class CompiledNetwork:
    """The model at native size, compiled in its own thread, one bucket after the other.

    Inductor's own CUDA graphs only work in the thread that compiled them (pytorch#123177). So it
    compiles without graphs, and the engine thread captures the result. It compiles only for texts
    of the shortest length.
    """

    def __init__(self, family: ModelFamily) -> None:
        self._family = family
        self._network = family.network
        self._latent_shape = family.latent_shape(*family.size)
        self._row_shapes = family.row_shapes()
        torch._dynamo.config.recompile_limit = 2 * len(BUCKETS)
        self._compiled: Any = torch.compile(
            self._network, mode="max-autotune-no-cudagraphs", dynamic=False, fullgraph=True
        )
        self._shapes: object = None  # of the arguments for which it is compiled
        self._ready: frozenset[int] = frozenset()
        self._asked: set[int] = set()
        self._turn = threading.Lock()

    def __call__(self, *args: Any, **rest: Any) -> Any:
        """Run the compiled model if it is ready for these shapes, otherwise the plain one."""
        inputs = args[0] if args else rest["hidden_states"]
        fits = _list_shapes((args, rest)) == self._shapes and self.is_ready(len(inputs))
        return (self._compiled if fits else self._network)(*args, **rest)

    def is_ready(self, num_rows: int) -> bool:
        """Return whether this bucket is compiled."""
        return num_rows in self._ready

    def start(self, max_rows: int) -> None:
        """Compile the buckets up to ``max_rows`` in a thread, the largest first.

        If it is called again with more rows, their buckets are compiled after the others.
        """
        buckets = [
            each for each in reversed(BUCKETS) if each <= max_rows and each not in self._asked
        ]
        self._asked.update(buckets)
        label = "compiling the model, which goes on uncompiled,"
        work = partial(attempt, label, partial(self._compile, buckets), EngineError)
        threading.Thread(target=work, name="compiler", daemon=True).start()

    @torch.inference_mode()
    def _compile(self, buckets: Sequence[int]) -> None:
        like = {"dtype": self._network.dtype, "device": self._network.device}
        with self._turn, torch.cuda.stream(torch.cuda.Stream()):
            for bucket in buckets:
                latents = torch.randn(bucket, *self._latent_shape, **like)
                rows = {n: torch.randn(bucket, *s, **like) for n, s in self._row_shapes.items()}
                times = torch.full((bucket,), 500.0, device=like["device"])
                self._family.predict(self._compile_call, latents, times, rows)
                torch.cuda.current_stream().synchronize()
                self._ready |= {bucket}
                logger.info("the model is compiled for %s rows", bucket)

    def _compile_call(self, *args: Any, **rest: Any) -> Any:
        self._shapes = _list_shapes((args, rest))
        return self._compiled(*args, **rest)


def _list_shapes(value: Any) -> object:
    """List the shapes of all tensors in the arguments, without their first dimension."""
    if isinstance(value, torch.Tensor):
        return tuple(value.shape[1:])
    if isinstance(value, dict):
        return {name: _list_shapes(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [_list_shapes(each) for each in value]
    return value
