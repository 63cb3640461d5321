"""Checks the disguised language that the e2e tests run in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.store.settings import BOUNDS, QUOTA_BOUNDS
from bot.texts import catalog
from bot.texts.catalog import Name, Text, speaking
from bot.views.settings import compose_number_field
from tests.texts.catalogues import (
    PSEUDO,
    disguise,
    find_undisguised,
    forget,
    list_texts,
    undisguise,
    write_pseudo_locale,
)


@pytest.fixture(scope="module")
def pseudo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("locales")
    write_pseudo_locale(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "LOCALES", folder)
        forget()
        yield
        forget()


def test_every_text_is_longer_and_names_the_same_fields():
    for place, text in list_texts():
        for english in filter(None, (text.english, text.many)):
            said = disguise(english)
            assert Text(said).fields == Text(english).fields, place
            assert len(said) >= 1.4 * len(english) - 0.5, place
            assert undisguise(said) == english, place


@pytest.mark.usefixtures("pseudo")
def test_all_texts_are_said_in_it_and_names_can_be_typed():
    with speaking(PSEUDO):
        for place, text in list_texts():
            found = text._translate(catalog.load_catalog(PSEUDO), {"count": 2})
            if isinstance(text, Name):
                assert found != text.english and len(found) <= 32, place
            else:
                assert found == disguise(text.many or text.english), place


def test_what_stands_in_no_text_is_found_also_within_one():
    said = disguise("{name} has {what}.").format(name="Ada", what=disguise("{n} cats").format(n=3))
    assert undisguise(f"<@1> {said} Bye") == "<@1> Ada has 3 cats. Bye"
    assert find_undisguised(f"<@1> {said} Bye").split() == ["<@1>", "Ada", "3", "Bye"]


@pytest.mark.usefixtures("pseudo")
@pytest.mark.parametrize("name", BOUNDS | QUOTA_BOUNDS)
def test_label_of_a_number_has_room_for_longer_languages(name: str):
    with speaking(PSEUDO):
        label = compose_number_field(name, None)
    assert 0 < len(label.text) <= 45
    assert len(label.description or "") <= 100
