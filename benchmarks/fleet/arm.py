"""python -m benchmarks.fleet.arm PLAN: one bot without Discord, in a process of its own.

PLAN is the JSON of a ``house.Plan``. The program prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys


def main() -> None:
    """Run the plan. The import is here because child processes with an engine import this module
    too.
    """
    from benchmarks.fleet import house  # noqa: PLC0415

    plan = house.Plan(**json.loads(sys.argv[1]))
    print(json.dumps(asyncio.run(house.measure(plan))))


if __name__ == "__main__":
    main()
