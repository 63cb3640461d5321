"""Members and moderators hold, report, strike and appeal, over real sockets."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot.store import Database
from playground import (
    InteractionHandle,
    Message,
    Overwrite,
    Permission,
    Person,
    Playground,
    add_channel,
    add_role,
    answer,
    reset,
)
from tests.e2e.conftest import ROOT, BotProcess, StartBot
from tests.e2e.gallery import limit_files, make_noise
from tests.e2e.test_imagine import has_grid
from tests.e2e.test_moderation import _colours
from tests.e2e.test_upload import make_upload

ASKING = {"Refuse", "Refuse and suspend", "Remove", "Remove and strike", "Deny"}
GREYS = (200, 201, 202)


class Town:
    """The playground's guild with a review channel, and its people."""

    def __init__(self, server: Playground, data_dir: Path, rules: Path) -> None:
        self.server = server
        self.data_dir = data_dir
        self.rules = str(rules)
        self.art = server.channel("art")
        self.guild = next(iter(server.world.guilds.values()))
        self.review = add_channel(server.world, self.guild, "review")
        self.member, self.newcomer = server.person("member"), server.person("newcomer")
        self.moderator, self.owner = server.person("moderator"), server.person("owner")

    async def set(self, **values: Any) -> None:
        """Change settings before the bot starts."""
        self.data_dir.mkdir(exist_ok=True)
        database = await Database.open(self.data_dir, ROOT / "migrations")
        await database.close()
        with closing(sqlite3.connect(self.data_dir / "triptych.sqlite3")) as connection:
            for name, value in ({"review_channel_id": self.review.id} | values).items():
                connection.execute(
                    "INSERT OR REPLACE INTO setting VALUES (?, 0, ?, ?)",
                    (self.guild.id, name, json.dumps(value)),
                )
            connection.commit()

    async def card(self, holds: Callable[[Message], bool] = lambda message: True) -> Message:
        """Return the newest card with buttons for which this condition is true."""
        async with asyncio.timeout(15):
            while True:
                for message in reversed(self.server.messages(self.review)):
                    if message.buttons() and holds(message):
                        return message
                await asyncio.sleep(0.02)

    async def closed(self, card: Message, text: str) -> None:
        async with asyncio.timeout(15):
            while text not in card.text() or card.buttons():  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def told_directly(self, person: Person, count: int = 1) -> list[Message]:
        """Wait for at least this many direct messages."""

        def look() -> list[Message] | None:
            messages = self.server.messages(person.direct_channel)
            return messages if len(messages) >= count else None

        return await self.server.wait_until(look, 15)

    async def imagine(self, prompt: str, person: Person | None = None, **options: Any):
        return await (person or self.member).slash("imagine", self.art, prompt=prompt, **options)

    async def report(self, message: Message, person: Person, reason: str = "not for here") -> str:
        opened = await person.context_menu("Report picture", message, self.art)
        await opened.wait_modal()
        sent = await person.submit_modal(opened, {"reason": reason})
        return (await sent.wait_answered()).text()

    async def press(
        self, card: Message, label: str, person: Person | None = None, reason: str = ""
    ) -> InteractionHandle:
        """Press a button of a card. If this opens a form, send it."""
        person = person or self.moderator
        pressed = await person.press(card, str(card.button(label).custom_id))
        if label not in ASKING:
            return pressed
        await self.server.wait_until(lambda: pressed.modal or pressed.messages, 5)
        if pressed.modal is None:  # this person may not decide
            return pressed
        return await person.submit_modal(pressed, {"reason": reason})


@pytest.fixture
def town(server: Playground, tmp_path: Path) -> Town:
    path = tmp_path / "rules.json"
    path.write_text('{"rules": [{"kind": "word", "text": "leek", "action": "hold"}]}')
    return Town(server, tmp_path / "data", path)


def audit(bot: BotProcess) -> list[tuple[str, int]]:
    rows = bot.rows("SELECT action, actor_id FROM audit ORDER BY entry_id")
    return [(row["action"], row["actor_id"]) for row in rows]


