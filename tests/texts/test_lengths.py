"""Texts fit Discord's limits for their place."""

from __future__ import annotations

import pytest

from bot.texts import buttons, recipes
from bot.texts.catalog import Text
from bot.texts.help import LINES
from tests.texts.test_catalog import list_texts

MESSAGE_MAX, BUTTON_MAX, LABEL_MAX, HINT_MAX = 2000, 80, 45, 100
ENDINGS = {"_FORM": LABEL_MAX, "_FIELD": LABEL_MAX, "_HINT": HINT_MAX}


def test_every_text_fits_into_a_message():
    for place, text in list_texts():
        assert 0 < len(text.english) <= MESSAGE_MAX, place
    assert len("\n".join(line() for line in LINES)) <= MESSAGE_MAX


@pytest.mark.parametrize("name", [name for name in dir(buttons) if name.isupper()])
def test_every_button_has_a_short_label(name: str):
    assert len(getattr(buttons, name).english) <= BUTTON_MAX


def test_forms_have_short_titles_labels_and_hints():
    found = 0
    for name, text in vars(recipes).items():
        for ending, most in ENDINGS.items():
            if isinstance(text, Text) and name.endswith(ending):
                found += 1
                assert len(text.english) <= most, name
    assert found >= 9
