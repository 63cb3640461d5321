"""A stand-in for the Hugging Face Hub on loopback: serves one folder, or refuses like the Hub."""

from __future__ import annotations

import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub(ThreadingHTTPServer):
    """Answers ``/api/models/…`` and ``/<id>/resolve/…``. Records the requests."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.refusal: tuple[int, dict[str, str]] | None = None
        self.only_files_refused = False
        self.downloaded: list[str] = []
        self.tokens: set[str | None] = set()
        self.url = f"http://127.0.0.1:{self.server_port}"
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def refuse(self, status: int, **headers: str) -> None:
        """Refuse everything with the Hub's headers: Error_Code="GatedRepo" is X-Error-Code."""
        self.refusal = (status, {f"X-{k.replace('_', '-')}": v for k, v in headers.items()})

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def list_files(self) -> dict[str, bytes]:
        paths = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeHub

    def do_GET(self) -> None:
        self.server.tokens.add(self.headers.get("Authorization"))
        path = self.path.partition("?")[0]
        is_file = "/resolve/" in path
        if self.server.refusal and (is_file or not self.server.only_files_refused):
            status, headers = self.server.refusal
            self._reply(status, b"", headers)
        elif is_file:
            self._send_file(path.partition("/resolve/")[2].partition("/")[2])
        elif "/tree/" in path:
            self._send_json([_describe(*item) for item in self.server.list_files().items()])
        else:
            siblings = [{"rfilename": name} for name in self.server.list_files()]
            self._send_json({"id": "someone/model", "sha": COMMIT, "siblings": siblings})

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _send_json(self, content: Any) -> None:
        self._reply(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send_file(self, name: str) -> None:
        body = self.server.list_files().get(name)
        if body is None:
            self._reply(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        if self.command == "GET":
            self.server.downloaded.append(name)
        etag = hashlib.sha1(body).hexdigest()
        self._reply(200, body, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})

    def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def _describe(name: str, body: bytes) -> dict[str, Any]:
    oid = hashlib.sha1(body).hexdigest()
    return {"type": "file", "oid": oid, "size": len(body), "path": name}
