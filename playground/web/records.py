"""Requests and gateway frames, in the form in which the page's side panel shows them."""

import json
from collections.abc import Sequence
from itertools import count
from typing import Any, TypeVar

from playground.world.log import GatewayRecord, Log, RequestRecord
from playground.world.world import Json

MAX_BEGINNING = 200
MAX_DETAIL = 8_000  # how many characters of a body are shown

OPCODES = {
    0: "DISPATCH",
    1: "HEARTBEAT",
    2: "IDENTIFY",
    3: "PRESENCE_UPDATE",
    6: "RESUME",
    7: "RECONNECT",
    8: "REQUEST_GUILD_MEMBERS",
    9: "INVALID_SESSION",
    10: "HELLO",
    11: "HEARTBEAT_ACK",
}

Record = TypeVar("Record", RequestRecord, GatewayRecord)


class Tape:
    """Reads new records from the log. Reads a request once more when it is finished."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._numbers = count(1)
        self._request: RequestRecord | None = None
        self._frame: GatewayRecord | None = None
        self._unfinished: list[tuple[int, RequestRecord]] = []

    def wind(self) -> list[Json]:
        """Return the records that are new or newly finished, oldest first."""
        requests = _newer(self._log.requests, self._request)
        frames = _newer(self._log.gateway, self._frame)
        self._request = requests[-1] if requests else self._request
        self._frame = frames[-1] if frames else self._frame
        finished = [(n, record) for n, record in self._unfinished if record.is_finished]
        fresh = sorted([*requests, *frames], key=lambda record: record.at)[-MAX_BEGINNING:]
        shown = [_request_payload(n, record) for n, record in finished]
        self._unfinished = [pair for pair in self._unfinished if not pair[1].is_finished]
        for record in fresh:
            number = next(self._numbers)
            if isinstance(record, GatewayRecord):
                shown.append(_frame_payload(number, record))
                continue
            shown.append(_request_payload(number, record))
            if not record.is_finished:
                self._unfinished.append((number, record))
        return shown


def _newer(records: Sequence[Record], last: Record | None) -> list[Record]:
    found: list[Record] = []
    for record in reversed(records):
        if record is last:
            break
        found.append(record)
    return found[::-1]


def _request_payload(number: int, record: RequestRecord) -> Json:
    return {
        "kind": "request",
        "number": number,
        "at": record.at,
        "name": f"{record.method} {record.route}",
        "path": record.path,
        "status": record.status,
        "code": record.code,
        "fault": record.fault,
        "is_finished": record.is_finished,
        "violations": record.violations,
        "files": record.filenames,
        "body": _detail(record.body),
        "answer": _detail(record.answer),
    }


def _frame_payload(number: int, record: GatewayRecord) -> Json:
    name = OPCODES.get(record.opcode or 0, str(record.opcode))
    if record.direction == "closed":
        name = f"closed {record.data or 'without a close code'}"
    return {
        "kind": "frame",
        "number": number,
        "at": record.at,
        "name": record.event or name,
        "direction": record.direction,
        "body": _detail(record.data),
    }


def _detail(data: Any) -> str:
    if data is None:
        return ""
    text = json.dumps(data, indent=1, ensure_ascii=False)
    return text if len(text) <= MAX_DETAIL else text[:MAX_DETAIL] + "\n…"