async def until_row(bot: BotProcess, sql: str) -> None:
    """Wait until this query returns a row, because rows are written a moment after messages."""
    async with asyncio.timeout(15):
        while not bot.rows(sql):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def draw(town: Town, bot: BotProcess) -> Message:
    """Draw a grid for the member, and wait until its row says that it is delivered."""
    message = await (await town.imagine("dog", seed="200")).wait_for(has_grid)
    await until_row(bot, "SELECT 1 FROM job WHERE status = 'delivered'")
    return message


async def until_text(message: Message, text: str) -> None:
    async with asyncio.timeout(15):
        while text not in message.text():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_held_prompt_is_approved_by_a_moderator_and_drawn(town: Town, start_bot: StartBot):
    await town.set()
    bot = await start_bot(RULES_FILE=town.rules)
    handle = await town.imagine("a **leek** @everyone <@1>\n# in `snow`")
    waiting = await handle.wait_answered()
    assert not waiting.is_ephemeral
    assert "Waiting for a moderator" in waiting.text()
    assert "leek" not in waiting.text()
    card = await town.card()
    assert r"a \*\*leek\*\*" in card.text()
    assert "\n# in" not in card.text()
    assert card.current.mentioned_user_ids == ()
    assert not card.current.mentions_everyone
    labels = [button.label for button in card.buttons()]
    assert labels == ["Approve", "Approve as spoiler", "Refuse", "Refuse and suspend", "Show me"]
    await town.press(card, "Approve")
    message = await handle.wait_for(has_grid)
    assert message.id == waiting.id
    assert "leek" in message.text()
    await town.closed(card, "Approved by")
    assert await bot.stop() == 0
    assert audit(bot) == [("prompt_held", 0), ("approved", town.moderator.id)]


async def test_approval_as_a_spoiler_covers_the_grid(town: Town, start_bot: StartBot):
    await town.set()
    await start_bot(RULES_FILE=town.rules)
    handle = await town.imagine("leek")
    await town.press(await town.card(), "Approve as spoiler")
    message = await handle.wait_for(has_grid)
    assert message.attachments[0].filename.startswith("SPOILER_")


async def test_refusal_reaches_the_member_in_the_same_message_after_the_token_died(
    town: Town, start_bot: StartBot
):
    await town.set()
    bot = await start_bot(RULES_FILE=town.rules)
    handle = await town.imagine("leek")
    waiting = await handle.wait_answered()
    card = await town.card()
    town.server.clock.advance(15 * 60 + 1)
    await town.press(card, "Refuse")
    await until_text(waiting, "A moderator refused this.")
    assert "leek" not in waiting.text()
    assert len(town.server.messages(town.art)) == 1
    await town.closed(card, "Refused by")
    assert await bot.stop() == 0
    [row] = bot.rows()
    assert (row["status"], row["cost"]) == ("refused", 0)


async def test_refusal_asks_once_and_takes_a_reason_that_the_member_reads(
    town: Town, start_bot: StartBot
):
    await town.set(appeal_channel_id=town.art.id)
    bot = await start_bot(RULES_FILE=town.rules)
    waiting = await (await town.imagine("leek")).wait_answered()
    card = await town.card()
    pressed = await town.moderator.press(card, str(card.button("Refuse").custom_id))
    form = await pressed.wait_modal()
    assert "everybody else in the channel" in json.dumps(form)
    assert bot.rows()[0]["status"] == "held"
    assert await bot.stop() == 0
    await start_bot(RULES_FILE=town.rules)
    await town.moderator.submit_modal(pressed, {"reason": "no vegetables @everyone"})
    await until_text(waiting, "no vegetables @everyone")
    assert f"write in <#{town.art.id}>" in waiting.text()
    assert not waiting.current.mentions_everyone
    await town.closed(card, "Refused by")


async def test_who_is_no_moderator_sends_no_form(town: Town, start_bot: StartBot):
    await town.set()
    bot = await start_bot(RULES_FILE=town.rules)
    await town.imagine("leek")
    card = await town.card()
    role_ids = town.guild.members[town.moderator.id].role_ids
    pressed = await town.moderator.press(card, str(card.button("Refuse and suspend").custom_id))
    await pressed.wait_modal()
    role_ids.clear()
    sent = await town.moderator.submit_modal(pressed, {"reason": "rude"})
    told = await sent.wait_for(lambda message: message.is_ephemeral)
    assert "Only moderators" in told.text()
    assert bot.rows()[0]["status"] == "held"


