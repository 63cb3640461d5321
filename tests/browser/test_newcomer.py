"""A newcomer and a moderator use the page, with the whole bot behind it."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from playground import Playground, Upload
from tests.browser.conftest import OpenPage
from tests.e2e.conftest import StartBot

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all

HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'


async def imagine(page: Page, prompt: str, **options: str) -> None:
    await page.locator("#text").press_sequentially("/im")
    await expect(page.get_by_role("option", name="/imagine")).to_be_visible()
    await page.keyboard.press("Tab")
    await page.keyboard.type(prompt)
    for name, value in options.items():
        await page.get_by_role("button", name=f"+ {name}", exact=True).click()
        await page.keyboard.type(value)
    await page.keyboard.press("Enter")


async def test_newcomer_sees_line_progress_and_grid_and_cancels_with_a_button(
    server: Playground, start_bot: StartBot, open_page: OpenPage
):
    await start_bot(FAKE_STEP_SECONDS="0.5")
    page = await open_page("newcomer", "art")
    await expect(page.locator("#bot-state")).to_have_text("bot online")
    await imagine(page, "dog in autumn leaves", steps="14", seed="7")
    message = page.locator(".message").first
    await expect(message.locator(".origin")).to_contain_text("Nico used /imagine")
    await expect(message).to_contain_text(re.compile(r"step \d+ of 14"))

    await imagine(page, "cat in the snow")
    second = page.locator(".message").nth(1)
    await expect(second).to_contain_text("Next in the queue")
    await second.get_by_role("button", name="Cancel").click()
    await expect(page.locator(".message.ephemeral")).to_contain_text("was cancelled")
    await expect(page.locator(".message", has_text="Next in the queue")).to_have_count(0)

    preview = message.get_by_alt_text("Unfinished pictures being drawn from the prompt: dog in")
    await expect(preview).to_be_visible()
    grid = message.get_by_alt_text("Three pictures side by side, drawn from the prompt: dog in")
    await expect(grid).to_be_visible(timeout=20_000)
    await expect(grid).to_have_js_property("naturalWidth", 3 * 384 + 2 * 8)
    await expect(message.locator(".mention", has_text="@Nico")).to_be_visible()
    await message.get_by_role("button", name="Enlarge").click()
    dialog = page.get_by_role("dialog", name="Picture")
    await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()

    await page.locator("#text").press_sequentially("/queue ")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message.ephemeral").last).to_contain_text("Only you can see this")


async def test_moderator_sees_the_members_pictures_but_not_what_is_for_them_alone(
    server: Playground, start_bot: StartBot, open_page: OpenPage
):
    await start_bot(BLOCKED_WORDS="gore")
    page = await open_page("member", "art")
    await imagine(page, "dog in autumn leaves")
    await expect(page.get_by_alt_text("Three pictures")).to_be_visible()
    await imagine(page, "gore")
    await expect(page.locator(".message.ephemeral")).to_be_visible()

    await page.locator('.person input[value="moderator"]').check(force=True)
    await expect(page.locator(".message")).to_have_count(1)
    await expect(page.locator(".message.ephemeral")).to_have_count(0)
    await page.locator(".message").hover()
    await page.get_by_role("button", name="More").click()
    await page.get_by_role("menuitem", name="Delete message").click()
    await expect(page.locator("#empty")).to_be_visible()
    assert server.messages(server.channel("art"))[0].is_ephemeral


async def become(page: Page, who: str, channel: str) -> None:
    await page.locator(f'.person input[value="{who}"]').check(force=True)
    await page.get_by_role("navigation").get_by_role("button", name=channel).click()
    await expect(page.locator("#channel-name")).to_have_text(f"# {channel}")


async def test_newcomer_varies_remixes_and_reports_and_the_moderator_decides(
    server: Playground, start_bot: StartBot, open_page: OpenPage
):
    await start_bot()
    page = await open_page("moderator", "art")
    await page.locator("#text").press_sequentially("/settings ")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Other settings").click()
    await page.get_by_role("option", name="Review, reports").click()
    await page.get_by_role("button", name="Review channel").click()
    await page.get_by_role("option", name="staff").click()
    await expect(page.locator(".message .mention", has_text="#staff")).to_be_visible()

    await become(page, "newcomer", "art")
    await expect(page.get_by_role("navigation")).not_to_contain_text("staff")
    await imagine(page, "dog in autumn leaves")
    grids = page.locator(".message").get_by_alt_text("Three pictures side by side")
    await expect(grids).to_have_count(1)
    await page.locator(".message").last.get_by_role("button", name="Vary 2").click()
    await expect(grids).to_have_count(2)
    varied = page.locator(".message").last
    await expect(varied.locator(".origin")).to_contain_text("Playground Bot dog in autumn leaves")
    await expect(varied.locator(".origin")).not_to_contain_text("-#")
    await expect(varied).to_contain_text("from picture 2 of #1")

    await varied.get_by_role("button", name="Remix").click()
    form = page.get_by_role("dialog", name="Remix")
    prompt = form.get_by_label("Prompt *", exact=True)
    await expect(prompt).to_have_value("dog in autumn leaves")
    await prompt.fill("cat in autumn leaves")
    await form.get_by_role("button", name="Submit").click()
    await expect(form).to_be_hidden()
    await expect(grids).to_have_count(3)
    await expect(grids.last).to_have_attribute("alt", re.compile("prompt: cat in autumn leaves"))

    await page.locator(".message").last.click(button="right")
    await page.get_by_role("menuitem", name="Report picture").click()
    form = page.get_by_role("dialog")
    await form.locator("textarea, input").fill("not for **here**")
    await form.get_by_role("button", name="Submit").click()
    await expect(form).to_be_hidden()
    await expect(page.locator(".message.ephemeral")).to_be_visible()

    await become(page, "moderator", "staff")
    card = page.locator(".message").last
    await expect(card).to_contain_text("cat in autumn leaves")
    await expect(card).to_contain_text("not for **here**")
    await card.get_by_role("button", name="Restore").click()
    await expect(card.locator(".row .button")).to_have_count(0)
    await expect(card.locator(".mention", has_text="@Moss")).to_be_visible()


async def test_hostile_prompt_stays_text_everywhere(
    server: Playground, start_bot: StartBot, open_page: OpenPage
):
    await start_bot()
    server.person("owner").user.global_name = HOSTILE
    file = Upload(HOSTILE.replace("/", "") + ".txt", b"words")
    await server.person("owner").send(server.channel("art"), HOSTILE, [file])
    page = await open_page("member", "art")
    await expect(page.locator(".message").first.locator(".markdown")).to_have_text(HOSTILE)
    await expect(page.locator(".message").first.locator(".author")).to_have_text(HOSTILE)
    await imagine(page, HOSTILE)
    message = page.locator(".message").last
    await expect(message.locator(".picture img")).to_be_visible()
    await expect(message).to_contain_text('<img src=x onerror="document.title=1">')
    await page.locator("#inspect").click()
    await page.locator("#traffic button", has_text="INTERACTION_CREATE").last.click()
    await expect(page.locator("#detail")).to_contain_text("<script>")
    await message.get_by_role("button", name="Enlarge").click()
    await page.keyboard.press("Escape")
    assert await page.title() == "Playground"
    assert await page.locator("img[src='x'], #messages script").count() == 0


async def test_no_answer_within_3_seconds_shows_the_failure(
    server: Playground, start_bot: StartBot, open_page: OpenPage
):
    bot = await start_bot()
    page = await open_page("member", "art")
    await page.locator("#text").press_sequentially("/help ")
    await bot.stop()
    await expect(page.locator("#bot-state")).to_have_text("bot offline")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message .thinking")).to_contain_text("3 seconds")
    await expect(page.locator(".message .failed")).to_have_text("The application did not respond")


async def test_contributor_makes_trouble_and_reads_the_wire(
    server: Playground, start_bot: StartBot, open_page: OpenPage
):
    await start_bot(FAKE_STEP_SECONDS="0.2")
    page = await open_page("member", "art")
    await page.locator("#inspect").click()
    traffic = page.locator("#traffic")

    await page.get_by_role("button", name="Answer 429").click()
    await expect(page.locator("#trouble-note")).to_contain_text("429")
    await page.locator("#text").press_sequentially("/help ")
    await page.keyboard.press("Enter")
    await expect(traffic.locator("li", has_text="callback")).to_contain_text(["429", "200"])
    await expect(page.locator("#trouble-note")).not_to_contain_text("429")

    await page.get_by_role("button", name="Drop gateway").click()
    await expect(traffic).to_contain_text("closed 4000")
    await expect(traffic).to_contain_text("RESUMED", timeout=20_000)

    await imagine(page, "dog", steps="14")
    await expect(page.locator(".message").last).to_contain_text(re.compile(r"step \d+ of 14"))
    await page.get_by_role("button", name="Expire last token").click()
    refused = traffic.locator("li", has_text="PATCH /webhooks").filter(has_text="401")
    await expect(refused.first).to_be_visible()
    await refused.first.click()
    await expect(page.locator("#detail")).to_contain_text("Invalid Webhook Token")
    await expect(page.get_by_alt_text("Three pictures")).to_be_visible(timeout=20_000)
    if server.contract.reason is None:
        await expect(traffic.locator(".check.good").first).to_be_visible()


# finds texts whose contrast with their background is under 4.5:1 (level AA of WCAG 2)
FAINT = """
(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (channels) => channels.map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (node) => {
    const colour = getComputedStyle(node).backgroundColor;
    return (parts(colour)[3] ?? 1) > 0.9 ? parts(colour).slice(0, 3) : behind(node.parentElement);
  };
  const opacity = (node) => node ? getComputedStyle(node).opacity * opacity(node.parentElement) : 1;
  const shown = (node, ground) => {
    const [ink, alpha] = [parts(getComputedStyle(node).color), opacity(node)];
    return ground.map((part, index) => part + ((ink[3] ?? 1) * alpha) * (ink[index] - part));
  };
  return [...document.querySelectorAll("body *")]
    .filter((node) => node.checkVisibility({ opacityProperty: true })
      && !node.closest("option, :disabled, [aria-disabled=true], [aria-hidden]"))
    .filter((node) => [...node.childNodes].some((each) => each.nodeType === 3 && each.data.trim()))
    .map((node) => {
      const ground = behind(node);
      const [one, other] = [shown(node, ground), ground].map(light);
      const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      return [node.className, node.textContent.trim().slice(0, 20), contrast];
    })
    .filter(([, , contrast]) => contrast < 4.5);
})()
"""


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
async def test_page_fits_its_window_and_follows_the_colour_scheme(
    server: Playground, start_bot: StartBot, open_page: OpenPage, look: str
):
    await start_bot()
    phone = {"viewport": {"width": 390, "height": 780}, "is_mobile": True, "has_touch": True}
    context = phone if look == "phone" else {"color_scheme": look}
    await server.person("member").slash("imagine", server.channel("art"), prompt="dog " * 60)
    page = await open_page("member", "art", **context)
    await expect(page.locator(".picture img")).to_be_visible()
    overflow = await page.evaluate(
        "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow == 0
    brightness = (
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((a, b) => +a + +b)"
    )
    assert (await page.evaluate(brightness) < 150) == (look == "dark")
    assert await page.evaluate(FAINT) == []
    if look == "phone":
        await page.get_by_role("button", name="Channels and people").click()
        await expect(page.get_by_role("button", name="general")).to_be_in_viewport()
    else:
        await page.get_by_role("button", name="Dark colours").click()
        assert (await page.evaluate(brightness) < 150) == (look == "light")


NAMELESS = """
[...document.querySelectorAll("button, a[href], input, select, textarea, [role=button]")]
  .filter((node) => node.checkVisibility() && !node.hidden)
  .filter((node) => !(node.ariaLabel || node.textContent.trim() || node.title
    || node.labels?.length || node.getAttribute("aria-labelledby")))
  .map((node) => node.outerHTML)
