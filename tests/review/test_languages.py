"""Messages to members are not in the language of the moderator who decided."""

from __future__ import annotations

import pytest

from bot.domain.jobs import JobStatus
from bot.domain.review import Decision
from bot.texts.catalog import speaking
from bot.texts.reasons import own_words
from tests.conftest import GUILD, MEMBER
from tests.review.conftest import MODERATOR, decide

pytestmark = pytest.mark.usefixtures("marked")


async def test_who_reported_reads_the_language_of_the_server(open_lane):
    async with open_lane(reports_to_hide=1) as house:
        await house.start()
        job = await house.submit("dog", house.origin(locale="fr", guild_locale="de"))
        await house.until_status(job, JobStatus.DELIVERED)
        await house.services.reports.take(job.job_id, 1, "ugly", GUILD)
        with speaking("fr"):
            await decide(house, Decision.RESTORE)
        [(reporter, text)] = house.messenger.written
        assert (reporter, text[:3]) == (1, "de[")


async def test_who_appealed_reads_the_language_of_the_server(open_lane):
    async with open_lane() as house:
        house.messenger.guild_locale = "de"
        sanctions = house.services.sanctions
        await sanctions.suspend(GUILD, MEMBER, by=MODERATOR, reason=own_words("rude"), days=5)
        await sanctions.appeal(GUILD, MEMBER, "I am sorry")
        with speaking("fr"):
            await decide(house, Decision.DENY)
        [(member, text)] = house.messenger.written
        assert (member, text[:3]) == (MEMBER, "de[")
