"""Logs plain or JSON lines without secrets, and keeps the last warnings for /status."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections import deque
from collections.abc import Iterable, MutableMapping
from types import TracebackType
from typing import Any, Literal

# Bot tokens have three parts, separated by dots. Interaction tokens are in web addresses.
_TOKENS = re.compile(
    r"[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,}"
    r"|(?<=/webhooks/)(\d+/)[\w-]{20,}|(?<=/interactions/)(\d+/)[\w-]{20,}"
    r"|\bhf_[A-Za-z0-9]{16,}"
)
_BLOT = "***"


class _OfJob(logging.LoggerAdapter[logging.Logger]):
    def process(
        self, msg: object, kwargs: MutableMapping[str, Any]
    ) -> tuple[object, MutableMapping[str, Any]]:
        assert self.extra is not None
        return f"job {self.extra['job_id']}: {msg}", {**kwargs, "extra": self.extra}


def of_job(log: logging.Logger, job_id: int) -> _OfJob:
    """Return a logger for one job. It adds the id to the message and to the field ``job_id``."""
    return _OfJob(log, {"job_id": job_id})


class Redactor:
    """Removes the given secrets and anything that looks like a token."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = [secret for secret in secrets if secret]

    def blot(self, text: str) -> str:
        """Return the text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, _BLOT)
        return _TOKENS.sub(lambda match: f"{match[1] or match[2] or ''}{_BLOT}", text)


class PlainFormatter(logging.Formatter):
    """Writes one readable line per record, and after it the traceback if there is one."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text, without secrets."""
        return self._redactor.blot(super().format(record))


class JsonFormatter(logging.Formatter):
    """Writes one JSON object per line, with ``job_id`` if the record is about a job."""

    converter = time.gmtime

    def __init__(self, redactor: Redactor) -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%S")
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line, without secrets."""
        entry: dict[str, str | int] = {
            "at": f"{self.formatTime(record, self.datefmt)}.{int(record.msecs):03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": self._redactor.blot(record.getMessage()),
        }
        job_id = getattr(record, "job_id", None)
        if job_id is not None:
            entry["job_id"] = job_id
        if record.exc_info:
            entry["exception"] = self._redactor.blot(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


class LastWarnings(logging.Handler):
    """Keeps the last few warnings and errors, one line each."""

    def __init__(self, redactor: Redactor, size: int = 20) -> None:
        super().__init__(logging.WARNING)
        self._redactor = redactor
        self.lines: deque[str] = deque(maxlen=size)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record. Called by logging."""
        moment = time.strftime("%H:%M:%S", time.gmtime(record.created))
        line = f"{moment} {record.levelname} {record.getMessage()}"
        self.lines.append(self._redactor.blot(line)[:300])


def get_last_warnings() -> list[str]:
    """Return the last warnings without secrets, newest last."""
    handlers = logging.getLogger().handlers
    kept = [handler for handler in handlers if isinstance(handler, LastWarnings)]
    return [line for handler in kept for line in handler.lines]


def set_up_logging(
    level: str, form: Literal["plain", "json"] = "plain", secrets: Iterable[str] = ()
) -> None:
    """Send logs to stderr. For libraries other than discord.py, the level is WARNING, because
    aiosqlite logs SQL parameters at DEBUG, and these contain tokens.
    """
    redactor = Redactor(secrets)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(redactor) if form == "json" else PlainFormatter(redactor))
    handlers = [handler, LastWarnings(redactor)]
    logging.basicConfig(level=logging.WARNING, handlers=handlers)
    logging.captureWarnings(True)
    logging.getLogger("bot").setLevel(level)
    logging.getLogger("discord").setLevel(max(logging.INFO, logging.getLevelName(level)))

    def log_crash(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        logging.getLogger("bot").critical("crashed", exc_info=(kind, error, trace))

    sys.excepthook = log_crash  # Python's own hook would print any secrets in the error
