"""triptych models: prints the model families and the samplers of this version."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from bot.domain.samplers import SAMPLERS
from bot.engine import FAMILIES


def describe_models() -> dict[str, list[dict[str, Any]]]:
    """Describe the models and samplers for ``--json``. This loads no model."""
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
    """Show the models and samplers as two tables."""
    described = describe_models()
    families = Table("Family", "MODEL may be", "Example", title="Models")
    for family in described["families"]:
        families.add_row(family["label"], "\n".join(family["loads"]), family["example"])
    samplers = Table("Sampler", "Other names", "Families", title="Samplers")
    for each in described["samplers"]:
        aliases = ", ".join([each["id"], *each["aliases"]])
        samplers.add_row(each["label"], aliases, ", ".join(each["families"]))
    return families, samplers
