"""triptych models lists families and samplers; it writes, checks and lists the file of models."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.cli import main as cli
from bot.cli.run import make_engine
from bot.domain.models import ModelEntry
from bot.domain.samplers import SAMPLERS
from bot.engine import FAMILIES
from bot.ops.models_file import read_models_file
from bot.settings import Settings

ROOT = Path(__file__).parents[2]


def list_models() -> dict[str, list[dict[str, object]]]:
    result = CliRunner().invoke(cli.app, ["models", "--json"])
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_models_lists_families_and_samplers_as_json():
    listed = list_models()
    assert [each["id"] for each in listed["families"]] == list(FAMILIES)
    assert {"sd", "sdxl", "flux", "qwen_image", "z_image"} < FAMILIES.keys()
    assert {"label", "loads", "example"} < listed["families"][0].keys()
    assert [each["id"] for each in listed["samplers"]] == list(SAMPLERS)
    assert listed["samplers"][0] == {
        "id": "euler_a",
        "label": "Euler a",
        "aliases": ["euler ancestral", "k_euler_a", "k_euler_ancestral"],
        "families": ["sd", "sdxl"],
    }


def test_models_shows_people_the_same():
    shown = CliRunner(env={"COLUMNS": "160"}).invoke(cli.app, ["models"]).stdout
    labels = [family.label for family in FAMILIES.values()]
    labels += [sampler.label for sampler in SAMPLERS.values()]
    assert [label for label in labels if label not in shown] == []


def test_docs_list_what_models_lists():
    page = (ROOT / "docs" / "models.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()]
    listed = list_models()
    for each in listed["families"]:
        name = f"`{each['example']}`"
        assert [f"`{each['id']}`", each["label"], ", ".join(each["loads"]), name] in rows
    for each in listed["samplers"]:
        aliases, families = ", ".join(each["aliases"]) or "–", ", ".join(each["families"])
        assert [f"`{each['id']}`", each["label"], aliases, families] in rows
    tables = re.findall(r"\n## (?:Families|Samplers)\n(.*?)(?=\n## |\Z)", page, re.DOTALL)
    ids = re.findall(r"^\| `(\w+)` \|", "".join(tables), re.MULTILINE)
    assert ids == [each["id"] for each in (*listed["families"], *listed["samplers"])]


def test_readme_names_every_family_and_the_number_of_samplers():
    page = (ROOT / "README.md").read_text("utf-8")
    assert f"the {len(SAMPLERS)} samplers" in page
    examples = {family.example for family in FAMILIES.values()}
    for name in ("FLUX.1", "Qwen-Image", "Stable Diffusion 3", "Chroma", "Sana"):
        assert name in page
        assert any(family.label.startswith(name) for family in FAMILIES.values())
    table = re.findall(r"^\| [\w ]+ GB \| `(.+)` \|$", page, re.MULTILINE)
    assert len(table) == 3 and {*table} <= examples


MISTAKEN = """
[[model]]
id = "starter"
model = "starter"
guilds = ["123456789012345678"]
depicts_person = true

[[model]]
id = "broken"
model = "empty"
licence = "CC BY-NC 4.0"

