"""Rules over a server's budget are refused; older ones are switched off."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.jobs import JobStatus
from bot.domain.review import CardKind, Decision
from bot.domain.rules import GuildRule, Rule, RuleKind
from bot.errors import StoreError, UserError, WorkerLost, WorkerTimeout
from bot.texts.catalog import speaking
from bot.texts.reasons import say
from bot.views.moderation import describe_rules
from bot.views.review import compose_card
from tests.conftest import GUILD, MEMBER, House, OpenHouse

MODERATOR, REVIEW_CHANNEL = MEMBER + 100, 4242
KALE = Rule(RuleKind.WORD, "kale")


def large(number: int, tail: str = "") -> Rule:
    """Make a pattern of about 1,100 steps."""
    return Rule(RuleKind.PATTERN, f"[ab]{{{990 + number}}}c{{110}}{tail}")


OLD = [*[large(number) for number in range(6)], Rule(RuleKind.PATTERN, "yams?"), KALE]
"""Rules that were saved before there was a budget. The fifth and sixth exceed it."""


async def save_old(house: House, *rules: Rule) -> list[GuildRule]:
    return await house.services.guilds.rules.add(
        GUILD, rules or OLD, actor_id=MODERATOR, now=house.clock.now
    )


async def adopt(house: House, *rules: Rule) -> list[GuildRule]:
    return await house.services.guilds.rule_editor.adopt(GUILD, rules, MODERATOR)


async def list_switched_off(house: House) -> list[AuditEntry]:
    entries = await house.services.audit.search(GUILD)
    return [entry for entry in entries if entry.action is AuditAction.RULES_SWITCHED_OFF]


async def set_review_channel(house: House) -> None:
    await house.services.settings.change(
        GUILD, "review_channel_id", REVIEW_CHANNEL, actor_id=MODERATOR, now=house.clock.now
    )


async def test_rules_beyond_the_budget_are_refused_and_nothing_is_saved(quiet_house: House):
    await adopt(quiet_house, *[large(number) for number in range(4)])
    with pytest.raises(UserError) as refusal:
        await adopt(quiet_house, KALE, large(4), large(5))
    assert "exceed the 5" in str(refusal.value)
    assert "of 5,000 are used). Nothing was changed." in str(refusal.value)
    with speaking("de"), pytest.raises(UserError, match=r"of 5\.000 are used"):
        # their cost is measured in another process
        await adopt(quiet_house, KALE, large(4), large(5))
    assert len(await quiet_house.services.guilds.rules.list_rules(GUILD)) == 4
    assert len(await adopt(quiet_house, KALE, large(0))) == 1


async def test_two_additions_at_once_do_not_both_fit_into_the_same_room(quiet_house: House):
    await adopt(quiet_house, *[large(number) for number in range(3)])
    both = await asyncio.gather(
        *(adopt(quiet_house, large(number)) for number in (7, 8)), return_exceptions=True
    )
    assert [type(each) for each in both] == [list, UserError]


async def test_unknown_patterns_are_not_compiled_in_this_process(
    quiet_house: House, monkeypatch: pytest.MonkeyPatch
):
    def never(pattern: str, options: Any) -> None:
        raise AssertionError(f"{pattern} was compiled here")

    monkeypatch.setattr("re2.compile", never)
    scale = quiet_house.services.guilds.scale
    bad = Rule(RuleKind.PATTERN, "(?=kale)")
    for rules in ([bad], OLD):
        with pytest.raises(UserError, match=r"Nothing was changed\.$"):
            await adopt(quiet_house, *rules)
    with pytest.raises(UserError, match="cannot be used"):
        await quiet_house.services.guilds.rule_editor.preview(
            GUILD, bad, quiet_house.services.gate.is_sealed
        )
    with pytest.raises(Exception, match="rule 1: the pattern"):
        await scale.parse(GUILD, '{"rules": [{"kind": "pattern", "text": "("}]}')
    assert list(await scale.list_faults(GUILD, [bad, KALE])) == [bad]
    await save_old(quiet_house)
    assert len(await scale.list_beyond(GUILD)) == 2


async def test_old_rules_beyond_the_budget_do_not_apply_and_the_others_do(quiet_house: House):
    rules = await save_old(quiet_house)
    _, book = await quiet_house.services.gate.fetch_book(GUILD)
    assert [rule for rule in OLD if rule not in book.rules] == OLD[4:6]
    for prompt in ("kale", "yam"):
        assert (await quiet_house.submit(prompt)).status is JobStatus.REFUSED
    [entry] = await list_switched_off(quiet_house)
    assert say(entry.reason) == (
        f"2 rules over the budget: #{rules[4].rule_id}, #{rules[5].rule_id}"
    )
    beyond = await quiet_house.services.guilds.scale.list_beyond(GUILD)
    text = describe_rules(rules, 1, beyond)
    assert "2 rules over the limit for a server, **switched off**" in text
    assert [line.endswith("**off**") for line in text.splitlines()[2:]] == [
        rule in OLD[4:6] for rule in OLD
    ]


async def test_moderators_get_a_card_that_names_them_once(open_house: OpenHouse):
    async with open_house() as house:
        await set_review_channel(house)
        await save_old(house)
        await house.services.gate.fetch_book(GUILD)
        await house.services.decisions.sweep()
        [case] = house.messenger.cards
        assert (case.card.kind, [each.rule for each in case.beyond]) == (CardKind.RULES, OLD[4:6])
        view, _ = compose_card(case)
        text = str(view.to_components())
        assert "Rules of this server were switched off" in text
        assert f"`#{case.beyond[0].rule_id}`" in text
        assert "Nothing was deleted" in text
    async with open_house() as house:  # after a restart
        await house.services.gate.fetch_book(GUILD)
        await house.services.decisions.sweep()
        assert house.messenger.cards == []
        card_id = case.card.card_id
        await house.services.decisions.decide(card_id, Decision.NOTE, MODERATOR, GUILD)
        assert house.messenger.cards[-1].card.decided_by == MODERATOR
        found = await house.services.audit.search(GUILD)
        assert found[0].action is AuditAction.RULES_NOTED
        removed = await house.services.guilds.rule_editor.remove(
            GUILD, case.beyond[0].rule_id, MODERATOR
        )
        assert removed is not None
        # a new version of the rules, in which no more rules are switched off
        _, book = await house.services.gate.fetch_book(GUILD)
        assert OLD[5] not in book.rules
        await house.services.decisions.sweep()
        assert len(await list_switched_off(house)) == 1
        assert {each.card.card_id for each in house.messenger.cards} == {card_id}


async def test_who_looks_at_them_at_once_does_not_tell_it_twice(quiet_house: House):
    await set_review_channel(quiet_house)
    await save_old(quiet_house)
    scale = quiet_house.services.guilds.scale
    await asyncio.gather(quiet_house.submit("dog"), *(scale.list_beyond(GUILD) for _ in range(2)))
    await quiet_house.services.decisions.sweep()
    assert len(quiet_house.messenger.cards) == len(await list_switched_off(quiet_house)) == 1


async def test_without_a_review_channel_there_is_no_card(quiet_house: House):
    await save_old(quiet_house)
    await quiet_house.services.gate.fetch_book(GUILD)
    await quiet_house.services.decisions.sweep()
    assert quiet_house.messenger.cards == []
    assert len(await list_switched_off(quiet_house)) == 1


async def test_place_of_a_removed_rule_is_free_for_what_was_off(quiet_house: House):
    rules = await save_old(quiet_house)
    assert len(await quiet_house.services.guilds.scale.list_beyond(GUILD)) == 2
    with pytest.raises(UserError):
        await adopt(quiet_house, large(9))
    await quiet_house.services.guilds.rule_editor.remove(GUILD, rules[0].rule_id, MODERATOR)
    assert await quiet_house.services.guilds.scale.list_beyond(GUILD) == {rules[5].rule_id}


@pytest.mark.parametrize("fault", [WorkerTimeout("too long"), WorkerLost("it died")])
async def test_rules_that_cannot_be_weighed_let_nothing_pass_and_change_nothing(
    quiet_house: House, monkeypatch: pytest.MonkeyPatch, fault: Exception
):
    async def fail(*_: Any, **__: Any) -> None:
        raise fault

    await save_old(quiet_house)
    monkeypatch.setattr(quiet_house.services.workers, "run", fail)
    with pytest.raises(StoreError, match="Nothing was drawn or charged"):
        await quiet_house.submit("dog")
    with pytest.raises(UserError, match="Nothing was changed"):
        await quiet_house.services.guilds.rule_editor.preview(
            GUILD, large(1), quiet_house.services.gate.is_sealed
        )
    monkeypatch.undo()
    assert (await quiet_house.submit("dog")).status is JobStatus.QUEUED


async def test_words_need_no_worker(quiet_house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(quiet_house.services.workers, "run", None)
    await adopt(quiet_house, KALE)
    assert (await quiet_house.submit("kale")).status is JobStatus.REFUSED
