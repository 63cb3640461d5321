"""An evening with rounds: six people, a moderator and two restarts, over real sockets."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from playground import (
    InteractionHandle,
    Message,
    Person,
    Playground,
    add_channel,
    add_thread,
    add_user,
    answer,
)
from playground.world.world import Member
from tests.e2e.conftest import BotProcess, StartBot, say_of
from tests.e2e.lens import Lens
from tests.e2e.test_refused_posts import Refusal
from tests.e2e.test_review import Town, until_row
from tests.e2e.test_settings import change, open_panel

RULES = [
    {"kind": "word", "text": "leek", "action": "hold"},
    {"kind": "word", "text": "gun", "action": "refuse"},
]


class Evening(Town):
    """The playground's guild with three more people, a review channel and a showcase."""

    def __init__(self, server: Playground, data_dir: Path, rules: Path) -> None:
        super().__init__(server, data_dir, rules)
        self.showcase = add_channel(server.world, self.guild, "showcase")
        for name in ("ada", "ben", "cleo"):
            user = add_user(server.world, name, name.title())
            self.guild.members[user.id] = Member(user)
        names = ("member", "newcomer", "owner", "ada", "ben", "cleo")
        self.people = {name: server.person(name) for name in names}

    async def until(self, holds: Callable[[Message], bool], channel: Any = None) -> Message:
        """Wait for a message of the bot for which this is true; return the newest one."""

        def look() -> Message | None:
            found = [m for m in self.server.messages(channel or self.art) if holds(m)]
            return found[-1] if found else None

        return await self.server.wait_until(look, 20)

    async def start(self, theme: str, **options: Any) -> Message:
        handle = await self.people["member"].slash(
            "together start", self.art, theme=theme, **options
        )
        assert "Your round is open" in (await handle.wait_answered()).text()
        return await self.until(lambda m: has_button(m, "Add a phrase") and theme[:12] in m.text())

    async def push(self, person: Person, message: Message, label: str) -> InteractionHandle:
        return await person.press(message, str(message.button(label).custom_id))

    async def say(self, person: Person, message: Message, label: str) -> str:
        """Press a button, and return the private answer."""
        answer = await (await self.push(person, message, label)).wait_answered()
        assert answer.is_ephemeral
        return answer.text()

    async def add(self, person: Person, message: Message, phrase: str) -> str:
        """Add a phrase with the form, and return the private answer."""
        opened = await self.push(person, message, "Add a phrase")
        await opened.wait_modal()
        sent = await person.submit_modal(opened, {"phrase": phrase})
        answer = await sent.wait_for(lambda m: not m.is_loading)
        assert answer.is_ephemeral
        return answer.text()

    async def vote(self, person: Person, message: Message, *phrases: str) -> str:
        """Vote for these phrases, and return the private answer."""
        opened = await self.push(person, message, "Vote for phrases")
        ballot = await opened.wait_answered()
        [select] = ballot.selects()
        chosen = [o["value"] for o in select.options if o["label"] in phrases]
        assert len(chosen) == len(phrases), select.options
        await person.select(ballot, select.custom_id, chosen)
        saved = await opened.wait_for(lambda m: "Saved" in m.text())
        return saved.text()

    def change(self, sql: str) -> None:
        """Change rows while the bot is stopped, instead of waiting for minutes."""
        with closing(sqlite3.connect(self.data_dir / "triptych.sqlite3")) as connection:
            connection.execute(sql)
            connection.commit()


def has_button(message: Message, label: str) -> bool:
    return label in [each.label for each in message.buttons()]


@pytest.fixture
def evening(server: Playground, tmp_path: Path) -> Evening:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"rules": RULES}))
    return Evening(server, tmp_path / "data", path)


async def test_evening_of_six_people_a_moderator_and_two_restarts(
    evening: Evening, start_bot: StartBot
):
    await evening.set(showcase_channel_id=evening.showcase.id, review_channel_id=evening.review.id)
    bot = await start_bot(RULES_FILE=evening.rules)
    message = await evening.start("a market on the *moon* @everyone", minutes=30)
    assert r"\*moon\*" in message.text()
    await _add_phrases(evening, message)
    bot = await _close_by_time(evening, bot, start_bot, message)
    await _vote_on_pictures(evening, message)
    await _end_vote(evening, bot, start_bot, message)
    await _go_on(evening, message)
    await _look_back(evening)
    await _forget(evening, message)


