"""A bot with several models: members choose one, servers have a default, and every recipe keeps
its own.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from playground import InteractionHandle, Message, Person, Playground
from playground.world.scenery import add_role
from tests.e2e.conftest import StartBot, say_of
from tests.e2e.gallery import draw, has_grid, open_picture, press, refusal
from tests.e2e.test_rules import say
from tests.e2e.test_settings import change, open_panel

CLASSIC = """
[[model]]
id = "classic"
model = "starter"
label = "Classic"
licence = "Apache-2.0"
"""
SWIFT = """
[[model]]
id = "swift"
model = "starter"
label = "Swift flow"
size = [96, 128]
sampler = "lcm"
num_inference_steps = 2
guidance_scale = 1
licence = "FLUX.1 [dev] Non-Commercial License"
"""
CLUB = """
[[model]]
id = "portrait"
model = "starter"
label = "Our Ada"
roles = ["{role}"]
depicts_person = true
"""
DEFAULT = "v1:settings:models.default_model"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """MODELS_FILE with two models for everybody."""
    path = tmp_path / "models.toml"
    path.write_text(CLASSIC + SWIFT)
    return path


def write(file: Path, *entries: str) -> None:
    file.write_text("".join(entries))


async def list_choices(person: Person, server: Playground, typed: str = "") -> list[Any]:
    found = await person.autocomplete("imagine", server.channel("art"), "model", typed, prompt="x")
    return [(each["name"], each["value"]) for each in found]


async def find_fields(form: InteractionHandle) -> dict[str, Any]:
    """Return the fields of an open form, with their hints."""
    labels = (await form.wait_modal())["components"]
    return {
        label["component"]["custom_id"]: label["component"] | {"hint": label.get("description")}
        for label in labels
    }


async def test_member_chooses_among_the_models_that_they_may_use(
    server: Playground, start_bot: StartBot, file: Path
):
    member, art = server.person("member"), server.channel("art")
    guild = next(iter(server.world.guilds.values()))
    club = add_role(server.world, guild, "Club", 0)
    write(file, CLASSIC, SWIFT, CLUB.format(role=club.id))
    bot = await start_bot(MODELS_FILE=str(file))
    both = [("Classic", "classic"), ("Swift flow", "swift")]
    assert await list_choices(member, server) == both
    assert await list_choices(member, server, "FLOW") == both[1:]
    grid = await draw(member, art)
    assert "classic · DDIM · 4 steps" in grid.text()
    grid = await draw(member, art, model="swift")
    assert "swift · LCM · 2 steps · guidance 1 · 96×128" in grid.text()
    assert open_picture(grid).text["model"] == "swift"
    await draw(member, art, model=" SWIFT Flow ")

    told = await say(member, "imagine", art, prompt="dog", model="portrait")
    assert "Choose one of: Classic, Swift flow. Nothing was drawn or charged" in told
    assert told == await say(member, "imagine", art, prompt="dog", model="Our Ada")
    told = await say(member, "imagine", art, prompt="dog", model="swift", sampler="ddim")
    assert "Swift flow cannot use the sampler ddim" in told
    guild.members[member.id].role_ids.append(club.id)
    assert ("Our Ada", "portrait") in await list_choices(member, server)
    await draw(member, art, model="portrait")
    told = await say(member, "imagine", art, prompt="a nude statue", model="portrait")
    assert "trained on pictures of a real person" in told
    assert await bot.stop() == 0
    drawn = [r.model for r, row in zip(bot.recipes(), bot.rows(), strict=True) if row["cost"]]
    assert drawn == ["classic", "swift", "swift", "portrait"]


async def test_suggestions_are_those_of_the_model_that_was_chosen(
    server: Playground, start_bot: StartBot, file: Path
):
    member, art = server.person("member"), server.channel("art")
    await start_bot(MODELS_FILE=str(file))

    async def list_values(option: str, **others: str) -> list[str]:
        found = await member.autocomplete("imagine", art, option, "", prompt="x", **others)
        return [each["value"] for each in found]

    assert await list_values("sampler") == ["ddim", "euler"]
    assert await list_values("sampler", model="swift") == ["lcm", "euler"]
    assert (await list_values("size"))[0] == "64x64"
    assert (await list_values("size", model="Swift flow"))[0] == "96x128"


async def test_server_has_a_default_that_is_on_record_and_falls_back_when_it_is_gone(
    server: Playground, start_bot: StartBot, file: Path
):
    member, moderator = server.person("member"), server.person("moderator")
    art = server.channel("art")
    bot = await start_bot(MODELS_FILE=str(file))
    panel = await open_panel(server, moderator, "models")
    assert "this one draws: **Classic (as the owner of this bot has set)**" in panel.text()
    assert await change(await moderator.select(panel, DEFAULT, ["swift"])) == ""
    assert "this one draws: **Swift flow**" in panel.text()
    assert "swift · LCM" in (await draw(member, art)).text()
    assert "swift · LCM" not in (await draw(member, member.direct_channel)).text()
    assert await bot.stop() == 0

    write(file, CLASSIC, SWIFT.replace('"swift"', '"slow"').replace("Swift", "Slow"))
    bot = await start_bot(MODELS_FILE=str(file))
    assert "classic · DDIM" in (await draw(member, art)).text()
    panel = await open_panel(server, moderator, "models")
    assert "this one draws: **Classic**" in panel.text()
    assert "swift, the usual model of this server, cannot be used here now" in panel.text()
    assert await change(await moderator.select(panel, DEFAULT, [])) == ""
    assert "usual model" not in panel.text()
    assert await bot.stop() == 0
    rows = bot.rows("SELECT * FROM audit ORDER BY entry_id")
    assert [(say_of(row), row["old_value"], row["new_value"]) for row in rows] == [
        ("default_model", "", '"swift"'),
        ("default_model", '"swift"', ""),
    ]


async def test_remix_and_buttons_keep_the_model_and_remix_may_change_it(
    server: Playground, start_bot: StartBot, file: Path
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot(MODELS_FILE=str(file))
    grid = await draw(member, art, model="swift")
    for label in ("↻", "Vary 1"):
        await (await press(member, grid, label)).wait_for(has_grid)
    single = await (await press(member, grid, "1")).wait_answered()
    await (await press(member, single, "Upscale (redraw)")).wait_for(has_grid)
    form = await press(member, single, "Use as start")
    await form.wait_modal()
    await (await member.submit_modal(form, {"prompt": "cat"})).wait_for(has_grid)

    form = await press(member, grid, "✎ Remix")
    fields = await find_fields(form)
    assert list(fields) == ["prompt", "negative", "model", "size", "settings"]
    chosen = {o["value"]: o.get("default", False) for o in fields["model"]["options"]}
    assert chosen == {"classic": False, "swift": True}
    await (await member.submit_modal(form, {"settings": "3 / / / 99"})).wait_for(has_grid)
    form = await press(member, grid, "✎ Remix")
    await form.wait_modal()
    wrong = {"settings": "a", "model": ["classic"]}
    refused = await refusal(await member.submit_modal(form, wrong))
    assert "not a number of steps" in refused
    form = await press(member, grid, "✎ Remix")
    await form.wait_modal()
    typed = {"model": ["classic"], "settings": "2 / 5 / LCM"}  # only the guidance was changed
    await (await member.submit_modal(form, typed)).wait_for(has_grid)
    assert await bot.stop() == 0
    *same, kept, remixed = bot.recipes()
    assert {recipe.model for recipe in same} == {"swift"}
    assert (kept.model, kept.seeds[0], kept.num_inference_steps) == ("swift", 99, 3)
    changed = (remixed.model, remixed.size, remixed.num_inference_steps, remixed.guidance_scale)
    assert changed == ("classic", (64, 64), 4, 5)
    assert remixed.sampler == "ddim"


async def test_refused_remix_opens_again_with_the_model_that_was_chosen(
    server: Playground, start_bot: StartBot, file: Path
):
    member, art = server.person("member"), server.channel("art")
    await start_bot(MODELS_FILE=str(file))
    grid = await draw(member, art)
    form = await press(member, grid, "✎ Remix")
    await form.wait_modal()
    refused = await member.submit_modal(form, {"size": "huge", "model": ["swift"]})
    form = await press(member, await refused.wait_answered(), "Try again")
    options = (await find_fields(form))["model"]["options"]
    assert [each["value"] for each in options if each.get("default")] == ["swift"]


async def test_pictures_of_a_model_that_is_gone_are_remixed_with_the_default(
    server: Playground, start_bot: StartBot, file: Path
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot(MODELS_FILE=str(file))
    grid = await draw(member, art, model="swift")
    assert await bot.stop() == 0
    write(file, CLASSIC)
    bot = await start_bot(MODELS_FILE=str(file))
    form = await press(member, grid, "✎ Remix")
    model = (await find_fields(form))["model"]
    assert "the model of this picture is gone" in model["hint"]
    assert [each["value"] for each in model["options"] if each.get("default")] == ["classic"]
    await (await member.submit_modal(form, {"prompt": "cat"})).wait_for(has_grid)
    single = await (await press(member, grid, "1")).wait_answered()
    await (await press(member, single, "Upscale")).wait_for(has_grid)
    assert await bot.stop() == 0
    first, remixed, upscaled = bot.recipes()
    assert (remixed.model, remixed.size, remixed.sampler) == ("classic", (64, 64), "ddim")
    assert (first.model, upscaled.model) == ("swift", "swift")


async def test_prompts_that_wait_for_both_models_survive_a_restart(
    server: Playground, start_bot: StartBot, file: Path
):
    member, other, art = server.person("member"), server.person("newcomer"), server.channel("art")
    bot = await start_bot(MODELS_FILE=str(file), FAKE_STEP_SECONDS="5")
    handles = [
        await person.slash("imagine", art, prompt="dog", model=model)
        for person in (member, other)
        for model in ("classic", "swift")
    ]
    for handle in handles:
        await handle.wait_answered()
    assert await bot.stop() == 0
    assert {row["status"] for row in bot.rows()} <= {"queued", "running"}
    bot = await start_bot(MODELS_FILE=str(file))
    for handle in handles:
        await handle.wait_for(has_grid, 20)
    assert await bot.stop() == 0
    drawn = [(recipe.model, recipe.num_inference_steps) for recipe in bot.recipes()]
    assert sorted(drawn) == [("classic", 4)] * 2 + [("swift", 2)] * 2
    engines = [row["engine"] for row in bot.rows()]
    assert sorted(engines) == ["engine of classic"] * 2 + ["engine of swift"] * 2


async def test_prompts_for_a_model_that_the_owner_removed_are_refused_after_a_restart(
    server: Playground, start_bot: StartBot, file: Path
):
    member, art = server.person("member"), server.channel("art")
    write(file, CLASSIC, SWIFT, SWIFT.replace("wift", "low"))
    bot = await start_bot(MODELS_FILE=str(file), FAKE_STEP_SECONDS="5")
    handles = [
        await member.slash("imagine", art, prompt="dog", model=model)
        for model in ("swift", "classic")
    ]
    for handle in handles:
        await handle.wait_answered()
    assert await bot.stop() == 0
    write(file, CLASSIC, SWIFT.replace("wift", "low"))
    bot = await start_bot(MODELS_FILE=str(file))
    told = await handles[0].wait_for(lambda message: "has removed the model" in message.text())
    assert "the model swift. Nothing was drawn or charged" in told.text()
    await handles[1].wait_for(has_grid)
    assert await bot.stop() == 0
    ended = {r.model: row["status"] for r, row in zip(bot.recipes(), bot.rows(), strict=True)}
    assert ended == {"swift": "refused", "classic": "delivered"}


async def test_model_that_fails_is_taken_out_and_the_others_go_on(
    server: Playground, start_bot: StartBot, file: Path
):
    member, moderator = server.person("member"), server.person("moderator")
    art = server.channel("art")
    bot = await start_bot(MODELS_FILE=str(file), FAKE_BROKEN_MODEL="swift", may_complain=True)
    panel = await open_panel(server, moderator, "models")
    assert await change(await moderator.select(panel, DEFAULT, ["swift"])) == ""
    for _ in range(3):
        failing = await member.slash("imagine", art, prompt="dog", model="swift")
        await draw(member, art, model="classic")
        await failing.wait_for(lambda message: "nothing was charged" in message.text().lower(), 20)
    async with asyncio.timeout(20):
        while "cannot draw" not in (await list_choices(member, server, "swift"))[0][0]:  # noqa: ASYNC110 - another process draws the test picture
            await asyncio.sleep(0.1)
    told = await say(member, "imagine", art, prompt="dog", model="swift")
    assert "The model Swift flow does not work at the moment" in told
    assert "Choose another one: Classic. Or try again later" in told
    grid = await draw(member, art)
    assert "classic · DDIM" in grid.text(), "the server's default is out"
    answer = await (await member.slash("models", art)).wait_answered()
    assert "**Swift flow** · swift\n-# It cannot draw at the moment." in answer.text()
    assert "broken" not in answer.text(), "why is only for the owner"
    assert await bot.stop() == 0
    rows = bot.rows()
    assert sorted(row["status"] for row in rows[:6]) == ["delivered"] * 3 + ["failed"] * 3
    assert {row["cost"] for row in rows if row["status"] == "failed"} == {0}


async def test_models_shows_what_there_is_for_this_member(
    server: Playground, start_bot: StartBot, file: Path
):
    member, art = server.person("member"), server.channel("art")
    guild = next(iter(server.world.guilds.values()))
    club = add_role(server.world, guild, "Club", 0)
    write(file, CLASSIC, SWIFT, CLUB.format(role=club.id))
    bot = await start_bot(MODELS_FILE=str(file), FAKE_STEP_SECONDS="0.01")
    await draw(member, art)

    async def list_models() -> Message:
        answer = await (await member.slash("models", art)).wait_answered()
        assert answer.is_ephemeral
        return answer

    text = (await list_models()).text()
    assert "**Classic** (used if you choose none)\n-# 64×64 · 4 steps · now ready in about" in text
    assert "Its licence, Apache-2.0, allows all uses." in text
    assert "**Swift flow** · swift\n-# 96×128 · 2 steps" in text
    assert "is for non-commercial use only" in text
    assert "Ada" not in text
    guild.members[member.id].role_ids.append(club.id)
    text = (await list_models()).text()
    assert "**Our Ada** · portrait" in text
    assert "trained on pictures of a real person" in text
    assert await bot.stop() == 0

    more = "".join(
        SWIFT.replace('"swift"', f'"swift-{n}"').replace("flow", f"flow {n}") for n in range(24)
    )
    write(file, CLASSIC, more)
    await start_bot(MODELS_FILE=str(file))
    answer = await list_models()
    for page in range(2, 8):
        before = answer.text()
        await (await press(member, answer, f"Page {page}")).wait_acknowledged()
        assert answer.text() != before
    assert "swift-23" in answer.text()
    assert [b.label for b in answer.buttons()] == ["Page 6"]
    assert len(await list_choices(member, server)) == 25


async def test_round_is_drawn_with_the_default_that_the_server_had_when_it_began(
    server: Playground, start_bot: StartBot, file: Path
):
    member, moderator = server.person("member"), server.person("moderator")
    art = server.channel("art")
    bot = await start_bot(MODELS_FILE=str(file))
    panel = await open_panel(server, moderator, "models")
    await change(await moderator.select(panel, DEFAULT, ["swift"]))
    handle = await member.slash("together start", art, theme="a market on the moon")
    await handle.wait_answered()
    await change(await moderator.select(panel, DEFAULT, []))
    assert await bot.stop() == 0
    [row] = bot.rows("SELECT * FROM round")
    assert row["model"] == "swift"
