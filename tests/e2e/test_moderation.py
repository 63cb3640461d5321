"""Rules and the picture check, from the press to what people see."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from playground import Playground
from tests.e2e.conftest import StartBot
from tests.e2e.test_imagine import has_grid


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "rules.json"
    rules = [
        {"kind": "word", "text": "kale", "action": "refuse", "exceptions": ["kale chips"]},
        {"kind": "word", "text": "leek", "action": "hold"},
        {"kind": "pattern", "text": r"\bturnips?\b", "action": "spoiler"},
    ]
    path.write_text(json.dumps({"rules": rules}))
    return str(path)


async def test_rule_of_the_owners_file_refuses_privately_and_costs_nothing(
    server: Playground, start_bot: StartBot, rules: str
):
    bot = await start_bot(RULES_FILE=rules, BLOCKED_WORDS="yam")
    member, art = server.person("member"), server.channel("art")
    refused = {
        "kale": [
            await member.slash("imagine", art, prompt="a bowl of k@1e"),
            await member.slash("imagine", art, prompt="soup", negative_prompt="K a l e"),
        ],
        "yam": [await member.slash("imagine", art, prompt="y.a.m")],
    }
    for word, handles in refused.items():
        for handle in handles:
            message = await handle.wait_answered()
            assert message.is_ephemeral
            assert f"“{word}”" in message.text()
    allowed = await member.slash("imagine", art, prompt="kale chips and kaleidoscopes")
    await allowed.wait_for(has_grid)

    assert await bot.stop() == 0
    rows = bot.rows()
    assert [row["status"] for row in rows] == ["refused"] * 3 + ["delivered"]
    assert [row["cost"] for row in rows[:3]] == [0, 0, 0]


async def test_held_prompt_is_refused_with_a_sentence_of_its_own_where_nobody_reviews(
    server: Playground, start_bot: StartBot, rules: str
):
    bot = await start_bot(RULES_FILE=rules)
    handle = await server.person("member").slash("imagine", server.channel("art"), prompt="leek")
    message = await handle.wait_answered()
    assert message.is_ephemeral
    assert "A moderator would have to look at it first" in message.text()
    assert await bot.stop() == 0
    [row] = bot.rows()
    assert row["status"] == "refused"


async def test_picture_under_a_spoiler_rule_is_covered(
    server: Playground, start_bot: StartBot, rules: str
):
    bot = await start_bot(RULES_FILE=rules)
    member, art = server.person("member"), server.channel("art")
    covered = await (await member.slash("imagine", art, prompt="two turnips")).wait_for(has_grid)
    open_ = await (await member.slash("imagine", art, prompt="two dogs")).wait_for(has_grid)
    assert covered.attachments[0].filename.startswith("SPOILER_")
    assert not open_.attachments[0].filename.startswith("SPOILER_")
    sent = [record.body for record in server.requests("PATCH /webhooks/*")]
    spoilers = {
        item["spoiler"]
        for body in sent
        for item in _list_gallery_items(body)
        if "turnips" in item["description"]
    }
    assert spoilers == {True}
    assert await bot.stop() == 0
    assert [row["spoiler"] for row in bot.rows()] == [1, 0]


async def test_spoiler_stays_on_after_a_restart(
    server: Playground, start_bot: StartBot, rules: str
):
    first = await start_bot(RULES_FILE=rules, FAKE_STEP_SECONDS="3")
    member, art = server.person("member"), server.channel("art")
    handle = await member.slash("imagine", art, prompt="two turnips")
    await handle.wait_acknowledged()
    assert await first.stop() == 0
    await start_bot()
    message = await handle.wait_for(has_grid, 20)
    assert message.attachments[0].filename.startswith("SPOILER_")


@pytest.mark.parametrize("kind", ["crash", "missing"])
async def test_where_the_picture_check_does_not_work_nothing_is_shown(
    server: Playground, start_bot: StartBot, kind: str
):
    bot = await start_bot(FAKE_PICTURE_CHECK=kind, may_complain=True)
    handle = await server.person("member").slash(
        "imagine", server.channel("art"), prompt="dog", seed="200"
    )
    message = await handle.wait_for(has_grid)
    assert "the picture check does not work: pictures 1, 2 and 3" in message.text()
    assert len(_colours(message.attachments[0].content, drawn=(200, 201, 202))) == 0
    assert await bot.stop() == 0
    pictures = bot.rows("SELECT * FROM picture WHERE panel > 0")
    assert [row["shown"] for row in pictures] == [0, 0, 0]
    assert [row["nsfw_content_detected"] for row in pictures] == [None] * 3
    assert "job 1: the picture check does not work" in bot.log
    [row] = bot.rows()
    assert (row["status"], row["cost"]) == ("delivered", 0)


async def test_flagged_pictures_are_hidden_and_their_scores_kept(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_PICTURE_CHECK="0.5")
    member, art = server.person("member"), server.channel("art")
    handle = await member.slash("imagine", art, prompt="dog", seed="200")
    message = await handle.wait_for(has_grid)
    assert "Hidden by the filter: pictures 1, 2 and 3." in message.text()
    assert "Hidden by the filter" in (message.attachments[0].description or "")
    assert len(_colours(message.attachments[0].content, drawn=(200, 201, 202))) == 0
    assert await bot.stop() == 0
    pictures = bot.rows("SELECT * FROM picture WHERE panel > 0")
    assert [(row["shown"], row["nsfw_score"]) for row in pictures] == [(0, 0.5)] * 3


async def test_threshold_is_the_owners(server: Playground, start_bot: StartBot):
    await start_bot(FAKE_PICTURE_CHECK="0.5", NSFW_THRESHOLD="0.6")
    member, art = server.person("member"), server.channel("art")
    handle = await member.slash("imagine", art, prompt="dog", seed="200")
    message = await handle.wait_for(has_grid)
    assert "Hidden" not in message.text()
    assert len(_colours(message.attachments[0].content, drawn=(200, 201, 202))) == 3


async def test_embedded_classifier_judges_every_panel(server: Playground, start_bot: StartBot):
    bot = await start_bot(FAKE_PICTURE_CHECK="")
    member, art = server.person("member"), server.channel("art")
    await (await member.slash("imagine", art, prompt="dog")).wait_for(has_grid)
    assert await bot.stop() == 0
    pictures = bot.rows("SELECT * FROM picture WHERE panel > 0")
    assert all(0 < row["nsfw_score"] < 0.3 for row in pictures)
    assert all(row["nsfw_content_detected"] == 0 for row in pictures)


async def test_rules_that_cannot_be_used_stop_the_start_with_the_reason(
    server: Playground, start_bot: StartBot, tmp_path: Path
):
    path = tmp_path / "rules.json"
    path.write_text('{"rules": [{"kind": "pattern", "text": "(?=x)"}]}')
    bot = await start_bot(connected=False, RULES_FILE=str(path))
    assert await bot.wait() == 2
    assert "rule 1" in bot.log
    assert "invalid perl operator" in bot.log


def _list_gallery_items(body: object) -> list[dict[str, object]]:
    if isinstance(body, dict):
        found = body.get("items", []) if body.get("type") == 12 else []
        return [*found, *(item for value in body.values() for item in _list_gallery_items(value))]
    if isinstance(body, list):
        return [item for value in body for item in _list_gallery_items(value)]
    return []


def _colours(png: bytes, drawn: tuple[int, ...]) -> set[int]:
    """Return which flat greys of the fake engine cover the middle of a tile."""
    with Image.open(BytesIO(png)) as grid:
        width, height = grid.size
        pixels = [
            grid.convert("RGB").getpixel((width * (2 * n + 1) // 6, height // 4)) for n in range(3)
        ]
    return {grey for grey in drawn if (grey, grey, grey) in pixels}
