"""The audit log, the mod log and members' own data, through the playground."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import signal

import pytest

from playground import Fault, Message, Playground, answer
from playground.people import Person
from playground.wire.options import ClientRefusedError
from tests.e2e.conftest import BotProcess, StartBot
from tests.e2e.test_imagine import has_grid
from tests.e2e.test_rules import say
from tests.e2e.test_settings import change, open_panel

SINCE = "30d"


async def set_mod_log(server: Playground, person: Person) -> None:
    panel = await open_panel(server, person, "record")
    general = server.channel("general")
    await change(await person.select(panel, "v1:settings:record.mod_log_channel_id", [general]))


def logged(server: Playground) -> list[str]:
    """Return the lines of the mod log at which a row begins."""
    messages = server.messages(server.channel("general"))
    lines = [line for message in messages for line in message.text().splitlines()]
    return [line for line in lines if line.startswith("`#")]


async def wait_logged(server: Playground, count: int) -> list[str]:
    await server.wait_until(lambda: len(logged(server)) >= count, 15, f"{count} rows")
    return logged(server)


async def refuse(server: Playground, *prompts: str) -> None:
    for prompt in prompts:
        await say(server.person("member"), "imagine", server.channel("art"), prompt=prompt)


async def test_decisions_are_posted_in_batches_and_ping_nobody(
    server: Playground, start_bot: StartBot
):
    await start_bot(BLOCKED_WORDS="kale")
    moderator = server.person("moderator")
    await refuse(server, "kale before there was a mod log")
    await set_mod_log(server, moderator)
    await refuse(server, *["@everyone **kale** <@&1>"] * 8)
    lines = await wait_logged(server, 9)
    assert "mod log" not in " ".join(lines)
    assert "Mod-log channel: default → <#" in lines[0]
    assert all("prompt refused" in line and "rule “kale”" in line for line in lines[1:])
    posts = [message for message in server.messages(server.channel("general"))]
    assert 2 <= len(posts) <= 6
    for post in posts:
        assert "@everyone" not in post.text()
        assert "**kale**" not in post.text()
        assert not post.current.mentions_everyone
        assert post.current.mentioned_user_ids == post.current.mentioned_role_ids == ()


async def test_row_whose_words_automod_refuses_is_posted_without_them_and_the_next_ones_come(
    server: Playground, start_bot: StartBot
):
    await start_bot(BLOCKED_WORDS="kale, leek")
    await set_mod_log(server, server.person("moderator"))
    await wait_logged(server, 1)
    general = f"/channels/{server.channel('general').id}/messages"
    server.fault(
        lambda record: record.matches("POST", general) and "kale" in str(record.body),
        answer(400, 200000),
        times=None,
    )
    await refuse(server, "a kale")
    bare = (await wait_logged(server, 2))[1]
    assert "prompt refused" in bare
    assert "AutoMod refused the words" in server.messages(server.channel("general"))[-1].text()
    await refuse(server, "a leek")
    assert "rule “leek”" in (await wait_logged(server, 3))[2]


@pytest.mark.parametrize("how", ["stopped", "killed after Discord took it"])
async def test_restart_neither_loses_nor_doubles_a_row(
    server: Playground, start_bot: StartBot, how: str
):
    bot = await start_bot(BLOCKED_WORDS="kale")
    await set_mod_log(server, server.person("moderator"))
    await wait_logged(server, 1)
    general = f"POST /channels/{server.channel('general').id}/messages"
    if how == "stopped":
        server.fault(general, Fault(status=500), times=None)
    else:  # the message is posted, but the bot gets no answer
        server.fault(general, Fault(status=500, applied=True), times=None)
    await refuse(server, "kale 1", "kale 2")
    await server.wait_until(
        lambda: any(record.status == 500 for record in server.requests(general)), 15
    )
    await bot.stop(signal.SIGKILL if how != "stopped" else signal.SIGTERM)
    server.faults.clear()
    await start_bot(BLOCKED_WORDS="kale")
    await refuse(server, "kale 3")
    await wait_logged(server, 4)
    await asyncio.sleep(4)  # another round
    numbers = [int(line.split("`")[1].removeprefix("#")) for line in logged(server)]
    assert numbers == [1, 2, 3, 4]


async def test_search_narrows_and_turns_pages_also_after_a_restart(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(BLOCKED_WORDS="kale, leek")
    moderator, member = server.person("moderator"), server.person("member")
    art = server.channel("art")
    await refuse(server, "one leek", *[f"kale {number}" for number in range(8)])
    await say(moderator, "pause", art)
    assert await bot.stop() == 0
    await start_bot()

    def rows(message: Message) -> list[str]:
        return [line for line in message.text().splitlines() if line.startswith("`#")]

    async def search(**options: object) -> Message:
        return await (await moderator.slash("audit search", art, **options)).wait_answered()

    assert [*map(len, map(rows, [await search(), await search(rule="leek")]))] == [6, 1]
    assert "**paused**" in rows(await search(moderator=moderator.user))[0]
    assert "Nothing in the audit log" in (await search(member=moderator.user)).text()
    assert len(rows(await search(since="1h", member=member.user))) == 6
    assert "is not a time" in (await search(since="soon")).text()
    page = await search(rule="kale", member=member.user)
    assert len(rows(page)) == 6
    await (await moderator.press(page, page.button("Older").custom_id or "")).wait_acknowledged()
    assert [line.split("`")[1] for line in rows(page)] == ["#3", "#2"]
    assert page.buttons() == []
    with pytest.raises(ClientRefusedError):
        await member.slash("audit search", art)
    assert "Only moderators" in await say(member.unchecked, "audit search", art)


async def test_owner_of_the_server_gets_the_record_as_a_file(
    server: Playground, start_bot: StartBot
):
    await start_bot(BLOCKED_WORDS="kale")
    art = server.channel("art")
    await refuse(server, 'kale, "quoted"\n=1+1')
    assert "Only the owner" in await say(server.person("moderator"), "audit export", art)
    handle = await server.person("owner").slash("audit export", art)
    [file] = (await handle.wait_for(lambda message: bool(message.attachments))).attachments
    [row, exported] = csv.DictReader(io.StringIO(file.content.decode()))
    assert (row["action"], row["prompt"]) == ("prompt_refused", 'kale, "quoted" =1+1')
    assert row["member_id"] == str(server.person("member").id)
    assert exported["action"] == "audit_exported"
    handle = await server.person("owner").slash("audit export", art, format="json", since=SINCE)
    [file] = (await handle.wait_for(lambda message: bool(message.attachments))).attachments
    assert [each["action"] for each in json.loads(file.content)] == [
        "prompt_refused", "audit_exported", "audit_exported",
    ]  # fmt: skip


async def test_member_takes_their_data_and_deletes_it(server: Playground, start_bot: StartBot):
    bot = await start_bot(BLOCKED_WORDS="kale", FAKE_STEP_SECONDS="0.05")
    member, newcomer = server.person("member"), server.person("newcomer")
    art = server.channel("art")
    assert "90 days" in await say(member, "privacy about", art)
    await (await member.slash("imagine", art, prompt="my dog")).wait_for(has_grid)
    await (await newcomer.slash("imagine", art, prompt="their cat")).wait_for(has_grid)
    await refuse(server, "my kale")
    handle = await member.slash("privacy export", member.direct_channel)
    [file] = (await handle.wait_for(lambda message: bool(message.attachments))).attachments
    found = json.loads(file.content)
    assert [job["recipe"]["prompt"] for job in found["prompts"]] == ["my dog", "my kale"]
    assert len(found["prompts"][0]["pictures"]) == 4
    assert [entry["prompt"] for entry in found["decisions"]] == ["my kale"]
    assert "token" not in file.content.decode()
    assert "their cat" not in file.content.decode()

    waiting = await member.slash("imagine", art, prompt="my slow dog", steps=100)
    await waiting.wait_acknowledged()
    question = await (await member.slash("privacy delete", art)).wait_answered()
    pressed = await member.press(question, question.button("Delete everything").custom_id or "")
    await pressed.wait_for(lambda message: "are deleted" in message.text())
    await waiting.wait_removed()
    assert await bot.stop() == 0
    check_deleted(bot, member.id)


def check_deleted(bot: BotProcess, member_id: int) -> None:
    mine = [row for row in bot.rows() if row["user_id"] == member_id]
    assert [(row["reason_params"], row["token"]) for row in mine] == [("{}", None)] * 3
    assert {bot.recipes()[row["job_id"] - 1].prompt for row in mine} == {""}
    assert mine[0]["cost"] > 0
    assert sorted(path.name for path in (bot.data_dir / "pictures").iterdir()) == ["2"]
    assert {row["job_id"] for row in bot.rows("SELECT * FROM picture")} == {2}
    for words in (b"my dog", b"my kale", b"my slow dog"):
        assert not [path for path in bot.data_dir.rglob("*.png") if words in path.read_bytes()]
    entries = bot.rows("SELECT * FROM audit ORDER BY entry_id")
    assert [(row["action"], row["prompt"]) for row in entries] == [
        ("prompt_refused", ""), ("data_exported", ""), ("data_deleted", ""),
    ]  # fmt: skip
    assert entries[0]["rule"] == "kale"
