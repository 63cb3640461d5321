"""F18: the processes and machines that draw for the bot are lost."""

from __future__ import annotations

import asyncio
import random
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.faults.bench import Audit, Bench, is_settled, open_bench
from benchmarks.faults.cables import Cable, lay_cable
from benchmarks.faults.finding import Measurement, Plan, Value
from bot.jobs.dispatcher import MAX_ENGINES

if TYPE_CHECKING:
    from tests.cluster.clusters import Nodes

_STEP_SECONDS = 0.08
_LONG_STEP_SECONDS = 0.3  # long, so that most losses hit a prompt
_NUM_CHILDREN = 6
_NUM_OPEN = 12  # how many prompts are open at once
_JOIN_SECONDS = 180.0
_NOTICE_SECONDS = 10.0  # how long Ray may take to notice that a machine was cut off
_FIRST_PORT = 23_000
_LOSSES = ["far"] * 20 + ["driver"] * 5 + ["head"] * 5
_CUT_SECONDS = (5, 60, 5, 60)
_MOVED = re.compile(r"job (\d+): goes to another engine")


async def measure_losses(plan: Plan) -> Measurement:
    """F18: engines in child processes are killed at random moments, then whole machines."""
    num_kills = plan.pick(3, 8, 200)
    result: dict[str, Value] = {"kills": num_kills}
    wrong, audit = await _kill_children(plan, num_kills)
    result |= audit.describe() | wrong.describe()
    holds = _is_whole(audit, wrong)
    if plan.size == "full" and find_spec("ray") is not None:
        losses, lost_wrong, lost_audit = await _lose_machines(plan, _LOSSES, _CUT_SECONDS)
        named = lost_audit.describe() | lost_wrong.describe()
        result |= losses | {f"machines_{name}": value for name, value in named.items()}
        holds = holds and _is_whole(lost_audit, lost_wrong)
    else:
        result["machines"] = "only in the full form" if plan.size != "full" else "no ray"
    return Measurement(
        figure="F18",
        load=f"{_NUM_OPEN} prompts at once for {_NUM_CHILDREN} child processes, 0.3 s each",
        faults=f"{num_kills} SIGKILLs of child processes at random moments; full form: nodes, the "
        "driver, the head and the network of a cluster of Ray on this machine as well",
        result=result,
        goal="all delivered once, except prompts that lost five engines, 0 lost, 0 double posts, "
        "debits = deliveries, one attempt more for each engine lost",
        holds=holds,
    )


class _Wrong:
    """Compares attempts and costs in the rows with the bot's log, which has each lost attempt."""

    def __init__(self, rows: list[sqlite3.Row], log: str) -> None:
        lost = Counter(int(number) for number in _MOVED.findall(log))
        given_up = {row["job_id"] for row in rows if lost[row["job_id"]] == MAX_ENGINES}
        self.moved = lost.total()
        self.given_up = len(given_up)  # a prompt that loses so many engines ends with an apology
        self.attempts = sum(
            row["attempt"] != lost[row["job_id"]] + (row["job_id"] not in given_up)
            or row["cost"] > row["cost_estimate"] + 1e-9
            for row in rows
        )

    def describe(self) -> dict[str, Value]:
        return {"moved": self.moved, "given_up": self.given_up, "wrong_attempts": self.attempts}


def _is_whole(audit: Audit, wrong: _Wrong) -> bool:
    return audit.is_clean and audit.delivered + wrong.given_up == audit.asked and not wrong.attempts


async def _kill_children(plan: Plan, num_kills: int) -> tuple[_Wrong, Audit]:
    chance = random.Random(plan.seed)
    async with open_bench(plan, "f18") as bench:
        await bench.start(FAKE_CHILDREN=str(_NUM_CHILDREN), FAKE_STEP_SECONDS=str(_STEP_SECONDS))
        for _ in range(num_kills):
            await _ask_until(bench, chance.uniform(0.0, 1.0))
            await _ask_until_drawn(bench)  # otherwise the pause before each new start grows
            while not (children := _list_engines(bench)):
                await _ask_until(bench, 0.05)
            with suppress(psutil.Error):
                chance.choice(children).kill()
        return await _end(bench)


async def _end(bench: Bench) -> tuple[_Wrong, Audit]:
    await bench.settle(120)
    await bench.stop()
    return _Wrong(bench.rows(), bench.log), bench.audit()


