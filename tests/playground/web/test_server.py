"""The page's server, without a browser: who may send requests, and what each person gets."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import discord
import pytest

from playground import Playground, Upload
from playground.web.records import MAX_DETAIL

HEADERS = {"X-Playground-Page": "1"}


@asynccontextmanager
async def live(server, name):
    """Return a function that waits for the next batch of changes in this person's stream."""
    url = f"{server.url}/play/live?as={name}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 200

        async def following():
            async with asyncio.timeout(10):
                while True:
                    line = await response.content.readline()
                    if line.startswith(b"data: "):
                        return json.loads(line[6:])

        yield following


async def post(server, action, headers=HEADERS, files=(), **data):
    form = aiohttp.FormData()
    form.add_field("data", json.dumps(data))
    for index, (name, content) in enumerate(files):
        form.add_field(str(index), content, filename=name)
    url = f"{server.url}/play/{action}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=form, headers=headers) as response,
    ):
        is_json = response.content_type == "application/json"
        return response.status, await (response.json() if is_json else response.text())


def of_kind(changes, kind):
    return [change for change in changes if change["kind"] == kind]


async def test_playground_has_no_page_unless_it_is_mounted():
    async with (
        Playground() as server,
        aiohttp.ClientSession() as session,
        session.get(server.url) as response,
    ):
        assert response.status == 404


async def test_page_and_its_files_come_under_a_policy_that_lets_nothing_else_in(server):
    async with aiohttp.ClientSession() as session:
        for path in ("/", "/page/app.js", "/page/style.css", "/page/icon.svg"):
            async with session.get(server.url + path) as response:
                assert response.status == 200
                policy = response.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert "require-trusted-types-for 'script'" in policy
        for path in ("/page/nothing.js", "/page/..%2fserver.py", "/page/.hidden"):
            async with session.get(server.url + path) as response:
                assert response.status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "rebound.example"},
    ],
)
async def test_another_web_page_reaches_nothing(server, headers):
    general = str(server.channel("general").id)
    status, _ = await post(
        server, "send", HEADERS | headers, channel=general, content="hi", **{"as": "owner"}
    )
    assert status == 403
    assert server.messages(server.channel("general")) == []
    async with aiohttp.ClientSession() as session:
        for path in ("/play/live?as=owner", "/gateway", "/api/v10/gateway"):
            async with session.get(server.url + path, headers=headers) as response:
                assert response.status == 403


async def test_action_without_the_pages_own_header_is_refused(server):
    general = str(server.channel("general").id)
    status, _ = await post(server, "send", {}, channel=general, content="hi", **{"as": "owner"})
    assert status == 403
    assert server.messages(server.channel("general")) == []


async def test_page_that_remembers_a_person_of_another_world_becomes_somebody_here(server):
    async with live(server, "stranger") as following:
        [place] = of_kind(await following(), "place")
    assert place["me"] == str(server.person("owner").id)


async def test_message_reaches_every_open_page(server):
    general = str(server.channel("general").id)
    async with live(server, "member") as member, live(server, "owner") as owner:
        await member(), await owner()
        status, _ = await post(server, "send", channel=general, content="hi", **{"as": "member"})
        assert status == 200
        for following in (member, owner):
            [change] = of_kind(await following(), "message")
            assert change["data"]["content"] == "hi"


async def test_ephemeral_answer_and_form_are_told_to_their_addressee_alone(
    server, bot, on_go, online
):
    on_go(bot, lambda interaction: interaction.response.send_message("psst", ephemeral=True))
    general = server.channel("general")
    async with online(bot), live(server, "member") as member:
        await member()
        handle = await server.person("member").slash("go", general)
        await handle.wait_answered()
        seen = []
        while not of_kind(seen, "message"):
            seen += await member()
        async with live(server, "owner") as owner:
            told = await owner()
            assert not of_kind(told, "message")
            assert not of_kind(told, "interaction")


async def test_interaction_without_an_answer_fails_after_3_seconds_on_the_page(
    server, bot, on_go, online
):
    async def nothing(interaction):
        pass

    on_go(bot, nothing)
    async with online(bot), live(server, "member") as following:
        await following()
        general = str(server.channel("general").id)
        status, answer = await post(
            server, "slash", channel=general, command="go", **{"as": "member"}
        )
        assert status == 200
        states = []
        while not states:
            states += of_kind(await following(), "interaction")
        assert (states[0]["id"], states[0]["state"]) == (answer["interaction"], "waiting")
        server.clock.advance(3.1)
        while states[-1]["state"] == "waiting":
            states += of_kind(await following(), "interaction")
        assert states[-1]["state"] == "failed"


async def test_thinking_that_outlived_its_token_is_told_as_dead(server, bot, on_go, online):
    on_go(bot, lambda interaction: interaction.response.defer(thinking=True))
    async with online(bot), live(server, "member") as following:
        await following()
        handle = await server.person("member").slash("go", server.channel("general"))
        await handle.wait_acknowledged()
        messages = []
        while not messages:
            messages += of_kind(await following(), "message")
        await post(server, "trouble", what="advance", **{"as": "member"})
        while not messages[-1]["has_died"]:
            messages += of_kind(await following(), "message")
        assert messages[0]["has_died"] is False


