"""An evening with rounds: six people, a moderator and two restarts, over real sockets."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from playground import InteractionHandle, Message, Person, Playground, add_channel, add_user
from playground.world.world import Member
from tests.e2e.conftest import BotProcess, StartBot
from tests.e2e.test_review import Town

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