async def test_two_moderators_press_at_once_and_the_second_sees_who_was_first(
    town: Town, start_bot: StartBot
):
    await town.set()
    bot = await start_bot(RULES_FILE=town.rules)
    await town.imagine("leek")
    card = await town.card()
    presses = await asyncio.gather(
        town.press(card, "Refuse"), town.press(card, "Approve", town.owner)
    )
    await town.closed(card, "by <@")
    await asyncio.sleep(0.5)
    told = [message.text() for press in presses for message in press.followups()]
    assert len(told) == 1
    assert "was first" in told[0]
    assert await bot.stop() == 0
    assert len(audit(bot)) == 2
    winner = audit(bot)[1][1]
    assert f"<@{winner}> was first" in told[0]
    expected = "refused" if winner == town.moderator.id else "delivered"
    assert bot.rows()[0]["status"] == expected


async def test_only_moderators_decide(town: Town, start_bot: StartBot):
    role = add_role(town.server.world, town.guild, "Helpers", 0)
    await town.set(moderator_role_ids=[role.id])
    bot = await start_bot(RULES_FILE=town.rules)
    handle = await town.imagine("leek")
    card = await town.card()
    refused = await town.press(card, "Approve", town.newcomer)
    told = await refused.wait_for(lambda message: message.is_ephemeral)
    assert "Only moderators" in told.text()
    assert bot.rows()[0]["status"] == "held"
    town.guild.members[town.newcomer.id].role_ids.append(role.id)
    await town.press(card, "Approve", town.newcomer)
    await handle.wait_for(has_grid)


async def test_moderator_cannot_suspend_the_owner_or_an_equal_or_decide_about_themselves(
    town: Town, start_bot: StartBot
):
    await town.set()
    bot = await start_bot(RULES_FILE=town.rules)
    second = town.guild.members[town.newcomer.id]
    second.role_ids += town.guild.members[town.moderator.id].role_ids
    for author, sentence in (
        (town.owner, "owner of the server"),
        (town.newcomer, "below your own"),
        (town.moderator, "You cannot decide"),
    ):
        await town.imagine("leek", author)
        card = await town.card(lambda message, author=author: f"<@{author.id}>" in message.text())
        press = await town.press(card, "Refuse and suspend")
        told = await press.wait_for(lambda message: message.is_ephemeral)
        assert sentence in told.text()
    assert {row["status"] for row in bot.rows()} == {"held"}
    assert bot.rows("SELECT * FROM suspension") == []


async def test_member_cancels_a_held_prompt(town: Town, start_bot: StartBot):
    await town.set()
    bot = await start_bot(RULES_FILE=town.rules)
    handle = await town.imagine("leek")
    card = await town.card()
    answer = await (await town.member.slash("cancel", town.art)).wait_answered()
    assert "cancelled" in answer.text()
    await handle.wait_removed()
    await town.closed(card, "cancelled the prompt")
    assert await bot.stop() == 0
    assert bot.rows()[0]["status"] == "cancelled"


async def test_card_that_cannot_be_posted_refuses(town: Town, start_bot: StartBot):
    await town.set()
    town.review.overwrites[town.guild.id] = Overwrite(deny=int(Permission.SEND_MESSAGES))
    bot = await start_bot(RULES_FILE=town.rules)
    handle = await town.imagine("leek")
    await handle.wait_for(
        lambda message: "cannot post in the moderators' channel" in message.text()
    )
    assert await bot.stop() == 0
    assert bot.rows()[0]["status"] == "refused"
    assert audit(bot) == [("prompt_held", 0), ("refused", 0)]


async def test_held_prompt_whose_words_automod_refuses_is_decided_all_the_same(
    town: Town, start_bot: StartBot
):
    await town.set()
    bot = await start_bot(RULES_FILE=town.rules)
    says_leek = f"/channels/{town.review.id}/messages"
    town.server.fault(
        lambda record: says_leek in record.path and "leek" in str(record.body),
        answer(400, 200000),
        times=None,
    )
    handle = await town.imagine("a leek", negative_prompt="no leek")
    card = await town.card()
    assert "AutoMod refused the words" in card.text()
    unread = await (await town.press(card, "Approve")).wait_for(lambda m: m.is_ephemeral)
    assert "have not seen the words" in unread.text()
    assert bot.rows()[0]["status"] == "held"
    shown = await (await town.press(card, "Show me")).wait_for(lambda m: bool(m.attachments))
    assert shown.attachments[0].filename.endswith("prompt.txt")
    other = await town.press(card, "Approve", town.owner)  # this moderator has not read the words
    assert "have not seen the words" in (await other.wait_for(lambda m: m.is_ephemeral)).text()
    await town.press(card, "Approve")
    await handle.wait_for(has_grid)
    await town.closed(card, "Approved by")
    assert await bot.stop() == 0


