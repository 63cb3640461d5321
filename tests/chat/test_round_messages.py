"""The messages of rounds: posted once, edited with their pictures, and never lost to a refusal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest
from PIL import Image

from bot.chat.messenger import DiscordMessenger
from bot.domain.jobs import Job, JobStatus, Origin, Source
from bot.domain.rounds import RoundState, RoundStatus
from bot.jobs.ports import Delivery, Hidden, InProgress, MessageDeleted, Undeliverable, Waiting
from tests.views.test_jobs import SHOWN, make_job
from tests.views.test_rounds import make_phrase, make_round

TOO_LARGE, REFUSED_WORDS, UNKNOWN_MESSAGE, MAY_NOT = 40005, 200000, 10008, 50013
THREAD_ARCHIVED = 50083


class FakeDiscord:
    """A client whose every channel is this object. refuses: returns a code for a message, or 0."""

    def __init__(self, pictures: Path) -> None:
        self.pictures = pictures
        self.state: RoundState | None = None
        self.refuses: Any = lambda method, content: 0
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.is_adult = False
        self.http: Any = None
        self.is_seen_by_all = True
        self.default_role = object()
        self.services = SimpleNamespace(
            rounds=SimpleNamespace(board=self), jobs=self, writer=self, upscaler=None
        )

    async def compose_for_job(self, job: Job) -> RoundState | None:
        return self.state

    async def list_pictures(self, job_id: int) -> list[Any]:
        return [SimpleNamespace(verdict=None), *[SimpleNamespace(verdict=SHOWN)] * 3]

    async def locate(self, files: list[Any]) -> list[Path] | None:
        return [self.pictures / f"{n}.png" for n in range(4)] if self.pictures.exists() else None

    def get_guild(self, guild_id: int) -> FakeDiscord:
        return self

    def get_channel_or_thread(self, channel_id: int) -> FakeDiscord:
        return self

    def is_nsfw(self) -> bool:
        return self.is_adult

    def permissions_for(self, role: object) -> discord.Permissions:
        assert role is self.default_role
        return discord.Permissions(view_channel=self.is_seen_by_all)

    def get_partial_messageable(self, channel_id: int) -> FakeDiscord:
        return self

    def get_partial_message(self, message_id: int) -> FakeDiscord:
        return self

    async def send(self, text: str = "", **content: Any) -> SimpleNamespace:
        return self._take("send", {"text": text, **content})

    async def edit(self, **content: Any) -> SimpleNamespace:
        return self._take("edit", content)

    def _take(self, method: str, content: dict[str, Any]) -> SimpleNamespace:
        code = self.refuses(method, content)
        self.sent.append((method, content))
        if code:
            response = SimpleNamespace(status=400, reason="Bad Request")
            raise discord.HTTPException(cast(Any, response), {"code": code})
        return SimpleNamespace(id=3)

    @property
    def shown(self) -> str:
        """Return the last message's components."""
        return str(self.sent[-1][1]["view"].to_components())

    def names(self) -> list[list[str] | None]:
        """List the names of the files of each message; None if it keeps those that it has."""
        return [
            None
            if (files := content.get("attachments", content.get("files"))) is None
            else [file.filename for file in files]
            for _, content in self.sent
        ]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for n in range(4):
        Image.new("RGB", (8, 8)).save(folder / f"{n}.png")
    return folder


@pytest.fixture
def discord_(pictures: Path) -> FakeDiscord:
    return FakeDiscord(pictures)


@pytest.fixture
def messenger(discord_: FakeDiscord) -> DiscordMessenger:
    return DiscordMessenger(cast(Any, discord_), lambda: 0.0)


def make_drawn(status: RoundStatus = RoundStatus.VOTING) -> RoundState:
    job = replace(
        make_job("a pond, a frog", status=JobStatus.DELIVERED),
        job_id=7,
        origin=Origin(source=Source.ROUND),
    )
    round_ = make_round(status, theme="a pond", votes_until=1.0)
    return RoundState(round_, (make_phrase(1, "a frog", place=1),), job=job)


def make_delivery(pictures: Path) -> Delivery:
    files = tuple(pictures / f"{n}.png" for n in range(4))
    return Delivery(files[0], files[1:], (SHOWN,) * 3)


async def deliver(messenger: DiscordMessenger, discord_: FakeDiscord, state: RoundState) -> int:
    discord_.state = state
    assert state.job is not None
    message_id = await messenger.deliver(state.job, make_delivery(discord_.pictures))
    assert message_id is not None
    return message_id


