"""Prompts about minors and their pictures are shown on no card, not even blurred.

The tests need no such words: they use a policy that refuses "dog" as this class, like a newer and
stricter version.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from bot.chat.interactions import fetch_job
from bot.cogs.review import Review
from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.jobs import JobStatus
from bot.domain.review import Card, Decision
from bot.domain.rules import MINORS, Outcome, Rule, RuleKind, Verdict
from bot.errors import UserError
from bot.jobs.ports import Hidden
from bot.moderation import PromptPolicy
from bot.texts.codes import Code
from bot.texts.reasons import because, own_words
from bot.texts.review import SEALED
from bot.views.audit import list_columns, render_entries
from bot.views.moderation import describe_preview
from bot.views.review import compose_card
from tests.conftest import GUILD, MEMBER
from tests.review.conftest import OTHER, decide, deliver, hold


class StricterPolicy(PromptPolicy):
    """A policy that refuses every "dog" as content about minors."""

    def judge(self, prompt: str, *rest: Any, **named: Any) -> Verdict:
        if "dog" in prompt:
            return Verdict(Outcome.REFUSE, because(Code.MINORS_REFUSED), MINORS)
        return super().judge(prompt, *rest, **named)


def become_stricter(house: Any) -> None:
    house.services.gate._policy = StricterPolicy()


def labels(view: Any) -> set[str]:
    items = [getattr(child, "item", child) for child in view.walk_children()]
    return {item.label for item in items if getattr(item, "label", None)}


def texts(view: Any) -> str:
    return "\n".join(getattr(child, "content", "") for child in view.walk_children())


async def test_reported_pictures_of_the_class_are_shown_to_no_moderator(open_lane):
    async with open_lane(reports_to_hide=1) as house:
        await house.start()
        job = await deliver(house)
        become_stricter(house)
        await house.services.reports.take(job.job_id, 1, "ugly", GUILD)
        case = house.messenger.cards[-1]
        assert (case.is_sealed, case.picture) == (True, None)
        view, files = compose_card(case)
        assert files == []
        assert "dog" not in texts(view)
        assert SEALED() in texts(view)
        assert labels(view) == {"Remove", "Remove and strike"}
        with pytest.raises(UserError, match="nobody can approve or restore"):
            await decide(house, Decision.RESTORE)
        await decide(house, Decision.REMOVE)
        assert await house.services.writer.locate_grid(job.job_id) is None


async def test_first_report_hides_what_nobody_could_restore(open_lane):
    async with open_lane(reports_to_hide=3) as house:
        await house.start()
        job, other = await deliver(house), await house.submit("cat")
        await house.until_status(other, JobStatus.DELIVERED)
        become_stricter(house)
        for each in (job, other):
            await house.services.reports.take(each.job_id, 1, "ugly", GUILD)
        assert house.messenger.updates_of(job.job_id)[-1] == Hidden()
        assert not (await house.fetch(other)).hidden
        reported = await house.services.audit.search(GUILD, actions=[AuditAction.REPORTED])
        assert {(entry.job_id, entry.prompt) for entry in reported} == {
            (job.job_id, ""),
            (other.job_id, "cat"),
        }


async def test_other_reported_pictures_are_shown_blurred(open_lane):
    async with open_lane(reports_to_hide=1) as house:
        await house.start()
        job = await deliver(house)
        await house.services.reports.take(job.job_id, 1, "ugly", GUILD)
        case = house.messenger.cards[-1]
        view, files = compose_card(case)
        assert (case.is_sealed, len(files)) == (False, 1)
        assert "dog" in texts(view)
        assert {"Restore", "Show me"} <= labels(view)


async def test_pictures_that_wait_for_a_moderator_are_sealed_too(open_lane, scores):
    scores.value = 0.9
    async with open_lane(picture_action="hold") as house:
        job = await house.submit("dog")
        become_stricter(house)
        await house.start()
        await house.until_status(job, JobStatus.HELD)
        await house.until(lambda: house.messenger.cards)
        case = house.messenger.cards[-1]
        assert (case.is_sealed, case.picture) == (True, None)
        view, files = compose_card(case)
        assert files == []
        assert labels(view) == {"Refuse", "Refuse and suspend"}
        for decision in (Decision.APPROVE, Decision.COVER):
            with pytest.raises(UserError, match="Nothing was changed"):
                await decide(house, decision)
        assert house.messenger.delivered == []


async def test_card_of_an_earlier_process_is_sealed_at_the_start(open_lane):
    async with open_lane(review_everything=True) as house:
        await house.submit("dog")
        await house.submit("cat")
        assert [case.is_sealed for case in house.messenger.cards] == [False, False]
    async with open_lane(review_everything=True) as house:
        become_stricter(house)
        await house.services.decisions.look_after()
        [case] = house.messenger.cards
        assert (case.is_sealed, case.card.message_id) == (True, 700_001)


async def test_what_is_refused_when_it_is_drawn_has_no_card_and_no_files(open_lane):
    async with open_lane() as house:
        job = await house.submit("dog")
        become_stricter(house)
        await house.start()
        await house.until_status(job, JobStatus.REFUSED)
        await house.until_idle()
        assert house.messenger.cards == []
        assert house.messenger.delivered == []
        assert await house.services.writer.locate_grid(job.job_id) is None


async def test_what_is_refused_at_once_has_no_card(open_lane):
    async with open_lane() as house:
        become_stricter(house)
        await house.start()
        job = await house.submit("dog")
        assert job.status is JobStatus.REFUSED
        assert house.messenger.cards == []


async def test_show_me_shows_nothing_of_it(open_lane):
    async with open_lane(reports_to_hide=1) as house:
        await house.start()
        job = await deliver(house)
        await house.services.reports.take(job.job_id, 1, "ugly", GUILD)
        card = house.messenger.cards[-1].card
        become_stricter(house)
        answers: list[dict[str, Any]] = []

        async def answer(**values: Any) -> None:
            answers.append(values)

        async def defer(**_: Any) -> None:
            pass

        class Opened(Review):
            async def _check(self, interaction: Any, card_id: int) -> Card:
                return card

        interaction: Any = SimpleNamespace(
            response=SimpleNamespace(defer=defer), edit_original_response=answer
        )
        await Opened(house.services).reveal(interaction, card.card_id, 0)
        assert answers == [{"content": SEALED()}]


async def list_shown(house: Any) -> list[AuditEntry]:
    """Return the rows that the mod log, ``/audit search`` and ``/audit export`` show."""
    return await house.services.audit.search(GUILD, newest_first=False)


async def test_audit_log_comes_without_the_words_wherever_it_is_read(open_lane):
    async with open_lane(review_newcomer_days=7) as house:
        await hold(house, "leek")
        late = await hold(house, "dog", joined_at=house.clock())
        become_stricter(house)
        await house.submit("dog at once")
        await decide(house, Decision.REFUSE)
        assert (await house.fetch(late)).status is JobStatus.REFUSED
        entries = await list_shown(house)
        assert {entry.prompt for entry in entries} == {"", "leek"}
        assert [bool(entry.prompt_hash) for entry in entries] == [True] * 4
        for text in (render_entries(entries), json.dumps([list_columns(each) for each in entries])):
            assert "dog" not in text
            assert "leek" in text
        [own] = [entry for entry in await house.services.audit.list_about(MEMBER)][:1]
        assert own.prompt == "leek"


async def test_words_of_a_report_on_it_are_in_no_log_and_on_no_card(open_lane):
    async with open_lane(reports_to_hide=1) as house:
        await house.start()
        job = await deliver(house)
        become_stricter(house)
        await house.services.reports.take(job.job_id, 1, "it says dog", GUILD)
        [reported] = await house.services.audit.search(GUILD, actions=[AuditAction.REPORTED])
        assert "dog" not in render_entries([reported])
        view, _ = compose_card(house.messenger.cards[-1])
        assert "<@1>" in texts(view)
        assert "dog" not in texts(view)


async def test_what_a_suspended_member_wrote_is_not_judged_and_in_no_log(open_lane):
    async with open_lane() as house:
        sanctions = house.services.sanctions
        await sanctions.suspend(GUILD, MEMBER, by=OTHER, reason=own_words("rude"), days=5)
        await house.submit("dog")
        assert [entry.prompt for entry in await list_shown(house)] == ["", ""]


async def test_rule_is_tried_on_it_without_showing_it(open_lane):
    async with open_lane() as house:
        await house.submit("dog")
        await house.submit("a sausage dog")
        become_stricter(house)
        editor, rule = house.services.guilds.rule_editor, Rule(RuleKind.WORD, "dog")
        preview = await editor.preview(GUILD, rule, house.services.gate.is_sealed)
        assert len(preview.met) == 2
        assert describe_preview(rule, preview).count("dog") == 1  # the text of the rule


async def test_no_log_has_the_words(open_lane, caplog):
    async with open_lane() as house:
        become_stricter(house)
        caplog.set_level("DEBUG", logger="bot")
        await house.submit("a dog")
        await house.submit("a cat")
        assert "a dog" not in caplog.text
        assert "a cat" in caplog.text


async def test_buttons_and_recipe_give_nothing_of_it_and_delete_still_works(open_lane):
    async with open_lane() as house:
        await house.start()
        job = await deliver(house)
        become_stricter(house)
        place: Any = SimpleNamespace(
            client=SimpleNamespace(services=house.services),
            guild_id=GUILD,
            channel_id=job.origin.channel_id,
            user=SimpleNamespace(id=OTHER),
        )
        with pytest.raises(UserError, match="Nobody can see or use the prompt"):
            await fetch_job(place, job.job_id)
        assert (await fetch_job(place, job.job_id, even_sealed=True)).job_id == job.job_id