async def _ask_until(bench: Bench, seconds: float) -> None:
    """Keep ``_NUM_OPEN`` prompts open for these seconds."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while True:
        open_handles = sum(not is_settled(handle) for handle in bench.handles[-2 * _NUM_OPEN :])
        for number in range(open_handles, _NUM_OPEN):
            await bench.ask(f"dog {number}", who=("member", "newcomer", "moderator")[number % 3])
        if loop.time() >= until:
            return
        await asyncio.sleep(min(0.1, until - loop.time()))


async def _ask_until_drawn(bench: Bench) -> None:
    """Send prompts until one more is drawn."""
    drawn = bench.log.count(": delivered\n")
    while bench.log.count(": delivered\n") == drawn:
        await _ask_until(bench, 0.05)


def _list_engines(bench: Bench) -> list[psutil.Process]:
    """List the bot's child processes that draw or run Ray's driver."""
    assert bench.bot is not None
    found: list[psutil.Process] = []
    for child in psutil.Process(bench.bot.pid).children():
        with suppress(psutil.Error):  # the child has just ended
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


async def _lose_machines(
    plan: Plan, kinds: Sequence[str], cuts: Sequence[int]
) -> tuple[dict[str, Value], _Wrong, Audit]:
    """Lose nodes, the driver's process, the head and the network while machines draw."""
    chance = random.Random(plan.seed)
    with lay_cable() as cable, _open_cluster(plan, cable) as nodes:
        async with open_bench(plan, "f18-machines") as bench:
            await bench.start(
                FAKE_CHILDREN="0",
                FAKE_CLUSTER=nodes.address,
                FAKE_CLUSTER_TOKEN=str(nodes.token_file),
                FAKE_STEP_SECONDS=str(_LONG_STEP_SECONDS),
            )
            await _ask_until_joined(bench, {"near": 0, "far": 0})
            for kind in kinds:
                joined = _count_joined(bench)
                back = {"far"} if kind == "far" else {"near", "far"}
                _lose(kind, bench, nodes)
                await _ask_until_joined(bench, {name: joined[name] for name in back})
                await _ask_until_drawn(bench)
                await _ask_until(bench, chance.uniform(0.0, 1.0))
            if cable is not None:
                for seconds in cuts:
                    await _cut(bench, cable, seconds)
            wrong, audit = await _end(bench)
    names = {"far": "lost_nodes", "driver": "lost_drivers", "head": "lost_heads"}
    losses: dict[str, Value] = {names[kind]: kinds.count(kind) for kind in names}
    losses["network_cuts_s"] = "not run: needs root and iproute2" if cable is None else str(cuts)
    return losses, wrong, audit


async def _cut(bench: Bench, cable: Cable, seconds: int) -> None:
    """Cut off the far machine for a time. Send prompts until it has joined again."""
    await _ask_until(bench, 2.0)
    cable.cut()
    try:
        await _ask_until(bench, seconds)
    finally:
        cable.mend()
    await _ask_until(bench, _NOTICE_SECONDS)
    async with asyncio.timeout(_JOIN_SECONDS):
        while _count_joined(bench)["far"] <= bench.log.count("the engine far has left"):
            await _ask_until(bench, 0.5)
    await _ask_until_drawn(bench)


def _lose(kind: str, bench: Bench, nodes: Nodes) -> None:
    if kind == "driver":
        victims = _list_engines(bench)
    else:
        victims = psutil.Process(nodes.processes[kind].pid).children(recursive=True)
    for process in victims:
        with suppress(psutil.Error):
            process.kill()


def _count_joined(bench: Bench) -> Counter[str]:
    return Counter(re.findall(r"(\w+) has joined", bench.log))


async def _ask_until_joined(bench: Bench, before: dict[str, int]) -> None:
    """Send prompts until each of these machines has joined once more."""
    async with asyncio.timeout(_JOIN_SECONDS):
        while any(_count_joined(bench)[name] <= times for name, times in before.items()):
            await _ask_until(bench, 0.5)


@contextmanager
def _open_cluster(plan: Plan, cable: Cable | None) -> Iterator[Nodes]:
    from tests.cluster.clusters import Nodes  # noqa: PLC0415 - only where ray is installed

    folder = plan.folder / "cluster"
    folder.mkdir()
    nodes = Nodes(folder, _FIRST_PORT)
    far: dict[str, Any] = {}
    if cable is not None:
        nodes.host, far = cable.here, {"prefix": cable.prefix, "host": cable.there}
    nodes.start_head()
    nodes.start_worker("near")
    nodes.start_worker("far", **far)
    try:
        yield nodes
    finally:
        nodes.stop_all()
