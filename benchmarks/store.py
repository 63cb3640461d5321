"""python -m benchmarks.store [--megabytes N] [--json]: times inserts during a backup.

The program uses a real database of that size in a temporary folder, with synchronous=FULL. It
inserts rows one after the other, as the bot does: first while nothing else runs, then while copies
are made.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.bot import describe_environment
from bot.domain.audit import AuditAction, AuditEntry
from bot.ops.resources import get_migrations_folder
from bot.store import DATABASE_FILE_NAME, AuditRepository, Backups, Database

_ROW_BYTES = 1024
_ROWS_AT_ONCE = 10_000
_REST_SECONDS = 10.0
_PAUSE_SECONDS = 0.005
_COPIES = 3
_DAY_SECONDS = 86_400.0


def main() -> None:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=500, help="size of the database")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    load_before = os.getloadavg()[0]
    report = asyncio.run(measure(arguments.megabytes))
    report |= {
        "load_average": [load_before, os.getloadavg()[0]],
        "environment": describe_environment(),
    }
    if arguments.json:
        print(json.dumps(report, indent=2))
        return
    for name, value in report.items():
        print(f"{name:38} {value}")


async def measure(megabytes: int) -> dict[str, Any]:
    """Measure how long inserts take alone and during copies, and how long a copy takes."""
    with tempfile.TemporaryDirectory(prefix="triptych-store-") as name:
        folder = Path(name)
        database = await Database.open(folder, get_migrations_folder())
        try:
            await _fill(database, megabytes * 1_000_000 // _ROW_BYTES)
            size = (folder / DATABASE_FILE_NAME).stat().st_size
            resting = asyncio.create_task(asyncio.sleep(_REST_SECONDS))
            report = _describe("at_rest", await _insert_during(database, resting))
            waits: list[float] = []
            copy_seconds = []
            for day in range(_COPIES):
                began = time.perf_counter()
                backups = Backups(database, folder)
                copying = asyncio.create_task(backups.keep(day * _DAY_SECONDS))
                waits += await _insert_during(database, copying)
                copy_seconds.append(time.perf_counter() - began)
            report |= _describe("during_backup", waits)
        finally:
            await database.close()
    return {"megabytes": size / 1e6, "copy_seconds": copy_seconds, **report}


async def _fill(database: Database, num_rows: int) -> None:
    for begin in range(0, num_rows, _ROWS_AT_ONCE):
        end = min(begin + _ROWS_AT_ONCE, num_rows)
        rows = [(f"filling {number:08}", os.urandom(450).hex()) for number in range(begin, end)]
        await database.execute_many("INSERT INTO meta VALUES (?, ?)", rows)


async def _insert_during(database: Database, work: asyncio.Task[Any]) -> list[float]:
    audit, waits = AuditRepository(database), list[float]()
    while not work.done():
        began = time.perf_counter()
        await audit.add(AuditEntry(AuditAction.PAUSED, began, 7))
        waits.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(_PAUSE_SECONDS)
    await work
    return waits


def _describe(when: str, waits: list[float]) -> dict[str, Any]:
    ordered = sorted(waits)
    return {
        f"inserts_{when}": len(ordered),
        f"wait_{when}_p50_milliseconds": statistics.median(ordered),
        f"wait_{when}_p99_milliseconds": ordered[min(len(ordered) * 99 // 100, len(ordered) - 1)],
        f"wait_{when}_longest_milliseconds": ordered[-1],
    }


if __name__ == "__main__":
    main()
