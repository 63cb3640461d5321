"""The commands that Discord has are compared with those of this version."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bot.chat.registration import find_differences

OURS: list[dict[str, Any]] = [
    {
        "name": "imagine",
        "type": 1,
        "description": "Draw",
        "name_localizations": {"de": "male"},
        "options": [
            {"type": 3, "name": "prompt", "description": "What", "required": True, "choices": []},
            {"type": 4, "name": "steps", "description": "How", "required": False, "min_value": 0},
        ],
        "nsfw": False,
        "contexts": [0, 1, 2],
        "integration_types": [0, 1],
        "default_member_permissions": 8192,
    },
    {"name": "Recipe", "type": 3, "contexts": [2, 0], "integration_types": [0]},
]


def as_kept() -> list[dict[str, Any]]:
    """Return the payload as Discord returns it: in another order, with added fields, without empty
    ones.
    """
    imagine, recipe = copy.deepcopy(OURS)
    imagine["options"] = [
        {"type": 3, "name": "prompt", "description": "What", "required": True},
        {"type": 4, "name": "steps", "description": "How", "min_value": 0},
    ]
    imagine |= {"contexts": [2, 1, 0], "default_member_permissions": "8192"}
    recipe |= {"description": "", "name_localizations": None, "contexts": [0, 2]}
    added = {"id": "5", "application_id": "6", "version": "7", "dm_permission": True}
    return [each | added for each in (recipe, imagine)]


def test_what_discord_adds_leaves_out_or_sorts_is_no_difference():
    assert find_differences(OURS, as_kept()) == []


@pytest.mark.parametrize(
    ("index", "change"),
    [
        (1, {"description": "Paint"}),
        (1, {"name_localizations": {"de": "zeichne"}}),
        (1, {"name_localizations": None}),
        (1, {"nsfw": True}),
        (1, {"contexts": [0]}),
        (1, {"integration_types": [0]}),
        (1, {"default_member_permissions": None}),
        (1, {"default_member_permissions": "0"}),
        (1, {"options": []}),
        (0, {"options": [{"type": 3, "name": "more", "description": "More"}]}),
    ],
)
def test_each_change_by_another_program_is_found(index: int, change: dict[str, Any]):
    kept = as_kept()
    kept[index] |= change
    assert find_differences(OURS, kept) == [kept[index]["name"]]


def test_bound_of_zero_is_a_bound():
    kept = as_kept()
    del kept[1]["options"][1]["min_value"]
    assert find_differences(OURS, kept) == ["imagine"]


def test_missing_and_foreign_commands_are_found_by_type_and_name():
    kept = as_kept()
    kept[0]["type"] = 2
    assert find_differences(OURS, kept) == ["Recipe"]
    assert find_differences(OURS, []) == ["Recipe", "imagine"]
    assert find_differences(OURS, [*as_kept(), {"name": "ping", "type": 1}]) == ["ping"]
