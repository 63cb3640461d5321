"""Handles every HTTP request: read, log, apply faults, check, handle, answer."""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import BodyPartReader, web

from playground.api.contract import Contract
from playground.api.ratelimits import RateLimits
from playground.backend import Backend
from playground.faults import Fault, Faults, rate_limited
from playground.wire.errors import ApiError, api_error, form_error
from playground.world.files import Upload
from playground.world.log import RequestRecord
from playground.world.world import Json, UnknownChannelError

API_PREFIX = "/api/v10"
MAX_REQUEST_BYTES = 25 * 1024 * 1024
LOOPBACK_NAMES = {"127.0.0.1", "localhost", "::1"}
# "none" means that a person typed the address into the address bar
OWN_SITES = {"same-origin", "none"}
FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
MAJOR_PARAMETERS = ("channel_id", "guild_id", "webhook_id", "webhook_token", "interaction_token")


@dataclass(slots=True, frozen=True)
class Call:
    """A request as the handlers get it."""

    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    files: dict[int, Upload]

    def id(self, name: str) -> int:
        """Read a snowflake from the path."""
        text = self.params[name]
        if not (text.isascii() and text.isdecimal()):
            raise form_error((name,), "NUMBER_TYPE_COERCE", f'Value "{text}" is not snowflake.')
        return int(text)

    def object(self) -> Json:
        """Return the body, which must be a JSON object."""
        if not isinstance(self.body, dict):
            raise form_error((), "DICT_TYPE_CONVERT", "Only dictionaries may be used here.")
        return self.body


@dataclass(slots=True, frozen=True)
class RawAnswer:
    """An answer that is sent as these bytes, not as JSON."""

    content: bytes
    content_type: str


@dataclass(slots=True, frozen=True)
class Created:
    """A JSON answer with the status 201 (created)."""

    body: Json


Handler = Callable[[Backend, Call], Any]


@dataclass(slots=True, frozen=True)
class Route:
    """A handler and its address. `path` is written as in Discord's docs, without `prefix`."""

    method: str
    path: str
    handler: Handler
    needs_token: bool = True
    prefix: str = API_PREFIX


