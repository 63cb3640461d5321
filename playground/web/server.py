"""Serves the browser page: its files, its stream of changes, and people's actions."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from playground.api.router import FILE_POLICY
from playground.people import ClientRefusedError, Person
from playground.web.actions import ACTIONS, Form
from playground.web.view import View
from playground.wire.errors import ApiError
from playground.world.files import Upload

if TYPE_CHECKING:
    from playground.server import Playground

FILES = Path(__file__).parents[1] / "page"
CONTENT_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
# Files come from the bot and from people. If somebody opens one, the browser must not run it.
FILE_HEADERS = HEADERS | {
    "Content-Security-Policy": FILE_POLICY,
    "Cache-Control": "max-age=31536000, immutable",
}
# Only a script of this page can send this header. Forms and links of other pages cannot set it.
# For scripts of other pages, the browser asks us first (CORS), and we always refuse.
ACTION_HEADER = "X-Playground-Page"

# at least this often, in seconds, the page is told which time limits have passed
QUIET_SECONDS = 1.0
BATCH_SECONDS = 0.03
PING_EVERY = 10

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def mount_page(server: "Playground", app: web.Application) -> None:
    """Serve the page from this playground."""
    Page(server).open(app)


class Page:
    def __init__(self, server: "Playground") -> None:
        self._server = server
        self._is_closing = False

    def open(self, app: web.Application) -> None:
        """Add the page's addresses to the app."""
        app.router.add_get("/", self._index)
        app.router.add_get("/page/{name}", self._file)
        app.router.add_get("/play/live", self._live)
        app.router.add_get("/play/files/{attachment_id}/{filename}", self._attachment)
        app.router.add_post("/play/{action}", self._act)
        app.on_shutdown.append(self._close)

    async def _close(self, app: web.Application) -> None:
        self._is_closing = True
        for bell in self._server.log.bells:
            bell.set()

    async def _index(self, request: web.Request) -> web.StreamResponse:
        return _page_file("index.html")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return _page_file(request.match_info["name"])

    async def _attachment(self, request: web.Request) -> web.StreamResponse:
        """Serve a file by its id. Unlike a signed address, this one stays the same after edits."""
        number = request.match_info["attachment_id"]
        attachment = self._server.world.attachments.get(int(number) if number.isdecimal() else 0)
        if attachment is None:
            raise web.HTTPNotFound
        headers = {**FILE_HEADERS, "Content-Type": attachment.content_type}
        return web.Response(body=attachment.content, headers=headers)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """Send server-sent events: first the whole state, then every change."""
        view, bell = View(self._server, self._find_person(request)), asyncio.Event()
        response = web.StreamResponse(headers=HEADERS | {"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self._server.log.bells.add(bell)
        try:
            await _send(response, view.changes(), "start")
            await self._follow(response, view, bell)
        except ConnectionError:
            pass  # the page was closed
        finally:
            self._server.log.bells.discard(bell)
        return response

    def _find_person(self, request: web.Request) -> Person:
        """Find the page's person. If this world has nobody of that name, return another person."""
        name = request.query.get("as", "")
        people = [user.name for user in self._server.world.users.values() if not user.is_bot]
        if not people:
            raise web.HTTPNotFound
        return self._server.person(name if name in people else people[0])

    async def _follow(self, response: web.StreamResponse, view: View, bell: asyncio.Event) -> None:
        quiet = 0
        while not self._is_closing:
            try:
                await asyncio.wait_for(bell.wait(), QUIET_SECONDS)
                await asyncio.sleep(BATCH_SECONDS)
            except TimeoutError:
                quiet += 1
            bell.clear()
            changes = view.changes()
            if changes:
                await _send(response, changes)
            elif quiet >= PING_EVERY:
                await response.write(b":\n\n")
            else:
                continue
            quiet = 0

    async def _act(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get(ACTION_HEADER) != "1":
            return _refusal(HTTPStatus.FORBIDDEN, "Only the playground's own page may do this.")
        action = ACTIONS.get(request.match_info["action"])
        if action is None:
            raise web.HTTPNotFound
        try:
            form = await self._read(request)
            answer = await action(self._server, form)
        except ClientRefusedError as refusal:
            return _refusal(HTTPStatus.CONFLICT, f"Discord’s client refuses: {refusal}.")
        except ApiError as refusal:
            told = json.dumps(refusal.errors) if refusal.errors else ""
            sentence = f"Discord refuses: {refusal.message} {told}"
            return _refusal(HTTPStatus.CONFLICT, sentence.strip())
        except web.HTTPRequestEntityTooLarge:
            return _refusal(HTTPStatus.CONFLICT, "Discord’s client refuses: the file is too big.")
        except (LookupError, ValueError) as error:
            return _refusal(HTTPStatus.BAD_REQUEST, f"There is no such thing here: {error}")
        return web.json_response(answer, headers=HEADERS)

    async def _read(self, request: web.Request) -> Form:
        """Read the fields from `data`, and the files with their numbers."""
        data: Any = {}
        files: dict[int, Upload] = {}
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                # Discord finds the type by the file's name and ignores what the browser says
                files[int(name)] = Upload(value.filename, value.file.read())
            elif name == "data":
                data = json.loads(str(value))
        return Form(self._server.person(str(data.pop("as", ""))), data, files)


def _page_file(name: str) -> web.StreamResponse:
    path = FILES / name
    if path.parent != FILES or path.suffix not in CONTENT_TYPES or not path.is_file():
        raise web.HTTPNotFound
    content_type = CONTENT_TYPES[path.suffix]
    return web.Response(
        body=path.read_bytes(), headers=HEADERS | {"Content-Type": f"{content_type}; charset=utf-8"}
    )


def _refusal(status: HTTPStatus, sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=status, headers=HEADERS)


async def _send(response: web.StreamResponse, changes: list[Any], kind: str = "message") -> None:
    event = f"event: {kind}\ndata: {json.dumps(changes)}\n\n"
    await response.write(event.encode("utf-8", errors="replace"))
