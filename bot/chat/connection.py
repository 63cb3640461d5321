"""Connects to Discord, and connects again whenever the connection goes silent or breaks."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

import aiohttp
import discord
import discord.gateway
import discord.http
import yarl

from bot.errors import ConfigError

log = logging.getLogger(__name__)

MAX_RECONNECT_SECONDS = 60.0
# After this silence, the connection counts as dead. It is as long as four heartbeats.
# discord.py itself usually gives up after 60 s.
GATEWAY_SILENCE_SECONDS = 180.0
_AUTHENTICATION_FAILED = 4004
_AWAY = (
    aiohttp.ClientError,
    OSError,
    TimeoutError,
    discord.HTTPException,
    discord.GatewayNotFound,
)
# the least pause after a refusal, because Discord bans addresses that repeat refused requests
REFUSED_DELAY_SECONDS = 10.0
BAD_TOKEN = (
    "Discord does not accept DISCORD_TOKEN. Copy the token again from the Bot page of your "
    "application (Reset Token) into .env."
)


def use_api_base(api_base: str) -> None:
    """Send requests to this address instead of Discord: ``http://127.0.0.1:PORT/api/v10``.

    The settings have checked that the address is on loopback. The gateway must be at ``/gateway``
    on the same host and port.
    """
    discord.http.Route.BASE = api_base
    gateway = yarl.URL(api_base).with_scheme("ws").with_path("/gateway")
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = gateway


class Connection:
    """Logs a client in, keeps it connected, and knows how long Discord has been silent."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client
        self._is_logged_in = False
        self._heard_at = time.monotonic()

    def note_frame(self) -> None:
        """Remember when the gateway last sent something. Answers to heartbeats count too."""
        self._heard_at = time.monotonic()

    @property
    def silent_seconds(self) -> float:
        """Return the seconds since the last frame from the gateway."""
        return time.monotonic() - self._heard_at

    async def serve(self, token: str) -> None:
        """Stay online until the client is closed. If Discord is away, wait until it is back.

        Raises ConfigError if Discord rejects the token.
        """
        client, delay_seconds = self._client, 1.0
        while not client.is_closed():
            began_at = self._heard_at = time.monotonic()
            try:
                if not self._is_logged_in:
                    await client.http.close()  # an earlier attempt may have left the session open
                    client.http.connector = discord.utils.MISSING
                    await client.login(token)
                    self._is_logged_in = True
                    began_at = time.monotonic()
                await self._stay_connected()
            except discord.LoginFailure as error:
                raise ConfigError(BAD_TOKEN) from error
            except _AWAY as error:
                if self._heard_at - began_at > MAX_RECONNECT_SECONDS:
                    # The connection lasted more than a minute, so pauses become short again.
                    delay_seconds = 1.0
                if isinstance(error, discord.HTTPException) and error.status < 500:
                    delay_seconds = max(delay_seconds, REFUSED_DELAY_SECONDS)
                log.warning("Discord is away, trying again in %.0f s: %r", delay_seconds, error)
                await asyncio.sleep(delay_seconds)
                delay_seconds = min(delay_seconds * 2, MAX_RECONNECT_SECONDS)

    async def _stay_connected(self) -> None:
        try:
            await self._connect_until_silent()
        # discord.py 2.7.1 raises this if the first connection failed
        except AttributeError as error:
            raise ConnectionError(str(error)) from error
        except discord.ConnectionClosed as error:
            if error.code == _AUTHENTICATION_FAILED:
                raise ConfigError(BAD_TOKEN) from error
            raise ConfigError(
                f"Discord closed the connection for good ({error}). Check the Bot page of your "
                "application, and try `triptych doctor`."
            ) from error

    async def _connect_until_silent(self) -> None:
        """Stay connected. Raises ConnectionError after a long silence: the connection is dead."""
        self._heard_at = time.monotonic()
        connecting = asyncio.create_task(self._client.connect())
        try:
            while not connecting.done():
                silent_seconds = self.silent_seconds
                if silent_seconds > GATEWAY_SILENCE_SECONDS:
                    raise ConnectionError(f"the gateway was silent for {silent_seconds:.0f} s")
                rest_seconds = GATEWAY_SILENCE_SECONDS - silent_seconds
                await asyncio.wait({connecting}, timeout=rest_seconds + 0.1)
            await connecting
        finally:
            if not connecting.done():
                connecting.cancel()
                with suppress(asyncio.CancelledError, TimeoutError):
                    await asyncio.wait_for(self._close_gateway(), 5.0)
                await asyncio.gather(connecting, return_exceptions=True)

    async def _close_gateway(self) -> None:
        if self._client.ws is not None:
            await self._client.ws.close(code=4000)
