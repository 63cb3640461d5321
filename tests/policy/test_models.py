"""Who may use which model, and how a model is named; models of real people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.jobs import JobStatus
from bot.domain.models import ModelEntry
from bot.domain.recipes import StartPicture
from bot.domain.review import Decision
from bot.domain.rules import Outcome
from bot.engine import ModelStatus
from bot.errors import UserError
from bot.moderation.classes import REAL_PEOPLE
from bot.policy.models import ModelCatalog, OfferedModel
from bot.texts.codes import Code
from bot.texts.reasons import say
from tests.conftest import GUILD, House, OpenHouse
from tests.fakes.engine import INFO, FakeEngine
from tests.review.conftest import MODERATOR

ELSEWHERE = GUILD + 1
ARTIST, PATRON = 2**59 + 1, 2**59 + 2
EVERYBODY = ModelEntry("dreams", "a/b", "Sweet dreams", licence="MIT")
HERE = ModelEntry("draw", "a/c", guilds=frozenset({GUILD}))
ARTISTS = ModelEntry("dragon", "a/d", "Dragons", roles=frozenset({ARTIST, PATRON}))
BOTH = ModelEntry(
    "alice", "a/e", "Alice", None, None, guilds=frozenset({GUILD}), roles=frozenset({PATRON}),
    depicts_person=True,
)  # fmt: skip
ALL = (EVERYBODY, HERE, ARTISTS, BOTH)


def make_catalog(
    entries: Sequence[ModelEntry] = ALL, statuses: Sequence[ModelStatus] = ()
) -> ModelCatalog:
    return ModelCatalog(entries, lambda: statuses)


def name(models: Sequence[OfferedModel]) -> list[str]:
    return [each.id for each in models]


def refuse(catalog: ModelCatalog, typed: str, *roles: int, guild_id: int | None = GUILD) -> str:
    with pytest.raises(UserError) as caught:
        catalog.find(typed, guild_id, roles)
    assert caught.value.reason is not None
    return say(caught.value.reason)


@pytest.mark.parametrize(
    ("guild_id", "roles", "wanted"),
    [
        (GUILD, (), ["dreams", "draw"]),
        (GUILD, (ARTIST,), ["dreams", "draw", "dragon"]),
        (GUILD, (PATRON, 5), ["dreams", "draw", "dragon", "alice"]),
        (ELSEWHERE, (), ["dreams"]),
        (ELSEWHERE, (PATRON,), ["dreams", "dragon"]),
        (None, (), ["dreams"]),
    ],
)
def test_members_get_the_models_of_their_server_and_roles(
    guild_id: int | None, roles: tuple[int, ...], wanted: list[str]
):
    catalog = make_catalog()
    assert name(catalog.list_for(guild_id, roles)) == wanted
    assert name(catalog.list_all()) == ["dreams", "draw", "dragon", "alice"]


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("dreams", "dreams"),
        (" DREAMS ", "dreams"),
        ("sweet  Dreams", "dreams"),
        ("swe", "dreams"),
        ("drag", "dragon"),
        ("Dragons", "dragon"),
        ("draw", "draw"),
    ],
)
def test_model_is_found_by_id_label_or_the_beginning_of_one(typed: str, wanted: str):
    assert make_catalog().find(typed, GUILD, (ARTIST,)).id == wanted


def test_id_counts_before_a_longer_name_that_begins_like_it():
    catalog = make_catalog([ModelEntry("flux", "a/b"), ModelEntry("flux-2", "a/c", "Flux two")])
    assert catalog.find("flux", GUILD).id == "flux"
    assert catalog.find("Flux t", GUILD).id == "flux-2"


def test_beginning_of_several_names_is_refused_with_these():
    said = refuse(make_catalog(), "dra", ARTIST)
    assert "begin like that. Choose one of: draw, Dragons. Nothing was drawn" in said
    assert make_catalog().find("dra", GUILD).id == "draw"  # nobody else may use the other one


@pytest.mark.parametrize("typed", ["", "  ", "unicorn", "dragon", "alice", "Alice"])
def test_refusal_names_what_there_is_and_nothing_that_others_have(typed: str):
    said = refuse(make_catalog(), typed)
    assert said == (
        "You cannot use a model of that name here. Choose one of: Sweet dreams, draw. Nothing was "
        "drawn or charged."
    )


def test_models_with_the_same_name_are_told_apart_by_their_ids():
    statuses = [ModelStatus("one", replace(INFO, name="Same")), ModelStatus("two", INFO)]
    catalog = make_catalog([ModelEntry("one", "a/b"), ModelEntry("two", "a/b", "same")], statuses)
    assert "Choose one of: Same (one), same (two)." in refuse(catalog, "sam")


def test_refusal_of_many_models_stays_short():
    catalog = make_catalog([ModelEntry(f"m{number}", "a/b") for number in range(50)])
    assert refuse(catalog, "x").count(", ") == 20
    assert "m19, …" in refuse(catalog, "x")


def test_member_who_may_use_no_model_is_told_so():
    catalog = make_catalog([ARTISTS])
    assert "no model here that you may use" in refuse(catalog, "dragon")
    with pytest.raises(UserError, match="no model here that you may use"):
        catalog.choose_default("dragon", GUILD)


def test_default_is_the_servers_own_or_the_first():
    catalog = make_catalog()
    assert catalog.choose_default(None, GUILD)[0].id == "dreams"
    assert catalog.choose_default("draw", GUILD) == (catalog.find("draw", GUILD), None)


@pytest.mark.parametrize("wanted", ["gone", "dragon"])
def test_default_that_is_gone_or_for_others_falls_back_with_a_sentence(wanted: str):
    found, note = make_catalog().choose_default(wanted, GUILD)
    assert found.id == "dreams"
    assert note is not None
    assert note.code is Code.MODEL_DEFAULT_GONE
    assert say(note).startswith(f"{wanted}, the usual model of this server, cannot be used here")
    assert "Sweet dreams draws in its place" in say(note)


def test_default_that_cannot_draw_now_falls_back_too():
    loading = ModelStatus("dreams", None, "its engine starts again")
    assert make_catalog(statuses=[loading]).choose_default(None, GUILD)[0].id == "dreams"
    catalog = make_catalog(statuses=[replace(loading, note="damaged", is_out=True)])
    found, note = catalog.choose_default(None, GUILD)
    assert found.id == "draw"
    assert say(note).startswith("Sweet dreams, the usual model of this server, cannot")
    broken = [ModelStatus(each.id, None, "no card", is_out=True) for each in (EVERYBODY, HERE)]
    found, note = make_catalog(statuses=broken).choose_default("draw", GUILD)
    assert (found.id, found.note, note) == ("draw", "no card", None)


def test_default_is_no_model_that_only_edits_unless_there_is_no_other():
    editors = [
        ModelStatus(each, replace(INFO, edits=True, only_edits=True)) for each in ("dreams", "draw")
    ]
    catalog = make_catalog(statuses=editors[:1])
    assert catalog.choose_default(None, GUILD) == (catalog.find("draw", GUILD), None)
    found, note = catalog.choose_default("dreams", GUILD)
    assert found.id == "draw"
    assert say(note).startswith("Sweet dreams, the usual model of this server, cannot")
    assert make_catalog(statuses=editors).choose_default("draw", GUILD)[0].id == "draw"


def test_what_the_engines_know_is_shown():
    info = replace(INFO, id="draw", name="Drawing 2", licence="apache-2.0")
    mine = replace(INFO, id="mine", name="Mine")
    catalog = make_catalog(
        statuses=[ModelStatus("draw", info), ModelStatus("mine", mine), ModelStatus("dreams", INFO)]
    )
    dreams, draw, *_, other = catalog.list_all()
    assert (draw.label, draw.licence, draw.info) == ("Drawing 2", "apache-2.0", info)
    assert (dreams.label, dreams.licence) == ("Sweet dreams", "MIT")
    assert other == OfferedModel("mine", "Mine", mine)
    assert "mine" in name(catalog.list_for(ELSEWHERE))


def test_without_a_file_everybody_may_use_the_models_of_the_engines():
    catalog = make_catalog((), [ModelStatus("fake model", INFO)])
    assert name(catalog.list_for(None)) == ["fake model"]
    assert not catalog.depicts_person(None)
    assert not catalog.depicts_person("fake model")


def test_model_of_a_real_person_is_known_by_any_of_its_names():
    catalog = make_catalog()
    assert all(map(catalog.depicts_person, ("alice", "Alice", " ALICE ")))
    assert not any(map(catalog.depicts_person, ("dreams", "bob", "", None)))
    assert make_catalog([BOTH, EVERYBODY]).depicts_person(None)


PERSON = """
[[model]]
id = "dreams"
model = "a/b"

