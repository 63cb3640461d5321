"""A server's own rules."""

from __future__ import annotations

import asyncio
import time

import pytest

from bot.domain.jobs import JobStatus
from bot.domain.rules import GuildRule, Outcome, Rule, RuleKind
from bot.errors import StoreError
from bot.moderation import NO_RULES
from bot.store import RuleRepository
from bot.store.patience import hurry
from tests.conftest import GUILD, House, OpenHouse
from tests.jobs.test_intake import refusal_of
from tests.policy.test_admission import KALE, MODERATOR, adopt


async def test_rule_holds_in_its_own_server_only(quiet_house: House):
    await adopt(quiet_house, KALE)
    assert "“kale”" in await refusal_of(quiet_house, "k4le")
    elsewhere = quiet_house.origin(guild_id=GUILD + 1)
    assert (await quiet_house.submit("kale", elsewhere)).status is JobStatus.QUEUED
    direct = quiet_house.origin(guild_id=None)
    assert (await quiet_house.submit("kale", direct)).status is JobStatus.QUEUED


async def test_job_knows_the_version_it_was_judged_by(quiet_house: House):
    rules = quiet_house.services.guilds.rules
    [kale] = await adopt(quiet_house, KALE)
    job = await quiet_house.submit("dog")
    assert job.rules_version == await rules.fetch_version(GUILD) == 1
    await quiet_house.services.guilds.rule_editor.remove(GUILD, kale, MODERATOR)
    assert await rules.fetch_version(GUILD) == 2
    assert (await quiet_house.submit("kale")).rules_version == 2
    assert await rules.fetch_version(None) == 0


async def test_strictest_of_instance_and_server_decides(open_house: OpenHouse):
    async with open_house(blocked_words="kale") as house:
        await adopt(house, Rule(RuleKind.WORD, "kale", Outcome.SPOILER))
        await adopt(house, Rule(RuleKind.WORD, "leek", Outcome.SPOILER))
        gate, origin = house.services.gate, house.origin()
        assert (await gate.judge(origin, "kale", "")).outcome is Outcome.REFUSE
        assert (await gate.judge(origin, "leek", "")).outcome is Outcome.SPOILER
        assert (await gate.judge(origin, "leek", "kale")).outcome is Outcome.REFUSE


async def test_servers_exception_does_not_lift_a_rule_of_the_instance(open_house: OpenHouse):
    async with open_house(blocked_words="kale") as house:
        await adopt(house, Rule(RuleKind.WORD, "kale", Outcome.REFUSE, ("kale chips",)))
        assert "“kale”" in await refusal_of(house, "kale chips")


async def test_rules_of_a_server_in_another_script_are_found(quiet_house: House):
    await adopt(quiet_house, Rule(RuleKind.WORD, "капуста"))
    assert "капуста" in await refusal_of(quiet_house, "зелёная капуста")
    assert "капуста" in await refusal_of(quiet_house, ".".join("капуста"))


async def test_rules_are_compiled_once_for_each_version(quiet_house: House):
    gate = quiet_house.services.gate
    assert (await gate.fetch_book(GUILD))[1] is NO_RULES
    await adopt(quiet_house, KALE)
    books = await asyncio.gather(*(gate.fetch_book(GUILD) for _ in range(5)))
    assert len({id(book) for _, book in books}) == 1
    await adopt(quiet_house, Rule(RuleKind.WORD, "leek"))
    version, book = await gate.fetch_book(GUILD)
    assert (version, book is books[0][1], len(book.rules)) == (2, False, 2)


async def test_few_servers_rules_are_kept_in_memory(
    quiet_house: House, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bot.policy.prompts._MAX_BOOKS", 2)
    for guild_id in range(1, 5):
        await adopt(quiet_house, KALE, guild_id=guild_id)
        await quiet_house.services.gate.fetch_book(guild_id)
    assert list(quiet_house.services.gate._books) == [3, 4]


async def test_hostile_rules_and_prompts_never_stall_the_line(quiet_house: House):
    """The event loop goes on while texts are judged. The goal is 50 ms; busy machines get more."""
    patterns = [Rule(RuleKind.PATTERN, rf"(a|b|{n})+c{{1,9}}(x+x+)+y") for n in range(100)]
    await adopt(quiet_house, *patterns)
    longest = 0.0
    done = asyncio.Event()

    async def tick() -> None:
        nonlocal longest
        while not done.is_set():
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - began)

    ticking = asyncio.create_task(tick())
    gate, origin = quiet_house.services.gate, quiet_house.origin()
    for prompt in ("ab" * 3000, "x" * 6000, "a x" * 2000):
        await gate.judge(origin, prompt, prompt)
    done.set()
    await ticking
    assert longest < 0.5


async def test_rules_are_compiled_to_the_end_for_all_who_wait_although_the_first_was_in_a_hurry(
    quiet_house: House, monkeypatch: pytest.MonkeyPatch
):
    await adopt(quiet_house, KALE)
    list_rules, calls = RuleRepository.list_rules, 0

    async def list_slowly(rules: RuleRepository, guild_id: int) -> list[GuildRule]:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.3)
        return await list_rules(rules, guild_id)

    async def submit_in_a_hurry() -> None:
        hurry(0.15, lambda: False)
        await quiet_house.submit("kale")

    monkeypatch.setattr(RuleRepository, "list_rules", list_slowly)
    with pytest.raises(StoreError, match="not done"):
        await asyncio.create_task(submit_in_a_hurry())
    assert "“kale”" in await refusal_of(quiet_house, "kale")
    assert calls == 1
