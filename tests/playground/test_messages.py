"""Messages with the bot's token, components of both generations, and modals."""

import io

import discord
import pytest

from playground import ClientRefusedError, Overwrite, Permission, Upload, add_thread

FLAG_V2 = 1 << 15
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + b"\x00\x00\x06\x00\x00\x00\x02\x00"


async def refusal(awaitable):
    """Return status and code of the HTTPException that the call must raise."""
    with pytest.raises(discord.HTTPException) as caught:
        await awaitable
    return caught.value.status, caught.value.code


class Panel(discord.ui.LayoutView):
    """A message in Components V2: text, a picture, a row of one button."""

    def __init__(self, text: str, picture: str | None = None) -> None:
        super().__init__(timeout=None)
        container = discord.ui.Container(discord.ui.TextDisplay(text))
        if picture:
            gallery = discord.ui.MediaGallery()
            gallery.add_item(media=picture, description="three dogs")
            container.add_item(gallery)
        button = discord.ui.Button(label="Again", custom_id="again")
        container.add_item(discord.ui.ActionRow(button))
        self.add_item(container)


async def test_channel_message_is_sent_edited_fetched_and_deleted(server, bot, online):
    async with online(bot):
        channel = bot.get_channel(server.channel("art").id)
        sent = await channel.send("hello", file=discord.File(io.BytesIO(PNG), "a.png"))
        attachment = sent.attachments[0]
        assert (attachment.width, attachment.height) == (1536, 512)
        await channel.get_partial_message(sent.id).edit(content="edited")
        fetched = await channel.fetch_message(sent.id)
        assert fetched.content == "edited"
        assert fetched.edited_at is not None
        assert [m.id async for m in channel.history()] == [sent.id]
        await sent.delete()
        assert await refusal(channel.fetch_message(sent.id)) == (404, 10008)
    assert server.messages(server.channel("art")) == []


async def test_enforced_nonce_makes_one_message_within_minutes(server, bot, online):
    async with online(bot):
        channel = bot.get_channel(server.channel("art").id)
        first = await channel.send("once", nonce="job-1")
        again = await channel.send("once", nonce="job-1")
        assert again.id == first.id
        assert await refusal(channel.send("long", nonce="n" * 26)) == (400, 50035)
        server.clock.advance(10 * 60)
        assert (await channel.send("later", nonce="job-1")).id != first.id
    assert [m.content for m in server.messages(server.channel("art"))] == ["once", "later"]


async def test_reply_refers_to_its_message(server, bot, online):
    async with online(bot):
        asked = await server.person("member").send(server.channel("art"), "question")
        channel = bot.get_channel(server.channel("art").id)
        reply = await channel.send("answer", reference=channel.get_partial_message(asked.id))
    assert reply.reference.message_id == asked.id


async def test_permissions_decide_where_the_bot_may_write(server, bot, online):
    art, general = server.channel("art"), server.channel("general")
    me = server.world.bot.id
    async with online(bot):
        channel = bot.get_channel(art.id)
        art.overwrites[me] = Overwrite(deny=int(Permission.SEND_MESSAGES))
        assert await refusal(channel.send("x")) == (403, 50013)
        art.overwrites[me] = Overwrite(deny=int(Permission.VIEW_CHANNEL))
        assert await refusal(channel.send("x")) == (403, 50001)
        del server.world.guilds[art.guild_id].channels[art.id]
        assert await refusal(channel.send("x")) == (404, 10003)
        message = await server.person("member").send(general, "mine")
        partial = bot.get_channel(general.id).get_partial_message(message.id)
        assert await refusal(partial.edit(content="yours")) == (403, 50005)
        assert await refusal(partial.delete()) == (403, 50013)


async def test_archived_thread_is_opened_again_unless_it_is_locked(server, bot, online):
    art = server.channel("art")
    thread = add_thread(server.world, art, "a thread")
    async with online(bot):
        thread.is_archived = True
        await bot.http.edit_channel(thread.id, archived=False)
        assert not thread.is_archived
        thread.is_archived = thread.is_locked = True
        for place in (thread, art):
            assert await refusal(bot.http.edit_channel(place.id, archived=False)) == (403, 50013)
        assert thread.is_archived