async def _add_phrases(evening: Evening, message: Message) -> None:
    people = evening.people
    assert "Added: red lanterns" in await evening.add(people["member"], message, "red lanterns")
    assert "Added" in await evening.add(people["newcomer"], message, "a sleeping fox")
    assert "Added" in await evening.add(people["ada"], message, "**glass** <@1> fish")
    assert "Added" in await evening.add(people["ben"], message, "rude words")
    assert "already has" in await evening.add(people["cleo"], message, "red lanterns")
    assert "gun" in await evening.add(people["cleo"], message, "a gun")
    assert "A moderator has to look" in await evening.add(people["owner"], message, "a leek")
    card = await evening.card(lambda m: "leek" in m.text())
    assert "a market on the" in card.text()
    await evening.press(card, "Approve")
    await evening.until(lambda m: m is message and "a leek" in m.text())
    await _strike_out(evening, message, "rude words")
    await evening.until(lambda m: m is message and "rude words" not in m.text())
    assert "2 phrases of this list" in await evening.vote(
        people["cleo"], message, "red lanterns", "a sleeping fox"
    )
    assert "1 phrase of this list" in await evening.vote(people["ada"], message, "a sleeping fox")
    await evening.until(lambda m: m is message and "2 votes" in m.text())


async def _strike_out(evening: Evening, message: Message, phrase: str) -> None:
    refused = await evening.say(evening.people["ben"], message, "Strike out")
    assert "Only moderators" in refused
    moderator = evening.moderator
    opened = await evening.push(moderator, message, "Strike out")
    answer = await opened.wait_answered()
    [select] = answer.selects()
    [value] = [o["value"] for o in select.options if o["label"] == phrase]
    await moderator.select(answer, select.custom_id, [value])
    asked = await opened.wait_for(lambda m: has_button(m, "Strike out and give a strike"))
    button = str(asked.button("Strike out and give a strike").custom_id)
    pressed = await moderator.press(asked, button)
    await pressed.wait_modal()
    sent = await moderator.submit_modal(pressed, {"reason": "be kind"})
    done = await sent.wait_for(lambda m: not m.is_loading)
    assert "got a strike" in done.text()


async def _close_by_time(
    evening: Evening, bot: BotProcess, start_bot: StartBot, message: Message
) -> BotProcess:
    await bot.stop()
    evening.change("UPDATE round SET closes_at = opened_at + 1")
    bot = await start_bot(RULES_FILE=evening.rules)
    await evening.until(lambda m: m is message and "A moderator has to look" in m.text())
    card = await evening.card(lambda m: "red lanterns" in m.text())
    assert f"<@{0}>" not in card.text()
    await evening.press(card, "Approve")
    await evening.until(lambda m: m is message and "The vote ends" in m.text())
    assert len(message.attachments) == 1
    assert "rude words" not in message.text()
    return bot


async def _vote_on_pictures(evening: Evening, message: Message) -> None:
    people = evening.people
    for name, panel in (("member", 1), ("newcomer", 2), ("ada", 2), ("cleo", 3)):
        answer = await evening.say(people[name], message, f"Vote for {panel}")
        assert f"you vote for picture {panel}" in answer
    await evening.say(people["cleo"], message, "Vote for 2")  # changed


async def _end_vote(
    evening: Evening, bot: BotProcess, start_bot: StartBot, message: Message
) -> BotProcess:
    await bot.stop()
    evening.change("UPDATE round SET votes_until = opened_at + 2")
    bot = await start_bot(RULES_FILE=evening.rules)
    await evening.until(lambda m: m is message and "Picture 2 has won" in m.text())
    text = message.text()
    assert "3 votes" in text
    assert "Picture 1: 1 vote " in text
    assert f"<@{evening.people['newcomer'].id}>" in text
    assert len(message.attachments) == 1
    return bot


async def _go_on(evening: Evening, message: Message) -> None:
    winner = await evening.until(lambda m: "The winner of a round" in m.text())
    assert len(winner.attachments) == 1
    shown = await evening.until(lambda m: "The winner of a round" in m.text(), evening.showcase)
    link = f"https://discord.com/channels/{evening.guild.id}/{evening.art.id}/{message.id}"
    assert link in str(shown.components)
    ada = evening.people["ada"]
    opened = await evening.push(ada, winner, "Next round")
    await opened.wait_modal()
    sent = await ada.submit_modal(opened, {"theme": "the same market at night", "minutes": "5"})
    await sent.wait_for(lambda m: "Your round is open" in m.text())
    following = await evening.until(lambda m: "at night" in m.text() and m is not winner)
    assert "Grown from: a market on the" in following.text()


