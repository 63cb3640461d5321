"""Direct messages are never too long for Discord, and Discord posts a repeated one only once."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest

from bot.chat import retries
from bot.chat.messenger import DiscordMessenger
from bot.domain.jobs import Job, JobStatus, Origin
from bot.domain.recipes import Recipe
from bot.jobs.ports import InReview, Undeliverable
from bot.texts.catalog import speaking
from bot.texts.codes import Code
from bot.texts.reasons import because, own_words, say

JOB = Job(7, Origin(1), Recipe("dog", "", (1, 2, 3)), JobStatus.FAILED, 1.0, 1.0, 0.0)


class FakeDirectMessages:
    """A client with one member's channel. It raises the ``faults`` first, and then accepts
    messages.
    """

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.sent: list[tuple[str, str]] = []

    async def create_dm(self, user: discord.Object) -> FakeDirectMessages:
        return self

    async def send(self, text: str, *, nonce: str) -> None:
        self.sent.append((text, nonce))
        if self.faults:
            raise self.faults.pop(0)


class FakeMessage:
    """A client with one message, in which Discord refuses the words of the prompt."""

    application_id = 5

    def __init__(self, words: str) -> None:
        self.words = words
        self.has_words: list[bool] = []  # the texts of each edit that was tried

    def get_partial_messageable(self, channel_id: int) -> FakeMessage:
        return self

    def get_partial_message(self, message_id: int) -> FakeMessage:
        return self

    async def edit(self, *, view: discord.ui.LayoutView, **kwargs: object) -> SimpleNamespace:
        self.has_words.append(self.words in str(view.to_components()))
        if self.has_words[-1]:
            response = SimpleNamespace(status=400, reason="Bad Request")
            raise discord.HTTPException(cast(Any, response), {"code": 200000})
        return SimpleNamespace(id=3)

    async def delete(self) -> None:
        pass


def make_messenger(channel: FakeDirectMessages) -> DiscordMessenger:
    return DiscordMessenger(cast(Any, channel), lambda: 0.0)


async def test_long_reason_and_long_prompt_fit_in_one_message():
    channel = FakeDirectMessages()
    job = replace(JOB, recipe=replace(JOB.recipe, prompt="*" * 6000))
    await make_messenger(channel).tell(job, own_words("Why. " * 1000))
    [(text, nonce)] = channel.sent
    assert len(text) <= 2000
    assert text.startswith("Why. Why. ")
    assert text.splitlines()[-1].startswith(r"> \*\*")
    assert nonce == "end-7"


@pytest.mark.usefixtures("marked")
async def test_direct_message_is_in_the_language_of_its_member_whoever_ended_the_job():
    channel = FakeDirectMessages()
    job = replace(JOB, origin=Origin(1, locale="de", guild_locale="pl"))
    with speaking("fr"):
        await make_messenger(channel).tell(job, because(Code.MODERATOR_REFUSED))
    [(text, _)] = channel.sent
    assert text == "de[A moderator refused this. Nothing was charged.]\n> dog"


async def test_direct_message_tried_again_is_the_same_message(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(retries, "RETRY_DELAYS_SECONDS", (0.0, 0.0))
    channel = FakeDirectMessages(OSError("reset"), TimeoutError())
    await make_messenger(channel).tell(JOB, own_words("It failed."))
    assert channel.sent == [("It failed.\n> dog", "end-7")] * 3


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, 50013, "may not post"),
        (403, 50001, "may not post"),
        (404, 10003, "is gone."),
        (404, 10008, "cannot reach"),
        (401, 50027, "cannot reach"),
        (400, 50083, "archived and locked"),
        (413, 40005, "too large"),
        (400, 50035, "Discord did not accept"),
    ],
)
async def test_reason_is_in_plain_words_and_the_error_in_the_log(
    status: int, code: int, words: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO", logger="bot.chat.retries")
    response = SimpleNamespace(status=status, reason="Refused")
    body = {"code": code, "message": "Raw words of Discord"}
    channel = FakeDirectMessages(discord.HTTPException(cast(Any, response), body))
    with pytest.raises(Undeliverable) as caught:
        await make_messenger(channel).tell(JOB, own_words("It failed."))
    assert words in say(caught.value.why)
    assert "Raw" not in say(caught.value.why)
    assert f"error code: {code}" in caplog.text


async def test_refused_words_are_left_out_of_each_edit_until_the_message_is_removed():
    message = FakeMessage("dog")
    origin = Origin(1, guild_id=2, channel_id=4, bot_in_channel=True)
    job = replace(JOB, origin=origin, message_id=3)
    messenger = DiscordMessenger(cast(Any, message), lambda: 0.0)
    await messenger.progress(job, InReview())
    await messenger.progress(job, InReview())
    assert message.has_words == [True, False, False]
    await messenger.remove(job)
    await messenger.progress(job, InReview())  # nothing is kept about a message that is gone
    assert message.has_words == [True, False, False, True, False]
