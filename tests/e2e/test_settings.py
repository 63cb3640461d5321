"""/settings, /pause and the conditions that servers set for members, through the playground."""

from __future__ import annotations

import pytest

from playground import Message, Overwrite, Playground
from playground.people import InteractionHandle, Person
from playground.wire.options import ClientRefusedError
from playground.world.permissions import Permission
from playground.world.scenery import add_channel, add_role
from tests.e2e.conftest import StartBot, say_of
from tests.e2e.test_imagine import has_grid
from tests.e2e.test_rules import ONLY_MANAGERS, say


async def open_panel(server: Playground, person: Person, page: str | None = None) -> Message:
    handle = await person.slash("settings", server.channel("art"))
    panel = await handle.wait_answered()
    assert panel.is_ephemeral
    if page is not None:
        await (await person.select(panel, "v1:settings:open.page", [page])).wait_acknowledged()
    return panel


async def change(handle: InteractionHandle) -> str:
    """Change a setting. Return the answer beside the panel; "" if only the panel changed."""
    await handle.wait_acknowledged()
    return "\n".join(message.text() for message in handle.messages if not message.selects())


async def fill(person: Person, handle: InteractionHandle, **typed: str) -> str:
    modal = await handle.wait_modal()
    fields = [part["component"]["custom_id"] for part in modal["components"]]
    values = dict(zip(fields, typed.values(), strict=True))
    return await change(await person.submit_modal(handle, values))


