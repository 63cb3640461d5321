"""Slash commands and their answers, under Discord's time limits."""

import asyncio
import io

import discord
import pytest

from playground import (
    Overwrite,
    Permission,
    add_channel,
    add_guild,
    add_user,
)

FIFTEEN_MINUTES = 15 * 60


async def refusal(awaitable):
    """Return status and code of the HTTPException that the call must raise."""
    with pytest.raises(discord.HTTPException) as caught:
        await awaitable
    return caught.value.status, caught.value.code


async def test_deferred_answer_is_filled_by_editing_original(server, bot, online, on_go):
    async def action(interaction):
        response = await interaction.response.defer(thinking=True)
        await interaction.edit_original_response(content="done")
        return response

    outcome = on_go(bot, action)
    async with online(bot):
        handle = await server.person("member").slash("go", server.channel("art"))
        message = await handle.wait_answered()
        response = await outcome
    assert response.message_id == message.id
    assert response.is_thinking()
    assert [revision.is_loading for revision in handle.history] == [True, False]
    assert message.content == "done"
    assert not message.is_ephemeral


async def test_immediate_answer_comes_back_with_its_message(server, bot, online, on_go):
    outcome = on_go(bot, lambda interaction: interaction.response.send_message("hello"))
    async with online(bot):
        handle = await server.person("member").slash("go", server.channel("art"))
        response = await outcome
    assert response.resource.content == "hello"
    assert response.message_id == handle.original().id


async def test_ephemeral_is_fixed_by_the_defer(server, bot, online, on_go):
    async def action(interaction):
        await interaction.response.defer(ephemeral=True, thinking=True)
        await interaction.followup.send("for you alone", ephemeral=False)

    outcome = on_go(bot, action)
    async with online(bot):
        member = server.person("member")
        handle = await member.slash("go", server.channel("art"))
        await outcome
    assert handle.original().is_ephemeral
    assert handle.followups() == []
    assert member.can_see(handle.original())
    assert not server.person("owner").can_see(handle.original())


async def test_followups_come_after_the_answer(server, bot, online, on_go):
    async def action(interaction):
        await interaction.response.send_message("first")
        followup = await interaction.followup.send("second", ephemeral=True, wait=True)
        await followup.edit(content="second, edited")
        third = await interaction.followup.send("third", wait=True)
        await third.delete()

    outcome = on_go(bot, action)
    async with online(bot):
        handle = await server.person("member").slash("go", server.channel("art"))
        await outcome
    assert [m.content for m in handle.messages] == ["first", "second, edited"]
    assert [m.is_ephemeral for m in handle.messages] == [False, True]


async def test_original_can_be_fetched_and_deleted_by_token(server, bot, online, on_go):
    async def action(interaction):
        await interaction.response.send_message("here")
        assert (await interaction.original_response()).content == "here"
        await interaction.delete_original_response()
        return await refusal(interaction.edit_original_response(content="again"))

    outcome = on_go(bot, action)
    async with online(bot):
        handle = await server.person("member").slash("go", server.channel("art"))
        assert await outcome == (404, 10008)
    assert handle.original() is None


async def test_first_response_after_three_seconds_is_unknown_interaction(
    server, bot, online, on_go
):
    async def action(interaction):
        server.clock.advance(3.1)
        return await refusal(interaction.response.defer())

    outcome = on_go(bot, action)
    async with online(bot):
        handle = await server.person("member").slash("go", server.channel("art"))
        assert await outcome == (404, 10062)
    assert handle.has_failed


async def test_second_response_is_already_acknowledged(server, bot, online, on_go):
    async def action(interaction):
        await interaction.response.defer()
        # otherwise the library would not let the call through
        interaction.response._response_type = None
        return await refusal(interaction.response.send_message("again"))

    outcome = on_go(bot, action)
    async with online(bot):
        await server.person("member").slash("go", server.channel("art"))
        assert await outcome == (400, 40060)


async def test_token_is_dead_after_fifteen_minutes_but_the_bot_token_still_edits(
    server, bot, online, on_go
):
    async def action(interaction):
        response = await interaction.response.defer(thinking=True)
        server.clock.advance(FIFTEEN_MINUTES + 1)
        refused = await refusal(interaction.edit_original_response(content="late"))
        channel = bot.get_partial_messageable(interaction.channel_id)
        await channel.get_partial_message(response.message_id).edit(content="not too late")
        return refused

    outcome = on_go(bot, action)
    async with online(bot):
        handle = await server.person("member").slash("go", server.channel("art"))
        assert await outcome == (401, 50027)
    assert handle.original().content == "not too late"
    assert not handle.is_token_alive