async def test_held_prompt_survives_kills_and_expires_while_the_bot_is_away(
    town: Town, start_bot: StartBot
):
    await town.set(review_hours=1)
    first = await start_bot(RULES_FILE=town.rules)
    handle = await town.imagine("leek")
    card = await town.card()
    assert await first.stop(signal.SIGKILL) == -signal.SIGKILL
    second = await start_bot(RULES_FILE=town.rules)
    await asyncio.sleep(0.5)
    assert second.rows()[0]["status"] == "held"
    assert len(town.server.messages(town.review)) == 1
    assert await second.stop(signal.SIGKILL) == -signal.SIGKILL
    with closing(sqlite3.connect(town.data_dir / "triptych.sqlite3")) as connection:
        connection.execute("UPDATE card SET expires_at = opened_at - 1")
        connection.commit()
    third = await start_bot(RULES_FILE=town.rules)
    await handle.wait_for(lambda message: "No moderator looked" in message.text())
    await town.closed(card, "Expired")
    assert await third.stop() == 0
    [row] = third.rows()
    assert (row["status"], row["cost"]) == ("expired", 0)
    assert audit(third)[-1] == ("expired", 0)


@pytest.mark.parametrize(
    ("label", "outcome", "status"),
    [
        ("Approve", "Approved by", "delivered"),
        ("Refuse", "Refused by", "refused"),
        ("Refuse and suspend", "also suspended", "refused"),
    ],
)
async def test_card_of_an_earlier_process_is_decided_after_a_restart(
    town: Town, start_bot: StartBot, label: str, outcome: str, status: str
):
    await town.set()
    first = await start_bot(RULES_FILE=town.rules)
    handle = await town.imagine("leek")
    waiting = await handle.wait_answered()
    card = await town.card()
    assert await first.stop(signal.SIGKILL) == -signal.SIGKILL
    bot = await start_bot(RULES_FILE=town.rules)
    await town.press(card, label)
    if status == "delivered":
        assert (await handle.wait_for(has_grid)).id == waiting.id
    else:
        await until_text(waiting, "A moderator refused this.")
    await town.closed(card, outcome)
    assert await bot.stop() == 0
    assert [row["status"] for row in bot.rows()] == [status]
    suspended = bot.rows("SELECT member_id FROM suspension")
    assert len(suspended) == (label == "Refuse and suspend")


async def test_card_whose_place_was_not_noted_is_closed_where_it_is_pressed(
    town: Town, start_bot: StartBot
):
    await town.set()
    first = await start_bot(RULES_FILE=town.rules)
    await town.report(await draw(town, first), town.newcomer)
    report = await town.card()
    handle = await town.imagine("leek")
    card = await town.card(lambda message: message is not report)
    await until_row(first, "SELECT 1 FROM card WHERE kind = 'held' AND message_id")
    assert await first.stop(signal.SIGKILL) == -signal.SIGKILL
    with closing(sqlite3.connect(town.data_dir / "triptych.sqlite3")) as connection:
        connection.execute("UPDATE card SET channel_id = NULL, message_id = NULL WHERE kind='held'")
        connection.commit()
    # the bot edits all cards at its start, and does not get past the first one
    town.server.fault(f"PATCH /channels/*/messages/{report.id}", reset(), times=None)
    await start_bot(RULES_FILE=town.rules)
    await town.press(card, "Approve")
    await handle.wait_for(has_grid)
    await town.closed(card, "Approved by")


async def slow_down(town: Town, start_bot: StartBot) -> tuple[BotProcess, InteractionHandle]:
    """Send a prompt that passes the rules and takes long to draw."""
    bot = await start_bot(FAKE_STEP_SECONDS="0.3")
    handle = await town.imagine("a leek in rain", seed="200", steps=10)
    await handle.wait_answered()
    await until_row(bot, "SELECT 1 FROM job WHERE status = 'running'")
    return bot, handle


