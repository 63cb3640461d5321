"""The gateway: sessions, their numbered events, and the sockets that carry them."""

import asyncio
import json
import secrets
from collections import deque
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any

from aiohttp import WSMsgType, web

from playground.wire.payloads import guild_create_payload, member_payload, own_user_payload
from playground.world.clock import Clock
from playground.world.log import GatewayRecord, Log
from playground.world.world import Json, World

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT = 0, 1, 2, 6, 7
REQUEST_MEMBERS, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 8, 9, 10, 11
IGNORED_OPCODES = {3, 4}  # the opcodes for presence and voice state, which need no answer

HEARTBEAT_INTERVAL_MS = 41_250
# without a delay, discord.py 2.7.1 takes this for the answer to an earlier heartbeat
ACK_DELAY_SECONDS = 0.02
RESUME_WINDOW_SECONDS = 5 * 60.0
KEPT_EVENTS = 5_000


class Intent(IntFlag):
    GUILDS = 1 << 0
    GUILD_MEMBERS = 1 << 1
    GUILD_PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    DIRECT_MESSAGES = 1 << 12
    MESSAGE_CONTENT = 1 << 15


# for each privileged intent, two flags (full, limited): the application must have one of them
PRIVILEGED = {
    Intent.GUILD_PRESENCES: 1 << 12 | 1 << 13,
    Intent.GUILD_MEMBERS: 1 << 14 | 1 << 15,
    Intent.MESSAGE_CONTENT: 1 << 18 | 1 << 19,
}


@dataclass(slots=True, eq=False)
class Session:
    """One session, from IDENTIFY on. It outlives its socket, so that RESUME can replay events."""

    id: str
    intents: int
    shard: tuple[int, int]
    sequence: int = 0
    events: deque[Json] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    link: "Link | None" = None
    lost_at: float = 0.0

    def covers(self, guild_id: int | None) -> bool:
        number, count = self.shard
        return (0 if guild_id is None else (guild_id >> 22) % count) == number


@dataclass(slots=True, eq=False)
class Link:
    """One websocket, and the queue of frames to send over it."""

    socket: web.WebSocketResponse
    request: web.Request
    outbox: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    session: Session | None = None

    async def pump(self) -> None:
        while True:
            await self.socket.send_str(await self.outbox.get())


