"""The client notices what happens to its connection, and copes with events while it closes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.chat.client import TriptychClient
from bot.domain.jobs import JobStatus
from bot.errors import NotInQueueYet, StoreError
from bot.views import components
from tests.conftest import GUILD, House


async def test_nobody_is_told_of_events_after_the_close():
    client = TriptychClient(lambda _: cast(Any, None), lambda: 0.0)
    await client._async_setup_hook()
    ready: list[None] = []

    async def on_ready() -> None:
        ready.append(None)

    client.on_ready = on_ready
    client.dispatch("ready")
    await asyncio.sleep(0)
    await client.close()
    client.dispatch("ready")  # the connection's own task does this up to two seconds later
    await asyncio.sleep(0)
    assert len(ready) == 1


async def test_every_frame_ends_the_silence():
    client = TriptychClient(lambda _: cast(Any, None), lambda: 0.0)
    await client._async_setup_hook()
    client.connection._heard_at -= 100.0
    client.dispatch("socket_raw_receive", "{}")
    await asyncio.sleep(0)
    assert client.connection.silent_seconds < 100.0
    await client.close()


class Elsewhere(TriptychClient):
    """A client that is in one server, but not in GUILD."""

    @property
    def guilds(self) -> Any:
        return [SimpleNamespace(id=GUILD + 1)]


@pytest.mark.parametrize("is_away", [True, False], ids=["while it was away", "now"])
async def test_prompts_of_a_server_that_removed_the_bot_are_cancelled(
    quiet_house: House, is_away: bool
):
    origins = [
        quiet_house.origin(),
        quiet_house.origin(guild_id=GUILD + 1),
        quiet_house.origin(guild_id=None),
        # a member uses the bot there through their own install
        quiet_house.origin(bot_in_channel=False),
    ]
    jobs = [await quiet_house.submit("dog", origin) for origin in origins]
    client = Elsewhere(lambda _: quiet_house.services, lambda: 0.0)
    guild = cast(Any, SimpleNamespace(id=GUILD))
    await (client.on_ready() if is_away else client.on_guild_remove(guild))
    found = [(await quiet_house.fetch(job)).status for job in jobs]
    assert found == [JobStatus.CANCELLED, *[JobStatus.QUEUED] * 3]
    await client.close()


@pytest.mark.parametrize(("error", "has_button"), [(StoreError, True), (NotInQueueYet, False)])
async def test_prompt_that_was_taken_all_the_same_is_not_offered_again(
    error: type[StoreError], has_button: bool
):
    client = TriptychClient(lambda _: cast(Any, None), lambda: 0.0)
    await client._async_setup_hook()
    shown: list[Any] = []

    async def send(text: str = "", *, view: Any = None, ephemeral: bool) -> None:
        assert ephemeral
        shown.append(view)

    form = components.SentForm("remix", (1, 0), {"prompt": "dog"})
    interaction = SimpleNamespace(
        id=1,
        client=client,
        user=SimpleNamespace(id=2),
        extras={components._SENT: form},
        response=SimpleNamespace(is_done=lambda: False, send_message=send),
        followup=SimpleNamespace(send=None),
    )
    await client.answer_error(cast(Any, interaction), error("no"))
    assert ["v1:again" in str(view and view.to_components()) for view in shown] == [has_button]
    await client.close()