async def test_threads_take_messages_until_locked(server, bot, online):
    thread = add_thread(server.world, server.channel("art"), "a thread")
    async with online(bot):
        channel = bot.get_channel(thread.id)
        sent = await channel.send("in the thread")
        assert sent.content == "in the thread"
        thread.is_archived = True
        assert await refusal(sent.edit(content="changed")) == (400, 50083)
        await channel.send("awake again")
        await sent.edit(content="changed")
        thread.is_archived = thread.is_locked = True
        assert await refusal(channel.send("too late")) == (400, 50083)


async def test_direct_messages_reach_those_who_accept_them(server, bot, online):
    member, newcomer = server.person("member"), server.person("newcomer")
    newcomer.user.accepts_direct_messages = False
    async with online(bot):
        await bot.get_partial_messageable((await bot.create_dm(member.user)).id).send("psst")
        refusing = await bot.create_dm(newcomer.user)
        assert await refusal(refusing.send("psst")) == (403, 50007)
        assert await refusal(bot.create_dm(discord.Object(1))) == (400, 50033)
    assert [m.content for m in server.messages(member.direct_channel)] == ["psst"]


async def test_form_errors_name_the_field(server, bot, online):
    async with online(bot):
        channel = bot.get_channel(server.channel("art").id)
        with pytest.raises(discord.HTTPException, match="In content: Must be 2000 or fewer"):
            await channel.send("x" * 2001)
        with pytest.raises(discord.HTTPException, match=r"In embeds\.0\.title"):
            await channel.send(embed=discord.Embed(title="x" * 257))
        embeds = [discord.Embed(description="x" * 4000) for _ in range(2)]
        with pytest.raises(discord.HTTPException, match="6000"):
            await channel.send(embeds=embeds)
        assert await refusal(channel.send("")) == (400, 50006)


async def test_mentions_are_counted_only_where_allowed(server, bot, online):
    member = server.person("member")
    text = f"<@{member.id}> @everyone"
    async with online(bot):
        channel = bot.get_channel(server.channel("art").id)
        quiet = await channel.send(text)
        loud = await channel.send(text, allowed_mentions=discord.AllowedMentions(users=True))
        everyone = await channel.send(text, allowed_mentions=discord.AllowedMentions.all())
    assert quiet.raw_mentions == [member.id]
    messages = server.messages(server.channel("art"))
    assert [m.current.mentioned_user_ids for m in messages] == [(), (member.id,), (member.id,)]
    assert loud.mentions[0].id == member.id
    assert not everyone.mention_everyone, "the bot lacks that permission"


async def test_layout_shows_text_picture_and_button(server, bot, online):
    async with online(bot):
        channel = bot.get_channel(server.channel("art").id)
        file = discord.File(io.BytesIO(PNG), "grid.png", description="three dogs")
        sent = await channel.send(view=Panel("a dog", "attachment://grid.png"), file=file)
        gallery = sent.components[0].children[1]
        assert gallery.items[0].media.url == sent.attachments[0].url
    message = server.messages(server.channel("art"))[0]
    assert message.text() == "a dog"
    assert message.is_components_v2
    assert message.attachments[0].description == "three dogs"
    assert [button.label for button in message.buttons()] == ["Again"]
    assert message.button("Again").custom_id == "again"
    with pytest.raises(LookupError, match="Again"):
        message.button("Never")


async def test_components_v2_is_irrevocable_and_excludes_content(server, bot, online):
    async with online(bot):
        channel = bot.get_channel(server.channel("art").id)
        plain = await channel.send("words")
        assert await refusal(plain.edit(view=Panel("x"))) == (400, 50035)
        await plain.edit(content=None, view=Panel("x"))
        assert await refusal(plain.edit(content="words again")) == (400, 50035)
        assert await refusal(plain.edit(view=discord.ui.View(), content="words")) == (400, 50035)
        assert await refusal(plain.edit(embed=discord.Embed(title="x"))) == (400, 50035)
    assert server.messages(server.channel("art"))[0].flags & FLAG_V2