@web.middleware
async def refuse_strangers(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse requests whose Host is not a loopback name, and requests from other web pages.

    A browser says in Origin which page sent the request, or in Sec-Fetch-Site whether it was our
    page.
    """
    host = request.headers.get("Host", "")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name.lower() not in LOOPBACK_NAMES:
        return web.Response(status=403, text="The playground answers on loopback only.\n")
    is_own_page = request.headers.get("Origin", f"http://{host}") == f"http://{host}"
    site = request.headers.get("Sec-Fetch-Site", "none")
    is_visit = request.path == "/"  # other sites may link to the page
    if not is_own_page or (site not in OWN_SITES and not is_visit):
        return web.Response(status=403, text="Only the playground's own page may use this.\n")
    return await handler(request)


class Router:
    def __init__(self, backend: Backend, faults: Faults, contract: Contract, token: str) -> None:
        self._backend = backend
        self._faults = faults
        self._contract = contract
        self._token = token
        self._rate_limits = RateLimits()

    def open(self, app: web.Application, routes: Sequence[Route]) -> None:
        """Add every route and the gateway to the app. Other addresses of the API answer 404."""
        for route in routes:
            app.router.add_route(route.method, route.prefix + route.path, self._endpoint(route))
        app.router.add_get("/gateway", self._serve_gateway)
        unknown = Route("*", "/{unknown:.*}", _refuse_unknown, needs_token=False)
        app.router.add_route("*", API_PREFIX + unknown.path, self._endpoint(unknown))

    def _endpoint(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def endpoint(request: web.Request) -> web.StreamResponse:
            return await self._serve(route, request)

        return endpoint

    async def _serve_gateway(self, request: web.Request) -> web.StreamResponse:
        record = self._record(request, "/gateway")
        record.is_finished = True
        fault = self._faults.take(record) or Fault()
        await asyncio.sleep(fault.delay_seconds)
        if fault.is_lost:
            return _fail(request, record, fault, {})
        record.status = 101
        return await self._backend.gateway.serve(request)

    async def _serve(self, route: Route, request: web.Request) -> web.StreamResponse:
        record = self._record(request, route.path)
        slow = self._faults.take(record, before_body=True)
        try:
            if slow is not None and slow.bytes_per_second:
                await asyncio.sleep((request.content_length or 0) / slow.bytes_per_second)
            body, files = await _read(request)
            return await self._handle(route, request, record, body, files)
        except ApiError as refusal:
            return _respond(record, refusal.status, refusal.body(), {})
        except ConnectionError:  # the client disconnected while it sent the body
            return web.Response(status=400)
        finally:
            record.is_finished = True
            self._backend.log.ring()

    async def _handle(
        self,
        route: Route,
        request: web.Request,
        record: RequestRecord,
        body: Any,
        files: dict[int, Upload],
    ) -> web.StreamResponse:
        record.body = body
        record.filenames = [upload.filename for upload in files.values()]
        fault = self._faults.take(record) or Fault()
        await asyncio.sleep(fault.delay_seconds)
        if fault.is_lost and not fault.applied:
            return _fail(request, record, fault, {})
        record.violations = self._contract.check(route.method, route.path, body)
        call = Call(request.match_info, request.query, body, files)
        headers, status, answer = self._answer(route, request, call)
        if fault.is_lost:
            return _fail(request, record, fault, headers)
        return _respond(record, status, answer, headers)

    def _answer(
        self, route: Route, request: web.Request, call: Call
    ) -> tuple[Mapping[str, str], int, Any]:
        """Return headers, status and body of the normal answer."""
        headers: dict[str, str] = {}
        try:
            if route.needs_token:
                self._check_token(request)
            if route.prefix:
                major = "+".join(call.params.get(name, "") for name in MAJOR_PARAMETERS)
                headers, wait = self._rate_limits.count(f"{route.method} {route.path}", major)
                if wait is not None:
                    limit = rate_limited(wait)
                    return headers | limit.headers, 429, limit.body
            answer = route.handler(self._backend, call)
        except UnknownChannelError:  # the message or interaction was deleted
            refusal = api_error(10003)
            return headers, refusal.status, refusal.body()
        except ApiError as refusal:
            return headers, refusal.status, refusal.body()
        if isinstance(answer, Created):
            return headers, 201, answer.body
        return headers, 204 if answer is None else 200, answer

    def _check_token(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bot {self._token}":
            raise api_error(0)

    def _record(self, request: web.Request, route: str) -> RequestRecord:
        record = RequestRecord(
            at=self._backend.clock.now(),
            method=request.method,
            path=request.path.removeprefix(API_PREFIX),
            route=route,
            query=dict(request.query),
        )
        self._backend.log.requests.append(record)
        return record


def _refuse_unknown(backend: Backend, call: Call) -> None:
    raise ApiError(404, 0, "404: Not Found")


def _respond(
    record: RequestRecord, status: int, answer: Any, headers: Mapping[str, str]
) -> web.Response:
    record.status = status
    # discord.py takes a 429 without the header Via for a ban by Discord's proxy
    headers = {"Via": "1.1 playground", **headers}
    if isinstance(answer, RawAnswer):
        return web.Response(
            body=answer.content,
            headers={
                **headers,
                "Content-Type": answer.content_type,
                "Content-Security-Policy": FILE_POLICY,
                "X-Content-Type-Options": "nosniff",
            },
        )
    record.answer = answer
    if status >= 400 and isinstance(answer, dict):
        record.code = answer.get("code")
    if answer is None:
        return web.Response(status=status, headers=headers)
    headers = {**headers, "Content-Type": "application/json"}
    return web.Response(status=status, body=json.dumps(answer).encode(), headers=headers)


def _fail(
    request: web.Request, record: RequestRecord, fault: Fault, headers: Mapping[str, str]
) -> web.Response:
    """Send the answer of a planned fault instead of the true answer."""
    if fault.reset or fault.status is None:
        return _cut(request, with_reset=fault.reset)
    response = _respond(record, fault.status, fault.body, {**headers, **fault.headers})
    if not fault.has_via:
        del response.headers["Via"]
    return response


def _cut(request: web.Request, *, with_reset: bool) -> web.Response:
    """End the connection, with a TCP reset or cleanly."""
    if request.transport is not None and with_reset:
        linger = struct.pack("ii", 1, 0)
        request.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, linger
        )
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _read(request: web.Request) -> tuple[Any, dict[int, Upload]]:
    """Read a request. Return its JSON body and its files, each file under its index."""
    if request.content_type == "multipart/form-data":
        return await _read_multipart(request)
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise api_error(40005) from None
    return (_parse(raw) if raw else None), {}


async def _read_multipart(request: web.Request) -> tuple[Any, dict[int, Upload]]:
    body: Any = {}
    files: dict[int, Upload] = {}
    size = 0
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        content = bytes(await part.read())
        size += len(content)
        name = part.name or ""
        if name == "payload_json":
            body = _parse(content)
        elif name.startswith("files[") and name[6:-1].isdecimal():
            # clients always declare octet-stream, so Discord finds the type by the name
            files[int(name[6:-1])] = Upload(part.filename or "unknown", content)
    if size > MAX_REQUEST_BYTES:
        raise api_error(40005)
    return body, files


def _parse(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        raise api_error(50109) from None