async def test_every_change_is_on_record_with_old_and_new_value(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    moderator = server.person("moderator")
    general = server.channel("general")
    panel = await open_panel(server, moderator, "review")
    assert "No review channel is set" in panel.text()
    await change(await moderator.select(panel, "v1:settings:review.review_channel_id", [general]))
    assert f"Review channel: <#{general.id}>" in panel.text()
    assert "No review channel is set" not in panel.text()
    await change(await moderator.press(panel, "v1:settings:review.review_everything"))
    assert "Review everything: **on**" in panel.text()
    handle = await moderator.select(panel, "v1:settings:review.number", ["review_hours"])
    assert "too large" in await fill(moderator, handle, number="1000")
    handle = await moderator.select(panel, "v1:settings:review.number", ["review_hours"])
    assert "is not a number" in await fill(moderator, handle, number="soon")
    handle = await moderator.select(panel, "v1:settings:review.number", ["review_hours"])
    assert await fill(moderator, handle, number="48") == ""
    assert "Hours until a card expires: **48**" in panel.text()
    assert await bot.stop() == 0
    rows = bot.rows("SELECT * FROM audit ORDER BY entry_id")
    assert [(say_of(row), row["old_value"], row["new_value"]) for row in rows] == [
        ("review_channel_id", "", str(general.id)),
        ("review_everything", "", "true"),
        ("review_hours", "", "48"),
    ]
    assert {(row["action"], row["actor_id"]) for row in rows} == {("setting_changed", moderator.id)}


async def test_panel_works_after_a_restart(server: Playground, start_bot: StartBot):
    bot = await start_bot()
    moderator, member = server.person("moderator"), server.person("member")
    general, art = server.channel("general"), server.channel("art")
    panel = await open_panel(server, moderator)
    assert await bot.stop() == 0
    await start_bot()
    await change(await moderator.select(panel, "v1:settings:people.allowed_channel_ids", [general]))
    assert f"Where: <#{general.id}>" in panel.text()
    assert f"draws only in <#{general.id}>" in await say(member, "imagine", art, prompt="dog")
    await (await member.slash("imagine", general, prompt="dog")).wait_for(has_grid)


async def test_members_can_neither_open_nor_use_the_panel(server: Playground, start_bot: StartBot):
    bot = await start_bot()
    moderator, member = server.person("moderator"), server.person("member")
    art = server.channel("art")
    with pytest.raises(ClientRefusedError, match="not offered"):
        await member.slash("settings", art)
    assert ONLY_MANAGERS in await say(member.unchecked, "settings", art)
    panel = await open_panel(server, moderator, "review")
    handle = await member.unchecked.press(panel, "v1:settings:review.review_everything")
    assert ONLY_MANAGERS in (await handle.wait_answered()).text()
    for command in ("pause", "resume"):
        assert "Only moderators" in await say(member.unchecked, command, art)
    assert await bot.stop() == 0
    assert bot.rows("SELECT * FROM setting") == []


async def test_role_lists_and_quotas_decide_who_prompts(server: Playground, start_bot: StartBot):
    moderator, member = server.person("moderator"), server.person("member")
    art = server.channel("art")
    guild = next(iter(server.world.guilds.values()))
    artists = add_role(server.world, guild, "Artists", 0)
    guild.members[member.id].role_ids.append(artists.id)
    bot = await start_bot()
    panel = await open_panel(server, moderator)
    await change(await moderator.select(panel, "v1:settings:people.allowed_role_ids", [artists]))
    newcomer = server.person("newcomer")
    assert f"one of these roles: <@&{artists.id}>." in await say(
        newcomer, "imagine", art, prompt="dog"
    )
    await change(await moderator.select(panel, "v1:settings:open.page", ["quotas"]))
    handle = await moderator.select(panel, "v1:settings:quotas.quota", [artists])
    assert await fill(moderator, handle, cost="1,5", waiting="", weight="2") == ""
    assert f"<@&{artists.id}>: cost 1.5 in 24 hours, weight 2" in panel.text()
    await (await member.slash("imagine", art, prompt="dog")).wait_for(has_grid)
    assert "of 1.5 left in 24 hours" in await say(member, "imagine", art, prompt="dog")
    assert await bot.stop() == 0
    assert bot.rows()[1]["weight"] == 2


async def test_only_channels_for_adults_may_be_looser(server: Playground, start_bot: StartBot):
    moderator = server.person("moderator")
    guild = next(iter(server.world.guilds.values()))
    adult = add_channel(server.world, guild, "adults")
    adult.is_nsfw = True
    bot = await start_bot()
    panel = await open_panel(server, moderator, "channels")
    for channel, is_adult in ((server.channel("art"), False), (adult, True)):
        await change(await moderator.select(panel, "v1:settings:open.page", ["channels"]))
        await change(await moderator.select(panel, "v1:settings:channels.pick", [channel]))
        page = f"v1:settings:c{channel.id}"
        said = await change(await moderator.select(panel, f"{page}.picture_action", ["spoiler"]))
        assert ("only in age-restricted channels" in said) is not is_adult
        handle = await moderator.select(panel, f"{page}.number", ["nsfw_threshold"])
        assert ("less strict" in await fill(moderator, handle, number="0.8")) is not is_adult
    assert (
        "Different from the server: Score that flags a picture, What happens to a flagged"
        in panel.text()
    )
    await change(await moderator.press(panel, f"v1:settings:c{adult.id}.reset"))
    assert "All settings are those of the server" in panel.text()
    assert await bot.stop() == 0
    assert bot.rows("SELECT * FROM setting") == []


async def test_channel_that_the_bot_cannot_write_in_is_not_taken_for_the_mod_log(
    server: Playground, start_bot: StartBot
):
    moderator = server.person("moderator")
    guild = next(iter(server.world.guilds.values()))
    hidden = add_channel(server.world, guild, "hidden")
    hidden.overwrites[guild.id] = Overwrite(deny=int(Permission.VIEW_CHANNEL))
    await start_bot()
    panel = await open_panel(server, moderator, "record")
    handle = await moderator.select(panel, "v1:settings:record.mod_log_channel_id", [hidden])
    assert "I cannot write in" in await change(handle)


async def test_pause_refuses_new_prompts_and_keeps_those_in_line(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="0.3")
    moderator, member = server.person("moderator"), server.person("member")
    art = server.channel("art")
    waiting = [await member.slash("imagine", art, prompt="dog") for _ in range(2)]
    for handle in waiting:
        await handle.wait_acknowledged()
    assert "paused in this server" in await say(moderator, "pause", art)
    assert "paused here already" in await say(moderator, "pause", art)
    assert "have paused Triptych" in await say(member, "imagine", art, prompt="dog")
    for handle in waiting:
        await handle.wait_for(has_grid, 20)
    assert "takes prompts in this server again" in await say(moderator, "resume", art)
    await (await member.slash("imagine", art, prompt="dog")).wait_for(has_grid)
    assert await bot.stop() == 0
    actions = [row["action"] for row in bot.rows("SELECT action FROM audit ORDER BY entry_id")]
    assert actions == ["paused", "resumed"]


async def test_models_are_reviewed_only_where_somebody_can_look(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    moderator, general = server.person("moderator"), server.channel("general")
    panel = await open_panel(server, moderator, "pictures")
    path = "v1:settings:pictures.reviewed_models"
    said = await change(await moderator.select(panel, path, ["fake model"]))
    assert "Choose a review channel first" in said
    await change(await moderator.select(panel, "v1:settings:open.page", ["review"]))
    await change(await moderator.select(panel, "v1:settings:review.review_channel_id", [general]))
    await change(await moderator.select(panel, "v1:settings:open.page", ["pictures"]))
    assert await change(await moderator.select(panel, path, ["fake model"])) == ""
    assert "held for a moderator: **fake model**" in panel.text()
    assert await change(await moderator.select(panel, path, [])) == ""
    assert "held for a moderator: **none**" in panel.text()
    assert await bot.stop() == 0
    rows = bot.rows("SELECT * FROM audit WHERE reason_params LIKE '%models%' ORDER BY entry_id")
    values = [(row["old_value"], row["new_value"]) for row in rows]
    assert values == [("", '["fake model"]'), ('["fake model"]', "")]


async def test_server_says_how_its_members_appeal(server: Playground, start_bot: StartBot):
    bot = await start_bot()
    moderator, general = server.person("moderator"), server.channel("general")
    panel = await open_panel(server, moderator, "review")
    assert "write to the moderators of this server" in panel.text()
    path = "v1:settings:review.appeal_channel_id"
    await change(await moderator.select(panel, path, [general]))
    assert f"write in <#{general.id}>" in panel.text()
    handle = await moderator.press(panel, "v1:settings:review.appeal_line")
    assert await fill(moderator, handle, line="Ask Ada.") == ""
    assert "Ask Ada." in panel.text()
    handle = await moderator.press(panel, "v1:settings:review.appeal_line")
    assert await fill(moderator, handle, line="") == ""
    assert f"write in <#{general.id}>" in panel.text()
    assert await bot.stop() == 0
