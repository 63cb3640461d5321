"""What is seen from outside: logs without secrets, the supervisor, the breaker, versions."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from bot.breaker import InvalidRequestBreaker
from bot.logs import JsonFormatter, LastWarnings, PlainFormatter, Redactor
from bot.supervisor import Supervisor

ROOT = Path(__file__).parents[1]
BOT_TOKEN = "FAKE0FAKE0FAKE0FAKE0FAKE0.G-fake.FAKE_FAKE-FAKE0FAKE0FAKE0FAKE0FAKE0FA"
INTERACTION_TOKEN = "aW50ZXJhY3Rpb246MTIzNDU2Nzg5MDEyMzQ1Njc4"


def make_record(message: str, *arguments: object, error: Exception | None = None):
    trace = (type(error), error, None) if error else None
    return logging.LogRecord("bot.x", logging.WARNING, "x.py", 1, message, arguments, trace)


@pytest.mark.parametrize(
    "secret",
    [
        "my-own-secret",
        BOT_TOKEN,
        f"/webhooks/123/{INTERACTION_TOKEN}/messages/@original",
        f"/interactions/123/{INTERACTION_TOKEN}/callback",
        "hf_ABCDEFGHIJKLMNOPQRSTUV",
    ],
)
@pytest.mark.parametrize("formatter", [PlainFormatter, JsonFormatter])
def test_no_secret_is_in_a_log_line_or_in_its_traceback(formatter: type, secret: str):
    found = formatter(Redactor(["my-own-secret"])).format(
        make_record("request %s failed", secret, error=ValueError(secret))
    )
    assert "***" in found
    for hidden in ("my-own-secret", BOT_TOKEN, INTERACTION_TOKEN, "hf_ABC"):
        assert hidden not in found
    assert "failed" in found


def test_ordinary_text_is_logged_as_it_is():
    text = "job 12 of user 1574612573125345284: model CompVis/stable-diffusion-v1-4, 0.25.1"
    assert text in PlainFormatter(Redactor([""])).format(make_record(text))


def test_json_line_names_its_job():
    line = json.loads(JsonFormatter(Redactor([])).format(make_record("job %s delivered", 12)))
    assert (line["job_id"], line["level"], line["message"]) == (12, "WARNING", "job 12 delivered")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["at"])
    other = json.loads(JsonFormatter(Redactor([])).format(make_record("online")))
    assert "job_id" not in other


def test_last_warnings_are_few_and_without_secrets():
    kept = LastWarnings(Redactor(["secret"]), size=2)
    for number in range(3):
        kept.handle(make_record("fault %s secret", number))
    assert [line[9:] for line in kept.lines] == ["WARNING fault 1 ***", "WARNING fault 2 ***"]


def test_crash_of_the_command_line_shows_no_secret():
    code = (
        "from bot.logs import set_up_logging\n"
        "set_up_logging('INFO', 'plain', ['my-own-secret'])\n"
        "raise ValueError('bad my-own-secret')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "ValueError: bad ***" in done.stderr
    assert done.stderr.count("my-own-secret") == 0


class TestBreaker:
    def test_opens_at_the_limit_and_closes_when_the_window_has_passed(self):
        now = [0.0]
        breaker = InvalidRequestBreaker(3, lambda: now[0])
        for status in (401, 403, 404, 500, 200):
            breaker.count(status, None)
        breaker.count(429, "shared")
        assert (breaker.num_invalid, breaker.is_open) == (2, False)
        breaker.count(429, "user")
        assert breaker.is_open
        now[0] = 601.0
        assert not breaker.is_open

    def test_limit_is_well_below_that_of_discord(self):
        breaker = InvalidRequestBreaker(now=lambda: 0.0)
        for _ in range(1_000):
            breaker.count(403, None)
        assert breaker.is_open


class TestSupervisor:
    async def test_tells_its_state_and_beats(self, tmp_path: Path):
        path = str(tmp_path / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
            listening.bind(path)
            listening.settimeout(5)
            supervisor = Supervisor.of_environment(
                {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000"}
            )
            supervisor.tell("READY=1", "STATUS=online")
            assert listening.recv(100) == b"READY=1\nSTATUS=online"
            beating = asyncio.create_task(supervisor.beat())
            await asyncio.sleep(0.05)
            beating.cancel()
            assert listening.recv(100) == listening.recv(100) == b"WATCHDOG=1"

    async def test_without_a_supervisor_nobody_is_told_and_nothing_waits(self):
        supervisor = Supervisor.of_environment({})
        supervisor.tell("READY=1")
        await asyncio.wait_for(supervisor.beat(), 1)

    def test_supervisor_that_is_gone_is_no_fault(self, tmp_path: Path):
        Supervisor(str(tmp_path / "nobody")).tell("READY=1")


def test_constraints_name_a_fitting_version_of_every_dependency():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for text in project["dependencies"]:
        wanted = Requirement(text)
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if name == "torch":  # by range: its builds differ per machine
            assert name not in pinned
        else:
            assert wanted.specifier.contains(pinned[name]), text
