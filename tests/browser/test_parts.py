"""The page can show everything that a bot can send, and every kind of input."""

from __future__ import annotations

from io import BytesIO

import discord
import pytest
from discord import app_commands, ui
from PIL import Image
from playwright.async_api import Locator, Page, expect

from playground import Playground
from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all


def picture(colour: str = "teal", size: tuple[int, int] = (320, 200)) -> BytesIO:
    data = BytesIO()
    Image.new("RGB", size, colour).save(data, "PNG")
    data.seek(0)
    return data


def layout(*items: ui.Item) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    for item in items:
        view.add_item(item)
    return view


async def type_command(page, text: str) -> None:
    """Type a command as a person does: the first letters, the completion, the value."""
    name, _, value = text.partition(" ")
    await page.locator("#text").press_sequentially(name)
    await expect(page.locator("#suggestions")).to_be_visible()
    await page.keyboard.press("Tab")
    if value:
        await page.keyboard.type(value)
    await page.keyboard.press("Enter")


async def test_components_v2_render_with_alt_text_spoiler_and_accent(
    server: Playground, bot, connect, open_page: OpenPage
):
    @bot.tree.command(name="show", description="Everything at once")
    async def show(interaction: discord.Interaction) -> None:
        gallery = ui.MediaGallery(
            discord.MediaGalleryItem("attachment://a.png", description="A teal field"),
            discord.MediaGalleryItem("attachment://b.png", description="Hidden", spoiler=True),
        )
        container = ui.Container(
            ui.TextDisplay(
                "## Title\n**bold** *slanted* __line__ ~~gone~~ `code` ||secret||\n-# fine"
            ),
            ui.Section("Beside a picture", accessory=ui.Thumbnail("attachment://a.png")),
            ui.Separator(),
            gallery,
            ui.File("attachment://notes.txt"),
            ui.ActionRow(
                ui.Button(label="Press", custom_id="a", style=discord.ButtonStyle.primary),
                ui.Button(label="Not now", custom_id="b", disabled=True),
                ui.Button(label="Read", url="https://example.org/"),
            ),
            accent_colour=0xCC6600,
        )
        files = [
            discord.File(picture(), "a.png"),
            discord.File(picture("maroon"), "b.png"),
            discord.File(BytesIO(b"words"), "notes.txt"),
        ]
        await interaction.response.send_message(view=layout(container), files=files)

    await connect(bot)
    page = await open_page()
    await type_command(page, "/show")
    message = page.locator(".message").last
    await expect(message.locator("h4")).to_have_text("Title")
    for tag, text in (("strong", "bold"), ("em", "slanted"), ("u", "line"), ("s", "gone")):
        await expect(message.locator(tag)).to_have_text(text)
    await expect(message.locator("code")).to_have_text("code")
    await expect(message.get_by_alt_text("A teal field")).to_be_visible()
    stripe = await message.locator(".container").evaluate(
        "node => getComputedStyle(node).borderInlineStartColor"
    )
    assert stripe == "rgb(204, 102, 0)"
    await expect(message.get_by_role("button", name="Not now")).to_be_disabled()
    await expect(message.get_by_role("link", name="Read")).to_have_attribute(
        "rel", "noopener noreferrer"
    )
    await expect(message.locator("a.file")).to_contain_text("notes.txt")
    await expect(message.locator(".section-text")).to_have_text("Beside a picture")
    await expect(message.locator("hr")).to_be_visible()
    thumbnail = message.locator(".accessory img")
    await expect(thumbnail).to_have_js_property("naturalWidth", 320)

    cover = message.locator(".covered .cover")
    await expect(cover).to_be_visible()
    await cover.click()
    await expect(cover).to_be_hidden()
    await message.locator(".spoiler").press("Enter")
    await expect(message.locator(".spoiler")).to_have_class("spoiler shown")
    pictures = message.locator(".picture img")
    await expect(pictures).to_have_count(2)
    for shown in await pictures.all():
        await expect(shown).to_have_js_property("naturalWidth", 320)