class CloseGatewayError(Exception):
    """Raised to end the connection with one of Discord's close codes."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Gateway:
    def __init__(self, world: World, clock: Clock, log: Log, token: str) -> None:
        self._world = world
        self._clock = clock
        self._log = log
        self._token = token
        self._links: set[Link] = set()
        self.sessions: dict[str, Session] = {}
        self.url = ""
        self.heartbeat_interval_ms = HEARTBEAT_INTERVAL_MS
        self.is_silent = False

    @property
    def is_connected(self) -> bool:
        """Return whether any session has an open socket."""
        return any(session.link for session in self.sessions.values())

    def has_listeners(self, intents: int) -> bool:
        """Return whether at least one session asked for one of these intents."""
        return any(session.intents & intents for session in self.sessions.values())

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection from HELLO to its end."""
        socket = web.WebSocketResponse(timeout=1.0, compress=False, max_msg_size=1 << 20)
        await socket.prepare(request)
        link = Link(socket, request)
        self._links.add(link)
        pump = asyncio.create_task(link.pump())
        try:
            self._send(link, HELLO, {"heartbeat_interval": self.heartbeat_interval_ms})
            await self._listen(link)
        except CloseGatewayError as refusal:
            await socket.close(code=refusal.code, message=refusal.reason.encode())
        except ConnectionError:
            pass  # the client disconnected while it sent a frame
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
            self._forget(link)
        return socket

    def dispatch(
        self,
        event: str,
        data: Json,
        *,
        guild_id: int | None,
        intents: int = 0,
        hidden: Json | None = None,
    ) -> None:
        """Send an event to every session of the guild's shard that asked for one of these intents.

        `hidden` replaces fields for sessions without the message content intent.
        """
        for session in [*self.sessions.values()]:
            if session.link is None and self._is_past_resuming(session):
                del self.sessions[session.id]
            elif session.covers(guild_id) and (not intents or session.intents & intents):
                sees_all = session.intents & Intent.MESSAGE_CONTENT
                self._dispatch_to(session, event, data if sees_all else data | (hidden or {}))
        self._log.ring()

    async def drop(self, code: int | None = 4000) -> None:
        """Close every socket with this code; if it is None, without a close frame."""
        for link in [*self._links]:
            self._record("closed", None, None, code, link)
            if code is None:
                transport = link.request.transport
                if transport is not None:
                    transport.abort()
            else:
                await link.socket.close(code=code)
            self._forget(link)

    def ask_reconnect(self) -> None:
        """Send opcode 7 to every client: reconnect and resume."""
        for link in self._links:
            self._send(link, RECONNECT, None)

    def invalidate_sessions(self, *, resumable: bool = False) -> None:
        """Send opcode 9 to every client. If not resumable, forget all sessions."""
        for link in self._links:
            self._send(link, INVALID_SESSION, resumable)
        if not resumable:
            self.sessions.clear()

    async def _listen(self, link: Link) -> None:
        async for frame in link.socket:
            if frame.type is not WSMsgType.TEXT:
                raise CloseGatewayError(4002, "Decode error")
            try:
                message = json.loads(frame.data)
                opcode, data = message["op"], message.get("d")
            except (ValueError, KeyError, TypeError):
                raise CloseGatewayError(4002, "Decode error") from None
            shown = {**data, "token": "…"} if isinstance(data, dict) and "token" in data else data
            self._record("received", opcode, None, shown, link)
            self._handle(link, opcode, data)
            self._log.ring()

    def _handle(self, link: Link, opcode: int, data: Any) -> None:
        if opcode == HEARTBEAT:
            loop = asyncio.get_running_loop()
            loop.call_later(ACK_DELAY_SECONDS, self._send, link, HEARTBEAT_ACK, None)
        elif opcode in (IDENTIFY, RESUME, REQUEST_MEMBERS) and not isinstance(data, dict):
            raise CloseGatewayError(4002, "Decode error")
        elif opcode == IDENTIFY:
            self._identify(link, data)
        elif opcode == RESUME:
            self._resume(link, data)
        elif link.session is None:
            raise CloseGatewayError(4003, "Not authenticated")
        elif opcode == REQUEST_MEMBERS:
            self._send_members(link.session, data)
        elif opcode not in IGNORED_OPCODES:
            raise CloseGatewayError(4001, "Unknown opcode")

    def _identify(self, link: Link, data: Json) -> None:
        if link.session is not None:
            raise CloseGatewayError(4005, "Already authenticated")
        self._check_token(data)
        intents = int(data.get("intents") or 0)
        for intent, flags in PRIVILEGED.items():
            if intents & intent and not self._world.application_flags & flags:
                raise CloseGatewayError(4014, "Disallowed intent(s)")
        number, count = data.get("shard") or (0, 1)
        self._drop_abandoned((number, count))
        session = Session(secrets.token_hex(16), intents, (number, count), link=link)
        self.sessions[session.id] = session
        link.session = session
        self._greet(session)

    def _drop_abandoned(self, shard: tuple[int, int]) -> None:
        """Forget the shard's lost sessions: their client starts a new one instead of resuming."""
        for session in [*self.sessions.values()]:
            if session.link is None and session.shard == shard:
                del self.sessions[session.id]

    def _greet(self, session: Session) -> None:
        world = self._world
        guilds = [g for g in world.guilds.values() if world.bot.id in g.members]
        guilds = [guild for guild in guilds if session.covers(guild.id)]
        ready: Json = {
            "v": 10,
            "user": own_user_payload(world.bot),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": self.url,
            "shard": list(session.shard),
            "application": {"id": str(world.application_id), "flags": world.application_flags},
        }
        self._dispatch_to(session, "READY", ready)
        if session.intents & Intent.GUILDS:
            for guild in guilds:
                self._dispatch_to(session, "GUILD_CREATE", guild_create_payload(world, guild))

    def _resume(self, link: Link, data: Json) -> None:
        self._check_token(data)
        session = self.sessions.get(data.get("session_id") or "")
        seen = int(data.get("seq") or 0)
        if session is None or self._is_past_resuming(session):
            self._send(link, INVALID_SESSION, False)
            return
        if seen > session.sequence:
            raise CloseGatewayError(4007, "Invalid seq")
        missed = [event for event in session.events if event["s"] > seen]
        if len(missed) < session.sequence - seen:
            self._send(link, INVALID_SESSION, False)
            return
        session.link, link.session = link, session
        for event in missed:
            self._put(link, event)
        self._dispatch_to(session, "RESUMED", {})

    def _check_token(self, data: Json) -> None:
        if str(data.get("token") or "").removeprefix("Bot ") != self._token:
            raise CloseGatewayError(4004, "Authentication failed")

    def _is_past_resuming(self, session: Session) -> bool:
        lost_seconds = self._clock.now() - session.lost_at
        return session.link is None and lost_seconds > RESUME_WINDOW_SECONDS

    def _send_members(self, session: Session, data: Json) -> None:
        guild = self._world.guilds.get(int(data["guild_id"]))
        if guild is None:
            return
        wanted = {str(i) for i in data.get("user_ids") or []}
        start = (data.get("query") or "").lower()
        members = [
            member_payload(member)
            for member in guild.members.values()
            if (not wanted or str(member.user.id) in wanted)
            and member.user.name.lower().startswith(start)
        ]
        chunk: Json = {
            "guild_id": str(guild.id),
            "members": members,
            "chunk_index": 0,
            "chunk_count": 1,
            "nonce": data.get("nonce"),
        }
        self._dispatch_to(session, "GUILD_MEMBERS_CHUNK", chunk)

    def _dispatch_to(self, session: Session, event: str, data: Json) -> None:
        session.sequence += 1
        frame: Json = {"op": DISPATCH, "s": session.sequence, "t": event, "d": data}
        session.events.append(frame)
        if session.link is not None:
            self._put(session.link, frame)

    def _send(self, link: Link, opcode: int, data: Any) -> None:
        self._put(link, {"op": opcode, "s": None, "t": None, "d": data})

    def _put(self, link: Link, frame: Json) -> None:
        if self.is_silent:  # the socket is a "zombie": open, but nothing is sent over it
            return
        self._record("sent", frame["op"], frame["t"], frame["d"], link)
        link.outbox.put_nowait(json.dumps(frame))

    def _forget(self, link: Link) -> None:
        self._links.discard(link)
        session = link.session
        if session is not None and session.link is link:
            session.link = None
            session.lost_at = self._clock.now()
        self._log.ring()

    def _record(
        self, direction: Any, opcode: int | None, event: str | None, data: Any, link: Link
    ) -> None:
        session_id = link.session.id if link.session else None
        record = GatewayRecord(self._clock.now(), direction, opcode, event, data, session_id)
        self._log.gateway.append(record)
