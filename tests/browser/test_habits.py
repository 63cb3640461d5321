"""Things that people are used to on Discord also work on the page."""

from __future__ import annotations

import re

import discord
import pytest
from discord import ui
from playwright.async_api import expect

from playground import Playground
from tests.browser.conftest import OpenPage
from tests.browser.test_parts import type_command

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all


async def test_page_scrolls_to_what_one_sends(server: Playground, open_page: OpenPage):
    member, general = server.person("member"), server.channel("general")
    for number in range(60):
        await member.send(general, f"line {number}")
    page = await open_page()
    scroller = page.locator("#messages")
    await expect(page.locator(".message")).to_have_count(60)
    await scroller.evaluate("node => { node.scrollTop = -node.scrollHeight; }")
    await expect(page.locator(".message", has_text="line 59")).not_to_be_in_viewport()
    await server.person("owner").send(general, "somebody else")
    await expect(page.locator(".message", has_text="somebody else")).to_be_attached()
    await expect(page.locator(".message", has_text="somebody else")).not_to_be_in_viewport()
    await page.locator("#text").fill("and mine")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message", has_text="and mine")).to_be_in_viewport()


async def test_slash_lists_every_command(server: Playground, bot, connect, open_page: OpenPage):
    async def nothing(interaction: discord.Interaction) -> None:
        pass

    for number in range(35):
        command = discord.app_commands.Command(
            name=f"command-{number}", description="One of many", callback=nothing
        )
        bot.tree.add_command(command)
    await connect(bot)
    page = await open_page()
    await page.locator("#text").press_sequentially("/")
    options = page.locator("#suggestions [role=option]")
    await expect(options).to_have_count(35)
    await page.keyboard.press("ArrowUp")  # the last one comes into view
    await expect(options.last).to_be_in_viewport()


async def test_link_of_a_message_is_copied_as_discord_writes_it(
    server: Playground, open_page: OpenPage
):
    member, general = server.person("member"), server.channel("general")
    sent = await member.send(general, "here")
    page = await open_page(permissions=["clipboard-read", "clipboard-write"])
    await page.locator(".message").click(button="right")
    await page.get_by_role("menuitem", name="Copy Message Link").click()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == (f"https://discord.com/channels/{general.guild_id}/{general.id}/{sent.id}")


async def test_select_of_at_most_one_applies_at_once_and_can_be_emptied(
    server: Playground, bot, connect, open_page: OpenPage
):
    picked: list[list[str]] = []

    class Menu(ui.View):
        @ui.select(cls=ui.ChannelSelect, placeholder="Channel", min_values=0)
        async def places(self, interaction: discord.Interaction, select: ui.ChannelSelect) -> None:
            picked.append([str(channel.name) for channel in select.values])
            await interaction.response.defer()

        @ui.select(
            placeholder="Words",
            min_values=2,
            max_values=3,
            options=[discord.SelectOption(label=word) for word in ("one", "two", "three")],
        )
        async def words(self, interaction: discord.Interaction, select: ui.Select) -> None:
            picked.append(select.values)
            await interaction.response.defer()

    @bot.tree.command(name="menu", description="A select")
    async def menu(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("Choose", view=Menu())

    await connect(bot)
    page = await open_page()
    await type_command(page, "/menu")
    for count in (1, 2):
        await page.get_by_role("button", name=re.compile("Channel")).click()
        await page.get_by_role("option", name="art").click()
        await server.wait_until(lambda count=count: len(picked) == count)
    assert picked == [["art"], []]
    heading = page.get_by_role("heading", name="general")
    for options, leave in (
        (("one", "two"), lambda: page.keyboard.press("Escape")),  # changes nothing
        (("one",), heading.click),  # too few
        (("one", "three"), heading.click),
    ):
        await page.get_by_role("button", name="Words").click()
        for option in options:
            await page.get_by_role("option", name=option).click()
        await leave()
    await server.wait_until(lambda: len(picked) > 2)
    assert picked[2:] == [["one", "three"]]


async def test_times_are_read_as_times_also_above_a_reply(
    server: Playground, bot, connect, open_page: OpenPage
):
    @bot.tree.command(name="when", description="A time")
    async def when(interaction: discord.Interaction) -> None:
        view = ui.View(timeout=None)
        view.add_item(Again())
        await interaction.response.send_message("It was <t:1767225600:D>.", view=view)

    class Again(ui.Button):
        def __init__(self) -> None:
            super().__init__(label="Again")

        async def callback(self, interaction: discord.Interaction) -> None:
            await interaction.response.send_message("Once more")

    await connect(bot)
    page = await open_page(timezone_id="UTC")
    await type_command(page, "/when")
    await expect(page.locator(".message time", has_text="January 1, 2026")).to_be_visible()
    await page.get_by_role("button", name="Again").click()
    origin = page.locator(".message").last.locator(".origin")
    await expect(origin).to_contain_text("It was January 1, 2026.")


async def test_every_kind_of_channel_is_listed_and_a_forum_has_nothing_to_write_into(
    server: Playground, open_page: OpenPage
):
    page = await open_page()
    channels = page.locator("#channels .channel")
    assert await channels.all_inner_texts() == [
        "#\ngeneral",
        "#\nart",
        "♪\nlounge",
        "◉\nstage",
        "▤\nideas",
        "@\nPlayground Bot",
    ]
    await channels.filter(has_text="lounge").click()
    await expect(page.locator("#text")).to_be_enabled()
    await channels.filter(has_text="ideas").click()
    await expect(page.locator("#text")).to_be_disabled()


async def test_newcomers_are_not_told_what_only_contributors_install(
    server: Playground, open_page: OpenPage
):
    server.contract.reason = "the package jsonschema is not installed"
    page = await open_page()
    await page.locator("#inspect").click()
    await expect(page.locator("#inspector")).to_be_visible()
    await expect(page.locator("body")).not_to_contain_text("jsonschema")