[[model]]
id = "alice"
model = "a/c"
label = "Alice of our club"
depicts_person = true
"""


async def judge(house: House, prompt: str, model: str | None, **kwargs) -> tuple[Outcome, str]:
    verdict = await house.services.gate.judge(house.origin(), prompt, "", model=model, **kwargs)
    return verdict.outcome, verdict.rule


def test_id_of_a_model_for_others_is_not_read_as_the_beginning_of_another_name():
    catalog = make_catalog([ModelEntry("club", "a/b", roles=frozenset({PATRON})),
                            ModelEntry("club-xl", "a/c")])  # fmt: skip
    assert "Choose one of: club-xl" in refuse(catalog, "club")
    assert catalog.find("clu", GUILD).id == "club-xl"


async def test_nothing_sexual_is_drawn_with_a_model_of_a_real_person(
    open_house: OpenHouse, tmp_path: Path
):
    (tmp_path / "models.toml").write_text(PERSON)
    async with open_house(models_file=tmp_path / "models.toml") as house:
        for prompt in ("nude", "lingerie", "boobs", "strip her", "bikini", "nud3 portrait"):
            assert await judge(house, prompt, "alice") == (Outcome.REFUSE, REAL_PEOPLE), prompt
            assert (await judge(house, prompt, "dreams"))[0] is Outcome.ALLOW, prompt
            assert (await judge(house, prompt, None))[0] is Outcome.ALLOW, prompt
        assert await judge(house, "portrait in a red dress", "alice") == (Outcome.ALLOW, "")
        gate, origin = house.services.gate, house.origin()
        settings = await gate.fetch_settings(origin)
        phrase = await gate.judge_phrase(origin, "nude", "dog, nude", settings, model="alice")
        assert phrase.outcome is Outcome.REFUSE


async def test_prompt_for_a_model_of_a_real_person_is_refused_at_intake_and_before_delivery(
    open_house: OpenHouse, tmp_path: Path
):
    (tmp_path / "models.toml").write_text(PERSON)
    async with open_house(models_file=tmp_path / "models.toml") as house:
        await house.load_model()
        assert (await house.submit("nude")).reason is None
        refused = await house.submit("nude", model="Alice of our club")
        assert refused.reason is not None
        assert refused.reason.code is Code.PERSON_MODEL_UNDRESSED
        assert "trained on pictures of a real person" in say(refused.reason)
        drawn = await house.submit("nude")
        drawn = replace(drawn, recipe=replace(drawn.recipe, model="alice"))
        verdict = await house.services.gate.judge_again(replace(drawn, approved_by=1))
        assert verdict.outcome is Outcome.REFUSE


async def test_picture_of_a_real_person_is_not_undressed_by_another_model(
    open_house: OpenHouse, tmp_path: Path
):
    (tmp_path / "models.toml").write_text(PERSON)
    async with open_house(models_file=tmp_path / "models.toml") as house:
        await house.load_model()
        job = await house.submit("portrait in the park")
        recipe = replace(job.recipe, model="alice")
        origin = replace(job.origin, interaction_id=7)
        drawn = await house.services.jobs.insert_job(origin, recipe, now=1.0, cost_estimate=1.0)
        assert drawn is not None
        start = StartPicture(drawn.job_id, 1, 0.7)
        assert (await judge(house, "nude", "dreams", start=start))[0] is Outcome.REFUSE
        assert (await judge(house, "watercolour", "dreams", start=start))[0] is Outcome.ALLOW
        before = StartPicture(job.job_id, 1, 0.7)
        assert (await judge(house, "nude", "dreams", start=before))[0] is Outcome.ALLOW


@pytest.mark.parametrize("fate", ["renamed", "mistaken", "no file"])
async def test_pictures_of_a_real_person_are_protected_after_their_model_left_the_file(
    open_house: OpenHouse, tmp_path: Path, fate: str
):
    path = tmp_path / "models.toml"
    path.write_text(PERSON)
    async with open_house(models_file=path) as house:
        await house.load_model()
        job = await house.submit("portrait in the park", model="alice")
        assert job.recipe.model == "alice"
    path.write_text(PERSON.replace('"alice"', '"al"' if fate == "renamed" else '"-"'))
    async with open_house(models_file=None if fate == "no file" else path) as house:
        start = StartPicture(job.job_id, 1, 0.7)
        assert await judge(house, "nude", "dreams", start=start) == (Outcome.REFUSE, REAL_PEOPLE)
        assert (await judge(house, "watercolour", "dreams", start=start))[0] is Outcome.ALLOW
        assert (await judge(house, "nude", "dreams"))[0] is Outcome.ALLOW


async def test_owner_can_correct_the_mark_of_a_model_that_is_in_the_file(
    open_house: OpenHouse, tmp_path: Path
):
    path = tmp_path / "models.toml"
    for text, wanted in (
        (PERSON, Outcome.REFUSE),
        (PERSON.replace("depicts_person = true", ""), Outcome.ALLOW),
        (PERSON.replace("alice", "bob").replace("Alice", "Bob"), Outcome.ALLOW),
    ):
        path.write_text(text)
        async with open_house(models_file=path) as house:
            assert (await judge(house, "nude", "alice"))[0] is wanted


@pytest.mark.parametrize("is_held", [False, True])
async def test_waiting_prompt_is_not_drawn_if_its_model_was_marked_meanwhile(
    open_house: OpenHouse, tmp_path: Path, *, is_held: bool
):
    path = tmp_path / "models.toml"
    path.write_text(PERSON.replace("depicts_person = true", ""))
    async with open_house(models_file=path) as house:
        await house.load_model()
        if is_held:
            await house.services.settings.put(GUILD, "review_channel_id", 5)
            await house.services.settings.put(GUILD, "review_everything", value=True)
        nude = await house.submit("nude", model="alice")
        dress = await house.submit("portrait in a red dress", model="alice")
        assert nude.status is (JobStatus.HELD if is_held else JobStatus.QUEUED), nude.reason
        cards = [case.card.card_id for case in house.messenger.cards]
    path.write_text(PERSON)
    engine = FakeEngine(info=replace(INFO, id="alice"))
    async with open_house(engine, models_file=path) as house:
        await house.services.recovery.run()
        await house.start()
        for card_id in cards:
            await house.services.decisions.decide(card_id, Decision.APPROVE, MODERATOR, GUILD)
        ended = await house.until_status(nude, JobStatus.REFUSED)
        assert ended.reason is not None and ended.reason.code is Code.PERSON_MODEL_UNDRESSED
        await house.until_status(dress, JobStatus.DELIVERED)
        assert [each.recipe.prompt for each in engine.drawn] == ["portrait in a red dress"]
