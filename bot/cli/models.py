"""triptych models: families and samplers; and writes, lists and checks the file of models."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bot.cli.exits import EXIT_REFUSED, leave
from bot.domain.licences import describe_licence
from bot.domain.models import ModelEntry
from bot.domain.samplers import SAMPLERS
from bot.engine import FAMILIES, check_model, read_licence
from bot.errors import ConfigError, UserError
from bot.ops.models_file import ModelsFile, read_models_file
from bot.ops.models_template import render_models_file
from bot.ops.resources import describe_ignored, make_model_source
from bot.settings import Settings, load_settings

_DEFAULT_PATH = Path("models.toml")
_AS_JSON = typer.Option("--json", help="Print one JSON object.")
_FILE = typer.Argument(help="Default: the file that MODELS_FILE names.")

app = typer.Typer(help="List models and samplers; check the file of models.")


@app.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: Annotated[bool, _AS_JSON] = False) -> None:
    """List the kinds of models and the samplers that this version can use."""
    if context.invoked_subcommand is not None:
        return
    if as_json:
        sys.stdout.write(json.dumps(describe_models()) + "\n")
        return
    for table in make_tables():
        Console().print(table)


@app.command("list")
def list_(
    file: Annotated[Path | None, _FILE] = None, as_json: Annotated[bool, _AS_JSON] = False
) -> None:
    """List the models of the file: names, licences, and who may use them."""
    settings, found = _read(file)
    described = [_describe(entry, settings) for entry in found.entries]
    if as_json:
        report = {"models": described, "faults": list(found.faults)}
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        for each in described:
            sys.stdout.write(_render(each))
    _end(found.faults, quiet=as_json)


@app.command()
def check(file: Annotated[Path | None, _FILE] = None) -> None:
    """Check the file and all models that it names. Print every mistake."""
    settings, found = _read(file)
    faults = list(found.faults)
    for entry in found.entries:
        try:
            lines = check_model(make_model_source(entry, settings))
        except ConfigError as error:
            faults.append(f"{entry.id}: {error}")
        else:
            sys.stdout.write(f"ok    {entry.id}: {'; '.join(lines)}\n")
    if ignored := describe_ignored(settings):
        sys.stdout.write(f"note  MODELS_FILE is set, so {ignored}.\n")
    _end(faults)


@app.command()
def write(
    file: Annotated[
        Path | None, typer.Argument(help="Default: MODELS_FILE, or models.toml.")
    ] = None,
) -> None:
    """Write a file to begin with, which has the present MODEL and a comment for each key."""
    settings = _load_settings()
    path = file or settings.models_file or _DEFAULT_PATH
    try:
        with path.open("x", encoding="utf-8") as opened:
            opened.write(render_models_file(settings))
    except FileExistsError:
        leave(UserError(f"{path} is there already, so nothing was written. Name another file."))
    except OSError as error:
        leave(UserError(f"{path} cannot be written ({error.strerror or error}). Nothing changed."))
    sys.stdout.write(
        f"{path} is written. Set MODELS_FILE={path} in .env, add your models to the file, and try "
        "`triptych models check`.\n"
    )


def _load_settings() -> Settings:
    try:
        return load_settings()
    except ConfigError as error:
        leave(error)


def _read(file: Path | None) -> tuple[Settings, ModelsFile]:
    settings = _load_settings()
    path = file or settings.models_file
    if path is None:
        leave(
            UserError(
                "MODELS_FILE is not set, so there is no file of models. `triptych models write` "
                "makes one from the present MODEL."
            )
        )
    return settings, read_models_file(path)


def _end(faults: list[str] | tuple[str, ...], *, quiet: bool = False) -> None:
    """Print all mistakes, and end with exit code 1 if there are any."""
    if not faults:
        return
    if not quiet:
        sys.stderr.write("".join(f"FAULT {fault}\n" for fault in faults))
    raise typer.Exit(EXIT_REFUSED)


def _describe(entry: ModelEntry, settings: Settings) -> dict[str, Any]:
    """Describe a model for ``--json``."""
    try:
        licence = read_licence(make_model_source(entry, settings))
    except ConfigError:  # `check` says what is wrong with the model
        licence = entry.licence
    return asdict(entry) | {
        "label": entry.label or entry.id,
        "licence": licence,
        "terms": describe_licence(licence),
        "guilds": sorted(map(str, entry.guilds)),
        "roles": sorted(map(str, entry.roles)),
    }


def _render(model: dict[str, Any]) -> str:
    """Show a model to people, in a few lines."""
    places = f"the servers {', '.join(model['guilds'])}" if model["guilds"] else "all servers"
    roles = f"members with the roles {', '.join(model['roles'])}" if model["roles"] else "everybody"
    person = "  Real person: nothing sexual is drawn with it.\n" if model["depicts_person"] else ""
    return (
        f"{model['id']} ({model['label']}): {model['model']}\n"
        f"  {model['terms']}\n"
        f"  For {roles} in {places}.\n{person}"
    )


def describe_models() -> dict[str, list[dict[str, Any]]]:
    """Describe the kinds of models and the samplers for ``--json``. This loads no model."""
    return {
        "families": [
            {
                "id": family.id,
                "label": family.label,
                "loads": list(family.is_loaded_from),
                "example": family.example,
            }
            for family in FAMILIES.values()
        ],
        "samplers": [
            {
                "id": sampler.id,
                "label": sampler.label,
                "aliases": list(sampler.aliases),
                "families": [each.id for each in FAMILIES.values() if sampler.id in each.samplers],
            }
            for sampler in SAMPLERS.values()
        ],
    }


def make_tables() -> tuple[Table, Table]:
    """Show the kinds of models and the samplers as two tables."""
    described = describe_models()
    families = Table("Family", "MODEL may be", "Example", title="Models")
    for family in described["families"]:
        families.add_row(family["label"], "\n".join(family["loads"]), family["example"])
    samplers = Table("Sampler", "Other names", "Families", title="Samplers")
    for each in described["samplers"]:
        aliases = ", ".join([each["id"], *each["aliases"]])
        samplers.add_row(each["label"], aliases, ", ".join(each["families"]))
    return families, samplers