async def test_ephemeral_answer_is_unknown_to_the_channel_route(server, bot, online, on_go):
    async def action(interaction):
        response = await interaction.response.send_message("secret", ephemeral=True)
        channel = bot.get_partial_messageable(interaction.channel_id)
        return await refusal(channel.get_partial_message(response.message_id).edit(content="x"))

    outcome = on_go(bot, action)
    async with online(bot):
        await server.person("member").slash("go", server.channel("art"))
        assert await outcome == (404, 10008)


async def test_editing_before_any_answer_is_unknown_webhook(server, bot, online, on_go):
    outcome = on_go(bot, lambda i: refusal(i.edit_original_response(content="too soon")))
    async with online(bot):
        await server.person("member").slash("go", server.channel("art"))
        assert await outcome == (404, 10015)


async def test_made_up_token_is_invalid(server, bot, online):
    async with online(bot):
        webhook = discord.Webhook.partial(bot.application_id, "made-up", client=bot)
        assert await refusal(webhook.edit_message("@original", content="x")) == (401, 50027)
        webhook = discord.Webhook.partial(1234, "made-up", client=bot)
        assert await refusal(webhook.edit_message("@original", content="x")) == (404, 10015)


async def test_original_can_be_edited_by_another_process_with_the_token(
    server, bot, new_bot, online, on_go
):
    on_go(bot, lambda interaction: interaction.response.defer(thinking=True))
    async with online(bot):
        handle = await server.person("member").slash("go", server.channel("art"))
        await handle.wait_acknowledged()
    successor = new_bot()
    async with online(successor):
        token = handle.interaction.token
        webhook = discord.Webhook.partial(successor.application_id, token, client=successor)
        await webhook.edit_message("@original", content="after the restart")
    assert handle.original().content == "after the restart"


async def test_payload_tells_place_permissions_and_limits(server, bot, online, on_go):
    async def action(interaction):
        await interaction.response.defer()
        return interaction

    outcome = on_go(bot, action)
    art = server.channel("art")
    art.overwrites[server.world.bot.id] = Overwrite(deny=int(Permission.ATTACH_FILES))
    async with online(bot):
        await server.person("moderator").slash("go", art)
        told = await outcome
    assert told.channel_id == art.id
    assert told.user.name == "moderator"
    assert told.permissions.manage_messages
    assert told.app_permissions.send_messages
    assert not told.app_permissions.attach_files
    assert told.filesize_limit == 10 * 1024 * 1024
    assert told.is_guild_integration()
    assert told.context.guild
    assert str(told.locale) == str(told.guild_locale) == "en-US"


async def test_direct_message_has_its_own_context(server, bot, online, on_go):
    async def action(interaction):
        await interaction.response.send_message("between us")
        return interaction

    outcome = on_go(bot, action)
    async with online(bot):
        member = server.person("member")
        await member.slash("go", member.direct_channel)
        told = await outcome
    assert told.guild is None
    assert told.context.dm_channel
    assert told.user.id == member.id
    assert server.messages(member.direct_channel)[0].content == "between us"


async def test_app_that_is_no_member_may_follow_up_five_times(server, bot, online, on_go):
    async def action(interaction):
        await interaction.response.send_message("0")
        for number in range(5):
            await interaction.followup.send(str(number))
        assert interaction.is_user_integration()
        return await refusal(interaction.followup.send("one too many"))

    outcome = on_go(bot, action)
    member = server.person("member")
    elsewhere = server.world.open_private_channel(member.id, server.person("owner").id)
    async with online(bot):
        handle = await member.slash("go", elsewhere)
        assert await outcome == (400, 40094)
        assert handle.interaction.payload["context"] == 2
        channel = bot.get_partial_messageable(elsewhere.id)
        assert await refusal(channel.send("let me in")) == (403, 50001)


