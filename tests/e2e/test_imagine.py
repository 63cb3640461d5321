"""Everything that a member sees of /imagine, from the command to the grid."""

from __future__ import annotations

import asyncio
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from playground import (
    InteractionHandle,
    Member,
    Message,
    Overwrite,
    Permission,
    Person,
    Playground,
    add_user,
)
from tests.e2e.conftest import StartBot
from tests.fakes.gate import Gate


def has_grid(message: Message) -> bool:
    return any(a.filename.endswith(".png") for a in message.attachments)


async def test_imagine_moves_one_message_from_the_line_to_the_grid(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="0.4")
    member, art = server.person("member"), server.channel("art")

    handle = await member.slash("imagine", art, prompt="dog in autumn leaves", steps=16, seed="7")
    await handle.wait_acknowledged()
    message = await handle.wait_for(has_grid, 20)

    assert len(server.messages(art)) == 1
    assert not message.is_ephemeral
    [grid] = message.attachments
    assert Image.open(BytesIO(grid.content)).size == (3 * 384 + 2 * 8, 384)
    assert grid.description == (
        "Three pictures side by side, drawn from the prompt: dog in autumn leaves"
    )
    assert "dog in autumn leaves" in message.text()
    assert "seed 7" in message.text()
    assert [button.label for button in message.buttons()] == [
        *("1", "2", "3", "↻", "✎ Remix"),
        *("Vary 1", "Vary 2", "Vary 3", "⋯"),
    ]

    shown = [revision.text() for revision in handle.history]
    drawing = [text for text in shown if "step" in text and "of 16" in text]
    assert len(drawing) >= 2, shown
    progress = [r.at for r in handle.history if not r.is_loading and not r.attachments]
    assert all(later - earlier >= 2.9 for earlier, later in pairwise(progress)), progress

    assert await bot.stop() == 0
    [row] = bot.rows()
    assert row["status"] == "delivered"
    assert (row["user_id"], row["guild_id"]) == (member.id, art.guild_id)
    assert bot.recipes()[0].seeds == (7, 8, 9)
    assert row["message_id"] == message.id


