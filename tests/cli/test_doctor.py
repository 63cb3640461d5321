"""doctor prints one line per check, which says ok or what to do. It changes nothing."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli import doctor
from bot.cli import main as cli
from bot.cli.doctor import Finding, examine
from bot.domain.jobs import JobStatus, Origin
from bot.domain.recipes import Recipe
from bot.ops.resources import get_migrations_folder
from bot.settings import Settings
from bot.store import DATABASE_FILE_NAME, Database, DataDirLock, Repositories
from bot.texts.codes import Code
from bot.texts.reasons import because
from tests.tiny_models import build_tiny_model, edit_json

LABELS = [
    "Python",
    "Settings",
    "torch",
    "Model",
    "Upscaler",
    "Rules",
    "Picture check",
    "Disk",
    "Database",
    "Discord token",
]


def probe(device: str) -> tuple[str, str, int]:
    return ("", "install an NVIDIA card", 0) if device == "cuda" else ("cpu", "2 threads", 0)


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder and no environment variables. The separate process for torch is replaced."""
    monkeypatch.chdir(tmp_path)
    for name in (*Settings.model_fields, "model_config"):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(doctor, "_run_probe", probe)


async def find(label: str) -> Finding:
    [finding] = [found for found in await examine() if found.label.startswith(label)]
    return finding


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    return made


async def make_database(data_dir: Path) -> None:
    await (await Database.open(data_dir, get_migrations_folder())).close()


async def test_fresh_installation_is_all_ok_and_nothing_is_made(tmp_path: Path):
    findings = await examine()
    assert [finding.label.split()[0] for finding in findings] == [
        label.split()[0] for label in LABELS
    ]
    assert [str(finding) for finding in findings if not finding.ok] == []
    assert os.listdir(tmp_path) == []


async def test_each_fault_has_a_remedy_and_does_not_stop_the_other_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "data").write_text("in the way")
    monkeypatch.setenv("MODEL", str(tmp_path / "no-such-model"))
    monkeypatch.setenv("DEVICE", "cuda")
    findings = await examine()
    faults = {finding.label.split()[0]: finding for finding in findings if not finding.ok}
    assert faults.keys() >= {"torch", "Model", "Disk"}
    assert len(findings) == len(LABELS)
    assert all(len(finding.remedy) > 20 for finding in faults.values())


async def test_model_that_only_loading_would_stumble_over_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model = build_tiny_model(tmp_path / "model")
    edit_json(model / "unet" / "config.json", down_block_types=["NoBlock"] * 3)
    monkeypatch.setenv("MODEL", "~/model")
    monkeypatch.setenv("HOME", str(tmp_path))
    finding = await find("Model")
    assert not finding.ok
    assert "Copy or download it again" in finding.remedy
    monkeypatch.setattr(doctor, "_run_probe", lambda device: None)  # then the model cannot be built
    assert (await find("Model")).ok


@pytest.mark.parametrize(
    ("wish", "ok", "said"),
    [
        ("", True, "realesr-animevideov3-x4 enlarges pictures 4 times"),
        ("Off", True, "off, so pictures stay as they are drawn"),
        ("~/gone.safetensors", False, "does not exist"),
        ("x4plus.pth", False, "pickle"),
    ],
)
async def test_upscaler_is_checked(monkeypatch: pytest.MonkeyPatch, wish: str, ok: bool, said: str):
    monkeypatch.setenv("UPSCALER", wish)
    finding = await find("Upscaler")
    assert finding.ok is ok
    assert said in (finding.detail if ok else finding.remedy)


async def test_cluster_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("CLUSTER", f"127.0.0.1:{port}")
        finding = await find("Cluster")
        assert not finding.ok
        assert "cluster's token cannot be read" in finding.remedy
        token = tmp_path / "token"
        monkeypatch.setenv("CLUSTER_TOKEN_FILE", str(token))
        token.write_text("short")
        assert "does not contain a cluster token" in (await find("Cluster")).remedy
        token.write_text("0" * 64)
        finding = await find("Cluster")
        assert finding.ok
        assert f"127.0.0.1:{port} answers" in finding.detail
        assert "private network" not in finding.detail
    finding = await find("Cluster")
    assert not finding.ok
    assert "does not answer" in finding.detail
    assert "triptych cluster start" in finding.remedy


async def test_each_of_several_devices_is_checked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DEVICES", "cpu,cpu")
    assert (await find("torch")).detail.startswith("draws on cpu, 2 threads")
    monkeypatch.setenv("DEVICES", "cpu,cuda")
    finding = await find("torch")
    assert "DEVICES names cuda, and there is none" in finding.detail


async def test_faulty_settings_are_listed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MAX_WAITING", "many")
    monkeypatch.setenv("DEVICE", "tpu")
    finding = await find("Settings")
    assert not finding.ok
    assert "MAX_WAITING" in finding.detail
    assert "DEVICE" in finding.detail


async def test_torch_that_cannot_be_loaded_is_a_fault(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "_run_probe", lambda device: None)
    assert not (await find("torch")).ok


async def test_probe_that_breaks_is_no_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    monkeypatch.setattr(doctor, "_DEVICE_PROBE", "raise SystemExit(3)")
    assert doctor._run_probe("auto") is None
    monkeypatch.setattr(doctor, "_DEVICE_PROBE", "print('cuda|8|a card, 8 B | free')")
    assert doctor._run_probe("auto") == ("cuda", "a card, 8 B | free", 8)


