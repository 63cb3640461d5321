"""Tests what `make demo` runs: the playground with the bot as its child process.

The tests' fake engine draws. The starter model draws in tests/e2e/test_starter_model.py.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest
from playwright.async_api import Browser, expect

from tests.browser.test_newcomer import imagine
from tests.e2e.conftest import FAKE

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all

ROOT = Path(__file__).resolve().parents[2]


async def test_demo_draws_and_leaves_nothing_running(tmp_path: Path, browser: Browser):
    command = [sys.executable, "-m", "playground", "--port", "0", "--name", "Triptych", "--"]
    known = {"PYTHONPATH": str(ROOT), "DATA_DIR": str(tmp_path / "data"), "LOG_LEVEL": "WARNING"}
    process = await asyncio.create_subprocess_exec(
        *command,
        *(sys.executable, "-m", FAKE, "run"),
        cwd=tmp_path,
        env=os.environ | known,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        address = (await process.stdout.readline()).decode().split()[-1]
        page = await browser.new_page()
        await page.goto(address)
        await expect(page.locator("#bot-state")).to_have_text("bot online", timeout=30_000)
        await imagine(page, "dog in autumn leaves", steps="6")
        grid = page.get_by_alt_text("Three pictures side by side")
        await expect(grid).to_be_visible(timeout=30_000)
        await expect(grid).to_have_js_property("naturalWidth", 3 * 384 + 2 * 8)
        await expect(page.locator(".author").first).to_have_text("Triptych")
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 20) == 0
        assert not [child for child in children if child.is_running()]
        await expect(page.locator("#bot-state")).to_have_text("playground stopped")
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