async def test_every_kind_of_select_sends_what_was_picked(
    server: Playground, bot, connect, open_page: OpenPage
):
    picked: list[tuple[str, list[str]]] = []

    class Menus(ui.View):
        @ui.select(
            placeholder="Words",
            max_values=2,
            options=[
                discord.SelectOption(label="One", value="1", description="the first"),
                discord.SelectOption(label="Two", value="2"),
                discord.SelectOption(label="Three", value="3"),
            ],
        )
        async def words(self, interaction: discord.Interaction, select: ui.Select) -> None:
            picked.append(("words", select.values))
            await interaction.response.defer()

        @ui.select(cls=ui.UserSelect, placeholder="People")
        async def people(self, interaction: discord.Interaction, select: ui.UserSelect) -> None:
            picked.append(("people", [user.name for user in select.values]))
            await interaction.response.defer()

        @ui.select(cls=ui.RoleSelect, placeholder="Roles")
        async def roles(self, interaction: discord.Interaction, select: ui.RoleSelect) -> None:
            picked.append(("roles", [role.name for role in select.values]))
            await interaction.response.defer()

        @ui.select(cls=ui.ChannelSelect, placeholder="Channels")
        async def places(self, interaction: discord.Interaction, select: ui.ChannelSelect) -> None:
            picked.append(("places", [str(channel.name) for channel in select.values]))
            await interaction.response.defer()

        @ui.select(cls=ui.MentionableSelect, placeholder="Anyone")
        async def anyone(self, interaction: discord.Interaction, select: ui.MentionableSelect):
            picked.append(("anyone", [thing.name for thing in select.values]))
            await interaction.response.defer()

    @bot.tree.command(name="menus", description="Every select")
    async def menus(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("Choose", view=Menus())

    await connect(bot)
    page = await open_page()
    await type_command(page, "/menus")
    await page.get_by_role("button", name="Words").click()
    await page.get_by_role("option", name="One").click()
    await page.get_by_role("option", name="Three").click()
    await page.get_by_role("heading", name="general").click()  # leaving the list applies it
    for menu, typed in (
        ("People", "nico"),
        ("Roles", "mod"),
        ("Channels", "art"),
        ("Anyone", "moss"),
    ):
        await page.get_by_role("button", name=menu).click()
        await page.keyboard.type(typed)
        await page.keyboard.press("Enter")
    await server.wait_until(lambda: len(picked) == 5)
    assert picked == [
        ("words", ["1", "3"]),
        ("people", ["newcomer"]),
        ("roles", ["Moderators"]),
        ("places", ["art"]),
        ("anyone", ["moderator"]),
    ]
    await expect(page.get_by_role("button", name="People: Nico")).to_be_visible()


class Everything(ui.Modal, title="A form"):
    note = ui.TextDisplay("Please **read** this.")
    name = ui.Label(text="Name", component=ui.TextInput(max_length=20))
    story = ui.Label(
        text="Story",
        description="As long as you like",
        component=ui.TextInput(style=discord.TextStyle.paragraph, default="Once", required=False),
    )
    friend = ui.Label(text="Friend", component=ui.UserSelect(required=False))
    proof = ui.Label(text="Proof", component=ui.FileUpload(max_values=2))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        [proof] = self.proof.component.values
        said = [
            self.name.component.value,
            self.story.component.value,
            *(user.name for user in self.friend.component.values),
            f"{proof.filename} {len(await proof.read())}",
        ]
        await interaction.response.send_message(" / ".join(said), ephemeral=True)


async def test_modal_with_every_part_is_filled_in_by_keyboard_and_file(
    server: Playground, bot, connect, open_page: OpenPage
):
    @bot.tree.command(name="form", description="A form")
    async def form(interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(Everything())

    await connect(bot)
    page = await open_page()
    await type_command(page, "/form")
    dialog = page.get_by_role("dialog", name="A form")
    await expect(dialog.locator("strong")).to_have_text("read")
    await expect(dialog.get_by_label("Name")).to_be_focused()
    await dialog.get_by_role("button", name="Submit").click()
    await expect(dialog.get_by_role("alert")).to_have_text("“Name” is required.")

    await page.keyboard.type("Ada")
    await expect(dialog.get_by_label("Story")).to_have_value("Once")
    await dialog.get_by_role("button", name="Friend").click()
    await page.keyboard.type("Olive")
    await page.keyboard.press("Enter")
    await dialog.get_by_label("Proof").set_input_files(
        {"name": "proof.txt", "mimeType": "text/plain", "buffer": b"12345"}
    )
    await dialog.get_by_role("button", name="Submit").click()
    await expect(dialog).to_be_hidden()
    message = page.locator(".message.ephemeral").last
    await expect(message.locator(".markdown")).to_have_text("Ada / Once / owner / proof.txt 5")

    other = await open_page("moderator")
    await expect(other.locator("#empty")).to_be_visible()
    await message.get_by_role("button", name="Dismiss message").click()
    await expect(message).to_be_hidden()


class Choices(ui.Modal, title="Choices"):
    one = ui.Label(
        text="One of them",
        component=ui.RadioGroup(
            options=[
                discord.RadioGroupOption(label="Tea", value="t"),
                discord.RadioGroupOption(label="Milk", value="m"),
            ]
        ),
    )
    some = ui.Label(
        text="Some of them",
        component=ui.CheckboxGroup(
            max_values=2,
            options=[discord.CheckboxGroupOption(label=name, value=name) for name in "ABC"],
        ),
    )
    colour = ui.Label(
        text="Colour",
        component=ui.Select(
            options=[
                discord.SelectOption(label="Red", value="r"),
                discord.SelectOption(label="Blue", value="b"),
            ]
        ),
    )
    sure = ui.Label(text="I am sure", component=ui.Checkbox())

    async def on_submit(self, interaction: discord.Interaction) -> None:
        fields = (self.one, self.some, self.colour, self.sure)
        said = [str(getattr(f.component, "values", None) or f.component.value) for f in fields]
        await interaction.response.send_message(" ".join(said))


async def fill_choices(page: Page) -> Locator:
    dialog = page.get_by_role("dialog", name="Choices")
    await dialog.get_by_label("Milk").check()
    for name in "AC":
        await dialog.get_by_label(name, exact=True).check()
    await dialog.get_by_role("button", name="Colour").click()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await dialog.get_by_label("I am sure").check()
    await dialog.get_by_role("button", name="Submit").click()
    return dialog


async def test_modal_with_choices_is_sent_as_it_was_ticked(
    server: Playground, bot, connect, open_page: OpenPage
):
    @bot.tree.command(name="form", description="A form")
    async def form(interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(Choices())

    await connect(bot)
    page = await open_page()
    await type_command(page, "/form")
    dialog = await fill_choices(page)
    await expect(dialog).to_be_hidden()
    text = page.locator(".message").last.locator(".markdown")
    await expect(text).to_have_text("m ['A', 'C'] ['b'] True")


class Silent(Choices, title="Choices"):
    async def on_submit(self, interaction: discord.Interaction) -> None:
        pass


async def test_form_that_got_no_answer_says_so_and_keeps_what_was_filled_in(
    server: Playground, bot, connect, open_page: OpenPage
):
    @bot.tree.command(name="form", description="A form")
    async def form(interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(Silent())

    await connect(bot)
    page = await open_page()
    await type_command(page, "/form")
    dialog = await fill_choices(page)
    await expect(dialog.get_by_role("alert")).to_contain_text("did not answer within 3 seconds")
    await expect(dialog.get_by_label("Milk")).to_be_checked()
    await expect(dialog.get_by_role("button", name="Submit")).to_be_enabled()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()


async def test_context_menus_reach_a_message_and_a_person(
    server: Playground, bot, connect, open_page: OpenPage
):
    @bot.tree.context_menu(name="Shout")
    async def shout(interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(message.content.upper())

    @bot.tree.context_menu(name="Greet")
    async def greet(interaction: discord.Interaction, user: discord.Member) -> None:
        await interaction.response.send_message(f"Hello <@{user.id}>")

    await connect(bot)
    page = await open_page()
    await page.locator("#text").fill("quiet words")
    await page.keyboard.press("Enter")
    await page.locator(".message").last.click(button="right")
    await page.get_by_role("menuitem", name="Shout").click()
    await expect(page.locator(".message").last.locator(".markdown")).to_have_text("QUIET WORDS")
    await page.locator(".message").first.get_by_role("button", name="Mia").click()
    await page.get_by_role("menuitem", name="Greet").click()
    mention = page.locator(".message").last.locator(".markdown .mention")
    await expect(mention).to_have_text("@Mia")


async def test_options_are_typed_chosen_completed_and_attached_in_the_persons_language(
    server: Playground, bot, connect, open_page: OpenPage
):
    got: list[object] = []

    class German(app_commands.Translator):
        async def translate(self, string, locale, context):
            words = {"mix": "mischen", "colour": "farbe", "Red": "Rot"}
            return words.get(str(string)) if locale is discord.Locale.german else None

    @bot.tree.command(name="mix", description="Mix something")
    @app_commands.choices(
        colour=[
            app_commands.Choice(name="Red", value="r"),
            app_commands.Choice(name="Blue", value="b"),
        ]
    )
    async def mix(
        interaction: discord.Interaction,
        colour: str,
        times: app_commands.Range[int, 1, 9],
        loud: bool,
        spice: str | None = None,
        who: discord.Member | None = None,
        sample: discord.Attachment | None = None,
    ) -> None:
        got.append((colour, times, loud, spice, who and who.name, sample and await sample.read()))
        await interaction.response.send_message("mixed")

    @mix.autocomplete("spice")
    async def spices(interaction: discord.Interaction, current: str):
        known = ("pepper", "paprika", "salt")
        return [app_commands.Choice(name=s.title(), value=s) for s in known if current in s]

    await bot.tree.set_translator(German())
    await connect(bot)
    page = await open_page()
    await page.get_by_label("Their language").select_option("de")
    await page.locator("#text").press_sequentially("/misch")
    await page.get_by_role("option", name="/mischen").click()
    await page.get_by_role("option", name="Rot").click()
    command = page.get_by_role("group", name="/mischen")
    await command.get_by_label("times").fill("12")
    await command.get_by_label("times").press("Enter")
    await expect(page.locator("#composer-problem")).to_contain_text("between 1 and 9")
    await command.get_by_label("times").fill("3")
    await command.get_by_label("loud").click()
    await page.get_by_role("option", name="False").click()
    await page.get_by_role("button", name="+ spice").click()
    await page.keyboard.type("pa")
    await page.get_by_role("option", name="Paprika").click()
    await page.get_by_role("button", name="+ who").click()
    await page.keyboard.type("nic")
    await page.keyboard.press("Tab")
    await page.get_by_role("button", name="+ sample").click()
    await command.get_by_label("sample", exact=True).set_input_files(
        {"name": "s.txt", "mimeType": "text/plain", "buffer": b"abc"}
    )
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".message .markdown").last).to_have_text("mixed")
    assert got == [("r", 3, False, "paprika", "newcomer", b"abc")]


async def test_what_is_being_typed_stays_when_the_place_changes(
    server: Playground, bot, connect, open_page: OpenPage
):
    @bot.tree.command(name="greet", description="Greet somebody")
    async def greet(interaction: discord.Interaction, whom: str) -> None:
        await interaction.response.send_message(f"Hello {whom}")

    page = await open_page()
    await page.locator("#text").press_sequentially("/gre")
    await expect(page.get_by_role("option", name="/")).to_have_count(0)
    await connect(bot)
    await page.get_by_role("option", name="/greet").click()
    await page.keyboard.type("Mia")
    server.channel("art").name = "paintings"
    await expect(page.locator("#channels")).to_contain_text("paintings")
    await expect(page.get_by_role("group", name="/greet")).to_contain_text("whom")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message .markdown").last).to_have_text("Hello Mia")


async def test_edit_keeps_focus_and_revealed_spoilers(
    server: Playground, bot, connect, open_page: OpenPage
):
    @bot.tree.command(name="start", description="A message to edit")
    async def start(interaction: discord.Interaction) -> None:
        view = ui.View()
        view.add_item(ui.Button(label="Stay", custom_id="stay"))
        await interaction.response.send_message("step 1 ||hidden||", view=view)

    await connect(bot)
    page = await open_page()
    await type_command(page, "/start")
    button = page.get_by_role("button", name="Stay")
    await page.locator(".spoiler").click()
    await button.focus()
    [message] = server.messages(server.channel("general"))
    view = ui.View()
    view.add_item(ui.Button(label="Stay", custom_id="stay"))
    channel = bot.get_partial_messageable(message.channel_id)
    await channel.get_partial_message(message.id).edit(content="step 2 ||hidden||", view=view)
    await expect(page.locator(".message .markdown")).to_contain_text("step 2")
    await expect(button).to_be_focused()
    await expect(page.locator(".spoiler")).to_have_class("spoiler shown")


async def test_embed_and_plain_attachments_are_shown(
    server: Playground, bot, connect, open_page: OpenPage
):
    @bot.tree.command(name="card", description="An embed")
    async def card(interaction: discord.Interaction) -> None:
        embed = discord.Embed(title="A card", description="With **words**", colour=0x335577)
        embed.add_field(name="Size", value="small").set_footer(text="at the foot")
        embed.set_image(url="https://example.org/not-loaded.png")
        file = discord.File(picture(), "SPOILER_x.png", description="covered")
        await interaction.response.send_message("@everyone look", embed=embed, file=file)

    await connect(bot)
    page = await open_page()
    await type_command(page, "/card")
    message = page.locator(".message").last
    await expect(message.locator(".embed-title")).to_have_text("A card")
    await expect(message.locator(".embed dd")).to_have_text("small")
    await expect(message.locator(".outside")).to_contain_text("loads nothing from outside")
    await expect(message.locator(".covered .cover")).to_be_visible()
    await expect(message).not_to_have_class("message mentions-me")


async def test_mention_is_shown_by_name_and_pings_only_where_the_bot_allows_it(
    server: Playground, bot, connect, open_page: OpenPage
):
    mia = f"<@{server.person('member').id}>"

    @bot.tree.command(name="name", description="Two mentions")
    async def name(interaction: discord.Interaction) -> None:
        nobody = discord.AllowedMentions.none()
        await interaction.response.send_message(f"quietly {mia}", allowed_mentions=nobody)
        await interaction.followup.send(f"loudly {mia}")

    await connect(bot)
    page = await open_page()
    await type_command(page, "/name")
    loud, quiet = (page.locator(".message", has_text=f"{how}ly @Mia") for how in ("loud", "quiet"))
    await expect(loud).to_have_class("message mentions-me")
    await expect(quiet).to_have_class("message")


async def test_late_answers_fail_as_on_discord(
    server: Playground, bot, connect, open_page: OpenPage
):
    @bot.tree.command(name="wait", description="Thinks for ever")
    async def wait(interaction: discord.Interaction) -> None:
        await interaction.response.defer()

    @bot.tree.command(name="offer", description="A button that nobody answers")
    async def offer(interaction: discord.Interaction) -> None:
        view = ui.View()
        view.add_item(ui.Button(label="Dead", custom_id="dead"))
        await interaction.response.send_message("Press", view=view)

    await connect(bot)
    page = await open_page()
    await type_command(page, "/offer")
    button = page.get_by_role("button", name="Dead")
    await button.click()
    await expect(button).to_have_attribute("aria-busy", "true")
    await type_command(page, "/wait")
    thinking = page.locator(".message").last
    await expect(thinking).to_contain_text("Playground Bot is thinking…")
    await expect(page.locator(".message").first).to_contain_text("This interaction failed")
    await expect(button).not_to_have_attribute("aria-busy", "true")
    await page.locator("#inspect").click()
    await page.get_by_role("button", name="15 min later").click()
    await expect(thinking).to_contain_text("The application did not respond")
