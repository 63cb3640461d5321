"""Lets the other people of a place use a message, so that one person can try what needs several."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from playground.people import InteractionHandle, Person
from playground.wire.components import TEXT_INPUT, modal_fields
from playground.wire.options import ClientRefusedError
from playground.world.world import Button, Channel, Message

if TYPE_CHECKING:
    from playground.server import Playground

PRIMARY = 1
WORDS = (
    "a red fox",
    "golden leaves",
    "a small boat",
    "snow on the hills",
    "a sleeping cat",
    "three balloons",
    "an old lighthouse",
    "a green bird",
    "stars above it",
)
"""What the others type into forms."""

_ANSWER_SECONDS = 5.0


def list_main_buttons(message: Message) -> list[Button]:
    """List the buttons that a message offers to everybody: those that stand out."""
    found = [each for each in message.buttons() if each.style == PRIMARY and each.custom_id]
    return [] if message.is_ephemeral else [each for each in found if not each.is_disabled]


async def join_in(
    server: "Playground", channel: Channel, message: Message, asking: Person
) -> list[Person]:
    """Let everybody else in the channel press one of the main buttons and fill in its form."""
    buttons = list_main_buttons(message)
    if not buttons:
        raise ClientRefusedError("this message has no main button that the others could press")
    others = [*_list_others(server, channel, message, asking)]
    first = len(server.world.interactions)  # other words and buttons than the last time
    turns = [
        _use(server, person, message, buttons[n % len(buttons)], WORDS[n % len(WORDS)])
        for n, person in enumerate(others, first)
    ]
    await asyncio.gather(*turns)
    return others


def _list_others(
    server: "Playground", channel: Channel, message: Message, asking: Person
) -> Iterable[Person]:
    if channel.guild_id is None:
        return
    for user_id, member in server.world.guilds[channel.guild_id].members.items():
        person = Person(server.backend, member.user)
        if user_id not in {asking.id, server.world.bot.id} and person.can_see(message):
            yield person


async def _use(
    server: "Playground", person: Person, message: Message, button: Button, words: str
) -> None:
    try:
        handle = await person.press(message, str(button.custom_id))
    except ClientRefusedError:  # the bot has changed the message meanwhile
        return

    def is_answered() -> bool:
        return bool(handle.modal or handle.messages) or handle.has_failed

    try:
        await server.wait_until(is_answered, _ANSWER_SECONDS)
    except TimeoutError:  # a bot may do something else than answer
        return
    if handle.modal is not None:
        await _fill(person, handle, words)


async def _fill(person: Person, handle: InteractionHandle, words: str) -> None:
    fields = modal_fields(handle.modal or {})
    typed = {each["custom_id"]: words for each in fields if each["type"] == TEXT_INPUT}
    try:
        await person.submit_modal(handle, typed)
    except ClientRefusedError:  # the form wants something else than words
        return
