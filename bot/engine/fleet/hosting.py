"""Draws in another process with an engine, as the bot's messages say."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

from bot.engine.api import (
    EngineApi,
    GenerationOutput,
    GenerationRequest,
    ModelInfo,
    Progress,
)
from bot.engine.fleet.channels import Channel
from bot.engine.fleet.messages import (
    Cancel,
    Changed,
    Close,
    Draining,
    Drawn,
    Failed,
    Forget,
    Loaded,
    Logged,
    Report,
    Stepped,
    Submit,
    pack,
    unpack,
)
from bot.errors import ConfigError, EngineLost, GenerationFailed, TriptychError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
        self._told: Changed | None = None  # the last report about room and models
        self._engine: EngineApi | None = None
        self._num_unfinished = 0  # requests whose end has not been sent yet
        self._lock = threading.Lock()
        self._reports: SimpleQueue[Report | Callable[[], Report] | None] = SimpleQueue()
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
        reporting = threading.Thread(target=self._send_reports, daemon=True)
        reporting.start()
        if self._engine is not None:
            self._engine.on_change = self._tell_change
            self._engine.start().add_done_callback(self._tell_loaded)
        self._ended.wait()
        if self._engine is not None:
            self._engine.close(self._close_seconds)
        self._reports.put(None)
        reporting.join()

    def drain(self) -> None:
        """Tell the bot to send no more requests."""
        self._drains = True
        self._report(Draining())

    @property
    def is_drained(self) -> bool:
        """Return whether ``drain`` was called and all requests are finished."""
        with self._lock:
            return self._drains and not self._num_unfinished

    def _tell_loaded(self, loading: Future[ModelInfo]) -> None:
        error = loading.exception()
        engine = self._engine
        assert engine is not None
        if error is not None:
            known = isinstance(error, TriptychError)
            self._report(Failed(None, error if known else ConfigError(str(error))))
            return
        self._told = Changed(engine.estimator, engine.models, engine.is_loading)
        assert self._told.estimator is not None
        self._report(Loaded(loading.result(), self._told.estimator, self._told.models))
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
            self._num_unfinished += 1
        future = engine.submit(request, teller.tell)
        future.add_done_callback(lambda done: self._tell_end(request_id, done))

    def _tell_end(self, request_id: int, done: Future[GenerationOutput]) -> None:
        self._tell_change()
        error = done.exception()
        if error is None:
            self._report(Drawn(request_id, done.result()))
        elif isinstance(error, TriptychError):
            self._report(Failed(request_id, error))
        else:
            text = f"{type(error).__name__}: {error}"
            self._report(Failed(request_id, GenerationFailed(text)))
        if isinstance(error, EngineLost):
            self._ended.set()

    def _tell_change(self) -> None:
        """Report the room and the models, if they have changed since they were last reported."""
        engine = self._engine
        if engine is None or self._told is None:
            return
        now = Changed(engine.estimator, engine.models, engine.is_loading)
        if now != self._told:
            self._told = now
            self._report(now)

    def _report(self, report: Report | Callable[[], Report]) -> None:
        """Send a report from another thread, so that the engine does not wait for it."""
        self._reports.put(report)

    def _send_reports(self) -> None:
        while (made := self._reports.get()) is not None:
            report = made() if callable(made) else made
            self._channel.send(pack(report))
            if isinstance(report, Drawn | Failed) and report.request_id is not None:
                with self._lock:
                    self._num_unfinished -= 1


class _Teller:
    """Reports the progress of one request, with at most two previews a second."""

    def __init__(
        self, request_id: int, report: Callable[[Report | Callable[[], Report]], None]
    ) -> None:
        self._request_id = request_id
        self._report = report
        self._shown_at = float("-inf")

    def tell(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.preview is None or now - self._shown_at < PREVIEW_SECONDS:
            self._report(Stepped(self._request_id, progress.step, progress.num_steps))
        else:
            self._shown_at = now
            self._report(partial(self._make_preview, progress, progress.preview))

    def _make_preview(self, progress: Progress, preview: NDArray[np.uint8]) -> Stepped:
        from bot.engine.fleet.preview_files import pack_preview  # noqa: PLC0415 imports numpy

        data = pack_preview(preview)
        return Stepped(self._request_id, progress.step, progress.num_steps, len(preview), data)


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
