"""Measures whether the playground's page stays smooth with 200 messages and 50 edits a second.

`python -m benchmarks.page [--seconds 10] [--json]` needs Chromium and the package playwright. It
finds the longest task in Chromium's own trace of the page's main thread.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import time
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Any

from PIL import Image
from playwright.async_api import Page, async_playwright

from playground import Channel, Message, Playground, Upload
from playground.messages import Request
from playground.web.server import mount_page

NUM_MESSAGES = 200
EDITS_PER_SECOND = 50
GOAL_MS = 100
SIZE_LIMIT = 10 * 1024 * 1024
COMPONENTS_V2 = 1 << 15
TASKS = {"RunTask", "ThreadControllerImpl::RunTask"}


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of one run, mostly about the page's main thread."""

    messages: int
    edits: int
    edits_per_second: float
    longest_task_ms: float
    longest_task_cpu_ms: float  # processor time, which does not include other programs
    tasks_over_50_ms: int
    busy_share: float
    last_edit_shown: bool


def _body(number: int, step: int) -> dict[str, Any]:
    """Return the message of a picture that is being drawn: text, picture, progress, buttons."""
    filled = step % 13
    bar = "▰" * filled + "▱" * (12 - filled)
    parts: list[dict[str, Any]] = [
        {"type": 10, "content": f"**prompt number {number}**"},
        {
            "type": 12,
            "items": [{"media": {"url": "attachment://a.png"}, "description": "a picture"}],
        },
        {"type": 10, "content": f"Drawing {bar} edit {step}\n-# ddim · 20 steps · seed {number}"},
        {
            "type": 1,
            "components": [
                {"type": 2, "style": 2, "label": label, "custom_id": f"{label} {number}"}
                for label in ("Vary", "Remix", "Cancel")
            ],
        },
    ]
    return {"flags": COMPONENTS_V2, "components": [{"type": 17, "components": parts}]}


def _fill(server: Playground, channel: Channel) -> list[Message]:
    data = BytesIO()
    Image.new("RGB", (1168, 384), "teal").save(data, "PNG")
    files = {0: Upload("a.png", data.getvalue())}
    return [
        server.backend.messages.create(
            channel, server.world.bot.id, Request(_body(number, 0), files, SIZE_LIMIT)
        )
        for number in range(NUM_MESSAGES)
    ]


async def _edit(server: Playground, messages: list[Message], seconds: float) -> int:
    """Edit the newest 25 messages in turn, at a steady pace. Returns the number of edits."""
    started, done = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < seconds:
        while done < elapsed * EDITS_PER_SECOND:
            done += 1
            number = NUM_MESSAGES - 1 - done % 25
            request = Request(_body(number, done), {}, SIZE_LIMIT)
            server.backend.messages.edit(messages[number], request)
        await asyncio.sleep(0.005)
    return done


def _main_thread_tasks(trace: bytes) -> list[tuple[float, float]]:
    """List wall and CPU milliseconds of every task on the main thread of the page."""
    events = json.loads(trace)["traceEvents"]
    mains = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"].get("name") == "CrRendererMain"
    }
    found: dict[tuple[int, int], list[tuple[float, float]]] = {key: [] for key in mains}
    for event in events:
        key = (event["pid"], event["tid"])
        if event["name"] in TASKS and event["ph"] == "X" and key in mains:
            found[key].append((event.get("dur", 0) / 1000, event.get("tdur", 0) / 1000))
    return max(found.values(), key=lambda tasks: sum(wall for wall, _ in tasks))


async def _watch(page: Page, server: Playground, seconds: float) -> Result:
    channel = server.channel("general")
    messages = _fill(server, channel)
    await page.goto(server.url)
    await page.locator(".message").nth(NUM_MESSAGES - 1).wait_for()
    await page.wait_for_timeout(1000)
    browser = page.context.browser
    assert browser is not None
    await browser.start_tracing(page=page, categories=["toplevel", "devtools.timeline"])
    started = time.perf_counter()
    edits = await _edit(server, messages, seconds)
    elapsed = time.perf_counter() - started
    await page.wait_for_timeout(300)
    tasks = _main_thread_tasks(await browser.stop_tracing())
    shown = await page.locator(".message", has_text=re.compile(rf"edit {edits}\D")).count()
    return Result(
        messages=NUM_MESSAGES,
        edits=edits,
        edits_per_second=round(edits / elapsed, 1),
        longest_task_ms=round(max(wall for wall, _ in tasks), 1),
        longest_task_cpu_ms=round(max(cpu for _, cpu in tasks), 1),
        tasks_over_50_ms=sum(wall > 50 for wall, _ in tasks),
        busy_share=round(sum(wall for wall, _ in tasks) / 1000 / elapsed, 3),
        last_edit_shown=bool(shown),
    )


async def measure(seconds: float) -> Result:
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        raise SystemExit("Chromium is not installed, so nothing was measured.")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with Playground(mounts=[mount_page]) as server, async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium, args=arguments)
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        result = await _watch(page, server, seconds)
        await browser.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = asyncio.run(measure(arguments.seconds))
    if arguments.json:
        print(json.dumps(asdict(result)))
        return
    for name, value in asdict(result).items():
        print(f"{name:20} {value}")
    print(f"goal: no task over {GOAL_MS} ms: {result.longest_task_ms <= GOAL_MS}")


if __name__ == "__main__":
    main()