async def _look_back(evening: Evening) -> None:
    handle = await evening.people["cleo"].slash("together history", evening.art)
    text = (await handle.wait_answered()).text()
    assert "picture 2 won with 3 votes" in text


async def _forget(evening: Evening, message: Message) -> None:
    newcomer = evening.people["newcomer"]
    handle = await newcomer.slash("privacy export", evening.art)
    exported = await handle.wait_for(lambda m: bool(m.attachments))
    data = json.loads(exported.attachments[0].content)
    assert "a sleeping fox" in json.dumps(data)
    handle = await newcomer.slash("privacy delete", evening.art)
    asked = await handle.wait_answered()
    await newcomer.press(asked, str(asked.buttons()[0].custom_id))
    await evening.until(lambda m: m is message and "sleeping fox" not in m.text())
    assert "deleted by its author" in message.text()
    assert "red lanterns" in message.text()
    assert len(message.attachments) == 1


async def test_round_of_one_person_is_drawn_only_if_its_starter_wants_it(
    evening: Evening, start_bot: StartBot
):
    await evening.set()
    bot = await start_bot()
    member, newcomer = evening.people["member"], evening.people["newcomer"]
    message = await evening.start("a quiet pond", minutes=30)
    await evening.add(member, message, "one frog")
    assert "Only moderators" in await evening.say(newcomer, message, "Close now")
    assert "Only moderators" in await evening.say(newcomer, message, "Strike out")
    assert "may do this" in await evening.say(newcomer, message, "Cancel the round")
    assert "may do this" in await evening.say(member, message, "Cancel the round")
    assert bot.rows("SELECT status FROM round")[0]["status"] == "open"
    assert "is closed" in await evening.say(evening.moderator, message, "Close now")
    asked = await evening.until(lambda m: "Should it be drawn anyway?" in m.text())
    assert f"<@{member.id}>" in asked.text()
    assert str(message.id) in asked.text()
    await evening.until(lambda m: m is message and has_button(m, "Draw it anyway"))
    assert "may do this" in await evening.say(newcomer, message, "Draw it anyway")
    assert "It will be drawn" in await evening.say(member, message, "Draw it anyway")
    await evening.until(lambda m: m is message and "The vote ends" in m.text())
    await evening.say(evening.moderator, message, "Cancel the round")
    await evening.until(lambda m: m is message and "was cancelled" in m.text())
    assert len(message.attachments) == 1
    assert not message.buttons()
    audit = [row["action"] for row in bot.rows("SELECT action FROM audit ORDER BY entry_id")]
    assert audit == ["round_started", "round_closed", "round_cancelled"]


async def test_press_or_form_that_comes_after_the_close_changes_nothing(
    evening: Evening, start_bot: StartBot
):
    await evening.set()
    bot = await start_bot()
    ada, ben = evening.people["ada"], evening.people["ben"]
    message = await evening.start("a busy street", minutes=30)
    await evening.add(ada, message, "a tram")
    await evening.add(evening.people["cleo"], message, "a dog")
    opened = await evening.push(ben, message, "Vote for phrases")
    ballot = await opened.wait_answered()
    form = await evening.push(ben, message, "Add a phrase")
    await form.wait_modal()
    back = await evening.push(ada, message, "Take one back")
    own = await back.wait_answered()
    await evening.say(evening.moderator, message, "Close now")
    await evening.until(lambda m: m is message and "The vote ends" in m.text())
    [select] = ballot.selects()
    late = await ben.select(ballot, select.custom_id, [select.options[0]["value"]])
    assert "takes no more phrases" in (await late.wait_answered()).text()
    sent = await ben.submit_modal(form, {"phrase": "a late bus"})
    assert "takes no more phrases" in (await sent.wait_for(lambda m: not m.is_loading)).text()
    [select] = own.selects()
    late = await ada.select(own, select.custom_id, [select.options[0]["value"]])
    assert "takes no more phrases" in (await late.wait_answered()).text()
    assert not bot.rows("SELECT * FROM phrase_vote")
    assert [row["status"] for row in bot.rows("SELECT status FROM phrase")] == ["joined"] * 2


