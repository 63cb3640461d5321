"""The command line: one prompt in the terminal, usage, and the message for each fault."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from bot.cli import main as cli
from bot.cli.imagine import draw_once
from bot.cli.run import open_data_dir
from bot.cli.terminal import TerminalMessenger
from bot.domain.jobs import Job, JobStatus, Origin, Source
from bot.domain.recipes import Ask, Recipe
from bot.engine.api import GenerationRequest
from bot.errors import (
    ConfigError,
    EngineLost,
    GenerationFailed,
    GenerationRejected,
    StoreError,
    UserError,
)
from bot.jobs.ports import Delivery
from bot.settings import Settings, load_settings
from bot.store import DATABASE_FILE_NAME, DataDirLock, JobRepository
from bot.texts.codes import Code
from bot.texts.reasons import because
from tests.fakes.engine import INFO, SHIPPED, FakeEngine

ROOT = Path(__file__).resolve().parents[2]

MakeEngine = Callable[..., FakeEngine]


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An empty folder and no environment variables."""
    monkeypatch.chdir(tmp_path)
    for name in (*Settings.model_fields, "model_config"):
        monkeypatch.delenv(name.upper(), raising=False)
    return load_settings()


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[FakeEngine]:
    """The engines that commands will use, in this order; after that, a plain fake engine."""
    prepared: list[FakeEngine] = []
    monkeypatch.setattr(cli, "make_engine", lambda _: prepared.pop(0) if prepared else FakeEngine())
    return prepared


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments))


