"""Cancelling prompts, and looking at the queue."""

from __future__ import annotations

import asyncio
from pathlib import Path

from playground import Channel, Message, Playground, answer
from playground.people import Person
from tests.e2e.conftest import StartBot
from tests.fakes.gate import Gate


def is_in_line(message: Message) -> bool:
    return "in the queue" in message.text()


async def test_author_cancels_a_waiting_prompt_with_its_button_and_nobody_else_can(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="0.5")
    member, other, art = server.person("member"), server.person("newcomer"), server.channel("art")
    first = await member.slash("imagine", art, prompt="first", steps=40)
    await first.wait_answered()  # two commands at once may arrive in any order
    handle = await member.slash("imagine", art, prompt="second")
    message = await handle.wait_for(is_in_line)

    pressed = await other.press(message, message.button("Cancel").custom_id)
    answer = await pressed.wait_answered()
    assert answer.is_ephemeral
    assert "Only the member who asked" in answer.text()

    pressed = await member.press(message, message.button("Cancel").custom_id)
    await handle.wait_removed()
    told = await pressed.wait_for(lambda shown: shown.is_ephemeral)
    assert "was cancelled" in told.text()
    assert await bot.stop() == 0
    first_row, second = bot.rows()
    assert (second["status"], second["cost"]) == ("cancelled", 0)
    assert first_row["status"] == "queued", "a stop puts what is being drawn back into the queue"


async def test_cancel_while_drawing_charges_only_the_steps_drawn(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="0.1")
    member, art = server.person("member"), server.channel("art")
    handle = await member.slash("imagine", art, prompt="long", steps=100)
    await handle.wait_for(
        lambda message: "step " in message.text() and " 0 of" not in message.text()
    )
    answer = await (await member.slash("cancel", art)).wait_answered()
    assert answer.is_ephemeral
    assert answer.text().startswith("Your prompt was cancelled.")
    await handle.wait_removed()
    await asyncio.sleep(1)  # the step that is being drawn still reports progress
    assert [m for m in server.messages(art) if not m.is_ephemeral] == []
    nothing = await (await member.slash("cancel", art)).wait_answered()
    assert nothing.text() == "You have nothing in the queue."
    assert await bot.stop() == 0
    [row] = bot.rows()
    assert row["status"] == "cancelled"
    assert 0 < row["cost"] < row["cost_estimate"]


async def test_cancelled_prompt_whose_message_may_not_be_deleted_says_so_in_it(
    server: Playground, start_bot: StartBot
):
    await start_bot(FAKE_STEP_SECONDS="0.5")
    member, art = server.person("member"), server.channel("art")
    server.fault("DELETE *", answer(403, 50013, "Missing Permissions"), times=None)
    handle = await member.slash("imagine", art, prompt="long", steps=100)
    await handle.wait_answered()
    await member.slash("cancel", art)
    message = await handle.wait_for(lambda shown: "Cancelled" in shown.text())
    assert message.buttons() == []


async def test_cancel_takes_back_the_one_that_is_chosen_or_all_of_them(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="0.5")
    member, art = server.person("member"), server.channel("art")
    handles = []
    for word in ("dog", "cat", "fox"):  # one after the other, because the newest comes first
        prompt = f"{word} in autumn leaves " + "and more " * 10
        handles.append(await member.slash("imagine", art, prompt=prompt, steps=60))
        await handles[-1].wait_answered()
    choice = await (await member.slash("cancel", art)).wait_answered()
    assert choice.is_ephemeral
    labels = [button.label or "" for button in choice.buttons()]
    assert [label[:3] for label in labels] == ["fox", "cat", "dog", "Can"]
    assert labels[-1] == "Cancel all 3 prompts"
    assert all(len(label) <= 80 for label in labels)
    await member.press(choice, choice.button(labels[1]).custom_id or "")
    await handles[1].wait_removed()
    statuses = {row["job_id"]: row["status"] for row in bot.rows()}
    assert statuses[2] == "cancelled"
    assert "cancelled" not in (statuses[1], statuses[3])
    pressed = await member.press(choice, choice.button(labels[-1]).custom_id or "")
    for handle in handles:
        await handle.wait_removed()
    await pressed.wait_for(lambda message: "2 prompts were cancelled" in message.text())
    assert await bot.stop() == 0


