"""Opens the playground's page in a real browser. Without Chromium, these tests are skipped."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
import yarl
from playwright import async_api as playwright

from playground import Playground
from playground.web.server import mount_page
from tests.e2e.conftest import StartBot, locales, open_bots
from tests.fakes.nursery import Nursery

with warnings.catch_warnings():
    # discord.py's player imports audioop, which Python 3.11 deprecates
    warnings.simplefilter("ignore", DeprecationWarning)
    import discord

playwright.expect.set_options(timeout=15_000)  # seconds; long, because the machine may be busy

TOKEN = "a-token"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)

__all__ = ["locales"]

OpenPage = Callable[..., Awaitable["playwright.Page"]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    skip = pytest.mark.skip(reason=f"no browser: none of {', '.join(NAMES)} is installed")
    for item in items:
        if here not in item.path.parents:
            continue
        marker = item.get_closest_marker("asyncio")
        assert marker and marker.kwargs == {"loop_scope": "session"}, "see the other files here"
        if CHROMIUM is None:
            item.add_marker(skip)


@pytest_asyncio.fixture(loop_scope="session")
async def start_bot(
    server: Playground, tmp_path: Path, nursery: Nursery, locales: Path
) -> AsyncIterator[StartBot]:
    async with open_bots(server, tmp_path, nursery, locales) as start:
        yield start


@pytest_asyncio.fixture(loop_scope="session")
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Playground]:
    async with Playground(TOKEN, mounts=[mount_page]) as playground:
        monkeypatch.setattr(discord.http.Route, "BASE", playground.api_base)
        gateway = yarl.URL(playground.gateway_url)
        monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", gateway)
        yield playground
        assert playground.contract.violations == []


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[playwright.Browser]:
    # We need no isolation of web pages and no graphics card, so fewer processes are enough.
    arguments = ["--disable-gpu", "--in-process-gpu", "--disable-site-isolation-trials"]
    if os.geteuid() == 0:  # Chromium's sandbox refuses to run as root, as in containers and CI
        arguments.append("--no-sandbox")
    async with playwright.async_playwright() as driver:
        chromium = await driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(server: Playground, browser: playwright.Browser) -> AsyncIterator[OpenPage]:
    """`await open_page(who, channel, **context)` opens the page as this person.

    An error in the page's scripts, a break of its policy or a request to anywhere else fails
    the test.
    """
    complaints: list[str] = []

    def watch(page: playwright.Page) -> None:
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda m: complaints.append(m.text) if "Content Security" in m.text else None
        )
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((server.url, "blob:"))
                else complaints.append(request.url)
            ),
        )

    async def open_one(
        who: str = "member", channel: str = "general", **context: object
    ) -> playwright.Page:
        page = await browser.new_page(**({"viewport": {"width": 1280, "height": 800}} | context))
        watch(page)
        remembered = {"playground as": who, "playground channel": channel}
        await page.add_init_script(f"Object.assign(localStorage, {json.dumps(remembered)})")
        await page.goto(server.url)
        await playwright.expect(page.locator("#channel-name")).to_have_text(f"# {channel}")
        return page

    yield open_one
    for context in browser.contexts:
        await context.close()
    assert complaints == []


class Bot(discord.Client):
    """A bot for one test, which adds commands to its tree before it connects."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents(guilds=True))
        self.tree = discord.app_commands.CommandTree(self)

    async def setup_hook(self) -> None:
        await self.tree.sync()


@pytest_asyncio.fixture(loop_scope="session")
async def bot() -> Bot:
    return Bot()


@pytest_asyncio.fixture(loop_scope="session")
async def connect(server: Playground) -> AsyncIterator[Callable[[Bot], Awaitable[None]]]:
    """`await connect(bot)` keeps the bot online until the test ends."""
    running: list[tuple[Bot, asyncio.Task[None]]] = []

    async def start(bot: Bot) -> None:
        running.append((bot, asyncio.create_task(bot.start(TOKEN))))
        await server.wait_connected()

    yield start
    for bot, task in running:
        await bot.close()
        await task
