"""The table of models and cards in docs/memory.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.memory import MODELS, list_builders, make_table, measure_class, read_sizes

PAGE = Path(__file__).parents[2] / "docs" / "memory.md"


def test_table_in_the_documentation_is_the_computed_one() -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    assert [line for line in lines if "GB |" in line or line.startswith("| --- | ---:")] == (
        make_table()
    )


def test_every_part_has_a_size_and_a_class() -> None:
    parts = {part for parts in MODELS.values() for part in parts}
    assert read_sizes().keys() == {name for name, _ in list_builders()} == parts


@pytest.mark.parametrize("name", ["sana", "vae_16", "clip_l"])  # the others take seconds
def test_sizes_are_those_of_the_classes(name: str) -> None:
    assert measure_class(name, dict(list_builders())[name]) == read_sizes()[name]
