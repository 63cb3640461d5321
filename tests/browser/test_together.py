"""A newcomer tries a round on the page; the people there join in."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from playground import Message, Playground
from tests.browser.conftest import OpenPage
from tests.e2e.conftest import StartBot

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all


async def test_newcomer_plays_a_round_with_the_people_of_the_playground(
    server: Playground, start_bot: StartBot, open_page: OpenPage
):
    bot = await start_bot()
    page = await open_page("newcomer", "art")
    await expect(page.locator("#bot-state")).to_have_text("bot online")
    await page.locator("#text").press_sequentially("/together start ")
    await page.keyboard.type("a quiet pond")
    await page.keyboard.press("Enter")
    message = page.locator(".message:not(.ephemeral)", has_text="Together: a quiet pond")
    await message.get_by_role("button", name="Add a phrase").click()
    form = page.get_by_role("dialog")
    await form.get_by_label("Your phrase").fill("one frog")
    await page.keyboard.press("Enter")
    await expect(message).to_contain_text("one frog")
    await message.get_by_role("button", name="Let the others join in").click()
    await expect(page.locator(".notice", has_text="have used this message")).to_be_visible()
    await expect(message).to_contain_text("4 phrases from 4 people")

    [posted] = [m for m in server.messages(server.channel("art")) if "quiet pond" in m.text()]
    await _close(server, posted)
    await message.get_by_role("button", name="Vote for 2").click()
    await expect(page.locator(".message.ephemeral", has_text="vote for picture 2")).to_be_visible()
    await message.get_by_role("button", name="Let the others join in").click()
    await server.wait_until(lambda: len(bot.rows("SELECT * FROM picture_vote")) == 4 or None, 10)


async def _close(server: Playground, message: Message) -> None:
    moderator = server.person("moderator")
    pressed = await moderator.press(message, str(message.button("Close now").custom_id))
    await pressed.wait_answered()
    await server.wait_until(
        lambda: "The vote ends" in message.text() or None, 20, "the vote on the pictures"
    )
