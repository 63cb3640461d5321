"""Machines that join through Triptych's own commands draw, and their loss costs nobody anything."""

from __future__ import annotations

import os
import signal
import stat
import threading
from concurrent.futures import Future
from pathlib import Path

import psutil
import pytest

from bot.engine import EnginePool, EngineState, Progress
from bot.errors import EngineGone, GenerationCancelled, GenerationRejected
from tests.cluster.clusters import SECONDS, Nodes, Watch, start
from tests.cluster.conftest import Connect
from tests.engine.fleet.asks import make_request
from tests.fakes.engine import INFO

pytestmark = pytest.mark.timeout(600)


def find_processes(words: str, parent: int | None = None) -> list[psutil.Process]:
    """The processes under this one whose command line has these words."""
    found = []
    for process in psutil.Process(parent or os.getpid()).children(recursive=True):
        try:
            if words in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_machine_that_joined_draws(nodes: Nodes, connect: Connect):
    pool = connect()
    assert start(pool) == INFO
    steps: list[Progress] = []
    output = pool.submit(make_request(1), steps.append).result(SECONDS)
    assert output.images.shape == (3, 64, 64, 3)
    assert [each.step for each in steps] == [1, 2, 3, 4]
    assert steps[0].preview is not None
    [engine] = pool.list_engines()
    assert (engine.name, engine.state, engine.pictures_last_hour) == ("near", EngineState.READY, 3)
    assert pool.list_notes() == []
    with pytest.raises(GenerationRejected, match="does not fit"):
        pool.submit(make_request(2, num_steps=13)).result(SECONDS)
    assert stat.S_IMODE(nodes.token_file.stat().st_mode) == 0o600
    assert find_processes("raylet") != []
    assert find_processes("log_monitor.py") == []


def test_request_is_cancelled_within_a_step(connect: Connect):
    pool = connect(step_seconds=0.01)
    start(pool)
    began = threading.Event()
    future = pool.submit(make_request(1, 5000), lambda progress: began.set())
    assert began.wait(SECONDS)
    pool.cancel(1)
    with pytest.raises(GenerationCancelled):
        future.result(SECONDS)
    pool.submit(make_request(2)).result(SECONDS)


def test_worker_that_dies_gives_its_request_back_and_comes_back(nodes: Nodes, connect: Connect):
    pool = connect(step_seconds=0.01)
    watch = Watch(pool)
    start(pool)
    future = begin(pool, 1)
    [worker] = find_processes("ray::Worker", nodes.processes["near"].pid)
    worker.kill()
    with pytest.raises(EngineGone):
        future.result(SECONDS)
    assert pool.lost is None
    watch.until(near=EngineState.READY)
    pool.submit(make_request(1)).result(SECONDS)
    [engine] = pool.list_engines()
    assert engine.num_faults == 1


def test_worker_whose_engine_is_lost_is_replaced(connect: Connect):
    pool = connect()
    watch = Watch(pool)
    start(pool)
    with pytest.raises(EngineGone, match="context is dead"):
        pool.submit(make_request(1, num_steps=16)).result(SECONDS)
    watch.until(near=EngineState.READY)
    pool.submit(make_request(1)).result(SECONDS)


def test_bot_that_ends_frees_the_workers(nodes: Nodes, connect: Connect):
    pool = connect(step_seconds=0.01)
    start(pool)
    begin(pool, 1)
    [driver] = [each for each in find_processes("spawn_main") if each.ppid() == os.getpid()]
    driver.kill()  # as it ends if the bot is killed
    near = nodes.processes["near"].pid
    _, alive = psutil.wait_procs(find_processes("ray::Worker", near), timeout=SECONDS)
    assert alive == []


