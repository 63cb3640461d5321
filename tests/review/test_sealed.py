"""What is refused as sexual content about minors is shown on no card: not blurred, not in words.

No such words are needed: a judge that refuses "dog" in that class stands for a stricter version.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bot.cogs.review import Review
from bot.domain.audit import AuditAction
from bot.domain.jobs import JobStatus
from bot.domain.review import Card, Decision
from bot.domain.rules import Outcome, Verdict
from bot.errors import UserError
from bot.jobs.ports import Hidden
from bot.moderation import MINORS, PromptPolicy
from bot.texts.codes import Code
from bot.texts.reasons import because
from bot.texts.review import SEALED
from bot.views.review import compose_card
from tests.conftest import GUILD
from tests.review.conftest import decide, deliver


class StricterPolicy(PromptPolicy):
    """Refuses every dog."""

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
