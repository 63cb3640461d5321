"""Texts fit Discord's limits for the place where they are shown."""

from __future__ import annotations

import pytest

from bot.texts import buttons, help, recipes
from bot.texts.catalog import Plural, Text
from tests.texts.test_catalog import list_texts

VIEW_MAX, LONGER = 4000, 1.4  # for other languages
MESSAGE_MAX, BUTTON_MAX, LABEL_MAX, HINT_MAX = 2000, 80, 45, 100
ENDINGS = {"_FORM": LABEL_MAX, "_FIELD": LABEL_MAX, "_HINT": HINT_MAX}


def test_every_text_fits_into_a_message():
    for place, text in list_texts():
        assert 0 < len(text.english) <= MESSAGE_MAX, place
    lines = (*help.EVERYBODY, *help.IN_SERVERS, *help.MODERATORS, *help.MANAGERS, *help.OWNERS)
    assert len("\n".join(line() for line in lines)) <= VIEW_MAX / LONGER


@pytest.mark.parametrize("name", [name for name in dir(buttons) if name.isupper()])
def test_every_button_has_a_short_label(name: str):
    label = getattr(buttons, name)
    assert isinstance(label, Text | Plural)
    assert len(label.english) <= BUTTON_MAX


def test_forms_have_short_titles_labels_and_hints():
    found = 0
    for name, text in vars(recipes).items():
        for ending, most in ENDINGS.items():
            if isinstance(text, Text) and name.endswith(ending):
                found += 1
                assert len(text.english) <= most, name
    assert found >= 9