[[model]]
id = "Starter"
steps = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The present folder, without settings. It has a file of models with mistakes."""
    monkeypatch.chdir(tmp_path)
    for name in (*Settings.model_fields, "model_config"):
        monkeypatch.delenv(name.upper(), raising=False)
    (tmp_path / "empty").mkdir()
    (tmp_path / "mistaken.toml").write_text(MISTAKEN)
    return tmp_path


def invoke(*words: str, **env: str) -> Result:
    return CliRunner(env=env).invoke(cli.app, ["models", *words])


@pytest.mark.usefixtures("folder")
def test_written_file_can_be_checked_and_listed():
    done = invoke("write")
    assert done.exit_code == 0
    assert "Set MODELS_FILE=models.toml in .env" in done.stdout
    env = {"MODELS_FILE": "models.toml"}
    done = invoke("check", **env)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("ok    starter: ")
    assert done.stdout.endswith("its licence, MIT, allows all uses\n")
    done = invoke("list", **env)
    assert done.exit_code == 0
    assert "Its licence, MIT, allows all uses.\n  For everybody in all servers.\n" in done.stdout


def test_write_changes_no_file_that_is_there(folder: Path):
    done = invoke("write", "mistaken.toml")
    assert done.exit_code == 1
    assert done.stderr.startswith("mistaken.toml is there already, so nothing was written.")
    assert (folder / "mistaken.toml").read_text() == MISTAKEN
    done = invoke("write", "gone/models.toml")
    assert done.exit_code == 1
    assert "gone/models.toml cannot be written (No such file or directory)" in done.stderr


@pytest.mark.usefixtures("folder")
def test_check_prints_every_mistake_and_what_can_be_used():
    done = invoke("check", MODELS_FILE="mistaken.toml", MODEL="a/b", VAE="c/d")
    assert done.exit_code == 1
    ok, note = done.stdout.splitlines()
    assert ok.startswith("ok    starter: ")
    assert note == "note  MODELS_FILE is set, so MODEL, VAE do not count."
    faults = done.stderr.splitlines()
    assert [re.sub(r"[,;].*", "", fault) for fault in faults] == [
        "FAULT model 3 ('Starter'): 'steps' is no key",
        "FAULT model 3 ('Starter'): model is missing",
        "FAULT model 3 ('Starter'): id is already the name of model 1",
        faults[3].split(",")[0],
    ]
    assert faults[3].startswith("FAULT broken: ")
    assert "has no model_index.json" in faults[3]


@pytest.mark.usefixtures("folder")
def test_list_says_who_may_use_a_model_and_what_its_licence_allows():
    done = invoke("list", "mistaken.toml")
    assert done.exit_code == 1
    assert "For everybody in the servers 123456789012345678.\n  Real person: no" in done.stdout
    assert "Its licence, CC BY-NC 4.0, is for non-commercial use only.\n" in done.stdout
    assert "FAULT model 3" in done.stderr
    done = invoke("list", "mistaken.toml", "--json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert [model["id"] for model in report["models"]] == ["starter", "broken"]
    assert report["models"][0]["guilds"] == ["123456789012345678"]
    assert len(report["faults"]) == 3


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", ["list", "check"])
def test_without_a_file_there_is_nothing_to_list(command: str):
    done = invoke(command)
    assert done.exit_code == 1
    assert "MODELS_FILE is not set" in done.stderr
    done = invoke(command, "gone.toml")
    assert done.exit_code == 1
    assert "FAULT gone.toml cannot be read (No such file or directory)" in done.stderr


@pytest.mark.usefixtures("folder")
def test_start_logs_mistakes_and_settings_that_do_not_count(caplog: pytest.LogCaptureFixture):
    settings = Settings(models_file=Path("mistaken.toml"), model="a/b", _env_file=None)  # type: ignore[call-arg]
    make_engine(settings).close(1.0)
    first, *faults, broken = [record.message for record in caplog.records]
    assert broken.startswith("The model broken cannot be used: ")
    assert first == "MODELS_FILE is set, so MODEL does not count"
    assert len(faults) == 3
    assert all(fault.startswith("MODELS_FILE: model 3 ('Starter')") for fault in faults)


def test_example_of_the_docs_can_be_used(folder: Path):
    page = (ROOT / "docs" / "models.md").read_text("utf-8")
    [example] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    for name in ("models/club-config", "lists"):
        (folder / name).mkdir(parents=True)
    (folder / "models" / "club.safetensors").touch()
    (folder / "lists" / "models.toml").write_text(example)
    found = read_models_file(folder / "lists" / "models.toml")
    assert found.faults == ()
    assert [entry.id for entry in found.entries] == ["starter", "sd-1.4", "club"]
    first_cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    explained = re.findall(r"`(\w+)`", "".join(first_cells))
    assert set(re.findall(r"^(\w+) = ", example, re.MULTILINE)) <= set(explained)
    assert {field.name for field in fields(ModelEntry)} <= set(explained)
