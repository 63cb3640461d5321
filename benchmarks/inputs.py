"""python -m benchmarks.inputs [--json]: measures how much the costliest inputs cost.

The program uses a real database in a temporary folder, with synchronous=FULL, and no engine. Thirty
members with a thousand prompts each ask for an export at once. Meanwhile another member (the
neighbour) reads their own prompts, as `/queue` does, and we measure how late the event loop is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image

from benchmarks.bot import describe_environment
from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.jobs import JobStatus, Origin
from bot.domain.recipes import Recipe
from bot.domain.rules import Outcome, Verdict
from bot.errors import UserError
from bot.images.render import encode_small
from bot.moderation import NO_RULES, PromptPolicy
from bot.ops.resources import get_migrations_folder
from bot.services import Services, compose_services
from bot.settings import Settings
from bot.store import DATABASE_FILE_NAME, Database
from bot.texts.codes import Code
from bot.texts.reasons import because
from bot.views.audit import pack_entries
from bot.views.files import pack_json

_GUILD = 7
_MEMBERS = 30
_PROMPTS = 1000
_AUDIT_ROWS = 100_000
_LONGEST = 6000  # the most characters that Discord takes


def main() -> None:
    """Run the measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    load_before = os.getloadavg()[0]
    report = asyncio.run(measure())
    report |= {
        "load_average": [load_before, os.getloadavg()[0]],
        "environment": describe_environment(),
    }
    if arguments.json:
        print(json.dumps(report, indent=2))
        return
    for name, value in report.items():
        print(f"{name:38} {value}")


async def measure() -> dict[str, Any]:
    """Return the measured milliseconds and bytes by name."""
    with tempfile.TemporaryDirectory(prefix="triptych-inputs-") as name:
        folder = Path(name)
        database = await Database.open(folder, get_migrations_folder())
        settings = Settings(data_dir=folder, max_refused_per_member_per_hour=100_000)
        nobody = cast(Any, _Nobody())
        services = compose_services(settings, database, nobody, nobody, time.time)
        try:
            report = await _measure_refusals(services, folder)
            report |= _measure_alone()
            await _fill(services, database)
            report |= await _measure_exports(services)
            report |= await _measure_audit(services)
        finally:
            services.reading.close()
            await services.workers.close()
            services.writer.close()
            await database.close()
    return report


class _Nobody:
    """Stands in for the engine and for Discord, and does nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


async def _measure_refusals(services: Services, folder: Path) -> dict[str, Any]:
    """Measure how many bytes a refused prompt of the greatest length adds to the database."""
    path, count = folder / DATABASE_FILE_NAME, 200
    before = path.stat().st_size
    for number in range(count):
        recipe = Recipe("ж" * _LONGEST, "ж" * _LONGEST)
        origin = Origin(1, 10**17 + number, "token", _GUILD, 77)
        verdict = Verdict(Outcome.REFUSE, because(Code.RULE_REFUSES, text="word"), "word")
        job = await services.jobs.insert_job(
            origin, recipe, now=0.0, cost_estimate=1.0, refusal=verdict.reason, verdict=verdict
        )
        assert job is not None
        await services.audit.add(
            AuditEntry(AuditAction.PROMPT_REFUSED, 0.0, _GUILD, 0, 1, prompt=recipe.prompt)
        )
    await services.member_data.take_out_deleted()  # this writes SQLite's log into the database file
    return {"refused_prompt_bytes": (path.stat().st_size - before) // count}


def _measure_alone() -> dict[str, Any]:
    policy = PromptPolicy(("word",))
    text = ("sp0ns0r n.u.d.e " * 400)[:_LONGEST]
    noise = np.random.default_rng(0).integers(0, 256, (512, 1536, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "grid.png"
        Image.fromarray(noise).save(path)
        page = _time(lambda: [encode_small(path, 768) for _ in range(4)])
    return {
        "judge_longest_milliseconds": _time(lambda: policy.judge(text, text)),
        "explain_longest_milliseconds": _time(lambda: policy.explain(text, NO_RULES)),
        "gallery_page_milliseconds": page,
    }


def _time(work: Any) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


async def _fill(services: Services, database: Database) -> None:
    async with database.transaction():
        for number in range(_MEMBERS * _PROMPTS):
            origin = Origin(number % _MEMBERS + 1, 10**16 + number, "token", _GUILD, 77)
            recipe = Recipe("a dog in autumn leaves", "", seeds=(1, 2, 3))
            await services.jobs.insert_job(origin, recipe, now=0.0, cost_estimate=1.0)
        await database.execute("UPDATE job SET status = ?", (JobStatus.CANCELLED,))
        entry = AuditEntry(AuditAction.PROMPT_REFUSED, 0.0, _GUILD, 0, 1, prompt="a dog")
        for _ in range(_AUDIT_ROWS):
            await services.audit.add(replace(entry, member_id=99))


async def _measure_exports(services: Services) -> dict[str, Any]:
    """Measure exports by thirty members, and then thirty exports by the same member."""

    async def export(user_id: int) -> bool:
        try:
            found = await services.member_data.export(user_id)
        except UserError:
            return False
        await asyncio.to_thread(pack_json, found, "export.json")
        return True

    report = await _beside("exports_of_30", services, [export(n + 1) for n in range(_MEMBERS)])
    return report | await _beside("30_exports_of_one", services, [export(1) for _ in range(30)])


async def _measure_audit(services: Services) -> dict[str, Any]:
    async def export() -> None:
        entries = await services.audit.search(_GUILD, limit=_AUDIT_ROWS, newest_first=False)
        await asyncio.to_thread(pack_entries, entries, "csv")

    return await _beside("audit_export", services, [export()])


async def _beside(name: str, services: Services, works: list[Awaitable[Any]]) -> dict[str, Any]:
    """Return how long the work took, the neighbour's slowest read, and the longest loop lag."""
    waits, lags = [0.0], [0.0]
    began = time.perf_counter()
    working = asyncio.gather(*works)
    while not working.done():
        asked = time.perf_counter()
        await services.jobs.list_waiting_of(10**6)
        waits.append(time.perf_counter() - asked)
        slept = time.perf_counter()
        await asyncio.sleep(0.005)
        lags.append(time.perf_counter() - slept - 0.005)
    await working
    return {
        f"{name}_seconds": time.perf_counter() - began,
        f"{name}_neighbour_longest_milliseconds": max(waits) * 1000,
        f"{name}_loop_lag_longest_milliseconds": max(lags) * 1000,
    }


if __name__ == "__main__":
    main()
