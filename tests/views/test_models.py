"""/models and the lists of models fit into Discord's limits, whatever the models are called."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.domain.guilds import GuildSettings
from bot.domain.jobs import Job, JobStatus, Origin
from bot.domain.recipes import Recipe, StartPicture
from bot.policy.models import OfferedModel
from bot.texts import catalog
from bot.texts.catalog import speaking
from bot.views.models import PER_PAGE, compose_models, list_options, name_choice
from bot.views.recipes import compose_remix_form
from bot.views.settings import SettingsPage, compose_panel
from playground.wire.components import check_components, check_modal, walk_components
from playground.wire.errors import FormErrors
from tests.fakes.engine import INFO
from tests.texts.catalogues import PSEUDO, forget, write_pseudo_locale

VIEW_MAX, MOST = 4000, 25
LONG = replace(
    INFO,
    width=1024,
    height=1024,
    num_inference_steps=1000,
    sizes=tuple((1024 + 64 * n, 1024) for n in range(20)),
)


def make_models(count: int) -> list[OfferedModel]:
    """Make models with the longest names that MODELS_FILE allows, full of markdown."""
    return [
        OfferedModel(
            f"{n:02}" + "_-" * 19,
            f"{n:02}" + "_*" * 29,
            LONG if n % 2 else None,
            "" if n % 2 else "~" * 500,
            n % 2 == 0,
            "Tencent Hunyuan Krea " + "_" * 179,
            depicts_person=True,
        )
        for n in range(count)
    ]


@pytest.fixture
def longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Speak the pseudo-locale, whose texts are longer."""
    write_pseudo_locale(tmp_path / "locales")
    monkeypatch.setattr(catalog, "LOCALES", tmp_path / "locales")
    forget()
    with speaking(PSEUDO):
        yield
    forget()


def check(view: Any) -> list[str]:
    """Return what Discord would refuse in a message, and the sum of its texts."""
    components, errors = view.to_components(), FormErrors()
    check_components(components, [], errors, is_v2=True)
    errors.raise_if_any()
    return [part["content"] for part in walk_components(components) if "content" in part]


@pytest.mark.usefixtures("longer")
def test_every_page_of_models_fits_and_no_model_is_left_out():
    models, seen = make_models(MOST), ""
    last = (MOST - 1) // PER_PAGE
    for page in range(last + 1):
        view = compose_models(models, models[0].id, lambda _: 1e5, page=page, for_owner=True)
        texts = check(view)
        assert sum(map(len, texts)) <= VIEW_MAX, (page, sum(map(len, texts)))
        seen += "\n".join(texts)
    assert all(f"{n:02}" in seen for n in range(MOST))


def test_why_a_model_cannot_draw_is_only_for_the_owner_because_it_may_name_paths():
    models = [replace(make_models(1)[0], note="/home/ada/models is gone", licence="MIT")]
    [said] = check(compose_models(models, None, lambda _: None))
    assert "cannot draw at the moment" in said
    assert "/home" not in said
    [said] = check(compose_models(models, None, lambda _: None, for_owner=True))
    assert "/home/ada/models" in said


def test_model_that_only_edits_says_so_and_is_offered_only_to_remix_edits():
    models = [
        OfferedModel("old", "Old", INFO),
        OfferedModel("edit", "Edit", replace(INFO, edits=True, only_edits=True)),
    ]
    [said] = check(compose_models(models, "old", lambda _: None))
    assert said.count("It only changes pictures, with `/edit`.") == 1
    for start, offered in ((None, False), (StartPicture(1, 1, 1.0, edited=True), True)):
        recipe = Recipe(
            "dog", width=64, height=64, num_inference_steps=4, guidance_scale=3, sampler="ddim",
            seeds=(1, 2, 3), model="old", start=start,
        )  # fmt: skip
        job = Job(1, Origin(), recipe, JobStatus.DELIVERED, 1.0, 1.0, 0.0)
        form = json.dumps(compose_remix_form(job, models, "old").to_dict())
        assert ('"edit"' in form) is offered


def test_member_without_any_model_reads_what_to_do():
    [said] = check(compose_models([], None, lambda _: None))
    assert "Ask a moderator" in said


@pytest.mark.usefixtures("longer")
def test_lists_of_models_fit_and_contain_the_chosen_one():
    models = make_models(60)
    options = list_options(models, (models[50].id,))
    assert len(options) == MOST
    assert [each.value for each in options if each.default] == [models[50].id]
    assert all(len(name_choice(each)) <= 100 for each in models)
    recipe = Recipe(
        "dog", width=64, height=64, num_inference_steps=4, guidance_scale=3, sampler="ddim",
        seeds=(1, 2, 3), model=models[50].id,
    )  # fmt: skip
    job = Job(1, Origin(), recipe, JobStatus.DELIVERED, 1.0, 1.0, 0.0)
    errors = FormErrors()
    check_modal(compose_remix_form(job, models, None).to_dict(), errors)
    errors.raise_if_any()
    settings = GuildSettings(default_model=models[50].id, reviewed_models=(models[50].id,))
    for page in ("models", "pictures"):
        check(compose_panel(SettingsPage(page, settings, 0.5, models=models, default=models[50])))


def test_licence_too_long_to_show_is_still_recognised_as_a_whole():
    long = f"Apache-2.0 for the code, {'and more, ' * 8}weights for non-commercial use only"
    [model] = [replace(each, licence=long) for each in make_models(1)]
    [said] = check(compose_models([model], None, lambda _: None))
    assert "… is for non-commercial use only" in said.replace(",", "")