async def test_command_is_offered_only_to_those_who_may_use_it(server, bot, online):
    @bot.tree.command(name="rule", description="For moderators.")
    @discord.app_commands.default_permissions(manage_guild=True)
    async def rule(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("ruled")

    async with online(bot):
        await server.wait_synced("rule")
        offered = {}
        for name in ("member", "moderator"):
            async with live(server, name) as following:
                [place] = of_kind(await following(), "place")
                offered[name] = [len(channel["offered"]) for channel in place["channels"]]
        general = str(server.channel("general").id)
        status, answer = await post(
            server, "slash", channel=general, command="rule", **{"as": "member"}
        )
    assert offered["member"][:2] == [0, 0]
    assert offered["moderator"][:2] == [1, 1]
    assert status == 409
    assert "not offered" in answer["error"]


async def test_file_over_the_limit_is_refused_with_a_sentence(server):
    server.person("member").user.attachment_size_limit = 10
    general = str(server.channel("general").id)
    status, answer = await post(
        server,
        "send",
        files=[("big.bin", b"x" * 11)],
        channel=general,
        content="",
        **{"as": "member"},
    )
    assert status == 409
    assert "big.bin is larger" in answer["error"]


async def test_uploaded_page_can_run_nothing_where_it_is_opened(server):
    person, general = server.person("member"), server.channel("general")
    message = await person.send(general, "", [Upload("evil.html", b"<script>1</script>")])
    [attachment] = message.attachments
    signed = server.backend.payloads.attachment(attachment)["url"]
    async with aiohttp.ClientSession() as session:
        for url in (signed, f"{server.url}/play/files/{attachment.id}/evil.html"):
            async with session.get(url) as response:
                assert response.status == 200
                assert "sandbox" in response.headers["Content-Security-Policy"]
                assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_wire_records_come_in_order_and_again_when_finished(server, bot, online):
    async with live(server, "member") as following:
        await following()
        async with online(bot):
            records = []
            while not any(r["name"] == "GUILD_CREATE" for r in records):
                changes = await following()
                records += of_kind(changes, "request") + of_kind(changes, "frame")
    login = [record for record in records if record["name"] == "GET /users/@me"]
    assert login[-1]["status"] == 200
    assert len({record["number"] for record in login}) == 1
    assert all(len(record["body"]) <= MAX_DETAIL + 2 for record in records)


async def test_nonsense_from_the_page_is_answered_and_breaks_nothing(server):
    for action, data in (
        ("send", {"channel": "1", "content": "x"}),
        ("send", {"channel": "not a number", "content": "x"}),
        ("press", {"channel": str(server.channel("general").id), "message": "5"}),
        ("slash", {"channel": str(server.channel("general").id), "command": ""}),
        ("modal", {"interaction": "7", "values": {}}),
        ("locale", {"locale": "xx"}),
        ("trouble", {"what": "unheard of"}),
    ):
        status, answer = await post(server, action, **data, **{"as": "member"})
        assert status in (400, 409), (action, status)
        assert answer["error"]
    status, _ = await post(server, "no-such-thing", **{"as": "member"})
    assert status == 404


async def test_others_join_in_with_their_own_words_and_never_the_person_who_asks(
    server, bot, on_go, online
):
    told = []

    class Form(discord.ui.Modal, title="Yours"):
        words = discord.ui.Label(text="Words", component=discord.ui.TextInput())

        async def on_submit(self, interaction):
            told.append((interaction.user.name, self.words.component.value))
            await interaction.response.send_message("taken", ephemeral=True)

    async def open_form(interaction):
        await interaction.response.send_modal(Form())

    async def post_buttons(interaction):
        view = discord.ui.View(timeout=None)
        main = discord.ui.Button(label="Add", style=discord.ButtonStyle.primary)
        main.callback = open_form
        view.add_item(main)
        view.add_item(discord.ui.Button(label="Other"))
        await interaction.response.send_message("a round", view=view)

    on_go(bot, post_buttons)
    general = server.channel("general")
    async with online(bot):
        handle = await server.person("member").slash("go", general)
        message = await handle.wait_answered()
        place = {"as": "member", "channel": str(general.id), "message": str(message.id)}
        status, answer = await post(server, "join", **place)
        assert (status, sorted(answer["names"])) == (200, ["Moss", "Nico", "Olive"])
        await server.wait_until(lambda: len(told) == 3)
        assert {name for name, _ in told} == {"moderator", "newcomer", "owner"}
        assert len({words for _, words in told}) == 3
        plain = await server.person("member").send(general, "hello")
        place["message"] = str(plain.id)
        status, answer = await post(server, "join", **place)
        assert "no main button" in answer["error"]