async def test_phrases_are_taken_back_paged_and_explained(evening: Evening, start_bot: StartBot):
    await evening.set()
    await start_bot()
    ada = evening.people["ada"]
    message = await evening.start("a busy street", phrases=5, chosen_by="all", anonymous=True)
    assert not has_button(message, "Vote for phrases")
    for number in range(5):
        await evening.add(ada, message, f"tram number {number}")
    assert "and you have" in await evening.add(ada, message, "one more")
    shown = await evening.until(lambda m: m is message and "tram number 4" in m.text())
    assert f"<@{ada.id}>" not in shown.text()
    assert "tram number 0" in await evening.say(evening.people["ben"], message, "All phrases")
    assert "nothing to take back" in await evening.say(
        evening.people["ben"], message, "Take one back"
    )
    opened = await evening.push(ada, message, "Take one back")
    own = await opened.wait_answered()
    [select] = own.selects()
    await ada.select(own, select.custom_id, [select.options[0]["value"]])
    await opened.wait_for(lambda m: "Taken back: tram number 0" in m.text())
    await evening.until(lambda m: m is message and "tram number 0" not in m.text())
    assert "share the cost" in await evening.say(ada, message, "How it works")


async def test_round_whose_message_was_deleted_ends_and_another_can_start(
    evening: Evening, start_bot: StartBot
):
    await evening.set()
    bot = await start_bot()
    message = await evening.start("a quiet pond")
    refused = await evening.people["ada"].slash("together start", evening.art, theme="a hill")
    assert "already is a round" in (await refused.wait_answered()).text()
    form = await evening.push(evening.people["ada"], message, "Add a phrase")
    await form.wait_modal()
    await evening.moderator.delete(message)
    await evening.people["ada"].submit_modal(form, {"phrase": "a frog"})
    await until_row(bot, "SELECT 1 FROM round WHERE status = 'cancelled'")
    await evening.start("a green hill")


async def test_round_of_a_deleted_channel_ends_at_once(evening: Evening, start_bot: StartBot):
    await evening.set()
    bot = await start_bot()
    server, art = evening.server, evening.art
    await evening.start("a quiet pond", minutes=1440)
    server.fault("PATCH /channels/*", answer(404, 10003), times=None)
    gone = {"id": str(art.id), "guild_id": str(evening.guild.id), "type": 0, "name": "art"}
    server.gateway.dispatch("CHANNEL_DELETE", gone, guild_id=evening.guild.id)
    await until_row(bot, "SELECT 1 FROM round WHERE status = 'cancelled'")
    [row] = bot.rows("SELECT * FROM round")
    assert "may not change it any more" in say_of(row)


async def test_words_that_automod_refuses_are_left_out_of_the_round_and_of_its_card(
    evening: Evening, start_bot: StartBot
):
    await evening.set()
    bot = await start_bot(RULES_FILE=evening.rules)
    server, ada, moderator = evening.server, evening.people["ada"], evening.moderator
    message = await evening.start("a quiet pond")

    says_leek = Refusal(lambda record: "one leek" in str(record.body))
    server.fault(says_leek, answer(400, 200000), times=None)
    await evening.add(ada, message, "one leek")
    card = await evening.card(lambda m: "AutoMod refused the words" in m.text())
    assert "leek" not in card.text()
    unread = await (await evening.press(card, "Approve")).wait_for(lambda m: m.is_ephemeral)
    assert "have not seen the words" in unread.text()
    shown = await (await evening.press(card, "Show me")).wait_for(lambda m: bool(m.attachments))
    assert "one leek" in shown.attachments[0].content.decode()
    await moderator.press(card, str(card.button("Approve").custom_id))
    await evening.until(lambda m: m is message and "AutoMod refused" in m.text())
    assert "leek" not in message.text()
    assert bot.rows("SELECT status FROM phrase")[0]["status"] == "joined"


async def test_server_decides_where_and_by_whom_rounds_are_started(
    evening: Evening, start_bot: StartBot
):
    await evening.set()
    bot = await start_bot()
    moderator, ada = evening.moderator, evening.people["ada"]
    panel = await open_panel(evening.server, moderator, "rounds")
    assert "Who may start a round: **everybody**" in panel.text()
    names = ["rounds_on", "round_live_counts"]
    await change(await moderator.select(panel, "v1:settings:rounds.switches", names))
    assert "Show counts during the vote: **on**" in panel.text()
    general = evening.server.channel("general")
    await change(await moderator.select(panel, "v1:settings:rounds.round_channel_ids", [general]))
    refused = await ada.slash("together start", evening.art, theme="a hill")
    assert f"try <#{general.id}>" in (await refused.wait_answered()).text()
    item = "v1:settings:rounds.showcase_channel_id"
    denied = await change(await moderator.select(panel, item, [evening.server.channel("general")]))
    assert denied == ""
    await change(await moderator.select(panel, "v1:settings:rounds.switches", []))
    assert "Rounds: **off**" in panel.text()
    refused = await ada.slash("together start", general, theme="a hill")
    assert "switched off" in (await refused.wait_answered()).text()
    reasons = [row["reason_params"] for row in bot.rows("SELECT * FROM audit ORDER BY entry_id")]
    assert [json.loads(each)["name"] for each in reasons] == [
        *("round_live_counts", "round_channel_ids", "showcase_channel_id"),
        *("rounds_on", "round_live_counts"),
    ]


