"""Messages of members who deleted their data are deleted too, a few at a time."""

from __future__ import annotations

import pytest

from bot.domain.jobs import JobStatus
from bot.jobs.ports import Unreachable
from bot.retention.messages import MESSAGES_PER_ROUND
from tests.conftest import MEMBER, House, OpenHouse
from tests.retention.test_member_data import draw

CHANNEL, BUSY = 71, 72


async def list_left(house: House) -> list[int]:
    rows = await house.database.fetch_all("SELECT message_id FROM message_to_delete ORDER BY 1")
    return [row["message_id"] for row in rows]


async def test_messages_of_one_member_go_where_the_bot_is(house: House):
    mine = await draw(house, "my dog", channel_id=CHANNEL)
    await draw(house, "their dog", user_id=MEMBER + 1, channel_id=CHANNEL)
    await draw(house, "sent from elsewhere", channel_id=CHANNEL, bot_in_channel=False)
    await house.submit("refused", house.origin(channel_id=CHANNEL))
    count, num_messages = await house.services.member_data.delete(MEMBER)
    message_id = (await house.fetch(mine)).message_id
    assert (count, num_messages) == (3, 2)
    await house.services.message_removal.run()
    assert (CHANNEL, message_id) in house.messenger.removed_messages
    assert len(house.messenger.removed_messages) == num_messages
    assert await list_left(house) == []


async def test_a_round_is_short_and_begins_with_one_message_of_each_channel(house: House):
    for number in range(6):
        await house.database.execute(
            "INSERT INTO message_to_delete VALUES (?, ?)", (number, BUSY if number else CHANNEL)
        )
    await house.services.message_removal.run()
    assert house.messenger.removed_messages == [(BUSY, 5), (CHANNEL, 0), (BUSY, 4)]
    assert len(house.messenger.removed_messages) == MESSAGES_PER_ROUND


async def test_what_is_left_to_delete_survives_silence_and_a_restart(open_house: OpenHouse):
    async with open_house() as house:
        await house.start()
        await draw(house, "my dog", channel_id=CHANNEL)
        await house.services.member_data.delete(MEMBER)
        house.messenger.is_away = True
        with pytest.raises(Unreachable):
            await house.services.message_removal.run()
        assert len(await list_left(house)) == 1
    async with open_house() as house:
        await house.services.message_removal.run()
        assert len(house.messenger.removed_messages) == 1
        assert await list_left(house) == []


async def test_message_that_gets_no_answer_keeps_no_other_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    for number in (1, 2):
        await house.database.execute(
            "INSERT INTO message_to_delete VALUES (?, ?)", (number, CHANNEL)
        )
    remove = house.messenger.remove_message

    async def fail_at_two(channel_id: int, message_id: int) -> None:
        if message_id == 2:
            raise Unreachable("no answer")
        await remove(channel_id, message_id)

    monkeypatch.setattr(house.messenger, "remove_message", fail_at_two)
    with pytest.raises(Unreachable):
        await house.services.message_removal.run()
    assert house.messenger.removed_messages == [(CHANNEL, 1)]
    assert await list_left(house) == [2]


async def test_message_that_is_gone_or_not_ours_keeps_nothing_waiting(house: House):
    await draw(house, "my dog", channel_id=CHANNEL)
    await house.services.member_data.delete(MEMBER)
    house.messenger.reachable = False
    await house.services.message_removal.run()
    assert await list_left(house) == []


async def test_time_that_is_over_deletes_no_messages(house: House):
    """A server chooses how long Triptych keeps words. Messages in its channels belong to the
    server.
    """
    number = await draw(house, "my dog", channel_id=CHANNEL)
    house.clock.now += 1000 * 86400
    await house.services.member_data.end_retention()
    assert (await house.fetch(number)).recipe.prompt == ""
    assert await list_left(house) == []
    assert (await house.fetch(number)).status is JobStatus.DELIVERED


async def test_channels_that_give_no_answer_keep_no_other_channel_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    for number in range(1, MESSAGES_PER_ROUND + 2):
        await house.database.execute(
            "INSERT INTO message_to_delete VALUES (?, ?)", (number, number)
        )
    remove, asked = house.messenger.remove_message, []

    async def fail_but_at_one(channel_id: int, message_id: int) -> None:
        asked.append(channel_id)
        if channel_id != 1:
            raise Unreachable("no answer")
        await remove(channel_id, message_id)

    monkeypatch.setattr(house.messenger, "remove_message", fail_but_at_one)
    with pytest.raises(Unreachable):
        await house.services.message_removal.run()
    await house.services.message_removal.run()
    assert house.messenger.removed_messages == [(1, 1)]
    with pytest.raises(Unreachable):
        await house.services.message_removal.run()
    assert asked == [4, 3, 2, 1, 4, 3, 2], "those that were silent are tried again"
