"""python -m benchmarks.bot [--json]: measures the bot's start-up time, event-loop lag,
answer times and memory.

Every figure can be compared with one from the same run: a bare interpreter, an idle loop, or one
prompt alone.
The program needs no GPU and no token. It runs the real bot process with the playground. Where the
engine matters, the starter model draws; otherwise the tests' fake engine does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from bot.domain.recipes import Recipe
from bot.engine import Engine, GenerationRequest
from bot.ops.resources import choose_model_source
from bot.settings import Settings
from playground import Playground

_ROOT = Path(__file__).resolve().parents[1]
_TOKEN = "a-token"
_NUM_PROMPTS = 50
_TICK_SECONDS = 0.005


def main() -> None:
    """Run all measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    report = {
        "import": measure_import(),
        "loop_lag": asyncio.run(measure_loop_lag()),
        "acceptance": asyncio.run(measure_acceptance()),
        "environment": describe_environment(),
    }
    if arguments.json:
        print(json.dumps(report))
        return
    for name, figures in report.items():
        print(name)
        for key, value in figures.items():
            print(f"  {key:32} {value:.3f}" if isinstance(value, float) else f"  {key:32} {value}")


def measure_import(rounds: int = 5) -> dict[str, float]:
    """Measure the seconds to start an interpreter with and without `doctor` and the cogs."""
    bare, ours = [], []
    for _ in range(rounds):
        bare.append(_time_python("pass"))
        ours.append(_time_python("import bot.cli.doctor, bot.cogs.imagine, bot.cogs.queue"))
    base, full = statistics.median(bare), statistics.median(ours)
    return {"bare_python_seconds": base, "doctor_and_cogs_seconds": full - base}


def _time_python(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=_ROOT)
    return time.perf_counter() - started


async def measure_loop_lag(num_requests: int = 8) -> dict[str, float]:
    """Measure how late a 5 ms timer is while the engine is idle, and while it draws."""
    engine = Engine(choose_model_source(Settings(_env_file=None)))  # type: ignore[call-arg]
    info = await asyncio.wrap_future(engine.start())
    lags: dict[str, list[float]] = {"idle": [], "drawing": []}
    ticker = asyncio.create_task(tick(lags["idle"]))
    await asyncio.sleep(3)
    ticker.cancel()
    ticker = asyncio.create_task(tick(lags["drawing"]))
    for number in range(num_requests):
        recipe = Recipe(
            prompt="dog in autumn leaves",
            width=info.width,
            height=info.height,
            num_inference_steps=info.num_inference_steps,
            guidance_scale=info.guidance_scale,
            sampler=info.default_sampler,
            seeds=(1, 2, 3),
        )
        request = GenerationRequest(number, recipe)
        await asyncio.wrap_future(engine.submit(request))
    ticker.cancel()
    await asyncio.to_thread(engine.close, 5.0)
    return {
        f"{state}_{name}_ms": value * 1000
        for state, values in lags.items()
        for name, value in percentiles(values).items()
    }


async def tick(lags: list[float]) -> None:
    """Record how many seconds late a timer comes, until this task is cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _TICK_SECONDS
        await asyncio.sleep(_TICK_SECONDS)
        lags.append(loop.time() - due)


async def measure_acceptance() -> dict[str, Any]:
    """Measure the time to the first answer, for one prompt and for 50 at once, and the memory."""
    alone: list[float] = []
    async with Playground(_TOKEN) as server, run_bot(server) as process:
        member, art = server.person("member"), server.channel("art")
        for _ in range(10):
            handle = await member.slash("imagine", art, prompt="dog")
            await handle.wait_for(lambda message: bool(message.attachments))
            alone.append(latency(handle))
        handles = [await member.slash("imagine", art, prompt="dog") for _ in range(_NUM_PROMPTS)]
        for handle in handles:
            await handle.wait_acknowledged()
        together = [latency(handle) for handle in handles]
        for handle in handles:
            await handle.wait_for(lambda message: bool(message.attachments), 120)
        memory = psutil.Process(process.pid).memory_info().rss / 2**20
    return {
        "alone_p50_ms": statistics.median(alone) * 1000,
        **{f"at_once_{name}_ms": value * 1000 for name, value in percentiles(together).items()},
        "prompts_at_once": _NUM_PROMPTS,
        "resident_memory_mib": memory,
    }


def latency(handle: Any) -> float:
    return handle.interaction.acknowledged_at - handle.interaction.created_at


@asynccontextmanager
async def run_bot(
    server: Playground, module: str = "tests.fakes.run_bot", **settings: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the real bot process, by default with the tests' fake engine."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "DISCORD_TOKEN": _TOKEN,
            "DISCORD_API_BASE": server.api_base,
            "DATA_DIR": folder,
            "MAX_WAITING_PER_MEMBER": "100",
            "MAX_WAITING_PER_GUILD": "100",
            "MAX_REFUSED_PER_MEMBER_PER_HOUR": "100000",
            "MAX_ACTIONS_PER_MEMBER_PER_MINUTE": "100000",
            "MAX_COST_PER_MEMBER_PER_HOUR": "1000",
            "LOG_LEVEL": "WARNING",
            **settings,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, "run", cwd=_ROOT, env=environment
        )
        try:
            await server.wait_connected(30)
            yield process
        finally:
            process.terminate()
            await process.wait()


def percentiles(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "p50": ordered[len(ordered) // 2],
        "p99": ordered[min(len(ordered) * 99 // 100, len(ordered) - 1)],
        "max": ordered[-1],
    }


def describe_environment() -> dict[str, Any]:
    """Describe the machine and the versions."""
    return {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        **{name: version(name) for name in ("torch", "diffusers", "discord.py")},
    }


if __name__ == "__main__":
    main()