def test_driver_that_dies_is_started_again(connect: Connect):
    pool = connect(step_seconds=0.01)
    watch = Watch(pool)
    start(pool)
    future = begin(pool, 1)
    [driver] = [each for each in find_processes("spawn_main") if each.ppid() == os.getpid()]
    driver.kill()
    with pytest.raises(EngineGone, match="connection to the cluster was lost"):
        future.result(SECONDS)
    watch.until(near=None)
    assert any("connection to the cluster was lost" in note for note in pool.list_notes())
    watch.until(near=EngineState.READY)
    assert pool.list_notes() == []
    pool.submit(make_request(1)).result(SECONDS)


def test_machines_come_and_go_and_the_others_draw_on(nodes: Nodes, connect: Connect):
    pool = connect(step_seconds=0.01)
    watch = Watch(pool)
    start(pool)
    nodes.start_worker("far")
    watch.until(far=EngineState.READY, near=EngineState.READY)
    futures = [begin(pool, number) for number in (1, 2)]
    for process in find_processes("", nodes.processes["far"].pid):
        process.kill()  # as if the machine lost its power
    lost, kept = (
        (futures[1], futures[0]) if futures[1].exception(SECONDS) else (futures[0], futures[1])
    )
    assert isinstance(lost.exception(SECONDS), EngineGone)
    assert not kept.done()
    watch.until(far=EngineState.READY)  # its command starts Ray again
    nodes.stop("far")
    watch.until(far=None, near=EngineState.READY)
    pool.cancel(1)
    pool.cancel(2)
    pool.submit(make_request(3)).result(SECONDS)


def test_drained_machine_finishes_what_it_draws_and_ends(nodes: Nodes, connect: Connect):
    pool = connect(step_seconds=0.01)
    watch = Watch(pool)
    start(pool)
    worker = nodes.start_worker("old")
    watch.until(old=EngineState.READY)
    first, second = begin(pool, 1, 400), begin(pool, 2, 400)
    drained = nodes.run("old", "worker", "drain")
    assert "takes no more prompts" in drained.stdout
    assert "has ended" in drained.stdout
    assert worker.wait(SECONDS) == 0
    assert first.result(SECONDS).images is not None
    assert second.result(SECONDS).images is not None
    watch.until(old=None, near=EngineState.READY)
    assert "No worker runs on this machine" in nodes.run("old", "worker", "drain").stderr
    nodes.stop("old")


def test_worker_of_another_version_is_refused_with_the_remedy(nodes: Nodes, connect: Connect):
    pool = connect()
    watch = Watch(pool)
    start(pool)
    nodes.start_stale_worker("stale")
    watch.until_note("The machine stale was refused: it has Triptych 0.0.1, but Triptych")
    assert [each.name for each in pool.list_engines()] == ["near"]
    nodes.stop("stale")
    watch.until_note("")


def test_wrong_token_is_refused_and_said(nodes: Nodes, connect: Connect, tmp_path: Path):
    wrong = tmp_path / "token"
    wrong.write_text("f" * 64)
    pool = connect(token_file=wrong)
    watch = Watch(pool)
    ready = pool.start()
    watch.until_note("refuses the token")
    assert not ready.done()
    assert pool.list_engines() == []


def test_address_where_nothing_is_is_said_and_tried_again(connect: Connect):
    pool = connect(address="127.0.0.1:9")
    watch = Watch(pool)
    ready = pool.start()
    watch.until_note("The cluster at 127.0.0.1:9 does not answer")
    assert not ready.done()


def test_head_that_is_lost_and_back_costs_nothing(nodes: Nodes, connect: Connect):
    pool = connect(step_seconds=0.01)
    watch = Watch(pool)
    start(pool)
    future = begin(pool, 1)
    for process in find_processes("", nodes.processes["head"].pid):
        process.send_signal(signal.SIGKILL)
    assert isinstance(future.exception(SECONDS), EngineGone)
    watch.until(near=None)
    watch.until(near=EngineState.READY)
    pool.submit(make_request(1)).result(SECONDS)


def begin(pool: EnginePool, number: int, num_steps: int = 50_000) -> Future[object]:
    """Submit a request, and wait for its first step."""
    began = threading.Event()
    future = pool.submit(make_request(number, num_steps), lambda progress: began.set())
    assert began.wait(SECONDS)
    return future