async def test_next_round_starts_although_its_style_was_removed(
    evening: Evening, start_bot: StartBot
):
    await evening.set()
    await start_bot()
    ada, ben = evening.people["ada"], evening.people["ben"]
    handle = await evening.moderator.slash("style save", evening.art, name="ink", after="ink")
    await handle.wait_answered()
    message = await evening.start("a quiet pond", style="ink")
    assert "style: ink" in message.text()
    await evening.add(ada, message, "one frog")
    await evening.add(ben, message, "two herons")
    await evening.say(evening.moderator, message, "Close now")
    await evening.until(lambda m: m is message and "The vote ends" in m.text())
    handle = await evening.moderator.slash("style remove", evening.art, name="ink")
    await handle.wait_answered()
    evening.change("UPDATE round SET votes_until = opened_at + 1")
    winner = await evening.until(lambda m: has_button(m, "Next round") and m is not message)
    opened = await evening.push(ada, winner, "Next round")
    await opened.wait_modal()
    soon = await ada.submit_modal(opened, {"theme": "a dark pond", "minutes": "soon"})
    assert "between 2 and 1,440 minutes" in (await soon.wait_answered()).text()
    sent = await ada.submit_modal(opened, {"theme": "a dark pond", "minutes": "5"})
    await sent.wait_for(lambda m: "Your round is open" in m.text())


async def test_history_shows_nobody_a_round_of_a_channel_that_they_cannot_read(
    evening: Evening, start_bot: StartBot, lens: Lens
):
    await evening.set()
    lens.learn(["our new rules"])
    staff, now = evening.server.channel("staff"), time.time()
    evening.change(
        "INSERT INTO round (round_id, guild_id, channel_id, age_restricted, starter_id, theme, "
        "phrases_each, choosing, is_anonymous, status, opened_at, closes_at, winner, ended_at) "
        f"VALUES (5, {evening.guild.id}, {staff.id}, 0, {evening.moderator.id}, 'our new rules', "
        f"2, 'votes', 0, 'ended', {now}, {now}, 1, {now})"
    )
    await start_bot()
    handle = await evening.people["ada"].slash("together history", evening.art)
    assert "No round that you can see" in (await handle.wait_answered()).text()
    handle = await evening.moderator.slash("together history", evening.art)
    assert "our new rules" in (await handle.wait_answered()).text()


async def test_reported_pictures_of_a_round_are_hidden_until_they_are_restored(
    evening: Evening, start_bot: StartBot
):
    await evening.set(reports_to_hide=1)
    await start_bot()
    ada, ben = evening.people["ada"], evening.people["ben"]
    message = await evening.start("a quiet pond")
    await evening.add(ada, message, "one frog")
    await evening.add(ben, message, "two herons")
    await evening.say(evening.moderator, message, "Close now")
    await evening.until(lambda m: m is message and "The vote ends" in m.text())
    await evening.say(ada, message, "Vote for 2")
    await evening.report(message, evening.people["cleo"])
    hidden = await evening.until(lambda m: m is message and "have reported" in m.text())
    assert not hidden.attachments
    assert "one frog" not in hidden.text()
    card = await evening.card()
    assert "<@0>" not in card.text()
    assert not has_button(card, "Remove and strike")
    await evening.press(card, "Restore")
    shown = await evening.until(lambda m: m is message and bool(m.attachments))
    assert "The vote ends" in shown.text()
    assert "you vote for picture 3" in await evening.say(ada, message, "Vote for 3")


async def test_round_goes_on_in_a_thread_that_was_archived_unless_it_is_locked(
    evening: Evening, start_bot: StartBot
):
    await evening.set()
    bot = await start_bot()
    ada, ben = evening.people["ada"], evening.people["ben"]
    evening.art = thread = add_thread(evening.server.world, evening.art, "a thread")
    message = await evening.start("a quiet pond")
    thread.is_archived = True
    await evening.add(ada, message, "one frog")
    await evening.until(lambda m: m is message and "one frog" in m.text())
    assert not thread.is_archived
    thread.is_archived = thread.is_locked = True
    await evening.add(ben, message, "two herons")
    await until_row(bot, "SELECT 1 FROM round WHERE status = 'cancelled'")
