"""triptych rules: tries rules out. Needs no Discord, model or data directory."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.errors import ConfigError
from bot.moderation import PromptPolicy
from bot.moderation.rules import read_rules
from bot.moderation.text import clean_prompt

EXIT_CONFIG = 2

app = typer.Typer(help="Try rules out.", no_args_is_help=True)


@app.callback()
def rules() -> None:
    """Try rules out."""


@app.command()
def check(
    rules: Annotated[Path, typer.Option(help="A JSON file: an object with `rules`.")],
    prompts: Annotated[Path, typer.Option("--input", help="A file with one prompt a line.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print what the rules and the built-in classes would do with each prompt."""
    try:
        policy = PromptPolicy(rules=read_rules(rules))
        text = prompts.read_bytes().decode("utf-8", "replace")
    except ConfigError as error:
        raise _fault(str(error)) from None
    except OSError as error:
        raise _fault(f"{prompts} cannot be read: {error.strerror or error}") from None
    for line in text.removesuffix("\n").split("\n"):
        sys.stdout.write(_judge(policy, line.removesuffix("\r"), as_json=as_json))


def _judge(policy: PromptPolicy, prompt: str, *, as_json: bool) -> str:
    verdict = policy.judge(clean_prompt(prompt), "")
    if as_json:
        report = {
            "prompt": prompt,
            "outcome": verdict.outcome,
            "rule": verdict.rule or None,
            "form": verdict.form or None,
        }
        return json.dumps(report, ensure_ascii=False) + "\n"
    why = f" [{verdict.rule}; {verdict.form}]" if verdict.rule else ""
    return f"{verdict.outcome:8}{clean_prompt(prompt)}{why}\n"


def _fault(sentence: str) -> typer.Exit:
    sys.stderr.write(f"{sentence}\n")
    return typer.Exit(EXIT_CONFIG)
