"""The documents: README is short, its commands run, and all links have a target."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
import typer.main
from markdown_it import MarkdownIt
from markdown_it.token import Token
from typer.core import TyperGroup
from typer.testing import CliRunner

from bot.cli.main import app
from bot.settings import Settings
from tests.test_structure import LAYERS

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
MAX_README_WORDS = 1000
_NOT_OURS = {"data", "build", "dist", "node_modules", "work"}


def files(*suffixes: str) -> list[Path]:
    """List our own files with these suffixes, without installed and generated ones."""
    found = []
    for folder, inner, names in os.walk(ROOT):
        inner[:] = [each for each in inner if each not in _NOT_OURS and not each.startswith(".")]
        found += [Path(folder) / name for name in names if name.endswith(suffixes)]
    return sorted(found)


PAPERS = files(".md")


@cache
def tokens(paper: Path) -> tuple[Token, ...]:
    """Return all tokens of blocks and of the text inside them."""
    blocks = MarkdownIt().enable("table").parse(paper.read_text("utf-8"))
    return tuple(each for block in blocks for each in (block, *(block.children or ())))


def links(paper: Path) -> Iterator[str]:
    for token in tokens(paper):
        target = token.attrGet("href" if token.type == "link_open" else "src")
        if token.type in {"link_open", "image"} and target:
            yield str(target)


@cache
def anchors(paper: Path) -> frozenset[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    found: set[str] = set()
    for heading, inline in pairwise(tokens(paper)):
        if heading.type == "heading_open":
            text = "".join(each.content for each in inline.children or ())
            found.add(re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-"))
    return frozenset(found)


def fences(paper: Path, language: str) -> list[str]:
    return [
        token.content for token in tokens(paper) if (token.type, token.info) == ("fence", language)
    ]


def code_spans(paper: Path) -> Iterator[str]:
    return (token.content for token in tokens(paper) if token.type == "code_inline")


def rows(paper: Path) -> Iterator[list[str]]:
    """Yield the cells of each row of all tables."""
    for line in paper.read_text("utf-8").splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def commands(paper: Path) -> Iterator[str]:
    """Yield the commands in its console blocks, without comments."""
    for block in fences(paper, "console"):
        for line in block.splitlines():
            assert line[:2] in {"$ ", "# "}, f"{paper.name}: this is no command: {line}"
            yield re.split(r" +# ", line[2:])[0]


def test_first_start_shows_how_far_the_downloads_are():
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    done = subprocess.run(
        [make, "--dry-run", "--always-make", "demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    installs = re.findall(r"pip install(?:.|\\\n)*", done.stdout)
    assert len(installs) == 2
    for install in installs:
        assert "--progress-bar on" in install
        assert "--quiet" not in install
    assert "minutes" in done.stdout


def test_messages_name_the_command_that_readme_names():
    found = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in (ROOT / "bot").rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if "python -m bot" in line and path.name != "__main__.py"
    ]
    assert found == []


def test_readme_is_short():
    assert len(README.read_text("utf-8").split()) <= MAX_README_WORDS


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(paper: Path):
    for link in links(paper):
        name, _, anchor = link.partition("#")
        if "://" not in name:
            target = (paper.parent / name).resolve() if name else paper
            assert target.exists(), f"{paper.name}: {link}"
            assert not anchor or anchor in anchors(target), f"{paper.name}: {link}"


def test_papers_that_code_names_are_there():
    found = 0
    for path in files(".py", ".toml", ".service", "Dockerfile", ".example", "Makefile", ".md"):
        for name in re.findall(r"\bdocs/[\w/-]+\.(?:md|py|png)\b", path.read_text("utf-8")):
            found += 1
            assert (ROOT / name).is_file(), f"{path}: {name}"
    assert found


def test_every_page_is_in_the_index():
    listed = {link.partition("#")[0] for link in links(ROOT / "docs" / "README.md")}
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - listed == {"README.md"}


def test_table_of_settings_has_each_with_its_default():
    example = [
        line.split("=", 1)
        for line in (ROOT / ".env.example").read_text("utf-8").splitlines()
        if not line.startswith("#")
    ]
    settings = [row for row in rows(ROOT / "docs" / "settings.md") if row[0].startswith("`")]
    assert [row[0].strip("`") for row in settings] == [name for name, _ in example]
    assert [row[1].strip("`") for row in settings] == [value or "–" for _, value in example]


def test_drawing_of_the_layers_is_the_one_that_is_checked():
    [drawing] = fences(ROOT / "docs" / "architecture.md", "")
    drawn = [set(re.split(r" {3,}", line)[0].split()) for line in drawing.splitlines()]
    there = {path.stem for path in (ROOT / "bot").iterdir()}
    assert drawn == [layer & there for layer in LAYERS if layer & there]


def test_rules_that_a_page_shows_do_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = ROOT / "docs" / "privacy.md"
    [rules] = fences(page, "json")
    [command] = commands(page)
    (tmp_path / "rules.json").write_text(rules, "utf-8")
    prompts = ["a gun", "gun metal", "begun", "a red carpet", "two spiders"]
    (tmp_path / "prompts.txt").write_text("\n".join(prompts), "utf-8")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    outcomes = [line.split()[0] for line in done.output.splitlines()]
    assert outcomes == ["refuse", "allow", "allow", "hold", "spoiler"]


# Commands


def check_make(words: list[str]) -> list[str]:
    """Return the targets of a make command. Check that the Makefile has them and the variables."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for word in words[1:]:
        known = rf"^{word.partition('=')[0]} \?=" if "=" in word else rf"^{word}:"
        assert re.search(known, makefile, re.MULTILINE), f"the Makefile does not know {word}"
    return [word for word in words[1:] if "=" not in word]


