"""The whole playground as one object. Tests start and stop it, read from it and act through it."""

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from types import TracebackType
from typing import Self, TypeVar

from aiohttp import web

from playground.api import account as account_routes
from playground.api import commands as command_routes
from playground.api import interactions as interaction_routes
from playground.api import messages as message_routes
from playground.api.contract import Contract
from playground.api.router import API_PREFIX, MAX_REQUEST_BYTES, Router, refuse_strangers
from playground.backend import Backend
from playground.faults import Fault, Faults, Matcher, PlannedFault
from playground.gateway import Gateway
from playground.people import InteractionHandle, Person
from playground.world.clock import Clock
from playground.world.log import Log, RequestRecord
from playground.world.scenery import default_world
from playground.world.world import Channel, Command, Message, World

T = TypeVar("T")

Mount = Callable[["Playground", web.Application], None]
"""Adds addresses to a playground's app before it starts, such as those of the page."""

ROUTES = [
    *account_routes.ROUTES,
    *command_routes.ROUTES,
    *interaction_routes.ROUTES,
    *message_routes.ROUTES,
]


class Playground:
    """A stand-in for Discord on a loopback address, for one bot.

    `async with Playground(token="…") as server:` starts and stops it. A bot connects to
    `server.api_base` and `server.gateway_url`. A test reads `server.world` and `server.log`, acts
    as a person with `server.person(…)`, and causes faults with `server.fault(…)`.
    """

    def __init__(
        self,
        token: str = "playground-token",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
        world: World | None = None,
        contract: Contract | None = None,
        log_size: int = 20_000,
        mounts: Sequence[Mount] = (),
    ) -> None:
        if host != "localhost" and not ip_address(host).is_loopback:
            raise ValueError(f"the playground serves loopback addresses only, not {host}")
        self.token = token
        self.host = host
        self.port = port
        self.clock = clock or Clock()
        self.world = world or default_world()
        self.log = Log(log_size)
        self.contract = contract or Contract()
        self.faults = Faults()
        self.backend = Backend(self.world, self.clock, self.log, token)
        self._mounts = mounts
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        app = web.Application(middlewares=[refuse_strangers], client_max_size=MAX_REQUEST_BYTES)
        Router(self.backend, self.faults, self.contract, self.token).open(app, ROUTES)
        for mount in self._mounts:
            mount(self, app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()
        self.port = self._runner.addresses[0][1]
        self.backend.cdn.base_url = self.url
        self.gateway.url = self.gateway_url

    async def stop(self) -> None:
        if self._runner is not None:
            await self.gateway.drop(1001)
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def api_base(self) -> str:
        """Return the address that a client must set as `discord.http.Route.BASE`."""
        return self.url + API_PREFIX

    @property
    def gateway_url(self) -> str:
        """Return the address for a client's `discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY`."""
        return self.url.replace("http", "ws", 1) + "/gateway"

    @property
    def gateway(self) -> Gateway:
        return self.backend.gateway

    @property
    def commands(self) -> list[Command]:
        return [*self.world.commands.values()]

    def person(self, name: str) -> Person:
        """Find one of the world's people by user name: owner, moderator, member, newcomer."""
        return Person(self.backend, self.world.user_named(name))

    def channel(self, name: str) -> Channel:
        """Find one of the guild's channels by name: general, art."""
        return self.world.channel_named(name)

    def messages(self, channel: Channel) -> list[Message]:
        """List all messages in the channel, including ephemeral ones, oldest first."""
        return [*channel.messages.values()]

    def requests(self, pattern: str = "* *") -> list[RequestRecord]:
        """List finished requests that fit a pattern such as "POST /channels/*/messages"."""
        method, _, path = pattern.partition(" ")
        return self.log.find(method, path)

    def fault(
        self, matcher: Matcher | str, fault: Fault, *, times: int | None = 1, skip: int = 0
    ) -> PlannedFault:
        """Let `skip` matching requests pass. Then let the next `times` of them fail.

        The matcher is a "METHOD /path" pattern or a function of the request's record. With
        `times=None`, all matching requests fail until `server.faults.clear()`.
        """
        return self.faults.plan(matcher, fault, times=times, skip=skip)

    async def drop_gateway(self, code: int | None = 4000) -> None:
        """Close the bot's gateway connection with this code. None ends it without a close frame."""
        await self.gateway.drop(code)

    def silence_gateway(self, *, is_silent: bool = True) -> None:
        """Keep all connections open, including new ones, but send nothing over them ("zombies")."""
        self.gateway.is_silent = is_silent

    def redeliver(self, handle: InteractionHandle) -> None:
        """Send the same INTERACTION_CREATE once more."""
        self.backend.deliver(handle.interaction)

    def forget(self, handle: InteractionHandle) -> None:
        """Remove an interaction and its messages, so that long runs do not fill the memory."""
        self.backend.interactions.forget(handle.interaction)

    async def wait_until(
        self, look: Callable[[], T | None], timeout_seconds: float = 5.0, what: str = "a condition"
    ) -> T:
        """Call `look` after every change until it returns a true value. Return this value."""
        return await self.log.wait_until(look, timeout_seconds, what)

    async def wait_connected(self, timeout_seconds: float = 10.0) -> None:
        """Wait until a bot is connected, after IDENTIFY or RESUME."""
        await self.wait_until(
            lambda: self.gateway.is_connected, timeout_seconds, "the bot to connect"
        )

    async def wait_disconnected(self, timeout_seconds: float = 10.0) -> None:
        """Wait until no bot is connected, for example after its process was killed."""
        gateway = self.gateway
        await self.wait_until(lambda: not gateway.is_connected, timeout_seconds, "the bot to go")

    async def wait_synced(self, name: str, timeout_seconds: float = 10.0) -> Command:
        """Wait until the bot has registered a command with this name, and return it."""
        return await self.wait_until(
            lambda: next((c for c in self.commands if c.name == name), None),
            timeout_seconds,
            f"the command {name!r} to be synced",
        )
