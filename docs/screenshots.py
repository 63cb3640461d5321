"""Takes the screenshots for the documentation, with the real bot, the starter model and Chromium.

`make demo PORT=8399 & python docs/screenshots.py http://127.0.0.1:8399/`
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

IMAGES = Path(__file__).parent / "images"
PICTURE = "Three pictures side by side"
DESKTOP = {"viewport": {"width": 1180, "height": 760}}


async def ask(page: Page, prompt: str, seed: str) -> None:
    await page.locator("#text").press_sequentially("/imagine ")
    await page.keyboard.type(prompt)
    await page.get_by_role("button", name="+ seed", exact=True).click()
    await page.keyboard.type(seed)
    await page.keyboard.press("Enter")
    await page.get_by_alt_text(f"{PICTURE}, drawn from the prompt: {prompt}").wait_for()


async def open_page(browser: Browser, address: str, who: str, **context: object) -> Page:
    page = await browser.new_page(**context)
    page.set_default_timeout(120_000)
    script = f"localStorage['playground as'] = '{who}'; localStorage['playground channel'] = 'art'"
    await page.add_init_script(script)
    await page.goto(address)
    await expect(page.locator("#bot-state")).to_have_text("bot online", timeout=120_000)
    return page


async def play_round(browser: Browser, address: str) -> None:
    """Play a round up to the vote on its pictures."""
    page = await open_page(browser, address, "moderator", viewport={"width": 1180, "height": 900})
    await page.locator("#text").press_sequentially("/together start ")
    await page.keyboard.type("a castle in the snow")
    await page.keyboard.press("Enter")
    message = page.locator(".message:not(.ephemeral)", has_text="Together: a castle")
    await message.get_by_role("button", name="Let the others join in").click()
    await expect(message).to_contain_text("3 phrases from 3 people")
    await message.get_by_role("button", name="Close now").click()
    await message.get_by_alt_text(PICTURE).wait_for()
    await expect(message).to_contain_text("The vote ends", timeout=60_000)
    await page.wait_for_timeout(500)
    await message.screenshot(path=IMAGES / "together.png")
    await page.close()


async def main(address: str) -> None:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        page = await open_page(browser, address, "newcomer", **DESKTOP)
        await page.locator("#inspect").click()
        await ask(page, "dog in autumn leaves", "21")
        await page.locator("#traffic button", has_text="callback").last.click()
        await page.wait_for_timeout(500)
        await page.screenshot(path=IMAGES / "playground.png")
        await page.locator("#inspect").click()
        await page.get_by_role("button", name="2", exact=True).last.click()
        await page.get_by_role("button", name="Upscale").last.wait_for()
        await page.wait_for_timeout(500)
        await page.screenshot(path=IMAGES / "gallery.png")
        await page.get_by_role("button", name="Remix").last.click()
        await page.get_by_role("dialog").wait_for()
        await page.wait_for_timeout(500)
        await page.screenshot(path=IMAGES / "remix.png")

        await play_round(browser, address)
        page = await open_page(browser, address, "member", color_scheme="dark", **DESKTOP)
        await ask(page, "a fox on the moon", "4")
        await page.locator("#text").press_sequentially("/imagine cat in the snow")
        await page.wait_for_timeout(500)
        await page.screenshot(path=IMAGES / "playground-dark.png")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
