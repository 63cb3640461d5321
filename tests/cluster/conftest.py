"""One cluster for all tests that need one; they run one after the other, in one process."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest

from bot.cluster.machines import Machines, start_driver
from bot.cluster.nodes import make_environ
from bot.engine import EnginePool
from bot.engine.fleet import messages
from tests.cluster.clusters import FIRST_PORT, FakeMaker, Nodes

Connect = Callable[..., EnginePool]


@pytest.fixture(autouse=True)
def fakes_are_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "ROOMS", messages.ROOMS | {"tests"})


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """A head and a worker named "near"."""
    if find_spec("ray") is None:
        pytest.skip("ray is not installed (pip install -e '.[cluster]')")
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    nodes = Nodes(tmp_path_factory.mktemp("cluster"), FIRST_PORT + 1200 * number)
    nodes.start_head()
    nodes.start_worker("near")
    yield nodes
    nodes.stop_all()


@pytest.fixture
def connect(nodes: Nodes) -> Iterator[Connect]:
    """``connect(step_seconds=…)``: a started pool of the cluster's machines alone."""
    pools: list[EnginePool] = []

    def connect_(address: str = "", token_file: Path | None = None, **fake: float) -> EnginePool:
        start = partial(start_driver, address or nodes.address, FakeMaker(**fake))
        environ = make_environ(token_file or nodes.token_file)
        environ |= {"RAY_gcs_rpc_server_reconnect_timeout_s": "5"}
        pool = EnginePool({}, [Machines(partial(start, environ))])
        pools.append(pool)
        return pool

    yield connect_
    for pool in pools:
        pool.close(5)
    for name in nodes.processes.keys() - {"head", "near"}:  # a test that failed left them
        nodes.stop(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the cluster's commands have logged with each test that fails."""
    report = yield
    nodes = getattr(item, "funcargs", {}).get("nodes")
    if report.failed and isinstance(nodes, Nodes):
        report.sections += nodes.read_logs()
    return report
