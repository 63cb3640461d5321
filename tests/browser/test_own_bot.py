"""A discord.py bot that is not ours runs on the playground, as docs/playground.md describes it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all

ROOT = Path(__file__).resolve().parents[2]

BOT = """
import os
import discord
import yarl
{pointed}
class Greeter(discord.Client):
    async def setup_hook(self):
        await tree.sync()

client = Greeter(intents=discord.Intents.default())
tree = discord.app_commands.CommandTree(client)

class Wave(discord.ui.View):
    @discord.ui.button(label="Wave back")
    async def wave(self, interaction, button):
        await interaction.response.edit_message(content="You waved.", view=None)

@tree.command(description="Says hello")
async def hello(interaction: discord.Interaction, name: str):
    await interaction.response.send_message(f"Hello, **{{name}}**!", view=Wave())

client.run(os.environ["DISCORD_TOKEN"])
"""


async def test_own_bot_runs_as_the_page_on_the_playground_says(tmp_path: Path, browser: Browser):
    page_on_it = (ROOT / "docs" / "playground.md").read_text("utf-8")
    [pointed] = re.findall(r"```python\n(base = .*?)```", page_on_it, re.DOTALL)
    (tmp_path / "your_bot.py").write_text(BOT.format(pointed=pointed))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "playground", "--port", "0", "--"),
        *(sys.executable, "-W", "ignore", "your_bot.py"),
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        address = (await process.stdout.readline()).decode().split()[-1]
        page = await browser.new_page()
        await page.goto(address)
        await expect(page.locator("#bot-state")).to_have_text("bot online", timeout=60_000)
        await page.locator("#text").press_sequentially("/hello you")
        await page.keyboard.press("Enter")
        await expect(page.locator(".message strong")).to_have_text("you")
        await page.get_by_role("button", name="Wave back").click()
        await expect(page.locator(".message .markdown")).to_contain_text("You waved.")
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