async def test_defer_takes_no_components_v2_flag(server, bot, online, on_go):
    async def action(interaction):
        adapter = discord.webhook.async_.async_context.get()
        params = discord.webhook.async_.interaction_message_response_params(
            type=5, flags=discord.MessageFlags(components_v2=True)
        )
        refused = await refusal(
            adapter.create_interaction_response(
                interaction.id, interaction.token, session=interaction._session, params=params
            )
        )
        await interaction.response.defer(thinking=True)
        await interaction.edit_original_response(view=Panel("later"))
        return refused

    outcome = on_go(bot, action)
    async with online(bot):
        handle = await server.person("member").slash("go", server.channel("art"))
        assert await outcome == (400, 50035)
    assert handle.original().text() == "later"


async def test_component_limits_are_enforced(server, bot, online):
    layout = discord.ui.LayoutView()
    for _ in range(20):
        layout.add_item(discord.ui.Container(discord.ui.TextDisplay("x")))
    raw = layout.to_components()
    extra = {"type": 10, "content": "one too many"}
    text = {"type": 10, "content": "x" * 2001}
    button = {"type": 2, "style": 1, "label": "x", "custom_id": "same"}
    bad = [
        [*raw, extra],
        [text, text],
        [{"type": 1, "components": [{**button, "custom_id": "x" * 101}]}],
        [{"type": 1, "components": [button, button]}],
        [{"type": 1, "components": [{**button, "label": None}]}],
        [{"type": 12, "items": [{"media": {"url": "attachment://missing.png"}}]}],
        [{"type": 1, "components": [{"type": 3, "custom_id": "s", "options": []}]}],
    ]
    async with online(bot):
        for components in bad:
            route = discord.http.Route(
                "POST", "/channels/{channel_id}/messages", channel_id=server.channel("art").id
            )
            body = {"components": components, "flags": FLAG_V2}
            assert await refusal(bot.http.request(route, json=body)) == (400, 50035)
        await bot.get_channel(server.channel("art").id).send(view=layout)
        body = {"components": [extra]}
        assert await refusal(bot.http.request(route, json=body)) == (400, 50035), "no flag"


async def test_button_press_updates_the_message(server, bot, online):
    class Counter(discord.ui.View):
        presses = 0

        @discord.ui.button(label="More", custom_id="more")
        async def more(self, interaction: discord.Interaction, button: discord.ui.Button) -> None:
            self.presses += 1
            button.disabled = True
            await interaction.response.edit_message(content=f"{self.presses}", view=self)

    async with online(bot):
        channel = bot.get_channel(server.channel("art").id)
        await channel.send("0", view=Counter(timeout=None))
        message = server.messages(server.channel("art"))[0]
        handle = await server.person("newcomer").press(message, "more")
        await handle.wait_for(lambda m: m.content == "1")
        assert handle.original() is message
        with pytest.raises(ClientRefusedError, match="disabled"):
            await server.person("newcomer").press(message, "more")
        await server.person("newcomer").unchecked.press(message, "more")
        await handle.wait_for(lambda m: m.content == "2")


async def test_dynamic_item_answers_a_button_of_an_earlier_run(server, bot, new_bot, online):
    class Vote(discord.ui.DynamicItem[discord.ui.Button], template=r"vote:(?P<panel>[0-9])"):
        def __init__(self, panel: str) -> None:
            self.panel = panel
            super().__init__(discord.ui.Button(label=panel, custom_id=f"vote:{panel}"))

        @classmethod
        async def from_custom_id(cls, interaction, item, match):
            return cls(match["panel"])

        async def callback(self, interaction: discord.Interaction) -> None:
            await interaction.response.send_message(f"panel {self.panel}", ephemeral=True)

    async with online(bot):
        view = discord.ui.View(timeout=None).add_item(Vote("1")).add_item(Vote("2"))
        await bot.get_channel(server.channel("art").id).send("vote", view=view)
    successor = new_bot()
    successor.add_dynamic_items(Vote)
    async with online(successor):
        message = server.messages(server.channel("art"))[0]
        handle = await server.person("member").press(message, message.button("2").custom_id)
        assert (await handle.wait_answered()).content == "panel 2"
        assert handle.original().reference_id == message.id


