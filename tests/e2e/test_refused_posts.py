"""If Discord refuses an edit or a post for good, a person always sees how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from playground import Message, Playground, RequestRecord, answer
from tests.e2e.conftest import StartBot

# https://discord.com/developers/docs/topics/opcodes-and-status-codes#json-json-error-codes
TEXT = {200000: 400, 200001: 400, 240000: 400}
FILES = {20009: 400, 30015: 400, 40005: 413, 50013: 403, 50045: 400, 50046: 400, 400001: 400}
DELETED = 10008
PLACE = {
    0: (400, "Discord did not accept them"),
    10003: (404, "is gone"),
    10004: (404, "is gone"),
    DELETED: (404, "was deleted"),
    10015: (404, "cannot reach"),
    40001: (403, "may not post"),
    50001: (403, "may not post"),
    50005: (403, "may not post"),
    50006: (400, "Discord did not accept them"),
    50008: (400, "may not post"),
    50009: (403, "may not post"),
    50024: (400, "may not post"),
    50027: (401, "cannot reach"),
    50035: (400, "Discord did not accept them"),
    50083: (400, "archived and locked"),
    160005: (400, "archived and locked"),
    999999: (405, "Discord did not accept them"),
    999998: (409, "Discord did not accept them"),
    999997: (451, "Discord did not accept them"),
}
PASSING = {20016: 400, 20028: 400, 30046: 400, 40004: 403, 40006: 403, 40062: 400, 130000: 403}


def has_grid(message: Message) -> bool:
    return bool(message.attachments)


def is_final(message: Message) -> bool:
    return len(message.buttons()) > 1


@dataclass(frozen=True)
class Refusal:
    """Lets Discord refuse edits and new messages in a channel for which ``hits`` is true."""

    hits: Callable[[RequestRecord], object]

    def __call__(self, record: RequestRecord) -> bool:
        is_edit = record.method == "PATCH"
        return (is_edit or record.matches("POST", "/channels/*")) and bool(self.hits(record))


async def test_words_that_are_not_taken_are_left_out_and_the_pictures_posted(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    member, art = server.person("member"), server.channel("art")
    says_zebra = Refusal(lambda record: "zebra" in str(record.body))
    for code, status in TEXT.items():
        server.fault(says_zebra, answer(status, code), times=None)
        handle = await member.slash("imagine", art, prompt="zebra", negative_prompt="zebra")
        message = await handle.wait_for(has_grid)
        assert "AutoMod refused them" in message.text()
        assert "AutoMod refused them" in str(message.attachments[0].description)
        assert is_final(message)
        server.faults.clear()
    assert server.requests("POST /channels/*") == []
    assert await bot.stop() == 0
    assert {row["status"] for row in bot.rows()} == {"delivered"}


async def test_words_are_refused_once_and_not_at_each_edit(server: Playground, start_bot: StartBot):
    await start_bot(FAKE_STEP_SECONDS="1.5")
    refused = server.fault(
        Refusal(lambda record: "zebra" in str(record.body)), answer(400, 200000), times=None
    )
    handle = await server.person("member").slash(
        "imagine", server.channel("art"), prompt="zebra", steps=8
    )
    await handle.wait_for(lambda m: "AutoMod refused them" in m.text() and not m.attachments)
    await handle.wait_for(is_final, 20)
    assert refused.struck == 1
    assert len(server.requests("PATCH *")) > 3


async def test_files_that_are_not_taken_are_left_out_with_a_sentence(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    member, art = server.person("member"), server.channel("art")
    for code, status in FILES.items():
        server.fault(Refusal(lambda record: record.filenames), answer(status, code), times=None)
        message = await (await member.slash("imagine", art, prompt="dog")).wait_for(is_final)
        assert "/gallery" in message.text(), code
        assert not message.attachments
        server.faults.clear()
    assert await bot.stop() == 0
    assert {row["status"] for row in bot.rows()} == {"delivered"}


@pytest.mark.parametrize("may_delete", [True, False])
async def test_message_that_is_not_taken_at_all_is_replaced_by_a_private_one(
    server: Playground, start_bot: StartBot, *, may_delete: bool
):
    bot = await start_bot()
    member, art = server.person("member"), server.channel("art")
    for code, (status, words) in PLACE.items():
        server.fault(Refusal(lambda record: True), answer(status, code), times=None)
        if not may_delete:
            server.fault("DELETE *", answer(403, 50013), times=None)
        handle = await member.slash("imagine", art, prompt="dog")
        message = await handle.wait_for(lambda m, words=words: words in m.text())
        cost = "charged only for the steps" if code == DELETED else "nothing was charged"
        assert cost in message.text()
        assert not any(each.is_loading for each in handle.messages), code
        assert message.is_ephemeral is may_delete  # otherwise it replaces "thinking…"
        server.faults.clear()
    assert await bot.stop() == 0
    ended = {(row["status"], row["cost"] > 0, row["end_notified"]) for row in bot.rows()}
    assert ended == {("undeliverable", False, 1), ("cancelled", True, 1)}


async def test_refusal_that_may_pass_is_tried_again(server: Playground, start_bot: StartBot):
    bot = await start_bot()
    member, art = server.person("member"), server.channel("art")
    for code, status in PASSING.items():
        carries_files = Refusal(lambda record: record.filenames)
        fault = server.fault(carries_files, answer(status, code), times=2)
        await (await member.slash("imagine", art, prompt="dog")).wait_for(is_final)
        assert fault.struck == 2
    assert server.requests("POST /channels/*") == []
    assert await bot.stop() == 0
    assert {row["status"] for row in bot.rows()} == {"delivered"}
