"""Serves /metrics and /healthz for monitoring, only to this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import GC_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from bot.errors import ConfigError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Health:
    """The state that /healthz and /metrics show. faults: what is wrong now, in words."""

    faults: tuple[str, ...]
    gauges: Mapping[str, tuple[str, float]]
    jobs: Mapping[str, int]
    chore_failures: Mapping[str, int]


class _Gauges(Collector):
    def __init__(self) -> None:
        self.health = Health((), {}, {}, {})

    def collect(self) -> Iterable[GaugeMetricFamily | CounterMetricFamily]:
        """Return the metrics. Called by prometheus_client at every scrape."""
        health = self.health
        yield GaugeMetricFamily("triptych_healthy", "1 if all is well", float(not health.faults))
        for name, (text, value) in health.gauges.items():
            yield GaugeMetricFamily(f"triptych_{name}", text, value)
        jobs = GaugeMetricFamily("triptych_jobs", "Jobs on record", labels=["status"])
        for status, count in health.jobs.items():
            jobs.add_metric([status], count)
        yield jobs
        chores = CounterMetricFamily(
            "triptych_chore_failures", "Failed rounds of background chores", labels=["chore"]
        )
        for name, count in health.chore_failures.items():
            chores.add_metric([name], count)
        yield chores


@asynccontextmanager
async def serve_monitor(
    port: int | None, examine: Callable[[], Awaitable[Health]]
) -> AsyncIterator[None]:
    """Serve both pages while the context is open. If port is None, serve nothing.

    Raises ConfigError if the port cannot be opened.
    """
    if port is None:
        yield
        return
    gauges = _Gauges()
    registry = CollectorRegistry()
    for collector in (gauges, PROCESS_COLLECTOR, GC_COLLECTOR):
        registry.register(collector)

    async def metrics(request: web.Request) -> web.Response:
        gauges.health = await examine()
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def healthz(request: web.Request) -> web.Response:
        faults = (await examine()).faults
        return web.json_response(
            {"ok": not faults, "faults": faults}, status=503 if faults else 200
        )

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", healthz)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, LOOPBACK, port).start()
        except OSError as error:
            raise ConfigError(
                f"MONITOR_PORT {port} cannot be opened ({error.strerror}). Stop the program that "
                "uses it, or set another port in .env. Nothing was drawn or lost."
            ) from error
        yield
    finally:
        await runner.cleanup()