"""


async def test_keyboard_and_screen_reader_get_everywhere(
    server: Playground, start_bot: StartBot, open_page: OpenPage
):
    await start_bot()
    page = await open_page("member", "art")
    await expect(page.locator("#bot-state")).to_have_text("bot online")
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#text")).to_be_focused()
    await page.keyboard.type("/imagine dog")
    await page.keyboard.press("Enter")
    await expect(page.get_by_alt_text("Three pictures")).to_be_visible()
    await expect(page.locator("#speech")).to_contain_text("Playground Bot: dog")
    await expect(page.locator("#speech")).to_contain_text("seed")
    await expect(page.locator("#text")).to_be_focused()

    await page.locator("#messages").focus()
    await page.keyboard.press("ArrowUp")
    await expect(page.locator(".message").last).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menuitem").first).to_be_focused()
    await expect(page.locator(".notice")).to_have_count(0)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("menu")).to_have_count(0)

    await page.locator('.person input[value="member"]').focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.locator('.person input[value="newcomer"]')).to_be_checked()
    await expect(page.locator('.person input[value="newcomer"]')).to_be_focused()
    await page.get_by_role("button", name="What goes over the wire").press("Enter")
    await expect(page.get_by_role("complementary", name="What goes over the wire")).to_be_visible()
    assert await page.evaluate(NAMELESS) == []
