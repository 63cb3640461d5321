"""Logs contain no secrets, name the job, and say what crashed."""

from __future__ import annotations

import ast
import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot.ops.logs import JsonFormatter, LastWarnings, PlainFormatter, Redactor, of_job

ROOT = Path(__file__).parents[2]
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


def test_json_line_names_its_job(caplog: pytest.LogCaptureFixture):
    of_job(logging.getLogger("bot.x"), 12).warning("%s delivered, 100 %%", "dog")
    [record] = caplog.records
    line = json.loads(JsonFormatter(Redactor([])).format(record))
    assert (line["job_id"], line["level"]) == (12, "WARNING")
    assert line["message"] == "job 12: dog delivered, 100 %"
    assert record.funcName == "test_json_line_names_its_job"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["at"])
    other = json.loads(JsonFormatter(Redactor([])).format(make_record("job 12 as text")))
    assert "job_id" not in other


def test_every_log_record_about_a_job_has_its_field():
    found = []
    for path in (ROOT / "bot").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            is_call = isinstance(node, ast.Call)
            if is_call and ast.unparse(node.func).startswith(("log.", "logger.")):
                has_field = any(keyword.arg == "extra" for keyword in node.keywords)
                if "job %s" in ast.unparse(node) and not has_field:
                    found.append(f"{path}:{node.lineno}")
    assert not found, "say it with of_job(log, job_id)"


def test_last_warnings_are_few_and_without_secrets():
    kept = LastWarnings(Redactor(["secret"]), size=2)
    for number in range(3):
        kept.handle(make_record("fault %s secret", number))
    assert [line[9:] for line in kept.lines] == ["WARNING fault 1 ***", "WARNING fault 2 ***"]


def test_crash_of_the_command_line_shows_no_secret():
    code = (
        "from bot.ops.logs import set_up_logging\n"
        "set_up_logging('INFO', 'plain', ['my-own-secret'])\n"
        "raise ValueError('bad my-own-secret')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "ValueError: bad ***" in done.stderr
    assert done.stderr.count("my-own-secret") == 0
