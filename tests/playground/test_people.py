"""A person's actions in the client, and how they reach the bot."""

import discord
import pytest
from discord import app_commands

from playground import ClientRefusedError, Upload


async def test_options_arrive_typed_and_resolved(server, bot, online):
    seen = {}

    @bot.tree.command(description="Everything at once.")
    async def all_kinds(
        interaction: discord.Interaction,
        text: str,
        whole: app_commands.Range[int, 1, 50],
        real: float,
        flag: bool,
        who: discord.Member,
        where: discord.TextChannel,
        picture: discord.Attachment,
    ) -> None:
        seen.update(text=text, whole=whole, real=real, flag=flag, who=who.name, where=where.name)
        seen["picture"] = await picture.read()
        await interaction.response.defer()

    async with online(bot):
        handle = await server.person("member").slash(
            "all_kinds",
            server.channel("art"),
            text="dog",
            whole=20,
            real=7.5,
            flag=True,
            who=server.world.user_named("newcomer"),
            where=server.channel("general"),
            picture=Upload("dog.png", b"not a picture"),
        )
        await handle.wait_acknowledged()
    assert seen == {
        "text": "dog",
        "whole": 20,
        "real": 7.5,
        "flag": True,
        "who": "newcomer",
        "where": "general",
        "picture": b"not a picture",
    }


async def test_client_sends_only_what_the_command_allows(server, bot, online):
    @bot.tree.command(description="Draw.")
    @app_commands.choices(size=[app_commands.Choice(name="Small", value="small")])
    async def draw(
        interaction: discord.Interaction,
        prompt: app_commands.Range[str, 2, 10],
        steps: app_commands.Range[int, 1, 50] = 20,
        size: str = "small",
    ) -> None:
        await interaction.response.defer()

    @bot.tree.command(description="Ban.")
    @app_commands.default_permissions(ban_members=True)
    @app_commands.guild_only()
    async def ban(interaction: discord.Interaction) -> None:
        await interaction.response.defer()

    async with online(bot):
        member, art = server.person("member"), server.channel("art")
        for options in (
            {},
            {"prompt": "d"},
            {"prompt": "dog" * 9},
            {"prompt": 3},
            {"prompt": "dog", "steps": 51},
            {"prompt": "dog", "steps": True},
            {"prompt": "dog", "size": "large"},
            {"prompt": "dog", "colour": "red"},
        ):
            with pytest.raises(ClientRefusedError):
                await member.slash("draw", art, **options)
        with pytest.raises(ClientRefusedError):
            await member.slash("paint", art)
        with pytest.raises(ClientRefusedError):
            await member.slash("ban", art)
        with pytest.raises(ClientRefusedError):
            await server.person("moderator").slash("ban", member.direct_channel)
        await (await server.person("moderator").slash("ban", art)).wait_acknowledged()
        await (await member.unchecked.slash("ban", art)).wait_acknowledged()


async def test_unchecked_person_sends_lone_surrogates(server, bot, online):
    seen = []

    @bot.tree.command(description="Echo.")
    async def echo(interaction: discord.Interaction, text: str) -> None:
        seen.append(text)
        await interaction.response.send_message(f"got {text}")

    async with online(bot):
        member = server.person("member").unchecked
        handle = await member.slash("echo", server.channel("art"), text="\ud800 x" * 2000)
        await server.wait_until(lambda: server.requests("POST /interactions/*"))
        assert server.requests("POST /interactions/*")[0].code == 50035
        handle = await member.slash("echo", server.channel("art"), text="\ud800")
        assert (await handle.wait_answered()).content == "got \ud800"
    assert seen == ["\ud800 x" * 2000, "\ud800"]


async def test_subcommands_are_found_by_their_words(server, bot, online):
    group = app_commands.Group(name="config", description="Settings.")
    inner = app_commands.Group(name="limit", description="Limits.", parent=group)

    @inner.command(name="set", description="Set one.")
    async def set_limit(interaction: discord.Interaction, value: int) -> None:
        await interaction.response.send_message(f"limit {value}")

    bot.tree.add_command(group)
    async with online(bot):
        owner, art = server.person("owner"), server.channel("art")
        handle = await owner.slash("config limit set", art, value=4)
        assert (await handle.wait_answered()).content == "limit 4"
        with pytest.raises(ClientRefusedError):
            await owner.slash("config limit", art)


async def test_autocomplete_brings_choices(server, bot, online):
    @bot.tree.command(description="Pick.")
    async def pick(interaction: discord.Interaction, style: str) -> None:
        await interaction.response.send_message(style)

    @pick.autocomplete("style")
    async def complete(interaction: discord.Interaction, current: str):
        names = ["oil", "ink", "chalk"]
        return [app_commands.Choice(name=n, value=n) for n in names if current in n]

    async with online(bot):
        choices = await server.person("member").autocomplete(
            "pick", server.channel("art"), "style", "k"
        )
    assert [choice["value"] for choice in choices] == ["ink", "chalk"]


async def test_context_menus_reach_message_and_user(server, bot, online):
    @bot.tree.context_menu(name="Report picture")
    async def report(interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(f"reported {message.id}", ephemeral=True)

    @bot.tree.context_menu(name="Greet")
    async def greet(interaction: discord.Interaction, user: discord.Member) -> None:
        await interaction.response.send_message(f"hello {user.name}")

    async with online(bot):
        member, art = server.person("member"), server.channel("art")
        message = await member.send(art, "look")
        handle = await member.context_menu("Report picture", message, art)
        assert (await handle.wait_answered()).content == f"reported {message.id}"
        handle = await member.context_menu("Greet", server.world.user_named("owner"), art)
        assert (await handle.wait_answered()).content == "hello owner"
