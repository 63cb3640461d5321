"""Finds machines and starts workers on them, in a child process with Ray's driver. Imports ray."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from bot.cluster.frames import Data, Ended, Joined, Kill, Left, Noted, Open
from bot.cluster.versions import CARDS, Versions, read_installation, read_name
from bot.cluster.worker import MakeEngine, Worker
from bot.engine import PipeChannel, pack, unpack

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_REACH_SECONDS = 5.0
_CONNECT_SECONDS = 60.0  # Ray's own limits add up to more than three minutes
_MAX_CALLS = 64  # the most unfinished calls to one worker
NAMESPACE = "triptych"


def serve(address: str, make_engine: MakeEngine, channel: PipeChannel) -> None:
    """Serve until the bot ends. Ray ends this process if it loses the cluster's head."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Ray prints messages about its nodes
    asyncio.new_event_loop().run_until_complete(Driver(address, make_engine, channel).run())
    os._exit(0)  # a thread that is still connecting would keep this process alive


@dataclass(frozen=True, slots=True)
class _Card:
    node_id: str
    number: int
    has_gpu: bool


class Driver:
    """Tells the bot which cards there are, and passes bytes between the bot and the workers."""

    def __init__(self, address: str, make_engine: MakeEngine, channel: PipeChannel) -> None:
        self._address = address
        self._make_engine = make_engine
        self._channel = channel
        self._cards: dict[str, _Card] = {}
        self._workers: dict[int, Any] = {}  # each worker's actor, by session
        self._num_sent: Counter[int] = Counter()  # how many messages each worker got, by session
        self._tasks: set[asyncio.Task[None]] = set()
        self._old: set[str] = set()  # ids of nodes whose machines have joined again

    async def run(self) -> None:
        """Connect, then look for machines once a second."""
        loop = asyncio.get_running_loop()

        def obey(data: bytes) -> None:
            loop.call_soon_threadsafe(self._obey, unpack(data))

        self._channel.open(obey, lambda reason: os._exit(0))
        try:
            await self._connect_in_time()
        except (RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
            self._tell(Noted(self._explain(error)))
            await asyncio.sleep(_LOOK_SECONDS)  # leave time to the thread that sends the note
            return
        while True:
            await self._look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _connect_in_time(self) -> None:
        """Connect, or raise TimeoutError if the cluster accepts the connection and then hangs."""
        try:
            await asyncio.wait_for(asyncio.to_thread(self._connect), _CONNECT_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"nothing came for {_CONNECT_SECONDS:.0f} seconds") from None

    def _connect(self) -> None:
        """Connect. Raises OSError if nothing answers at the address, or a ConnectionError without
        ``errno`` if the token is wrong.

        Ray itself would notice these two faults only after 20 seconds, and gives both the same
        error.
        """
        host, _, port = self._address.rpartition(":")
        socket.create_connection((host, int(port)), _REACH_SECONDS).close()
        ray.init(
            self._address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR
        )

    def _explain(self, error: Exception) -> str:
        text = _first_line(error)
        # an error of Ray has no ``errno``
        if isinstance(error, ConnectionError) and not error.errno:
            return (
                f"The cluster at {self._address} refuses the token. Use the file that `triptych "
                "cluster start` names on that machine (CLUSTER_TOKEN_FILE). Trying again. "
                f"({text})"
            )
        return (
            f"The cluster at {self._address} does not answer. Start it there with `triptych "
            f"cluster start`, or correct CLUSTER. Trying again. ({text})"
        )

    async def _look(self) -> None:
        """Tell the bot which cards are new and which have left."""
        try:
            nodes: list[dict[str, Any]] = await asyncio.to_thread(ray.nodes)
        except (RayError, RuntimeError) as error:
            self._tell(Noted(self._explain(error)))
            return
        found: dict[str, tuple[_Card, str]] = {}
        misfits: dict[str, str] = {}
        for node in self._list_machines(nodes):
            name = read_name(node["Labels"])
            misfit = Versions.of_this_machine().find_misfit(Versions.of_labels(node["Labels"]))
            if misfit is not None:
                misfits[node["NodeID"]] = f"The machine {name} was refused: {misfit}."
                continue
            count = int(node["Resources"][CARDS])
            for number in range(count):
                card = _Card(node["NodeID"], number, node["Resources"].get("GPU", 0) >= count)
                called = name if count == 1 else f"{name} card {number}"
                found[f"{card.node_id}/{number}"] = (card, called)
        for key in self._cards.keys() - found.keys():
            del self._cards[key]
            self._tell(Left(key, "its machine has left the cluster"))
        for key, (card, called) in found.items():
            if key not in self._cards:
                self._cards[key] = card
                self._tell(Joined(key, called))
        self._tell(Noted(" ".join(misfits.values())))

    def _list_machines(self, nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """List the machines that draw. If one has joined again, only its new node is listed.

        Ray takes half a minute to notice that a machine has left. By then, the machine may have
        joined again.
        """
        known = {card.node_id for card in self._cards.values()}
        newest: dict[str, dict[str, Any]] = {}
        for node in nodes:
            if not node["Alive"] or CARDS not in node["Resources"] or node["NodeID"] in self._old:
                continue
            installation = read_installation(node["Labels"]) or node["NodeID"]
            twins = [node, newest[installation]] if installation in newest else [node]
            twins.sort(key=lambda twin: twin["NodeID"] in known)  # the new node comes first
            newest[installation] = twins[0]
            self._old |= {twin["NodeID"] for twin in twins[1:]}
        return list(newest.values())

    def _obey(self, frame: Open | Data | Kill) -> None:
        try:
            self._carry_out(frame)
        except RayError as error:  # the head is lost; Ray ends this process when it notices
            self._end(frame.session)
            self._tell(Ended(frame.session, _first_line(error)))

    def _carry_out(self, frame: Open | Data | Kill) -> None:
        match frame:
            case Open(key, session):
                self._open(key, session)
            case Data(session, data):
                if (worker := self._workers.get(session)) is not None:
                    worker.send.remote(self._num_sent[session], data)
                    self._num_sent[session] += 1
            case Kill(session):
                self._end(session)

    def _open(self, key: str, session: int) -> None:
        card = self._cards.get(key)
        if card is None:
            self._tell(Ended(session, "its machine has left the cluster"))
            return
        strategy = NodeAffinitySchedulingStrategy(card.node_id, soft=False)
        options: dict[str, Any] = {
            "num_cpus": 0,
            "num_gpus": 1 if card.has_gpu else 0,
            "resources": {CARDS: 1},
            "max_restarts": 0,  # if Ray started an actor again, it would answer without a model
            "max_task_retries": 0,
            "max_concurrency": _MAX_CALLS,
            "scheduling_strategy": strategy,
        }
        actor: Any = ray.remote(**options)(Worker)
        worker = actor.remote(self._make_engine, card.number)
        self._workers[session] = worker
        task = asyncio.get_running_loop().create_task(self._listen(session, worker))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self, session: int, worker: Any) -> None:
        """Pass on what a worker sends, until it ends."""
        reason = "it has ended"
        try:
            async for reference in worker.receive.options(num_returns="streaming").remote():
                for data in await reference:
                    self._tell(Data(session, data))
        except RayError as error:
            reason = _first_line(error)
        self._end(session)
        self._tell(Ended(session, reason))

    def _end(self, session: int) -> None:
        self._num_sent.pop(session, None)
        if (worker := self._workers.pop(session, None)) is not None:
            with suppress(RayError):  # then it ends with the cluster
                ray.kill(worker)

    def _tell(self, frame: object) -> None:
        self._channel.send(pack(frame))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
