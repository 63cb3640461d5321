"""Texts are in the reader's language. A catalogue that cannot be read is replaced by English."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from bot.texts import catalog
from bot.texts.catalog import Name, Plural, Text, speak, speaking
from tests.texts.catalogues import HERE, find_texts, forget, list_texts, write_catalog

SIX = Plural("{count} picture of {name}", "{count} pictures of {name}")


@pytest.fixture
def locales(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of test catalogues: German, and English unchanged."""
    (tmp_path / "en").symlink_to(HERE / "locales" / "en")
    texts = Catalog(locale="de")
    texts.add("Nothing.", "Nichts.")
    texts.add("Hello {name}.", "Hallo {nome}.")
    texts.add("{size:,.1f} MiB", "{size:,.1f} MB")
    texts.add("style", "Stil", context="option")
    texts.add(
        (SIX.english, SIX.many or ""), ("{count} Bild von {name}", "{count} Bilder von {name}")
    )
    write_catalog(tmp_path / "de", texts)
    monkeypatch.setattr(catalog, "LOCALES", tmp_path)
    forget()
    yield tmp_path
    forget()


@pytest.mark.usefixtures("locales")
def test_text_is_said_in_the_language_of_its_reader():
    assert Text("Nothing.")() == "Nothing."
    with speaking("de"):
        assert Text("Nothing.")() == "Nichts."
        assert Text("{size:,.1f} MiB")(size=1234.5) == "1.234,5 MB"
        assert [SIX(count=n, name="X") for n in (1, 3)] == ["1 Bild von X", "3 Bilder von X"]
        assert Name("option", "style")() == "Stil"
        assert Name("command", "style")() == "style"
        with speaking(None):
            assert Text("Nothing.")() == "Nothing."
    assert Text("{size:,.1f} MiB")(size=1234.5) == "1,234.5 MiB"
    assert [SIX(count=n, name="X") for n in (1, 3)] == ["1 picture of X", "3 pictures of X"]


@pytest.mark.parametrize("name", ["zh_CN", "zh_Hans_CN", "zh"])
def test_language_is_found_by_each_of_its_names(locales: Path, name: str):
    (locales / name).symlink_to(locales / "de")
    with speaking("zh-CN"):
        assert Text("Nothing.")() == "Nichts."


def test_number_of_any_size_can_be_said():
    said = [Text("{most:g}")(most=most) for most in (60.0, 1e22, float("inf"))]
    assert said == ["60", "1e+22", "∞"]


@pytest.mark.usefixtures("locales")
@pytest.mark.parametrize("locale", ["ko", "es-419", "xx-yy", "", "..", "../de"])
def test_language_without_texts_reads_english(locale: str, caplog: pytest.LogCaptureFixture):
    with speaking(locale):
        assert Text("Nothing.")() == "Nothing."
    assert not caplog.records


@pytest.mark.parametrize("bad", [None, b"", b"no catalogue at all", b"cut"])
def test_missing_or_broken_catalogue_is_english_with_one_warning(
    locales: Path, bad: bytes | None, caplog: pytest.LogCaptureFixture
):
    file = locales / "de" / "LC_MESSAGES" / "triptych.mo"
    whole = file.read_bytes()
    file.unlink()
    if bad is not None:
        file.write_bytes(whole[: len(whole) // 2] if bad == b"cut" else bad)
    with speaking("de"):
        assert [Text("Nothing.")() for _ in range(3)] == ["Nothing."] * 3
        assert SIX(count=3, name="X") == "3 pictures of X"
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "the texts of de cannot be read" in record.message


@pytest.mark.usefixtures("locales")
def test_translation_with_a_wrong_field_is_english_with_one_warning(
    caplog: pytest.LogCaptureFixture,
):
    with speaking("de"):
        assert [Text("Hello {name}.")(name="Ada") for _ in range(3)] == ["Hello Ada."] * 3
    [record] = caplog.records
    assert "Hallo {nome}." in record.message
    with pytest.raises(KeyError):
        Text("Hello {name}.")(nome="Ada")


async def test_language_is_of_a_task_and_of_what_it_starts():
    async def answer(locale: str) -> list[str]:
        speak(locale)
        await asyncio.sleep(0)
        return [catalog.get_locale(), await asyncio.to_thread(catalog.get_locale)]

    assert await asyncio.gather(*map(answer, ("de", "fr"))) == [["de"] * 2, ["fr"] * 2]
    assert catalog.get_locale() == catalog.ENGLISH


def read_catalog(path: Path) -> Catalog:
    return read_po(io.BytesIO(path.read_bytes()))


@pytest.mark.parametrize("path", sorted((HERE / "locales").glob("*/LC_MESSAGES/*.po")), ids=str)
def test_committed_catalogue_holds_the_texts_of_the_code_compiled(path: Path):
    """If this fails, run ``make texts``."""
    committed = read_catalog(path)
    found = {(message.context, message.id) for message in committed if message.id}
    assert found == find_texts()
    compiled = io.BytesIO()
    write_mo(compiled, committed)
    assert path.with_suffix(".mo").read_bytes() == compiled.getvalue()


def test_plurals_of_a_text_name_the_same_fields():
    for place, text in list_texts():
        if text.many is not None:
            one, many = (Text(each).fields | {"count"} for each in (text.english, text.many))
            assert one == many, place