async def test_database_is_counted_and_left_as_it_was(data_dir: Path):
    await make_database(data_dir)
    before = (data_dir / DATABASE_FILE_NAME).read_bytes()
    finding = await find("Database")
    assert finding.ok
    assert (
        f"version {len(list(get_migrations_folder().glob('*.sql')))}, 0 jobs on record"
        in finding.detail
    )
    assert (data_dir / DATABASE_FILE_NAME).read_bytes() == before
    lock = DataDirLock(data_dir)
    lock.acquire()
    lock.release()


async def test_database_in_use_is_left_alone_and_its_process_named(data_dir: Path):
    await make_database(data_dir)
    lock = DataDirLock(data_dir)
    lock.acquire()
    try:
        finding = await find("Database")
    finally:
        lock.release()
    assert finding.ok
    assert "left alone" in finding.detail
    assert f"pid {os.getpid()}" in finding.detail


async def test_damaged_database_names_the_backups(data_dir: Path):
    (data_dir / DATABASE_FILE_NAME).write_bytes(b"no database" * 500)
    finding = await find("Database")
    assert not finding.ok
    assert "backups/" in finding.remedy


async def test_newer_database_is_named(data_dir: Path):
    await make_database(data_dir)
    with closing(sqlite3.connect(data_dir / DATABASE_FILE_NAME)) as connection:
        connection.execute("PRAGMA user_version=99")
    finding = await find("Database")
    assert not finding.ok
    assert "version 99, program knows" in finding.detail
    assert "newer Triptych" in finding.remedy


async def test_database_of_an_unreleased_version_is_named(data_dir: Path):
    with closing(sqlite3.connect(data_dir / DATABASE_FILE_NAME)) as connection:
        connection.execute("PRAGMA user_version=1")
    finding = await find("Database")
    assert not finding.ok
    assert "before the first release" in finding.remedy


async def test_empty_database_file_is_no_fault_as_the_start_will_fill_it(data_dir: Path):
    (data_dir / DATABASE_FILE_NAME).touch()
    assert (await find("Database")).ok


async def test_database_that_is_lost_beside_pictures_is_a_fault(data_dir: Path):
    (data_dir / "pictures" / "7").mkdir(parents=True)
    finding = await find("Database")
    assert not finding.ok
    assert "triptych restore" in finding.remedy
    assert "run --new" in finding.remedy


async def test_database_that_is_gone_under_the_running_bot_is_a_fault(data_dir: Path):
    lock = DataDirLock(data_dir)
    lock.acquire()
    try:
        finding = await find("Database")
    finally:
        lock.release()
    assert not finding.ok
    assert f"pid {os.getpid()}" in finding.detail
    assert "triptych restore" in finding.remedy


async def test_full_disk_is_a_fault(monkeypatch: pytest.MonkeyPatch):
    usage = type("Usage", (), {"free": 10**8})
    monkeypatch.setattr("bot.cli.doctor.shutil.disk_usage", lambda _: usage)
    finding = await find("Disk")
    assert not finding.ok
    assert "0.1 GB free" in finding.detail


async def test_token_that_discord_cannot_be_asked_about_is_a_fault_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("DISCORD_TOKEN", "very-secret")

    async def away(token: str, _: str | None) -> list[tuple[str, str]]:
        assert token == "very-secret"
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr("bot.chat.application.examine_application", away)
    finding = await find("Discord")
    assert not finding.ok
    assert "Connection refused" in finding.detail
    assert "very-secret" not in "".join(str(found) for found in await examine())


def test_command_prints_lines_or_one_object_and_fails_on_a_fault(monkeypatch: pytest.MonkeyPatch):
    result = CliRunner().invoke(cli.app, ["doctor"])
    assert result.exit_code == 0
    assert all(line.startswith(("ok   ", "      → ")) for line in result.stdout.splitlines())
    monkeypatch.setenv("DEVICE", "cuda")
    result = CliRunner().invoke(cli.app, ["doctor", "--json"])
    assert result.exit_code == 1
    checks = json.loads(result.stdout)["checks"]
    assert [check["ok"] for check in checks].count(False) == 1
    assert set(checks[0]) == {"ok", "label", "detail", "remedy"}


async def test_prompts_that_another_program_answered_are_named_for_a_day(data_dir: Path):
    for hours, is_named in ((30, False), (1, True)):
        ended_at = time.time() - hours * 3600
        database = await Database.open(data_dir, get_migrations_folder())
        jobs = Repositories.of(database).jobs
        job = await jobs.insert_job(Origin(1), Recipe("dog", "", (1,)), now=0.0, cost_estimate=1.0)
        assert job is not None
        await jobs.mark_ended(
            job.job_id,
            JobStatus.FAILED,
            reason=because(Code.ANSWERED_ELSEWHERE),
            now=ended_at,
            leaving=[JobStatus.ACCEPTED],
        )
        await database.close()
        finding = await find("Database")
        assert ("1 of the last day were answered by another program" in finding.detail) is is_named
        assert ("Reset Token" in finding.remedy) is is_named


async def test_each_model_of_the_file_has_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "models.toml").write_text(
        '[[model]]\nid = "one"\nmodel = "starter"\n[[model]]\nid = "two"\nmodel = "./gone"\n'
    )
    monkeypatch.setenv("MODELS_FILE", "models.toml")
    monkeypatch.setenv("MODEL", "a/b")
    monkeypatch.setattr(doctor, "_run_probe", lambda _: None)
    whole = await find("Models")
    assert (whole.ok, whole.detail) == (False, "1 in models.toml, so MODEL does not count")
    assert "model 2 ('two'): model names" in whole.remedy
    one = await find("Model one")
    assert one.ok
    assert one.detail.endswith("its licence, MIT, allows all uses")
    (tmp_path / "models.toml").write_text("")
    whole = await find("Model")
    assert not whole.ok
    assert "models.toml names no model that can be used" in whole.remedy