@pytest.mark.parametrize("is_restarted", [False, True], ids=["", "restarted"])
@pytest.mark.parametrize("action", ["refuse", "hold", "spoiler"])
async def test_rule_added_while_a_job_waits_holds_for_it_too(
    town: Town, start_bot: StartBot, action: str, is_restarted: bool
):
    await town.set()
    bot, handle = await slow_down(town, start_bot)
    added = await town.moderator.slash(
        "rules add", town.art, kind="word", text="leek", action=action
    )
    assert "Added `#1`" in (await added.wait_answered()).text()
    assert bot.rows()[0]["status"] == "running"
    if is_restarted:
        assert await bot.stop(signal.SIGKILL) == -signal.SIGKILL
        bot = await start_bot()
    if action == "refuse":
        refused = await handle.wait_for(lambda m: "do not allow “leek”" in m.text())
        assert refused.attachments == []
    elif action == "hold":
        await handle.wait_for(lambda m: "Waiting for a moderator" in m.text())
        card = await town.card()
        assert "hold prompts with “leek”" in card.text()
        assert not any(message.attachments for message in town.server.messages(town.art))
        unseen = await (await town.press(card, "Approve")).wait_for(lambda m: m.is_ephemeral)
        assert "have not seen the picture yet" in unseen.text()
        await (await town.press(card, "Show me")).wait_for(lambda m: bool(m.attachments))
        await town.press(card, "Approve")
        await handle.wait_for(has_grid)
    else:
        message = await handle.wait_for(has_grid)
        assert message.attachments[0].filename.startswith("SPOILER_")
    ends = "refused" if action == "refuse" else "delivered"
    await until_row(bot, f"SELECT 1 FROM job WHERE status = '{ends}'")
    assert await bot.stop() == 0
    [row] = bot.rows()
    assert (row["status"], row["cost"] > 0) == (ends, action != "refuse")
    decided = {"refuse": "prompt_refused", "hold": "prompt_held", "spoiler": "prompt_covered"}
    entries = bot.rows("SELECT * FROM audit ORDER BY entry_id")
    expected = ["rule_added", decided[action], *(["approved"] if action == "hold" else [])]
    assert [entry["action"] for entry in entries] == expected
    assert (entries[1]["rule"], entries[1]["rules_version"]) == ("leek", 1)


async def test_stop_between_the_row_and_its_card_posts_one_card(town: Town, start_bot: StartBot):
    await town.set()
    bot = await start_bot(RULES_FILE=town.rules)
    handle = await town.imagine("leek")
    await town.card()
    assert await bot.stop(signal.SIGKILL) == -signal.SIGKILL
    with closing(sqlite3.connect(town.data_dir / "triptych.sqlite3")) as connection:
        connection.execute("UPDATE card SET message_id = NULL, channel_id = NULL")  # not recorded
        connection.commit()
    await start_bot(RULES_FILE=town.rules)
    await asyncio.sleep(1)
    [card] = town.server.messages(town.review)
    await town.press(card, "Approve")
    await handle.wait_for(has_grid)


async def test_stop_right_after_a_decision_still_tells_everybody(town: Town, start_bot: StartBot):
    await town.set()
    bot = await start_bot(RULES_FILE=town.rules)
    handle = await town.imagine("leek")
    card = await town.card()
    await until_row(bot, "SELECT 1 FROM card WHERE message_id IS NOT NULL")
    assert await bot.stop(signal.SIGKILL) == -signal.SIGKILL
    with closing(sqlite3.connect(town.data_dir / "triptych.sqlite3")) as connection:
        connection.execute(
            "UPDATE card SET decision = 'refuse', decided_by = ?, decided_at = opened_at",
            (town.moderator.id,),
        )
        connection.execute(
            "UPDATE job SET status = 'refused', end_notified = 0, reason_code = 'cancelled'"
        )
        connection.commit()
    await start_bot(RULES_FILE=town.rules)
    await handle.wait_for(lambda message: "Cancelled." in message.text())
    await town.closed(card, "Refused by")