async def test_cancel_button_pressed_after_a_restart_still_works(
    server: Playground, start_bot: StartBot
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot(FAKE_STEP_SECONDS="0.5")
    first = await member.slash("imagine", art, prompt="first", steps=60)
    await first.wait_answered()  # two commands at once may arrive in any order
    handle = await member.slash("imagine", art, prompt="second")
    message = await handle.wait_for(is_in_line)
    assert await bot.stop() == 0
    await start_bot(FAKE_STEP_SECONDS="0.5")
    await member.press(message, message.button("Cancel").custom_id)
    await handle.wait_removed()


async def test_queue_shows_the_line_and_what_is_left_of_the_own_quota(
    server: Playground, start_bot: StartBot
):
    await start_bot(FAKE_STEP_SECONDS="0.5", MAX_COST_PER_MEMBER_PER_HOUR="60")
    member, art = server.person("member"), server.channel("art")
    first = await member.slash("imagine", art, prompt="first", steps=40)
    await first.wait_answered()
    await (await member.slash("imagine", art, prompt="second", steps=8)).wait_answered()
    answer = await (await member.slash("queue", art)).wait_answered()
    assert answer.is_ephemeral
    text = answer.text()
    assert "1 prompt in the queue, 1 being drawn" in text
    assert "“first” — Being drawn." in text
    assert "“second” — Next in the queue" in text
    assert "You have 1 in the queue and 1 being drawn; you may have 100 prompts at once" in text
    assert "48.0 of 60 left this hour" in text


async def test_member_over_the_quota_is_refused_and_others_are_not(
    server: Playground, start_bot: StartBot
):
    await start_bot(FAKE_STEP_SECONDS="0.5", MAX_WAITING_PER_MEMBER="2")
    member, other, art = server.person("member"), server.person("newcomer"), server.channel("art")
    for prompt in ("first", "second"):
        await (await member.slash("imagine", art, prompt=prompt)).wait_acknowledged()
    refused = await (await member.slash("imagine", art, prompt="third")).wait_answered()
    assert refused.is_ephemeral
    assert "You already have 2 prompts in the queue" in refused.text()
    taken = await (await other.slash("imagine", art, prompt="mine")).wait_answered()
    assert not taken.is_ephemeral


async def test_one_flooder_does_not_keep_another_member_waiting(
    server: Playground, start_bot: StartBot, tmp_path: Path
):
    member, other, art = server.person("member"), server.person("newcomer"), server.channel("art")
    with Gate(tmp_path / "gate") as gate:
        bot = await start_bot(FAKE_LOAD_GATE=str(tmp_path / "gate"))
        for number in range(8):
            await (await member.slash("imagine", art, prompt=f"flood {number}")).wait_acknowledged()
        handle = await other.slash("imagine", art, prompt="just one")
        await handle.wait_acknowledged()
        gate.open()
    await handle.wait_for(lambda message: bool(message.attachments))
    assert await bot.stop() == 0
    by_start = bot.rows(
        "SELECT json_extract(recipe, '$.prompt') AS prompt FROM job "
        "WHERE started_at IS NOT NULL ORDER BY started_at"
    )
    assert "just one" in [row["prompt"] for row in by_start][:2]


async def test_help_is_for_the_asker_alone_and_names_what_they_may_use(
    server: Playground, start_bot: StartBot
):
    await start_bot()
    general, newcomer = server.channel("general"), server.person("newcomer")
    moderator, owner = server.person("moderator"), server.person("owner")

    async def ask(person: Person, channel: Channel) -> str:
        answer = await (await person.slash("help", channel)).wait_answered()
        assert answer.is_ephemeral
        assert "/imagine" in answer.text()
        return answer.text()

    marks = ("Report picture", "For moderators", "For managers", "owner of this bot")
    for person, channel, expected in [
        (newcomer, general, "1000"),
        (newcomer, newcomer.direct_channel, "0000"),
        (moderator, general, "1110"),
        (moderator, moderator.direct_channel, "0000"),
        (owner, general, "1111"),
        (owner, owner.direct_channel, "0001"),
    ]:
        text = await ask(person, channel)
        assert "".join("01"[mark in text] for mark in marks) == expected, (person.name, text)
