"""triptych rules check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.main import app
from bot.domain.rules import Outcome, Rule, RuleKind
from bot.moderation.rules import render_rules


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.json"
    path.write_text(
        render_rules(
            [
                Rule(RuleKind.WORD, "kale", Outcome.HOLD, ("kale chips",)),
                Rule(RuleKind.PHRASE, "very bad thing"),
                Rule(RuleKind.PATTERN, r"\bturnips?\b", Outcome.SPOILER),
            ]
        )
    )
    return path


def check(rules: Path, prompts: bytes, *options: str) -> tuple[int, str]:
    path = rules.with_name("prompts.txt")
    path.write_bytes(prompts)
    done = CliRunner().invoke(
        app, ["rules", "check", "--rules", str(rules), "--input", str(path), *options]
    )
    return done.exit_code, done.output


def test_one_json_object_for_every_line(rules: Path):
    prompts = "dog\nk4le\nkale chips\r\na very bad thing\n\nturnips\u2028dog\n"
    code, output = check(rules, prompts.encode(), "--json")
    reports = [json.loads(line) for line in output.split("\n") if line]
    assert code == 0
    assert [(r["prompt"], r["outcome"], r["rule"]) for r in reports] == [
        ("dog", "allow", None),
        ("k4le", "hold", "kale"),
        ("kale chips", "allow", None),
        ("a very bad thing", "refuse", "very bad thing"),
        ("", "allow", None),
        ("turnips\u2028dog", "spoiler", r"\bturnips?\b"),
    ]


def test_prompts_that_are_not_utf8_are_judged_as_well(rules: Path):
    code, output = check(rules, b"caf\xe9 kale\n", "--json")
    assert (code, json.loads(output)["outcome"]) == (0, "hold")


def test_people_get_lines_to_read(rules: Path):
    code, output = check(rules, b"k4le\ndog\n")
    assert code == 0
    assert output.splitlines() == ["hold    k4le [kale; leetspeak]", "allow   dog"]


def test_faults_are_told_in_a_sentence(rules: Path, tmp_path: Path):
    rules.write_text('{"rules": [{"kind": "pattern", "text": "(?=x)"}]}')
    code, output = check(rules, b"dog\n", "--json")
    assert code == 2
    assert "rule 1" in output
    assert "Traceback" not in output
    code, output = check(tmp_path / "absent.json", b"dog\n")
    assert code == 2
    assert "absent.json" in output