async def test_flagged_pictures_wait_blurred_and_a_moderator_can_look(
    town: Town, start_bot: StartBot
):
    await town.set(picture_action="hold")
    bot = await start_bot(FAKE_PICTURE_CHECK="0.9")
    handle = await town.imagine("dog", seed="200")
    waiting = await handle.wait_for(lambda m: "Waiting for a moderator" in m.text())
    card = await town.card()
    [blurred] = card.attachments
    assert blurred.content[:4] == b"\x89PNG"
    assert b"prompt" not in blurred.content
    assert town.art.messages
    assert not any(message.attachments for message in town.server.messages(town.art))
    shown = await (await town.press(card, "Show me")).wait_for(lambda m: bool(m.attachments))
    assert shown.is_ephemeral
    originals = {file.filename: file.content for file in shown.attachments}
    assert _colours(originals["SPOILER_grid.png"], GREYS) == set(GREYS)
    curious = await town.press(card, "Show me", town.newcomer)
    assert "Only moderators" in (await curious.wait_answered()).text()
    await town.press(card, "Approve")
    message = await handle.wait_for(has_grid)
    assert message.id == waiting.id
    assert _colours(message.attachments[0].content, GREYS) == set(GREYS)
    assert await bot.stop() == 0
    assert audit(bot) == [("pictures_held", 0), ("approved", town.moderator.id)]
    scores = bot.rows("SELECT nsfw_score, shown FROM picture WHERE panel > 0")
    assert [tuple(row) for row in scores] == [(0.9, 1)] * 3


async def test_checker_that_crashes_shows_nothing_until_a_moderator_has_looked(
    town: Town, start_bot: StartBot
):
    await town.set()
    bot = await start_bot(FAKE_PICTURE_CHECK="crash", may_complain=True)
    handle = await town.imagine("dog", seed="200")
    card = await town.card()
    assert "picture check does not work" in card.text()
    assert not any(message.attachments for message in town.server.messages(town.art))
    assert await bot.stop(signal.SIGKILL) == -signal.SIGKILL
    bot = await start_bot(FAKE_PICTURE_CHECK="crash", may_complain=True)
    await asyncio.sleep(0.5)
    assert not any(message.attachments for message in town.server.messages(town.art))
    await town.press(card, "Refuse")
    refused = await handle.wait_for(lambda message: "A moderator refused this" in message.text())
    assert refused.attachments == []
    assert await bot.stop() == 0
    assert not any((town.data_dir / "pictures").rglob("*.png"))


async def test_reports_hide_pictures_until_they_are_restored(town: Town, start_bot: StartBot):
    await town.set(reports_to_hide=2)
    bot = await start_bot()
    message = await draw(town, bot)
    assert "Thank you" in await town.report(message, town.newcomer, "*bad* @everyone")
    twice = await town.newcomer.context_menu("Report picture", message, town.art)
    await twice.wait_modal()
    again = await town.newcomer.submit_modal(twice, {"reason": "again"})
    assert "already" in (await again.wait_answered()).text()
    assert message.attachments
    card = await town.card()
    assert r"\*bad\*" in card.text()
    assert not card.current.mentions_everyone
    await town.report(message, town.owner)
    await until_text(message, "hidden until a moderator")
    assert message.attachments == []
    assert "dog" not in message.text()

    assert await bot.stop(signal.SIGKILL) == -signal.SIGKILL
    bot = await start_bot()
    await town.press(card, "Restore")
    await until_text(message, "dog")
    assert _colours(message.attachments[0].content, GREYS) == set(GREYS)
    await town.closed(card, "Restored by")
    for reporter in (town.newcomer, town.owner):
        [told] = await town.told_directly(reporter)
        assert "it stays" in told.text()
    assert await bot.stop() == 0
    assert audit(bot) == [
        ("reported", town.newcomer.id),
        ("reported", town.owner.id),
        ("report_decided", town.moderator.id),
    ]


async def test_form_of_a_report_is_taken_after_a_restart(town: Town, start_bot: StartBot):
    await town.set()
    bot = await start_bot()
    message = await draw(town, bot)
    opened = await town.newcomer.context_menu("Report picture", message, town.art)
    await opened.wait_modal()
    assert await bot.stop() == 0
    bot = await start_bot()
    sent = await town.newcomer.submit_modal(opened, {"reason": "bad"})
    assert "Thank you" in (await sent.wait_answered()).text()
    assert "bad" in (await town.card()).text()