async def test_round_is_posted_once_and_then_edited(
    discord_: FakeDiscord, messenger: DiscordMessenger
):
    state = RoundState(make_round())
    unposted = replace(state, round=replace(state.round, message_id=None, round_id=7))
    assert await messenger.show_round(unposted) == 3
    assert await messenger.show_round(state) == 3
    [(first, content), (second, _)] = discord_.sent
    assert (first, second) == ("send", "edit")
    assert content["nonce"] == "round-7"


async def test_deleted_message_is_not_posted_again(
    discord_: FakeDiscord, messenger: DiscordMessenger
):
    discord_.refuses = lambda method, content: UNKNOWN_MESSAGE
    with pytest.raises(MessageDeleted):
        await messenger.show_round(RoundState(make_round()))
    assert [method for method, _ in discord_.sent] == ["edit"]


async def test_message_that_is_deleted_while_its_thread_is_opened_again_is_noticed(
    discord_: FakeDiscord, messenger: DiscordMessenger
):
    codes = iter([THREAD_ARCHIVED, UNKNOWN_MESSAGE])
    opened: list[int] = []

    async def edit_channel(channel_id: int, **options: object) -> None:
        opened.append(channel_id)

    discord_.http = SimpleNamespace(edit_channel=edit_channel)
    discord_.refuses = lambda method, content: next(codes)
    with pytest.raises(MessageDeleted):
        await messenger.show_round(RoundState(make_round()))
    assert len(opened) == 1


async def test_pictures_stay_in_the_message_also_after_a_restart(
    discord_: FakeDiscord, messenger: DiscordMessenger
):
    state = make_drawn()
    await deliver(messenger, discord_, state)
    await messenger.show_round(state)
    assert discord_.names() == [["triptych-7.png"], None]
    assert "attachment://triptych-7.png" in discord_.shown
    restarted = DiscordMessenger(cast(Any, discord_), lambda: 0.0)
    await restarted.show_round(state)
    await restarted.show_round(state)
    assert discord_.names()[2:] == [["triptych-7.png"], None]
    assert "attachment://triptych-7.png" in discord_.shown


async def test_files_hold_no_words_because_their_authors_may_delete_them(
    discord_: FakeDiscord, messenger: DiscordMessenger, pictures: Path
):
    state = make_drawn()
    discord_.state = state
    assert state.job is not None
    await messenger.progress(state.job, InProgress(1, 2, preview=b"webp"))
    await deliver(messenger, discord_, state)
    won = replace(state, round=replace(state.round, status=RoundStatus.ENDED, winner=1))
    await messenger.announce_winner(won, pictures / "1.png")
    files = [
        file
        for _, content in discord_.sent
        for file in content.get("attachments", content.get("files")) or ()
    ]
    assert [file.description for file in files] == [None] * 3
    await messenger.show_round(state)
    assert "a pond, a frog" in discord_.shown  # the component has the alt text


async def test_pictures_that_are_gone_from_the_disk_are_said_to_be_gone(
    discord_: FakeDiscord, messenger: DiscordMessenger
):
    discord_.pictures = discord_.pictures / "nothing"
    state = make_drawn(RoundStatus.ENDED)
    assert state.job is not None
    await messenger.show_round(replace(state, job=replace(state.job, deleted_at=1.0, deleted_by=0)))
    assert "no longer keeps the pictures" in discord_.shown


async def test_hidden_pictures_leave_the_message_and_come_back(
    discord_: FakeDiscord, messenger: DiscordMessenger
):
    state = make_drawn()
    await deliver(messenger, discord_, state)
    assert state.job is not None
    hidden = replace(state, job=replace(state.job, hidden=True))
    discord_.state = hidden
    await messenger.progress(hidden.job or state.job, Hidden())
    assert "a frog" not in discord_.shown
    await messenger.show_round(hidden)
    await deliver(messenger, discord_, state)
    assert discord_.names() == [["triptych-7.png"], [], [], ["triptych-7.png"]]


async def test_grid_that_is_too_large_is_sent_smaller_then_singly_then_not_at_all(
    discord_: FakeDiscord, messenger: DiscordMessenger
):
    discord_.refuses = lambda method, content: TOO_LARGE if content["attachments"] else 0
    state = make_drawn()
    await deliver(messenger, discord_, state)
    singly = [f"triptych-7-{n}.webp" for n in (1, 2, 3)]
    assert discord_.names() == [["triptych-7.png"], ["triptych-7.webp"], singly, []]
    assert "Attach Files" in discord_.shown
    discord_.refuses = lambda method, content: 0
    await messenger.show_round(state)  # tries no file again
    assert discord_.names()[4:] == [None]
    assert "Attach Files" in discord_.shown


