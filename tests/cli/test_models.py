"""triptych models lists the families and samplers, and the docs list the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

from typer.testing import CliRunner

from bot.cli import main as cli
from bot.domain.samplers import SAMPLERS
from bot.engine import FAMILIES

ROOT = Path(__file__).parents[2]


def list_models() -> dict[str, list[dict[str, object]]]:
    result = CliRunner().invoke(cli.app, ["models", "--json"])
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_models_lists_families_and_samplers_as_json():
    listed = list_models()
    assert [each["id"] for each in listed["families"]] == ["sd", "sdxl"]
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
    ids = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert ids == [each["id"] for each in (*listed["families"], *listed["samplers"])]


def test_readme_names_every_family_and_the_number_of_samplers():
    page = (ROOT / "README.md").read_text("utf-8")
    assert f"the {len(SAMPLERS)} samplers" in page
    for label in ("Stable Diffusion 1.x and 2.x", "Stable Diffusion XL"):
        assert label in page
        assert label in {family.label for family in FAMILIES.values()}