class Unknown(AssertionError):
    """Raised for a command that this test does not know how to run."""


TO_DRAW_WITH_MAKE = {"imagine", "doctor"}  # these run unchanged, except for the installation
# these start a server, or run the tests themselves
TO_LOOK_AT_WITH_MAKE = {"demo", "run", "test", "exactness"}
TO_RUN = {("triptych", "imagine"), ("triptych", "--help"), ("cp", ".env.example")}


def prepare(command: str) -> str:
    """Return how to run a command of README: unchanged, but without installing or serving."""
    words = shlex.split(command)
    if words[0] == "make":
        [target] = check_make(words)
        if target in TO_DRAW_WITH_MAKE:
            return command.replace("make ", "make -o .venv/.installed ", 1)
        if target in TO_LOOK_AT_WITH_MAKE:
            return command.replace("make ", "make -n ", 1)
    elif tuple(words[:2]) in TO_RUN or command == ". .venv/bin/activate":
        return command
    raise Unknown(command)


def scripts() -> Iterator[str]:
    """Yield README's console blocks, and the commands inside its sentences."""
    for token in tokens(README):
        if token.type in {"fence", "code_block"}:
            assert token.info == "console", f"what is this for? {token.content}"
            yield "\n".join(line.removeprefix("$ ") for line in token.content.splitlines())
    for span in code_spans(README):
        if " " in span and not span.startswith("/"):
            yield span


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with everything that these commands need from an installed clone, but without an
    .env.
    """
    for name in ("Makefile", "pyproject.toml", ".env.example"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


@pytest.mark.timeout(600)  # this draws twice, and measures the machine first
def test_every_command_of_readme_runs_as_it_stands(checkout: Path):
    ours = {str(field.validation_alias or name) for name, field in Settings.model_fields.items()}
    left_out = {name.upper() for name in ours} | {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PROMPT"}
    known = {name: value for name, value in os.environ.items() if name not in left_out}
    prepared = [[prepare(line) for line in script.splitlines()] for script in scripts()]
    for lines in prepared:
        done = subprocess.run(
            ["bash", "-ec", "\n".join(lines)],
            cwd=checkout,
            env=known | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{lines}\n{done.stdout}{done.stderr}"
    assert sum(map(len, prepared)) >= 8
    assert len(list((checkout / "data" / "pictures").glob("*/grid.png"))) == 2
    assert (checkout / ".env").is_file()


@pytest.mark.parametrize(
    "command", ["make clean", "triptych run", "pip install triptych-bot", "./install.sh"]
)
def test_command_that_this_test_cannot_run_is_not_passed_over(command: str):
    with pytest.raises(Unknown):
        prepare(command)


def check_triptych(words: list[str]) -> None:
    """Check that a command exists. words: the command and its options, after ``triptych``."""
    command = typer.main.get_command(app)
    has_options = False
    for word in words:
        has_options |= word.startswith("--")
        if isinstance(command, TyperGroup) and not has_options:
            assert word in command.commands, f"triptych has no command {word}"
            command = command.commands[word]
        elif word.startswith("--"):
            options = {each for parameter in command.params for each in parameter.opts}
            assert word in {*options, "--help"}, f"triptych {command.name} has no {word}"


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_that_papers_name_exist_with_their_options(paper: Path):
    for text in (*commands(paper), *code_spans(paper)):
        if text.startswith("make "):
            check_make(shlex.split(text))
        for module in re.findall(r"python -m ([\w.]+)", text):
            assert find_spec(module), text
        for asked in re.findall(r"(?:^|bin/|\$ )(?:triptych|python -m bot) ([^|&>]*)", text):
            check_triptych(re.sub(r"[\[\]…]", " ", asked).split())
