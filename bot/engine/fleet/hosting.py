"""Draws in another process with an engine, as the bot's messages say."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from bot.engine.api import (
    EngineApi,
    Estimator,
    GenerationOutput,
    GenerationRequest,
    ModelInfo,
    Progress,
)
from bot.engine.fleet.channels import Channel
from bot.engine.fleet.messages import (
    Cancel,
    Close,
    Draining,
    Drawn,
    Failed,
    Forget,
    Loaded,
    Logged,
    Report,
    Resized,
    Stepped,
    Submit,
    pack,
    unpack,
)
from bot.errors import ConfigError, EngineLost, GenerationFailed, TriptychError

PREVIEW_SECONDS = 0.5  # the least time between two previews of a request
_CLOSE_SECONDS = 5.0  # how long the engine may take to close if the bot has ended


class EngineHost:
    """Carries out the bot's orders and reports back. Runs until the bot closes it or ends."""

    def __init__(
        self, make_engine: Callable[[], EngineApi], channel: Channel, *, forwards_logs: bool = True
    ) -> None:
        self._make_engine = make_engine
        self._channel = channel
        self._ended = threading.Event()
        self._close_seconds = _CLOSE_SECONDS
        self._estimator: Estimator | None = None
        self._engine: EngineApi | None = None
        self._num_drawn_now = 0
        self._lock = threading.Lock()
        self._drains = False
        if forwards_logs:
            logging.getLogger().addHandler(_Forwarder(self._report))

    def run(self) -> None:
        """Make the engine, load the model, and draw until the bot closes it or ends."""
        try:
            self._engine = self._make_engine()
        except TriptychError as error:
            self._report(Failed(None, error))
        self._channel.open(self._obey, lambda reason: self._ended.set())
        if self._engine is not None:
            self._engine.start().add_done_callback(self._tell_loaded)
        self._ended.wait()
        if self._engine is not None:
            self._engine.close(self._close_seconds)

    def drain(self) -> None:
        """Tell the bot to send no more requests."""
        self._drains = True
        self._report(Draining())

    @property
    def is_drained(self) -> bool:
        """Return whether ``drain`` was called and all requests are finished."""
        with self._lock:
            return self._drains and not self._num_drawn_now

    def _tell_loaded(self, loading: Future[ModelInfo]) -> None:
        error = loading.exception()
        engine = self._engine
        assert engine is not None
        if error is not None:
            known = isinstance(error, TriptychError)
            self._report(Failed(None, error if known else ConfigError(str(error))))
            return
        self._estimator = engine.estimator
        assert self._estimator is not None
        self._report(Loaded(loading.result(), self._estimator))
        if self._drains:
            self._report(Draining())

    def _obey(self, data: bytes) -> None:
        order, engine = unpack(data), self._engine
        if isinstance(order, Close):
            self._close_seconds = order.deadline_seconds
            self._ended.set()
        elif engine is None:
            return
        elif isinstance(order, Submit):
            self._submit(engine, order.request)
        elif isinstance(order, Cancel):
            engine.cancel(order.request_id)
        elif isinstance(order, Forget):
            engine.forget_prompts()

    def _submit(self, engine: EngineApi, request: GenerationRequest) -> None:
        request_id = request.request_id
        teller = _Teller(request_id, self._report)
        with self._lock:
            self._num_drawn_now += 1
        future = engine.submit(request, teller.tell)
        future.add_done_callback(lambda done: self._tell_end(request_id, done))

    def _tell_end(self, request_id: int, done: Future[GenerationOutput]) -> None:
        self._tell_size()
        error = done.exception()
        if error is None:
            self._report(Drawn(request_id, done.result()))
        elif isinstance(error, TriptychError):
            self._report(Failed(request_id, error))
        else:
            text = f"{type(error).__name__}: {error}"
            self._report(Failed(request_id, GenerationFailed(text)))
        with self._lock:
            self._num_drawn_now -= 1
        if isinstance(error, EngineLost):
            self._ended.set()

    def _tell_size(self) -> None:
        estimator = self._engine.estimator if self._engine else None
        if estimator is not None and estimator != self._estimator:
            self._estimator = estimator
            self._report(Resized(estimator))

    def _report(self, report: Report) -> None:
        self._channel.send(pack(report))


class _Teller:
    """Reports the progress of one request, with at most two previews a second."""

    def __init__(self, request_id: int, report: Callable[[Report], None]) -> None:
        self._request_id = request_id
        self._report = report
        self._shown_at = float("-inf")

    def tell(self, progress: Progress) -> None:
        now, preview, num_pictures = time.monotonic(), b"", 0
        if progress.preview is not None and now - self._shown_at >= PREVIEW_SECONDS:
            from bot.engine.fleet.preview_files import pack_preview  # noqa: PLC0415 imports numpy

            self._shown_at = now
            preview, num_pictures = pack_preview(progress.preview), len(progress.preview)
        self._report(
            Stepped(self._request_id, progress.step, progress.num_steps, num_pictures, preview)
        )


class _Forwarder(logging.Handler):
    """Sends log lines to the bot, because only the bot knows which secrets to remove."""

    def __init__(self, report: Callable[[Report], None]) -> None:
        super().__init__(logging.INFO)
        self._report_line = report

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[0]:
            text = f"{text}\n{logging.Formatter().formatException(record.exc_info)}"
        self._report_line(Logged(record.name, record.levelno, text))