async def test_guild_without_the_bot_sends_the_user_as_owner(server, bot, online, on_go):
    async def action(interaction):
        await interaction.response.send_message("hello")
        return interaction

    stranger = add_user(server.world, "stranger")
    elsewhere = add_channel(server.world, add_guild(server.world, "Elsewhere", stranger), "there")
    outcome = on_go(bot, action)
    async with online(bot):
        await server.person("stranger").slash("go", elsewhere)
        told = await outcome
        assert [guild.name for guild in bot.guilds] == ["Playground"]
    assert told.is_user_integration()
    assert told.guild_id == elsewhere.guild_id
    assert not told.app_permissions.send_messages


async def test_same_interaction_delivered_twice_runs_the_command_twice(server, bot, online):
    runs, second_run = [], asyncio.Event()

    @bot.tree.command(description="Count.")
    async def count(interaction: discord.Interaction) -> None:
        runs.append(interaction.id)
        if len(runs) == 2:
            second_run.set()
        else:
            await interaction.response.send_message("once")

    async with online(bot):
        handle = await server.person("member").slash("count", server.channel("art"))
        await handle.wait_answered()
        server.redeliver(handle)
        await asyncio.wait_for(second_run.wait(), 5)
    assert runs == [handle.id, handle.id]


async def test_many_answers_at_once_share_no_rate_limit(server, bot, online):
    @bot.tree.command(description="Wait.")
    async def wait(interaction: discord.Interaction) -> None:
        await interaction.response.defer()

    async with online(bot):
        member, art = server.person("member"), server.channel("art")
        handles = [await member.slash("wait", art) for _ in range(60)]
        await asyncio.gather(*(handle.wait_acknowledged(20) for handle in handles))
    assert {record.status for record in server.requests("POST /interactions/*")} == {200}


async def test_files_go_round_and_only_listed_attachments_stay(server, bot, online, on_go):
    async def action(interaction):
        await interaction.response.defer(thinking=True)
        files = [discord.File(io.BytesIO(b"one"), "1.png", description="the first")]
        files.append(discord.File(io.BytesIO(b"two"), "2.png"))
        message = await interaction.edit_original_response(attachments=files)
        read = await message.attachments[0].read()
        kept = message.attachments[1:]
        added = discord.File(io.BytesIO(b"three"), "3.png")
        await interaction.edit_original_response(attachments=[*kept, added])
        return read, message.attachments[0]

    outcome = on_go(bot, action)
    async with online(bot):
        handle = await server.person("member").slash("go", server.channel("art"))
        read, first = await outcome
    assert read == b"one"
    assert (first.description, first.content_type) == ("the first", "image/png")
    assert [a.content for a in handle.original().attachments] == [b"two", b"three"]


async def test_file_address_must_be_signed_and_expires(server, bot, online, on_go):
    async def action(interaction):
        response = await interaction.response.send_message(file=discord.File(io.BytesIO(b"x"), "x"))
        attachment = response.resource.attachments[0]
        await attachment.read()
        with pytest.raises(discord.NotFound):
            await bot.http.get_from_cdn(attachment.url.partition("?")[0])
        server.clock.advance(25 * 60 * 60)
        with pytest.raises(discord.NotFound):
            await attachment.read()

    outcome = on_go(bot, action)
    async with online(bot):
        await server.person("member").slash("go", server.channel("art"))
        await outcome


async def test_file_above_the_limit_is_too_large_for_some_and_fine_for_others(
    server, bot, online, on_go
):
    async def action(interaction):
        await interaction.response.defer()
        large = [discord.File(io.BytesIO(bytes(2_000)), "large.bin")]
        code = await refusal(interaction.edit_original_response(attachments=large))
        server.world.user_named("member").attachment_size_limit = 5_000
        large = [discord.File(io.BytesIO(bytes(2_000)), "large.bin")]
        await interaction.edit_original_response(attachments=large)
        return code

    server.world.user_named("member").attachment_size_limit = 1_000
    next(iter(server.world.guilds.values())).attachment_size_limit = 1_000
    outcome = on_go(bot, action)
    async with online(bot):
        await server.person("member").slash("go", server.channel("art"))
        assert await outcome == (413, 40005)


async def test_eleven_files_are_refused(server, bot, online, on_go):
    async def action(interaction):
        await interaction.response.defer()
        files = [discord.File(io.BytesIO(b"x"), f"{n}.txt") for n in range(11)]
        return await refusal(interaction.edit_original_response(attachments=files))

    outcome = on_go(bot, action)
    async with online(bot):
        await server.person("member").slash("go", server.channel("art"))
        assert await outcome == (400, 30015)
