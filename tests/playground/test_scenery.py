"""The small world that a playground starts with: the same after a restart, with every channel."""

from __future__ import annotations

import discord
import pytest

from playground import ClientRefusedError, Playground, default_world
from playground.world.world import ChannelType


def list_ids(world) -> set[int]:
    [guild] = world.guilds.values()
    people = {user.id for user in world.users.values() if not user.is_bot}
    return {guild.id, *people, *guild.roles, *guild.channels, *world.private_channels}


def test_people_and_places_have_the_same_ids_after_a_restart_and_the_application_a_new_one():
    one, two = default_world(), default_world()
    assert list_ids(one) == list_ids(two)
    assert len(list_ids(one)) == 17
    assert one.application_id > max(list_ids(one))


def test_what_is_made_later_has_later_ids():
    world = default_world()
    assert world.snowflakes.next() > max(*list_ids(world), world.application_id)


async def test_bot_sees_voice_stage_and_forum_channels_as_such(server: Playground, bot, online):
    async with online(bot):
        kinds = {
            channel.name: type(bot.get_channel(channel.id))
            for channel in next(iter(server.world.guilds.values())).channels.values()
        }
    assert (kinds["lounge"], kinds["stage"], kinds["ideas"]) == (
        discord.VoiceChannel,
        discord.StageChannel,
        discord.ForumChannel,
    )


async def test_voice_and_stage_take_messages_and_a_forum_does_not(server: Playground, bot, online):
    member = server.person("member")
    async with online(bot):
        for name in ("lounge", "stage"):
            await member.send(server.channel(name), "hello")
            await bot.get_channel(server.channel(name).id).send("hello")
            assert len(server.messages(server.channel(name))) == 2
        forum = server.channel("ideas")
        assert forum.type is ChannelType.GUILD_FORUM
        with pytest.raises(ClientRefusedError):
            await member.send(forum, "hello")
        with pytest.raises(discord.HTTPException) as caught:
            await bot.http.send_message(
                forum.id, params=discord.http.handle_message_parameters(content="hello")
            )
    assert (caught.value.status, caught.value.code) == (400, 50008)


async def test_messages_of_a_deleted_channel_are_out_of_reach_by_every_way(
    server: Playground, bot, online
):
    @bot.tree.command(name="hello", description="Says hello")
    async def hello(interaction: discord.Interaction) -> None:
        held.append(interaction)
        await interaction.response.send_message("hello")

    held: list[discord.Interaction] = []
    async with online(bot):
        art = server.channel("art")
        sent = await bot.get_channel(art.id).send("hello")
        await (await server.person("member").slash("hello", art)).wait_answered()
        del server.world.guilds[art.guild_id or 0].channels[art.id]
        for attempt in (
            lambda: sent.edit(content="more"),
            sent.delete,
            lambda: held[0].edit_original_response(content="more"),
            held[0].delete_original_response,
            lambda: held[0].followup.send("more"),
        ):
            with pytest.raises(discord.NotFound) as caught:
                await attempt()
            assert caught.value.code == 10003