async def test_only_pictures_of_the_bot_can_be_reported(town: Town, start_bot: StartBot):
    await town.set()
    await start_bot()
    message = await town.member.send(town.art, "hello")
    handle = await town.newcomer.context_menu("Report picture", message, town.art)
    assert "no pictures from Triptych" in (await handle.wait_answered()).text()


async def test_strikes_suspend_and_the_appeal_is_heard(town: Town, start_bot: StartBot):
    await town.set(strikes_to_suspend=2, reports_to_hide=1)
    bot = await start_bot()
    message = await draw(town, bot)
    await town.report(message, town.newcomer)
    await town.press(await town.card(), "Remove and strike")
    await until_text(message, "A moderator has removed these pictures.")
    given = await town.moderator.slash(
        "strike add", town.art, member=town.member.user, reason="again rude"
    )
    assert "reaches the limit" in (await given.wait_answered()).text()

    refused = await (await town.imagine("cat")).wait_answered()
    assert refused.is_ephemeral
    assert "You are suspended" in refused.text()
    assert "again rude" in refused.text()
    await town.told_directly(town.member, 3)  # one of them is from the command
    assert await bot.stop(signal.SIGKILL) == -signal.SIGKILL
    bot = await start_bot()
    assert "You are suspended" in (await (await town.imagine("cat")).wait_answered()).text()

    opened = await town.member.press(refused, str(refused.button("Appeal").custom_id))
    await opened.wait_modal()
    sent = await town.member.submit_modal(opened, {"text": "I am **sorry** @here"})
    assert "passed on" in (await sent.wait_answered()).text()
    card = await town.card(lambda message: "appeal" in message.text())
    assert r"\*\*sorry\*\*" in card.text()
    once_more = await town.member.press(refused, str(refused.button("Appeal").custom_id))
    assert "already" in (await once_more.wait_answered()).text()

    assert await bot.stop(signal.SIGKILL) == -signal.SIGKILL
    bot = await start_bot()
    await town.press(card, "Grant: lift it")
    await town.closed(card, "Granted")
    removed, struck, suspended, granted = await town.told_directly(town.member, 4)
    assert "removed the pictures of your prompt #1" in removed.text()
    assert "You got a strike in" in struck.text()
    for words in ("You got a strike in", "again rude", "You cannot make pictures in", "moderators"):
        assert words in suspended.text()
    assert "granted" in granted.text()
    await (await town.imagine("cat")).wait_for(has_grid)
    assert await bot.stop() == 0
    moderator, member = town.moderator.id, town.member.id
    assert audit(bot) == [
        ("reported", town.newcomer.id),
        ("report_decided", moderator),
        ("struck", moderator),
        ("struck", moderator),
        ("suspended", 0),
        ("prompt_refused", 0),
        ("prompt_refused", 0),
        ("appealed", member),
        ("appeal_decided", moderator),
        ("suspension_lifted", moderator),
    ]


async def test_suspend_and_unsuspend_commands_and_who_may_use_them(town: Town, start_bot: StartBot):
    await town.set()
    bot = await start_bot()
    member, art = town.member.user, town.art
    hidden = town.newcomer.unchecked
    sneaky = await hidden.slash("suspend", art, member=member, days=3, reason="because")
    assert "Only moderators" in (await sneaky.wait_answered()).text()
    upwards = await town.moderator.slash(
        "suspend", art, member=town.owner.user, days=3, reason="because"
    )
    assert "owner of the server" in (await upwards.wait_answered()).text()
    assert bot.rows("SELECT * FROM suspension") == []

    done = await town.moderator.slash("suspend", art, member=member, days=3, reason="because")
    assert "Suspended by" in (await done.wait_answered()).text()
    assert "because" in (await (await town.imagine("cat")).wait_answered()).text()
    listed = await town.moderator.slash("strike list", art, member=member)
    assert "has no strikes" in (await listed.wait_answered()).text()
    undone = await town.moderator.slash("unsuspend", art, member=member)
    assert "may make pictures again" in (await undone.wait_answered()).text()
    await (await town.imagine("cat")).wait_for(has_grid)

    given = await town.moderator.slash("strike add", art, member=member, reason="rude")
    assert "has 1 strike now" in (await given.wait_answered()).text()
    taken = await town.moderator.slash("strike remove", art, member=member, number=1)
    assert "was removed" in (await taken.wait_answered()).text()


