"""Messages that a whole channel sees are in the server's language, whoever pressed a button."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest

from bot.chat.messenger import DiscordMessenger
from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.jobs import Origin
from bot.domain.review import Card, CardKind, Case, Decision
from bot.texts.catalog import speaking
from tests.views.test_jobs import make_job, text_of

GUILD = 5
HELD = Card(1, CardKind.HELD, GUILD, 3, 0.0, job_id=7)
DONE = replace(HELD, message_id=9, decision=Decision.APPROVE, decided_by=4)
JOB = replace(make_job(), origin=Origin(3, guild_id=GUILD, locale="fr", guild_locale="de"))

pytestmark = pytest.mark.usefixtures("marked")


class FakeChannel:
    """A client in one Polish server with one channel. It keeps every post and edit."""

    def __init__(self) -> None:
        self.shown: list[discord.ui.LayoutView] = []
        self.is_ready = False

    async def wait_until_ready(self) -> None:
        self.is_ready = True

    def get_guild(self, guild_id: int) -> Any:
        """Return None until Discord has listed the servers."""
        locale = discord.Locale.polish
        if not self.is_ready:
            return None
        return SimpleNamespace(preferred_locale=locale) if guild_id == GUILD else None

    def get_partial_messageable(self, channel_id: int) -> FakeChannel:
        return self

    def get_partial_message(self, message_id: int) -> FakeChannel:
        return self

    async def send(self, *, view: discord.ui.LayoutView, **rest: object) -> Any:
        self.shown.append(view)
        return SimpleNamespace(id=9)

    edit = send


def languages_of(channel: FakeChannel) -> set[str]:
    [view] = channel.shown
    marks = [text.split("[")[0] for text in text_of(view).replace("**", "").split() if "[" in text]
    labels = [str(getattr(item, "label", None) or "[") for item in view.walk_children()]
    found = {mark.rpartition("(")[2].rpartition("#")[2] for mark in marks}
    return found | {label.split("[")[0] for label in labels} - {""}


@pytest.mark.parametrize(
    ("case", "language"),
    [
        (Case(HELD, JOB, strikes=1), "de"),
        (Case(DONE, JOB, delete_by_hand=True), "de"),
        (Case(replace(HELD, kind=CardKind.RULES, job_id=None)), "pl"),
        (Case(replace(HELD, kind=CardKind.RULES, job_id=None, guild_id=6)), "en-US"),
    ],
    ids=["new", "decided", "of the server", "of a server that is not known"],
)
async def test_card_is_in_the_language_of_the_server(case: Case, language: str):
    channel = FakeChannel()
    with speaking("fr"):  # the moderator who pressed a button
        await DiscordMessenger(cast(Any, channel), lambda: 0.0).show_card(case, 77)
    assert languages_of(channel) == {language}


async def test_mod_log_is_in_the_language_of_the_server():
    channel = FakeChannel()
    entry = AuditEntry(AuditAction.PROMPT_REFUSED, 0.0, guild_id=GUILD, member_id=3, rule="kale")
    await DiscordMessenger(cast(Any, channel), lambda: 0.0).post_entries(77, [entry], "log-1")
    assert languages_of(channel) == {"pl"}
