"""The bot's messages: hostile prompts stay plain text, and nothing becomes too long."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import discord
import pytest

from bot.domain.jobs import Job, JobStatus, Origin, Standing
from bot.domain.pictures import PanelVerdict
from bot.domain.recipes import Recipe
from bot.jobs.ports import Delivery, Ended, Hidden, InProgress, InReview, Waiting
from bot.jobs.queue.places import Place, PlaceReason
from bot.policy.quotas import Quotas
from bot.texts.catalog import speaking
from bot.texts.codes import Code
from bot.texts.reasons import because, own_words
from bot.views import jobs as job_views
from bot.views import recipes as recipe_views
from tests.fakes.engine import INFO

NASTY = "*_~`|<[]\\" * 1000
SETTINGS = {
    "width": 64,
    "height": 64,
    "num_inference_steps": 4,
    "guidance_scale": 3.0,
    "sampler": "ddim",
    "model": "fake model",
}
RECIPE = Recipe("dog in autumn leaves", "", (7, 8, 9), **SETTINGS)
SHOWN, HIDDEN = PanelVerdict(None, shown=True), PanelVerdict(True, shown=False)


def make_job(prompt: str = "dog in autumn leaves", **changes: object) -> Job:
    recipe = replace(RECIPE, prompt=prompt, negative_prompt=changes.pop("negative_prompt", ""))
    job = Job(2**63 - 1, Origin(2**63 - 1), recipe, JobStatus.QUEUED, 1.0, 1.0, 0.0)
    return replace(job, **changes)


def make_delivery(*verdicts: PanelVerdict) -> Delivery:
    return Delivery(Path("grid.png"), (Path("1.png"),) * 3, verdicts or (SHOWN,) * 3)


def text_of(view: discord.ui.LayoutView) -> str:
    return "\n".join(
        item.content for item in view.walk_children() if isinstance(item, discord.ui.TextDisplay)
    )


def buttons_of(view: discord.ui.LayoutView) -> list[str]:
    return re.findall(r"'custom_id': '([^']+)'", str(view.to_components()))


@pytest.mark.parametrize("prompt", ["dog", NASTY, "z\u0351\u0352\u0353" * 2000, "😀" * 6000, ""])
@pytest.mark.parametrize(
    "update",
    [
        Waiting(None),
        Waiting(Place(200, 99, 50, PlaceReason.GUILD_LESS_USE, 1e9), model_ready=False),
        InProgress(0, 1000),
        Ended(),
    ],
)
def test_every_message_without_pictures_fits_into_discord(
    prompt: str, update: Waiting | InProgress | Ended
):
    for status in JobStatus:
        view = job_views.compose_update(
            make_job(prompt, status=status, reason=own_words("r" * 500)), update
        )
        assert len(text_of(view)) <= 4000
        assert view.content_length() <= 4000
        assert view.total_children_count <= 40
        assert view.timeout is None


@pytest.mark.parametrize("prompt", ["dog", NASTY, "😀" * 6000, "שלום " * 900])
def test_every_message_with_pictures_fits_into_discord(prompt: str):
    job = make_job(prompt, negative_prompt=prompt, cut_words=prompt, gpu_seconds=1.0)
    job = replace(job, cut_negative_words=prompt)
    job = replace(job, recipe=replace(job.recipe, model=NASTY))
    delivery = make_delivery(HIDDEN, HIDDEN, HIDDEN)
    view = job_views.compose_delivery(job, delivery, "triptych-1.png")
    assert view.content_length() <= 4000
    assert view.total_children_count <= 40
    gallery = next(i for i in view.walk_children() if isinstance(i, discord.ui.MediaGallery))
    [item] = gallery.items
    assert item.description == job_views.describe_grid(job, delivery)
    assert len(item.description) <= 1024
    assert item.media.url == "attachment://triptych-1.png"
    assert len(buttons_of(view)) == len(set(buttons_of(view))) == 9


def test_alt_text_says_what_was_asked_and_what_is_hidden():
    begin = "Three pictures side by side, drawn from the prompt: dog"
    assert job_views.describe_grid(make_job("dog"), make_delivery()) == begin
    hidden = job_views.describe_grid(make_job("dog"), make_delivery(SHOWN, HIDDEN, HIDDEN))
    assert hidden == f"{begin}. Hidden by the filter: pictures 2 and 3."
    long = job_views.describe_grid(make_job("x" * 6000), make_delivery(HIDDEN, SHOWN, SHOWN))
    assert len(long) == 1024
    assert long.endswith("Hidden by the filter: picture 1.")


@pytest.mark.usefixtures("marked")
@pytest.mark.parametrize(("of_server", "shown"), [("pl", "pl"), (None, "de")])
def test_what_everybody_sees_is_in_the_servers_language_whoever_made_it_move(
    of_server: str | None, shown: str
):
    """A moderator who reads French presses a button under the message of a German member."""
    job = make_job(reason=because(Code.CANCELLED), cut_words="more", negative_prompt="rain")
    job = replace(job, origin=Origin(1, locale="de", guild_locale=of_server))
    place = Place(2, 0, 0, PlaceReason.OWN_FIRST, 8.0)
    delivery = make_delivery(HIDDEN, SHOWN, SHOWN)
    updates = (Waiting(place), Waiting(None), InProgress(1, 2), InReview(), Hidden(), Ended())
    with speaking("fr"):
        views = [job_views.compose_update(job, update, "a.webp") for update in updates]
        views.append(job_views.compose_delivery(job, delivery, "a.png"))
        views.append(job_views.compose_delivery(job, delivery))
        said = [
            job_views.describe_preview(job),
            *job_views.describe_files(job, delivery, 1),
            *job_views.describe_files(job, delivery, 3),
            *(str(view.to_components()) for view in views),
        ]
    for text in said:
        assert {f"{shown}["} == set(re.findall(r"\b[a-z]{2}\[", text)), text


def test_only_a_job_that_can_be_cancelled_has_the_button():
    cancellable = {
        status
        for status in JobStatus
        if buttons_of(job_views.compose_update(make_job(status=status), Waiting(None)))
    }
    assert cancellable == {
        JobStatus.ACCEPTED,
        JobStatus.HELD,
        JobStatus.QUEUED,
        JobStatus.RUNNING,
    }
    [custom_id] = buttons_of(job_views.compose_update(make_job(), Waiting(None)))
    assert custom_id == f"v1:cancel:{2**63 - 1}:0"
    assert len(custom_id) <= 100


def test_message_names_prompt_and_author_and_the_recipe():
    view = job_views.compose_delivery(make_job(cut_words="and so on"), make_delivery(), "a.png")
    text = text_of(view)
    assert text.startswith(f"**dog in autumn leaves** · <@{2**63 - 1}>")
    assert "DDIM · 4 steps · guidance 3 · 64×64 · seed 7" in text
    assert "Too long for the model, so these words were cut: and so on" in text
    assert "negative prompt" not in text
    cut = replace(make_job(), cut_negative_words="and hats")
    text_of_cut = text_of(job_views.compose_delivery(cut, make_delivery(), "a.png"))
    assert (
        "The negative prompt was too long, so these words of it were cut: and hats" in text_of_cut
    )
    assert "without" not in text


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (Place(1, 0, 0, PlaceReason.NEXT, 3.2), "Next in the queue. Ready in about 3 seconds."),
        (Place(1, 0, 0, PlaceReason.NEXT, None), "Next in the queue."),
        (
            Place(2, 0, 0, PlaceReason.OWN_FIRST, 0.1),
            "Number 2 in the queue, after your own earlier prompts. Ready in about 1 second.",
        ),
        (
            Place(3, 2, 0, PlaceReason.CAME_FIRST, 125.0),
            "Number 3 in the queue: 2 people asked before you. Ready in about 2 minutes.",
        ),
        (  # the example in the design document
            Place(3, 2, 2, PlaceReason.LESS_USE, 40.0),
            "Number 3 in the queue: 2 people ahead have drawn less in the last hours. "
            "Ready in about 40 seconds.",
        ),
        (
            Place(4, 3, 1, PlaceReason.LESS_USE, None),
            "Number 4 in the queue: 1 of the 3 people ahead has drawn less in the last hours.",
        ),
        (
            Place(12, 1, 1, PlaceReason.GUILD_LESS_USE, 7200.0),
            "Number 12 in the queue: 1 person ahead or their server has drawn less in the last "
            "hours. Ready in about 2 hours.",
        ),
        (
            Place(21, 11, 11, PlaceReason.TURNS, 10.0),
            "Number 21 in the queue: you and 11 people ahead take turns. Ready in about "
            "10 seconds.",
        ),
        (
            Place(1113, 1, 0, PlaceReason.CAME_FIRST, None),
            "Number 1,113 in the queue: 1 person asked before you.",
        ),
    ],
)
def test_place_in_line_is_said_with_its_reason(place: Place, sentence: str):
    assert job_views.describe_place(place) == sentence


def test_every_reason_has_words():
    for reason in PlaceReason:
        assert job_views.describe_place(Place(3, 2, 1, reason, None)).endswith(".")


@pytest.mark.parametrize(("step", "filled"), [(0, 0), (1, 1), (8, 6), (16, 12)])
def test_bar_fills_as_steps_are_done(step: int, filled: int):
    bar = job_views.describe_drawing(make_job(), InProgress(step, 16))
    assert bar == f"Drawing {'▰' * filled}{'▱' * (12 - filled)} step {step} of 16"


def describe_queue(own: list[tuple[Job, Place | None]], waiting: int = 2) -> str:
    return job_views.describe_queue(
        here=(3, 1),
        own=own,
        standing=Standing(waiting, 3, 3, 4.5),
        quotas=Quotas(5, 50, 200, 60.0, 60),
        info=INFO,
    )


def test_queue_shows_the_line_and_what_is_left():
    place = Place(2, 0, 0, PlaceReason.OWN_FIRST, 8.0)
    text = describe_queue([(make_job(status=JobStatus.RUNNING), None), (make_job("cat"), place)])
    assert text.splitlines() == [
        "Triptych draws with fake model. In this server: 3 prompts in the queue, 1 being drawn.",
        "• “dog in autumn leaves” — Being drawn.",
        "• “cat” — Number 2 in the queue, after your own earlier prompts. "
        "Ready in about 8 seconds.",
        "You have 1 in the queue and 1 being drawn; you may have 5 prompts at once. You have 55.5 "
        "of 60 left this hour (1 is one prompt with default settings).",
    ]


def test_job_that_was_not_yet_answered_is_not_said_to_be_drawn():
    assert "— In the queue." in describe_queue([(make_job(status=JobStatus.ACCEPTED), None)])


@pytest.mark.parametrize("count", [0, 5, 6, 1000])
def test_queue_of_many_long_prompts_fits_into_one_message(count: int):
    place = Place(200, 99, 50, PlaceReason.GUILD_LESS_USE, 1e9)
    text = describe_queue([(make_job(NASTY), place)] * count, waiting=count)
    assert len(text) <= 2000
    shown = text.count("• “")
    assert f"{count - shown:,} more" in text or shown == count
    assert text.endswith("settings).")


def test_recipe_says_a_parameter_that_has_no_place_of_its_own():
    job = make_job()
    cut = replace(job, recipe=replace(job.recipe, clip_skip=1))
    assert text_of(recipe_views.compose_recipe(cut)[0]).endswith("\nClip skip: 1")
    assert "Clip skip" not in text_of(recipe_views.compose_recipe(job)[0])


def test_withheld_words_are_nowhere_in_a_message_also_with_a_style_around_them():
    job = make_job("an ink drawing of zebra, black lines", negative_prompt="zebra")
    recipe = replace(job.recipe, own_words="zebra", model="Triptych starter model")
    job = replace(job, recipe=recipe, cut_words="zebra", cut_negative_words="zebra")
    withheld = job_views.withhold_words(job)
    said = [
        str(job_views.compose_delivery(withheld, make_delivery(), "grid.png").to_components()),
        str(job_views.compose_update(withheld, Waiting(None)).to_components()),
        *job_views.describe_files(withheld, make_delivery(), 1),
    ]
    assert all("AutoMod refused them" in each for each in said)
    assert not any("zebra" in each or "starter model knows" in each for each in said)
