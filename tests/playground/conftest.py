"""A playground with a frozen clock, and the real discord.py client connected to it."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import yarl

from playground import Clock, Playground, RequestRecord
from playground.web.server import mount_page

with warnings.catch_warnings():
    # discord.py's player imports audioop, which Python 3.11 deprecates
    warnings.simplefilter("ignore", DeprecationWarning)
    import discord
    from discord.ext import commands

TOKEN = "a-token"


class Bot(commands.Bot):
    """A normal bot, to which a test adds commands before it connects."""

    def __init__(self, intents: discord.Intents | None = None) -> None:
        super().__init__(
            command_prefix=(),
            help_command=None,
            intents=intents or discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            guild_ready_timeout=0.05,
        )

    async def setup_hook(self) -> None:
        if self.tree.get_commands():
            await self.tree.sync()


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Playground]:
    async with Playground(TOKEN, clock=Clock(frozen=True), mounts=[mount_page]) as playground:
        gateway = yarl.URL(playground.gateway_url)
        monkeypatch.setattr(discord.http.Route, "BASE", playground.api_base)
        monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", gateway)
        yield playground
        for record in playground.log.requests:
            assert wrong_parts_of_answer(playground, record) == []


def wrong_parts_of_answer(server: Playground, record: RequestRecord) -> list[str]:
    """List the parts of the playground's own answer that Discord's description does not allow."""
    if record.status is None or record.fault or record.answer is None:
        return []
    status = str(record.status)
    if record.status >= 400 and record.status != 429:
        status = "4XX"
    answer = record.answer
    if status == "4XX":
        # in the description, the codes in the errors tree are integers, but Discord sends names
        answer = {key: value for key, value in answer.items() if key != "errors"}
    return server.contract.check_answer(record.method, record.route, status, answer)


@pytest.fixture
async def new_bot() -> Callable[..., Bot]:
    return Bot


@pytest.fixture
async def bot() -> Bot:
    return Bot()


Action = Callable[[discord.Interaction], Awaitable[Any]]


@pytest.fixture
async def on_go() -> Callable[[commands.Bot, Action], asyncio.Future[Any]]:
    """Gives the bot a command `/go`. The future gets the result or the error of the action."""

    def register(bot: commands.Bot, action: Action) -> asyncio.Future[Any]:
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        @bot.tree.command(name="go", description="Run the test's action.")
        async def go(interaction: discord.Interaction) -> None:
            try:
                outcome.set_result(await action(interaction))
            except discord.HTTPException as error:
                outcome.set_exception(error)

        return outcome

    return register


@pytest.fixture
async def online() -> Callable[..., AbstractAsyncContextManager[None]]:
    """`async with online(bot):` connects the bot, waits until it is ready, and closes it at the
    end.
    """

    @asynccontextmanager
    async def connected(bot: commands.Bot, token: str = TOKEN) -> AsyncIterator[None]:
        async with bot:
            task = asyncio.create_task(bot.start(token))
            # wait_until_ready works only after login
            while not bot._ready:
                await asyncio.wait({task}, timeout=0.01)
                if task.done():
                    task.result()
            await asyncio.wait_for(bot.wait_until_ready(), 10)
            yield
            await bot.close()
            await task

    return connected
