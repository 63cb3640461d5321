"""Previews are judged before they are shown, and removed when the picture is done."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL import Image

from playground import InteractionHandle, Playground
from tests.e2e.conftest import StartBot
from tests.e2e.gallery import has_grid


def list_previews(handle: InteractionHandle) -> list[Image.Image]:
    return [
        Image.open(BytesIO(attachment.content))
        for revision in handle.history
        for attachment in revision.attachments
        if attachment.filename.startswith("preview")
    ]


async def test_preview_moves_in_the_message_and_gives_way_to_the_grid(
    server: Playground, start_bot: StartBot
):
    await start_bot(FAKE_STEP_SECONDS="0.5", FAKE_PICTURE_CHECK="0.1")
    member, art = server.person("member"), server.channel("art")
    handle = await member.slash("imagine", art, prompt="dog", steps=14, seed="7")
    message = await handle.wait_for(has_grid, 20)
    previews = list_previews(handle)
    assert previews
    assert all(picture.format == "WEBP" for picture in previews)
    assert previews[-1].size == (3 * 192, 192)
    assert len(message.attachments) == 1
    shown = [r for r in handle.history if r.attachments and "step" in r.text()]
    assert [a.description for a in shown[0].attachments] == [
        "Unfinished pictures being drawn from the prompt: dog"
    ]
    assert len(server.messages(art)) == 1


async def test_cancel_while_a_preview_stands_leaves_nothing(
    server: Playground, start_bot: StartBot
):
    await start_bot(FAKE_STEP_SECONDS="0.5", FAKE_PICTURE_CHECK="0.1")
    member, art = server.person("member"), server.channel("art")
    handle = await member.slash("imagine", art, prompt="dog", steps=90)
    message = await handle.wait_for(lambda m: bool(m.attachments), 15)
    await member.press(message, "v1:cancel:1:0")
    await handle.wait_removed()
    assert [m for m in server.messages(art) if not m.is_ephemeral] == []


async def test_what_is_flagged_not_judged_or_covered_has_no_preview(
    server: Playground, start_bot: StartBot, tmp_path: Path
):
    member, art = server.person("member"), server.channel("art")
    rules = tmp_path / "rules.json"
    rules.write_text('{"rules": [{"kind": "word", "text": "spider", "action": "spoiler"}]}')
    for check, prompt in (("0.9", "dog"), ("crash", "dog"), ("0.1", "a spider")):
        bot = await start_bot(
            FAKE_STEP_SECONDS="0.4",
            FAKE_PICTURE_CHECK=check,
            RULES_FILE=str(rules),
            may_complain=True,
        )
        handle = await member.slash("imagine", art, prompt=prompt, steps=12)
        await handle.wait_for(has_grid, 20)
        assert list_previews(handle) == []
        assert await bot.stop() == 0