async def test_refused_prompt_is_answered_to_the_member_alone_and_costs_nothing(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(BLOCKED_WORDS="gore, very bad thing")
    member, art = server.person("member"), server.channel("art")
    refused = [
        await member.slash("imagine", art, prompt="a g\u200bore scene"),
        await member.slash("imagine", art, prompt="dog", negative_prompt="VERY  bad thing"),
        await member.slash("imagine", art, prompt="dog", steps=10_000),
        await member.slash("imagine", art, prompt="dog", seed="-7"),
        await member.slash("imagine", art, prompt="dog", size="130x128"),
        await member.slash("imagine", art, prompt="dog", sampler="nonsense"),
        await member.slash("imagine", art, prompt="x" * 6000),
        await member.unchecked.slash("imagine", art, prompt="\x00 \u200b"),
    ]
    for handle in refused:
        message = await handle.wait_answered()
        assert message.is_ephemeral, message.text()
        assert len(message.text()) > 30
    allowed = await member.slash("imagine", art, prompt="gorethorn the cat")
    await allowed.wait_for(has_grid)

    assert await bot.stop() == 0
    rows = bot.rows()
    assert [row["status"] for row in rows] == ["refused"] * 8 + ["delivered"]
    assert all(row["cost"] == 0 for row in rows[:8])


async def test_not_a_size_and_not_a_seed_are_answered_with_a_sentence(
    server: Playground, start_bot: StartBot
):
    await start_bot()
    member, art = server.person("member"), server.channel("art")
    for option in ({"size": "huge"}, {"seed": "seven"}):
        handle = await member.slash("imagine", art, prompt="dog", **option)
        message = await handle.wait_answered()
        assert message.is_ephemeral
        assert "is not a" in message.text()


@pytest.mark.parametrize(
    "prompt",
    [
        "@everyone @here <@&1> look",
        "**bold** `code` ||spoiler|| # [link](http://x.example) <#1>",
        "\u202eevil\u202c right to left שלום",
        "z\u0351\u0352\u0353\u0354\u0355\u0356a" * 30,
        "lone \ud83d surrogate",
        "null \x00 byte\r\n# heading",
    ],
)
async def test_hostile_prompt_is_drawn_and_shown_as_plain_text(
    server: Playground, start_bot: StartBot, prompt: str
):
    bot = await start_bot()
    member, art = server.person("member"), server.channel("art")
    handle = await member.unchecked.slash("imagine", art, prompt=prompt)
    message = await handle.wait_for(has_grid)
    text = message.text()
    assert "@everyone" not in text
    assert "**bold**" not in text
    assert "<#1>" not in text.replace("\\<#1>", "")
    assert "\u202e" not in text
    assert "\x00" not in text
    bodies = [record.body for record in server.requests("PATCH /webhooks/*")]
    assert all(body.get("allowed_mentions") == {"parse": []} for body in bodies)
    assert await bot.stop() == 0


async def test_prompts_are_taken_while_the_model_loads_and_drawn_when_it_is_ready(
    server: Playground, start_bot: StartBot, tmp_path: Path
):
    with Gate(tmp_path / "gate") as gate:
        await start_bot(FAKE_LOAD_GATE=str(tmp_path / "gate"))
        handle = await server.person("member").slash("imagine", server.channel("art"), prompt="dog")
        await handle.wait_for(lambda message: "still loading" in message.text())
        gate.open()
        await handle.wait_for(has_grid)


async def test_direct_message_is_drawn(server: Playground, start_bot: StartBot):
    await start_bot()
    member = server.person("member")
    handle = await member.slash("imagine", member.direct_channel, prompt="dog")
    await handle.wait_for(has_grid)


async def test_where_the_bot_is_no_member_the_token_alone_delivers(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="0.3")
    member, other = server.person("member"), server.person("newcomer")
    private = server.world.open_private_channel(member.id, other.id)
    handle = await member.slash("imagine", private, prompt="dog")
    await handle.wait_for(has_grid)
    late = await member.slash("imagine", private, prompt="late", steps=10)
    await late.wait_answered()
    server.clock.advance(15 * 60 + 1)
    await server.wait_until(
        lambda: [r for r in server.requests("PATCH /webhooks/*") if r.code == 50027], 10
    )
    assert await bot.stop() == 0
    assert [row["status"] for row in bot.rows()] == ["delivered", "undeliverable"]
    assert server.requests(f"* /channels/{private.id}/*") == []
    [told] = server.messages(member.direct_channel)  # only the member is told how it ended
    assert "/gallery" in told.content and "nothing was charged" in told.content


async def test_same_interaction_delivered_twice_is_one_job(server: Playground, start_bot: StartBot):
    bot = await start_bot()
    handle = await server.person("member").slash("imagine", server.channel("art"), prompt="dog")
    server.redeliver(handle)
    await handle.wait_for(has_grid)
    await asyncio.sleep(0.5)
    assert len(server.messages(server.channel("art"))) == 1
    assert await bot.stop() == 0
    assert len(bot.rows()) == 1


async def test_autocomplete_offers_what_the_model_can_draw(server: Playground, start_bot: StartBot):
    await start_bot()
    member, art = server.person("member"), server.channel("art")
    drawn = await member.slash("imagine", art, prompt="dog")
    await drawn.wait_for(has_grid)
    samplers = await member.autocomplete("imagine", art, "sampler", "")
    assert [choice["value"] for choice in samplers] == ["ddim", "euler"]
    sizes = await member.autocomplete("imagine", art, "size", "port")
    assert [choice["value"] for choice in sizes] == ["64x96"]


async def test_prompt_that_cannot_be_drawn_ends_with_an_apology_and_a_refund(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(may_complain=True, FAKE_FLAW="fail")
    member, art = server.person("member"), server.channel("art")
    handle = await member.slash("imagine", art, prompt="poison")
    message = await handle.wait_for(lambda message: "Sorry" in message.text(), 15)
    assert "Nothing was charged" in message.text()
    following = await member.slash("imagine", art, prompt="dog")
    await following.wait_for(has_grid)
    assert await bot.stop() == 0
    failed, _ = bot.rows()
    assert (failed["status"], failed["attempt"], failed["cost"]) == ("failed", 2, 0)


async def test_without_the_right_to_attach_files_nothing_is_drawn(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    art = server.channel("art")
    art.overwrites[server.world.bot.id] = Overwrite(deny=int(Permission.ATTACH_FILES))
    handle = await server.person("member").slash("imagine", art, prompt="dog")
    message = await handle.wait_answered()
    assert message.is_ephemeral
    assert "Attach Files" in message.text()
    assert await bot.stop() == 0


async def test_fifty_prompts_at_once_are_all_acknowledged_and_delivered(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    art = server.channel("art")
    guild = server.world.guilds[art.guild_id]
    people = []
    for number in range(25):
        user = add_user(server.world, f"person{number}")
        guild.members[user.id] = Member(user)
        people.append(Person(server.backend, user))
    handles: list[InteractionHandle] = []
    for round_number in range(2):
        for person in people:
            handles.append(await person.slash("imagine", art, prompt=f"dog {round_number}"))
    for handle in handles:
        await handle.wait_acknowledged()
    for handle in handles:
        await handle.wait_for(has_grid, 60)
    assert len(server.messages(art)) == 50
    assert not any(handle.has_failed for handle in handles)
    assert await bot.stop() == 0
    rows = bot.rows("SELECT * FROM job ORDER BY started_at")
    assert {row["status"] for row in rows} == {"delivered"}