async def test_refused_words_are_left_out_of_all_later_messages(
    discord_: FakeDiscord, messenger: DiscordMessenger
):
    discord_.refuses = lambda method, content: (
        REFUSED_WORDS if "a frog" in str(content["view"].to_components()) else 0
    )
    state = make_drawn()
    await deliver(messenger, discord_, state)
    await messenger.show_round(state)
    await messenger.progress(cast(Any, state.job), Waiting(None))
    assert len(discord_.sent) == 4  # only the first one had the words
    assert "a frog" not in str(discord_.sent[1:])


async def test_words_come_back_when_those_that_were_refused_are_struck_out(
    discord_: FakeDiscord, messenger: DiscordMessenger
):
    discord_.refuses = lambda method, content: (
        REFUSED_WORDS if "a frog" in str(content["view"].to_components()) else 0
    )
    refused, more, other = make_phrase(1, "a frog"), make_phrase(2, "a moon"), make_phrase(3, "mud")
    round_ = make_round(round_id=7, theme="a pond")
    await messenger.show_round(RoundState(round_, (refused, more)))
    await messenger.show_round(RoundState(round_, (refused, more, other)))
    assert len(discord_.sent) == 3  # one more phrase is no reason to try the refused one again
    assert "a moon" not in discord_.shown
    await messenger.show_round(RoundState(round_, (more, other)))
    assert "a moon" in discord_.shown
    await messenger.show_round(RoundState(round_, (more, other)))
    assert "a moon" in discord_.shown


async def test_winner_that_is_too_large_is_posted_smaller_with_the_same_nonce(
    discord_: FakeDiscord, messenger: DiscordMessenger, pictures: Path
):
    discord_.refuses = lambda method, content: (
        TOO_LARGE if content["files"][0].filename.endswith(".png") else 0
    )
    state = make_drawn(RoundStatus.ENDED)
    won = replace(state, round=replace(state.round, round_id=7, winner=1))
    assert await messenger.announce_winner(won, pictures / "1.png") == 3
    assert discord_.names() == [["triptych-round-7.png"], ["triptych-round-7.webp"]]
    assert {content["nonce"] for _, content in discord_.sent} == {"winner-7"}
    discord_.refuses = lambda method, content: MAY_NOT
    with pytest.raises(Undeliverable):
        await messenger.announce_winner(won, pictures / "1.png")


@pytest.mark.parametrize(
    ("is_restricted", "is_adult"), [(True, False), (True, True), (False, False)]
)
async def test_winner_of_an_age_restricted_channel_is_shown_only_in_one(
    discord_: FakeDiscord,
    messenger: DiscordMessenger,
    pictures: Path,
    is_restricted: bool,
    is_adult: bool,
):
    discord_.is_adult = is_adult
    state = make_drawn(RoundStatus.ENDED)
    round_ = replace(state.round, round_id=7, winner=1, age_restricted=is_restricted)
    state = replace(state, round=round_)
    if is_restricted and not is_adult:
        with pytest.raises(Undeliverable, match="age-restricted"):
            await messenger.show_off(state, pictures / "1.png", 5)
        assert not discord_.sent
        return
    assert await messenger.show_off(state, pictures / "1.png", 5) == 3
    [(_, content)] = discord_.sent
    assert content["nonce"] == "showcase-7"
    link = f"https://discord.com/channels/{round_.guild_id}/{round_.channel_id}/{round_.message_id}"
    assert link in discord_.shown
    assert "roundnext" not in discord_.shown  # the next round belongs to the channel of this one


async def test_winner_of_a_channel_that_some_cannot_see_is_not_shown_to_all(
    discord_: FakeDiscord, messenger: DiscordMessenger, pictures: Path
):
    state = make_drawn(RoundStatus.ENDED)
    won = replace(state, round=replace(state.round, round_id=7, winner=1))
    discord_.is_seen_by_all = False
    with pytest.raises(Undeliverable, match="not everybody"):
        await messenger.show_off(won, pictures / "1.png", 5)
    assert not discord_.sent
    await messenger.announce_winner(won, pictures / "1.png")  # its own channel gets it
    assert len(discord_.sent) == 1


async def test_question_pings_only_the_starter(discord_: FakeDiscord, messenger: DiscordMessenger):
    state = RoundState(make_round(RoundStatus.ASKING, starter_id=12, round_id=7))
    await messenger.ask_starter(state)
    [(_, content)] = discord_.sent
    assert "<@12>" in content["text"]
    assert content["nonce"] == "ask-7"
    mentions = discord.AllowedMentions.none().merge(content["allowed_mentions"])  # as discord.py
    assert mentions.to_dict() == {"parse": [], "users": [12]}
