"""MODELS_FILE: every mistake is found at once, and models without a mistake can still be used."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.models import ModelEntry
from bot.errors import ConfigError
from bot.ops.models_file import read_models_file
from bot.ops.models_template import render_models_file
from bot.ops.resources import choose_model_source, get_starter_model_folder, load_models
from bot.settings import Settings

GOOD = """
[[model]]
id = "good"
model = "someone/model"
"""
SERVER, ROLE = 2**60 + 1, 2**61 + 1


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "models.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read_one(folder: Path, line: str, id_: str = "one") -> tuple[tuple[ModelEntry, ...], str]:
    """Read a file with a good model, and another one with this line. Return the only fault."""
    named = "" if line.startswith("id") else f'id = "{id_}"\n'
    named += "" if line.startswith("model =") else 'model = "a/b"\n'
    found = read_models_file(write(folder, f"{GOOD}[[model]]\n{named}{line}\n"))
    [fault] = found.faults
    return found.entries, fault


def make_settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[call-arg]


def test_every_key_is_read(tmp_path: Path):
    (tmp_path / "dream").mkdir()
    (tmp_path / "vae.safetensors").touch()
    path = write(
        tmp_path,
        f"""
        [[model]]
        id = "Dream_2.1"
        model = "dream"
        label = "The dream"
        model_config = "./dream"
        vae = "vae.safetensors"
        num_inference_steps = 30
        guidance_scale = 6
        sampler = "DPM++ 2M Karras"
        size = [768, 512]
        sizes = [[512, 512], [768, 512], [512, 512]]
        licence = "CreativeML OpenRAIL-M"
        guilds = ["{SERVER}"]
        roles = [{ROLE}, "{SERVER}"]
        depicts_person = true
        """,
    )
    found = read_models_file(path)
    assert found.faults == ()
    assert found.entries == (
        ModelEntry(
            "Dream_2.1",
            str(tmp_path / "dream"),
            "The dream",
            str(tmp_path / "dream"),
            str(tmp_path / "vae.safetensors"),
            30,
            6.0,
            "dpmpp_2m_karras",
            (768, 512),
            ((512, 512), (768, 512)),
            "CreativeML OpenRAIL-M",
            frozenset({SERVER}),
            frozenset({ROLE, SERVER}),
            depicts_person=True,
        ),
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("id = 3", "id is 3; write a text in quotes"),
        ('id = "a b"', "id is 'a b'; write at most 40 letters"),
        ('id = "a/b"', "id is 'a/b'; write at most 40 letters"),
        ('id = "a:b"', "id is 'a:b'; write at most 40 letters"),
        ('id = "..“"', "write at most 40 letters"),
        ('id = "ä"', "write at most 40 letters"),
        (f'id = "{"a" * 41}"', "write at most 40 letters"),
        ('id = ""', "id is ''; write a text"),
        ('id = "GOOD"', "id is already the name of model 1"),
        ('label = "Good"', "label is already the name of model 1"),
        (r'label = "a\nb"', r"label is 'a\\nb'; write one line"),
        ("label = 2026-01-01", "write a text in quotes"),
        ('model = "gone.safetensors"', "gone.safetensors, which is not there; correct the path"),
        ('model = "./gone"', "gone, which is not there"),
        ('model = "/gone/model"', "names /gone/model, which is not there"),
        ('model = "gone"', "neither a file or folder here nor a Hugging Face id"),
        ('model = "a/b/c"', "neither a file or folder here nor a Hugging Face id"),
        (r'model = "a\u0000b"', "write one line"),
        ("model = []", "write a text in quotes"),
        ('model_config = "./a/b"', "a/b, which is not there"),
        ('vae = "gone.safetensors"', "vae names .*gone.safetensors, which is not there"),
        ("num_inference_steps = 0", "is 0; write a whole number from 1 to 1000"),
        ("num_inference_steps = 20.0", "is 20.0; write a whole number"),
        ("num_inference_steps = true", "is True; write a whole number"),
        ("guidance_scale = 30.5", "is 30.5; write a number from 0 to 30"),
        ("guidance_scale = -1", "is -1; write a number from 0 to 30"),
        ("guidance_scale = nan", "is nan; write a number"),
        ('guidance_scale = "7"', "is '7'; write a number"),
        ('sampler = "dpmpp 2n"', "is 'dpmpp 2n', which is no sampler; write, for example, DPM"),
        ('sampler = "?"', "which is no sampler; write one of euler_a, "),
        ("size = 512", r"is 512; write \[width, height\]"),
        ("size = [512]", r"write \[width, height\]"),
        ("size = [512, 500]", "multiples of 8"),
        ("size = [512, 8192]", "from 64 to 4096"),
        ("size = [512, 512.0]", r"write \[width, height\]"),
        ("sizes = []", "write a list of 1 to 20 sizes"),
        ("sizes = [512, 512]", r"sizes is 512; write \[width, height\]"),
        ("sizes = [[512, 512], [1, 2]]", r"sizes is \[1, 2\]"),
        ("licence = 1", "write a text in quotes"),
        ("guilds = []", "or leave it out for everybody"),
        (f'guilds = "{SERVER}"', "write a list of ids"),
        ("guilds = [12]", "is 12; write a list of ids"),
        (f"guilds = [{SERVER}, true]", "is True; write a list of ids"),
        (f"roles = [{float(ROLE)}]", "write a list of ids"),
        ('roles = ["@artists"]', "is '@artists'; write a list of ids"),
        ('depicts_person = "true"', "is 'true'; write true or false, without quotes"),
        ("depicts_person = 1", "is 1; write true or false"),
        ("num_inference_step = 3", "no key; did you mean num_inference_steps?"),
        ("Label = 3", "no key; did you mean label?"),
        ("steps = 3", "no key; did you mean num_inference_steps?"),
        ('license = "mit"', "no key; did you mean licence?"),
        ("zebra = 3", "'zebra' is no key; write only id, model, label"),
    ],
)
def test_mistake_is_explained_and_the_other_model_is_used(tmp_path: Path, line: str, words: str):
    entries, fault = read_one(tmp_path, line)
    assert [entry.id for entry in entries] == ["good"]
    assert fault.startswith("model 2")
    assert re.search(words, fault), fault


def test_key_without_a_line_above_it_is_explained(tmp_path: Path):
    path = write(tmp_path, 'id = "a"\n[[model]]\nid = "b"\nmodel = "starter"\n')
    assert read_models_file(path).faults == (
        "the file: 'id' must be below a line [[model]], because it describes one model.",
    )


def test_all_mistakes_are_listed_at_once(tmp_path: Path):
    path = write(
        tmp_path,
        f'models = 1\n{GOOD}[[model]]\nlabel = 3\nsteps = 4\n[[model]]\nid = "good"\nmodel = 1\n',
    )
    found = read_models_file(path)
    assert [entry.id for entry in found.entries] == ["good"]
    assert [re.sub(r"[;,].*", "", fault) for fault in found.faults] == [
        "the file: 'models' is no key",
        "model 2: label is 3",
        "model 2: 'steps' is no key",
        "model 2: id is missing",
        "model 2: model is missing",
        "model 3 ('good'): model is 1",
        "model 3 ('good'): id is already the name of model 1",
    ]


def test_model_for_a_few_is_not_for_all_if_their_ids_have_a_mistake(tmp_path: Path):
    entries, _ = read_one(tmp_path, f'guilds = [{SERVER}]\nroles = ["x"]', "secret")
    assert "secret" not in {entry.id for entry in entries}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "names no model that can be used"),
        ("# nothing yet\n", "names no model that can be used"),
        ("[[model]\n", "is no TOML: .*line 1"),
        ('\n\n[[model]]\nid = "a"\nid = "b"\n', "is no TOML: .*line 5"),
        (b"[[model]]\nid = '\xff'\n", "is not UTF-8; save it as UTF-8"),
        ('[model]\nid = "a"\n', r"must have each model below a line \[\[model\]\]"),
        ("model = [1]\n", r"must have each model below a line \[\[model\]\]"),
        ("x = " + "[" * 5000, "is no TOML"),
        ("#" * 1_000_001, "is larger than 1 MB"),
    ],
)
def test_file_that_names_no_model_is_explained(tmp_path: Path, content: str | bytes, words: str):
    path = write(tmp_path, content)
    found = read_models_file(path)
    assert found.entries == ()
    [fault] = found.faults
    assert fault.startswith(str(path))
    assert re.search(words, fault), fault


def test_file_that_cannot_be_read_is_explained(tmp_path: Path):
    for path in (tmp_path, tmp_path / "gone.toml", tmp_path / "gone" / "models.toml"):
        found = read_models_file(path)
        assert found.entries == ()
        assert "cannot be read (" in found.faults[0]


@settings(max_examples=200)
@given(st.binary(max_size=60), st.booleans())
def test_no_file_raises_an_error(tmp_path_factory: Any, content: bytes, has_head: bool):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(b"[[model]]\n" + content if has_head else content)
    found = read_models_file(path)
    assert bool(found.faults) or found.entries


def test_mark_at_the_start_of_files_from_windows_does_not_matter(tmp_path: Path):
    found = read_models_file(write(tmp_path, b"\xef\xbb\xbf" + GOOD.encode()))
    assert (len(found.entries), found.faults) == (1, ())


def test_paths_count_from_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("lists", "models/dream", "home/other"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    lines = [
        f'[[model]]\nid = "{number}"\nmodel = "{place}"\n'
        for number, place in enumerate(("../models/dream", "~/other", "models/dream", "starter"))
    ]
    write(tmp_path / "lists", "".join(lines))
    monkeypatch.chdir(tmp_path)
    found = read_models_file(Path("lists/models.toml"))
    assert found.faults == ()
    places = [os.path.normpath(entry.model) for entry in found.entries]
    own = [str(tmp_path / "models/dream"), str(tmp_path / "home/other")]
    assert places == [*own, "models/dream", "starter"]  # the third can only be a Hugging Face id


def test_missing_folder_beside_others_is_not_taken_for_a_hugging_face_id(tmp_path: Path):
    (tmp_path / "models").mkdir()
    assert "which is not there" in read_one(tmp_path, 'model = "models/dreem"')[1]


def test_first_model_of_the_file_draws_and_model_does_not_count(tmp_path: Path):
    second = '[[model]]\nid = "second"\nmodel = "starter"\n'
    own = make_settings(
        model="other/model", vae="other/vae", models_file=write(tmp_path, GOOD + second)
    )
    source = choose_model_source(own)
    assert (source.model, source.vae) == ("someone/model", None)
    write(tmp_path, second + GOOD)
    assert choose_model_source(own).model == str(get_starter_model_folder())


def test_without_the_file_model_draws(tmp_path: Path):
    assert load_models(make_settings()).entries == ()
    assert choose_model_source(make_settings(model="starter", vae="a/b")).model == "starter"
    assert choose_model_source(make_settings(model="a/b", vae="c/d")).vae == "c/d"
    assert choose_model_source(make_settings()).model == str(get_starter_model_folder())


def test_start_ends_with_all_mistakes_if_no_model_can_be_used(tmp_path: Path):
    own = make_settings(models_file=write(tmp_path, "[[model]]\nid = 1\nsteps = 2\n"))
    with pytest.raises(ConfigError, match=r"(?s)id is 1;.*'steps' is no key.*model is missing"):
        choose_model_source(own)


@pytest.mark.parametrize(
    ("model", "id_"),
    [
        (None, "starter"),
        ("CompVis/stable-diffusion-v1-4", "stable-diffusion-v1-4"),
        ("my dreams!.safetensors", "my-dreams"),
        ('we"ird\\', "we-ird"),
        ("ü", "my-model"),
    ],
)
def test_file_to_begin_with_has_the_present_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str | None, id_: str
):
    monkeypatch.chdir(tmp_path)
    if model and "/" not in model:
        (tmp_path / model).touch()
    own = make_settings(model=model, MODEL_CONFIG=str(tmp_path), vae="some/vae")
    found = read_models_file(write(tmp_path, render_models_file(own)))
    assert found.faults == ()
    [entry] = found.entries
    is_here = model and "/" not in model
    wanted = str(tmp_path / model) if is_here and model else model or "starter"
    assert (entry.id, entry.model) == (id_, wanted)
    assert (entry.model_config, entry.vae) == (str(tmp_path), "some/vae")


def test_comments_of_the_file_to_begin_with_can_be_used_as_they_stand(tmp_path: Path):
    text = render_models_file(make_settings())
    options = re.sub(r"^# (?=\w+ = |\[\[)", "", text, flags=re.MULTILINE)
    found = read_models_file(write(tmp_path, options))
    assert found.faults == ()
    first, second = found.entries
    assert first.depicts_person
    assert first.sizes and first.guilds and first.roles and first.licence
    assert second.id == "dreams"