def imagine(*arguments: str) -> dict[str, object]:
    result = invoke("imagine", "dog in autumn leaves", "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


async def rows() -> list[Job]:
    async with open_data_dir(load_settings()) as database:
        return await JobRepository(database).list_by_status(*JobStatus)


def flaw(error: Exception) -> FakeEngine:
    def fail(_: GenerationRequest) -> None:
        raise error

    return FakeEngine(flaw=fail)


def test_imagine_prints_one_object_and_leaves_four_pictures_and_a_row(engines: list[FakeEngine]):
    report = imagine("--seed", "5", "--steps", "3", "--guidance-scale", "2.5", "--sampler", "euler")
    assert report["prompt"] == "dog in autumn leaves"
    assert (report["model"], report["sampler"]) == ("fake model", "euler")
    assert (report["num_inference_steps"], report["guidance_scale"]) == (3, 2.5)
    assert report["seeds"] == [5, 6, 7]
    assert report["nsfw_content_detected"] == [False, False, False]
    assert all(0 <= score < 0.3 for score in report["nsfw_scores"])
    assert report["seconds"] > 0
    folder = Path("data/pictures").resolve() / str(report["job_id"])
    assert report["grid"] == str(folder / "grid.png")
    assert report["images"] == [str(folder / f"{n}.png") for n in (1, 2, 3)]
    for path in report["images"]:
        with Image.open(path) as image:
            assert image.size == (64, 64)
    [job] = asyncio.run(rows())
    assert (job.status, job.origin.user_id, job.origin.guild_id) == (JobStatus.DELIVERED, 0, None)
    assert job.origin.source is Source.TERMINAL


def test_imagine_gives_small_pictures_enlarged_and_says_so(engines: list[FakeEngine]):
    engines += [FakeEngine(info=replace(INFO, shows_enlarged=True)) for _ in range(2)]
    report = imagine("--seed", "5")
    assert (report["upscaler"], report["upscale_factor"]) == (SHIPPED.name, 4)
    for path in report["images"]:
        with Image.open(path) as image:
            assert image.size == (256, 256)
    said = invoke("imagine", "dog").stdout
    assert f"Drawn at 64×64 and enlarged 4 times by {SHIPPED.name}" in said


def test_imagine_says_in_words_what_it_drew_and_where(engines: list[FakeEngine]):
    engines.append(FakeEngine(flagged=lambda request: (False, True, None)))
    result = invoke("imagine", "dog", "--seed", "5")
    assert result.exit_code == 0
    assert result.stdout.startswith("Job 1: fake model, ddim, 4 steps, guidance 3, seeds 5, 6, 7, ")
    assert "grid.png" in result.stdout
    assert "Hidden by the filter: picture 2." in result.stdout


def test_pictures_are_copied_where_they_are_wanted(engines: list[FakeEngine], tmp_path: Path):
    report = imagine("--output", "wanted/here")
    assert report["grid"] == str(tmp_path / "wanted" / "here" / "grid.png")
    assert sorted(path.name for path in (tmp_path / "wanted" / "here").iterdir()) == [
        "1.png",
        "2.png",
        "3.png",
        "grid.png",
    ]


def test_copy_that_fails_says_where_the_pictures_are(engines: list[FakeEngine], tmp_path: Path):
    (tmp_path / "taken").write_text("")
    result = invoke("imagine", "dog", "--output", "taken")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "could not be copied" in result.stderr
    assert "pictures/1" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((" ",), "The prompt is empty"),
        (("dog", "--steps", "0"), "Steps must be between 1 and 100."),
        (("dog", "--steps", str(10**30)), "Steps must be between 1 and 100."),
        (("dog", "--seed", "-1"), "The seed must be a whole number"),
        (("dog", "--guidance-scale", "nan"), "Guidance scale must be between 0 and 30."),
        (("dog", "--width", "100"), "multiples of 8"),
        (("dog", "--sampler", "nonsense"), "There is no such sampler"),
    ],
)
def test_what_cannot_be_drawn_is_said_on_stderr_alone(
    engines: list[FakeEngine], arguments: tuple[str, ...], sentence: str
):
    result = invoke("imagine", "--json", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    [job] = asyncio.run(rows())
    assert job.status in {JobStatus.REFUSED, JobStatus.QUEUED}


def test_rules_hold_at_the_terminal_and_quotas_do_not(
    engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("BLOCKED_WORDS", "gore")
    monkeypatch.setenv("MAX_COST_PER_MEMBER_PER_HOUR", "0.1")
    assert "“gore”" in invoke("imagine", "gore").stderr
    assert imagine()["job_id"] == 2


def test_faulty_settings_are_listed_and_nothing_is_begun(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MAX_WAITING", "many")
    for command in (["imagine", "dog"], ["usage"], ["run"]):
        result = invoke(*command)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "MAX_WAITING" in result.stderr
    assert not Path("data").exists()


def test_data_directory_in_use_is_said_with_the_process(engines: list[FakeEngine]):
    lock = DataDirLock(Path("data"))
    lock.acquire()
    try:
        result = invoke("imagine", "dog")
    finally:
        lock.release()
    assert result.exit_code == 2
    assert f"pid {os.getpid()}" in result.stderr


def test_data_directory_that_is_a_file_is_a_sentence(engines: list[FakeEngine], tmp_path: Path):
    (tmp_path / "data").write_text("")
    result = invoke("imagine", "dog")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "DATA_DIR" in result.stderr


def test_record_of_an_unreleased_version_is_a_sentence(engines: list[FakeEngine]):
    Path("data").mkdir()
    with closing(sqlite3.connect(f"data/{DATABASE_FILE_NAME}")) as connection:
        connection.execute("PRAGMA user_version=11")
    result = invoke("imagine", "dog")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "before the first release. Nothing was changed." in result.stderr


def test_run_without_a_token_says_how_to_get_one(engines: list[FakeEngine]):
    result = invoke("run")
    assert result.exit_code == 2
    assert "DISCORD_TOKEN is not set" in result.stderr
    assert not Path("data").exists()


async def test_draw_once_gives_the_drawn_job(settings: Settings):
    engine = FakeEngine()
    job, delivery = await draw_once(settings, engine, Ask("dog", seed=3))
    assert job.recipe.seeds == (3, 4, 5)
    assert delivery.grid.is_file()
    assert not engine._thread.is_alive()
    [row] = await rows()
    assert row.status is JobStatus.DELIVERED


@pytest.mark.parametrize(
    ("engine", "error", "sentence", "status"),
    [
        (flaw(GenerationFailed("x")), UserError, "Sorry", JobStatus.FAILED),
        (
            flaw(GenerationRejected(because(Code.NO_STEPS))),
            UserError,
            "At least one step",
            JobStatus.REFUSED,
        ),
        (flaw(EngineLost("gone")), EngineLost, "gone", JobStatus.CANCELLED),
        (
            FakeEngine(load_error=ConfigError("No model.")),
            ConfigError,
            "No model.",
            JobStatus.CANCELLED,
        ),
    ],
)
async def test_draw_once_raises_what_went_wrong_and_leaves_nothing_waiting(
    settings: Settings,
    engine: FakeEngine,
    error: type[Exception],
    sentence: str,
    status: JobStatus,
    caplog: pytest.LogCaptureFixture,
):
    async with asyncio.timeout(10):
        with pytest.raises(error, match=sentence):
            await draw_once(settings, engine, Ask("dog"))
    [row] = await rows()
    assert (row.status, row.cost) == (status, 0.0)
    assert "never retrieved" not in caplog.text


@pytest.mark.parametrize("is_loaded", [True, False])
async def test_interrupted_drawing_is_cancelled_at_once(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    is_loaded: bool,
):
    in_line = asyncio.Event()
    wait = TerminalMessenger.wait

    async def note_and_wait(messenger: TerminalMessenger) -> tuple[Job, Delivery]:
        in_line.set()
        return await wait(messenger)

    monkeypatch.setattr(TerminalMessenger, "wait", note_and_wait)
    engine = FakeEngine(step_seconds=0.01)
    if not is_loaded:
        engine.may_load.clear()
    drawing = asyncio.create_task(draw_once(settings, engine, Ask("dog", num_inference_steps=100)))
    await in_line.wait()
    await asyncio.sleep(0.05)
    drawing.cancel()
    engine.may_load.set()
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await drawing
    [row] = await rows()
    assert row.status is JobStatus.CANCELLED
    assert row.cost < row.cost_estimate
    assert engine.drawn == []
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    assert "never retrieved" not in caplog.text


async def test_disk_that_takes_nothing_ends_the_command_with_a_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def full(*_: object, **__: object) -> None:
        raise StoreError("The disk with the database is full.")

    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr(JobRepository, "mark_rendered", full)
    monkeypatch.setattr(JobRepository, "mark_ended", full)
    async with asyncio.timeout(10):
        with pytest.raises((UserError, StoreError), match="is full"):
            await draw_once(settings, FakeEngine(), Ask("dog"))


async def test_next_command_is_not_stopped_by_a_killed_one(settings: Settings):
    async with open_data_dir(settings) as database:
        jobs = JobRepository(database)
        left = await jobs.insert_job(
            Origin(source=Source.TERMINAL), Recipe("x", "", (1, 2, 3)), now=0, cost_estimate=1
        )
        assert left is not None
        await jobs.mark_answered(left.job_id, message_id=None, now=0)
    job, _ = await draw_once(settings, FakeEngine(), Ask("dog"))
    assert [row.status for row in await rows()] == [JobStatus.FAILED, JobStatus.DELIVERED]
    assert job.job_id == 2


def test_usage_tells_who_drew_how_much(engines: list[FakeEngine]):
    imagine()
    invoke("imagine", "")
    result = invoke("usage", "--json", "--since", "1d")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    [row] = report["rows"]
    assert (row["guild_id"], row["user_id"], row["jobs"], row["delivered"]) == (None, 0, 2, 1)
    assert row["pictures"] == 3
    table = invoke("usage").stdout
    assert "Usage since" in table
    assert "Delivered" in table


async def test_usage_shows_whole_ids_however_narrow_the_terminal(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    ids = [1234567890123456789, 1098765432109876543]
    async with open_data_dir(settings) as database:
        origin = Origin(ids[0], interaction_id=5, guild_id=ids[1])
        await JobRepository(database).insert_job(
            origin, Recipe("x", "", (1, 2, 3)), now=time.time(), cost_estimate=1
        )
    monkeypatch.setenv("COLUMNS", "80")
    table = invoke("usage").stdout
    assert all(str(each) in table for each in ids)
    assert "…" not in table


def test_version_is_the_installed_one():
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (
        0,
        f"Triptych {metadata.version('triptych-bot')}\n",
    )


@pytest.mark.parametrize("since", ["2026-11-01", "30d", "0d", "2026-11-01T10:00:00+02:00"])
def test_usage_takes_dates_and_days(since: str):
    assert json.loads(invoke("usage", "--json", "--since", since).stdout)["rows"] == []


def test_date_with_a_time_zone_is_that_moment():
    report = json.loads(invoke("usage", "--json", "--since", "2026-11-01T10:00:00+02:00").stdout)
    assert report["since"] == "2026-11-01T08:00:00+00:00"


def test_usage_of_a_damaged_record_is_a_sentence(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / DATABASE_FILE_NAME).write_bytes(b"no database" * 500)
    result = invoke("usage")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "triptych doctor" in result.stderr


def test_usage_can_be_read_while_another_process_works(engines: list[FakeEngine]):
    imagine()
    lock = DataDirLock(Path("data"))
    lock.acquire()
    try:
        result = invoke("usage", "--json")
    finally:
        lock.release()
    assert json.loads(result.stdout)["rows"][0]["delivered"] == 1


@pytest.mark.parametrize("since", ["yesterday", "d", "99999999999d", "2026-13-01", ""])
def test_usage_since_nonsense_is_a_sentence(since: str):
    result = invoke("usage", "--since", since)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "neither a date like" in result.stderr


def lose_record() -> None:
    for path in Path("data").glob(f"{DATABASE_FILE_NAME}*"):
        path.unlink()


def test_no_command_starts_an_empty_record_beside_pictures(engines: list[FakeEngine]):
    imagine()
    lose_record()
    for arguments in (["imagine", "cat"], ["run"]):
        result = CliRunner(env={"DISCORD_TOKEN": "x"}).invoke(cli.app, arguments)
        assert result.exit_code == 2, arguments
        for choice in ("triptych restore", "triptych run --new"):
            assert choice in result.stderr
    assert Path("data/pictures/1/grid.png").is_file()
    result = invoke("restore")
    assert result.exit_code == 2
    assert "run --new" in result.stderr


def test_new_record_on_purpose_keeps_the_pictures_and_gives_no_number_twice(
    engines: list[FakeEngine],
):
    imagine()
    lose_record()
    result = invoke("run", "--new")
    assert result.exit_code == 2  # there is no token in this test
    assert "pictures" in result.stdout
    assert "deletes all that after 30 days" in result.stdout
    [kept] = Path("data").glob("replaced-*.pictures/1/grid.png")
    assert kept.is_file()
    assert int(str(imagine()["job_id"])) > 100_000
    again = invoke("run", "--new")
    assert again.exit_code == 2
    assert "Run without --new" in again.stderr


def test_option_for_a_new_record_does_nothing_to_a_new_folder(engines: list[FakeEngine]):
    result = invoke("run", "--new")
    assert (result.exit_code, result.stdout) == (2, "")
    assert imagine()["job_id"] == 1
