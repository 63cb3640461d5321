"""The custom_id of a button contains everything that it needs."""

from __future__ import annotations

import re

import pytest

from bot.views.components import JobButton


def test_button_says_all_it_knows_in_its_custom_id():
    button = JobButton("cancel", 2**63 - 1, 3, label="Cancel")
    custom_id = button.item.custom_id
    assert custom_id == "v1:cancel:9223372036854775807:3"
    match = re.fullmatch(JobButton.__discord_ui_compiled_template__, custom_id)
    assert match is not None
    assert (match["action"], match["job_id"], match["panel"]) == ("cancel", str(2**63 - 1), "3")


@pytest.mark.parametrize(
    "custom_id", ["v1:cancel:x:0", "v2:cancel:1:0", "v1:cancel:1:4", "v1::1:0"]
)
def test_other_custom_ids_are_nobodys_button(custom_id: str):
    assert not re.fullmatch(JobButton.__discord_ui_compiled_template__, custom_id)