async def test_selects_bring_values_and_people(server, bot, online):
    picked = []

    class Choices(discord.ui.View):
        @discord.ui.select(
            custom_id="style",
            options=[discord.SelectOption(label=n, value=n) for n in ("oil", "ink")],
        )
        async def style(self, interaction: discord.Interaction, select) -> None:
            picked.append(select.values[0])
            await interaction.response.defer()

        @discord.ui.select(cls=discord.ui.UserSelect, custom_id="who")
        async def who(self, interaction: discord.Interaction, select) -> None:
            picked.append(select.values[0].name)
            await interaction.response.defer()

    async with online(bot):
        await bot.get_channel(server.channel("art").id).send("?", view=Choices(timeout=None))
        member, message = server.person("member"), server.messages(server.channel("art"))[0]
        await (await member.select(message, "style", ["ink"])).wait_acknowledged()
        owner = server.world.user_named("owner")
        await (await member.select(message, "who", [owner])).wait_acknowledged()
        with pytest.raises(ClientRefusedError):
            await member.select(message, "style", ["chalk"])
        with pytest.raises(ClientRefusedError):
            await member.select(message, "style", ["ink", "oil"])
    assert picked == ["ink", "owner"]


async def test_ephemeral_message_offers_its_buttons_to_its_reader_alone(server, bot, online, on_go):
    view = discord.ui.View(timeout=None).add_item(discord.ui.Button(label="x", custom_id="x"))
    outcome = on_go(bot, lambda i: i.response.send_message("?", view=view, ephemeral=True))
    async with online(bot):
        handle = await server.person("member").slash("go", server.channel("art"))
        await outcome
        with pytest.raises(ClientRefusedError, match="does not see"):
            await server.person("newcomer").press(handle.original(), "x")
        await server.person("member").press(handle.original(), "x")


async def test_modal_is_opened_filled_in_and_answered(server, bot, online, on_go):
    filled = {}

    class Form(discord.ui.Modal, title="Report"):
        reason = discord.ui.Label(
            text="Why?", component=discord.ui.TextInput(custom_id="reason", max_length=50)
        )
        kind = discord.ui.Label(
            text="What?",
            component=discord.ui.Select(
                custom_id="kind",
                options=[discord.SelectOption(label=n, value=n) for n in ("rude", "spam")],
            ),
        )
        proof = discord.ui.Label(
            text="Proof", component=discord.ui.FileUpload(custom_id="proof", required=False)
        )

        async def on_submit(self, interaction: discord.Interaction) -> None:
            filled["reason"] = self.reason.component.value
            filled["kind"] = self.kind.component.values
            filled["proof"] = [await file.read() for file in self.proof.component.values]
            await interaction.response.send_message("thank you", ephemeral=True)

    outcome = on_go(bot, lambda interaction: interaction.response.send_modal(Form()))
    async with online(bot):
        member = server.person("member")
        opened = await member.slash("go", server.channel("art"))
        assert (await opened.wait_modal())["title"] == "Report"
        await outcome
        with pytest.raises(ClientRefusedError, match="required"):
            await member.submit_modal(opened, {"kind": ["spam"]})
        with pytest.raises(ClientRefusedError):
            await member.submit_modal(opened, {"reason": "x" * 51, "kind": ["spam"]})
        handle = await member.submit_modal(
            opened, {"reason": "it is", "kind": ["spam"], "proof": [Upload("p.txt", b"see")]}
        )
        assert (await handle.wait_answered()).content == "thank you"
    assert filled == {"reason": "it is", "kind": ["spam"], "proof": [b"see"]}


async def test_modal_cannot_answer_a_modal(server, bot, online, on_go):
    codes = []

    class Form(discord.ui.Modal, title="One"):
        field = discord.ui.TextInput(label="Field", custom_id="field")

        async def on_submit(self, interaction: discord.Interaction) -> None:
            codes.append(await refusal(interaction.response.send_modal(Form())))
            await interaction.response.defer()

    outcome = on_go(bot, lambda interaction: interaction.response.send_modal(Form()))
    async with online(bot):
        member = server.person("member")
        opened = await member.slash("go", server.channel("art"))
        await outcome
        handle = await member.submit_modal(opened, {"field": "x"})
        await handle.wait_acknowledged()
    assert codes == [(400, 50035)]