async def test_everything_is_reviewed_where_that_is_set(town: Town, start_bot: StartBot):
    await town.set(review_everything=True)
    await start_bot()
    handle = await town.imagine("dog")
    card = await town.card()
    assert "Every prompt here is reviewed" in card.text()
    await town.press(card, "Approve")
    await handle.wait_for(has_grid)


def find_seen_bytes(message: Message, name: str) -> bytes:
    [content] = [each.content for each in message.attachments if name in each.filename]
    return content


def find_seen(message: Message, name: str) -> Image.Image:
    return Image.open(BytesIO(find_seen_bytes(message, name))).convert("RGB")


@pytest.mark.parametrize("label", ["Approve", "Approve as spoiler"])
async def test_picture_that_a_held_prompt_starts_from_is_on_its_card_and_seen_before_approval(
    town: Town, start_bot: StartBot, label: str
):
    await town.set()
    bot = await start_bot(RULES_FILE=town.rules)
    handle = await town.imagine("leek", image=make_upload("orange"), strength=0.4)
    card = await town.card()
    assert "It starts from the picture below" in card.text()
    blurred = find_seen(card, "card-")
    assert blurred.getpixel((20, 20)) == (255, 165, 0)
    unseen = await (await town.press(card, label)).wait_for(lambda m: m.is_ephemeral)
    assert "have not seen the picture yet" in unseen.text()
    assert bot.rows()[0]["status"] == "held"

    shown = await (await town.press(card, "Show me")).wait_for(lambda m: bool(m.attachments))
    assert find_seen(shown, "SPOILER_start").size == (100, 60)
    # this moderator has not looked at the picture
    other = await town.press(card, label, town.owner)
    assert "have not seen" in (await other.wait_for(lambda m: m.is_ephemeral)).text()
    await town.press(card, label)
    await handle.wait_for(has_grid)
    await town.closed(card, "Approved")


async def test_picture_of_an_earlier_prompt_is_on_the_card_and_one_that_is_gone_is_not_approved(
    town: Town, start_bot: StartBot
):
    await town.set()
    bot = await start_bot()
    grid = await draw(town, bot)
    await town.set(review_everything=True)
    assert await bot.stop() == 0
    bot = await start_bot()
    await town.member.press(grid, str(grid.button("Vary 1").custom_id))
    card = await town.card()
    assert set(_colours(find_seen_bytes(card, "card-"), GREYS)) == {200}
    (town.data_dir / "pictures" / "1" / "1.png").unlink()
    shown = await (await town.press(card, "Show me")).wait_for(lambda m: bool(m.attachments))
    assert "cannot be approved" in shown.text()
    assert [each.filename for each in shown.attachments] == ["prompt.txt"]
    unseen = await (await town.press(card, "Approve")).wait_for(lambda m: m.is_ephemeral)
    assert "have not seen" in unseen.text()
    await town.press(card, "Refuse")
    await town.closed(card, "Refused")
    assert await bot.stop() == 0
    assert [row["status"] for row in bot.rows()] == ["delivered", "refused"]


async def test_what_is_too_large_for_a_moderator_is_shown_as_a_smaller_file(
    town: Town, start_bot: StartBot
):
    await town.set()
    await start_bot(RULES_FILE=town.rules)
    await town.imagine("leek", image=make_noise(1400))
    card = await town.card()
    for kind in ("PNG", "WEBP", "WEBP"):
        shown = await (await town.press(card, "Show me")).wait_for(lambda m: bool(m.attachments))
        content = find_seen_bytes(shown, "SPOILER_start")
        assert Image.open(BytesIO(content)).format == kind
        limit_files(town.server, town.moderator, town.art, len(content) - 1)
    pressed = await town.press(card, "Show me")
    shown = await pressed.wait_answered(60)  # three large files are made and refused
    assert "not even as a smaller file. Nothing was lost" in shown.text()
    unseen = await (await town.press(card, "Approve", town.owner)).wait_for(
        lambda m: m.is_ephemeral
    )
    assert "have not seen" in unseen.text()
