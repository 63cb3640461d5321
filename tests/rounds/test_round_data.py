"""A member's part in rounds: exported, deleted, and gone when its time is over."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.rounds import PhraseStatus, RoundStatus
from tests.conftest import GUILD
from tests.rounds.conftest import ANN, BEN, CAI, STARTER, THEME, Evening

DAY = 86400.0


async def query(evening: Evening, sql: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await evening.house.database.fetch_all(sql)]


async def dump(evening: Evening) -> str:
    """Return everything in the database as text."""
    tables = await query(evening, "SELECT name FROM sqlite_schema WHERE type = 'table'")
    rows = [await query(evening, f"SELECT * FROM {each['name']}") for each in tables]
    return repr(rows)


async def test_export_has_a_members_part_in_rounds_and_nobody_elses(evening: Evening):
    round_ = await evening.start()
    lanterns = await evening.add(round_, ANN, "paper lanterns")
    await evening.add(round_, BEN, "a sleeping fox")
    await evening.choose(round_, BEN, lanterns)
    await evening.draw(round_)
    await evening.vote(round_, 2, BEN)
    data = await evening.house.services.member_data.export(BEN)
    assert [each["text"] for each in data["phrases"]] == ["a sleeping fox"]
    assert data["votes_for_phrases"] == [{"phrase_id": lanterns.phrase_id}]
    assert data["votes_for_pictures"] == [{"round_id": round_.round_id, "panel": 2}]
    [share] = data["shares_of_jobs"]
    assert (share["share"], share["cost"] > 0) == (0.5, True)
    assert "lanterns" not in repr(data)
    starter = await evening.house.services.member_data.export(STARTER)
    assert [each["theme"] for each in starter["rounds_started"]] == [THEME]


async def test_deletion_takes_ones_own_words_and_leaves_picture_and_others(evening: Evening):
    round_ = await evening.play()
    await evening.vote(round_, 2, ANN, BEN)
    await evening.house.services.member_data.delete(BEN)
    assert "fox" not in await dump(evening)
    job = await evening.job_of(round_)
    assert job.recipe.prompt == f"{THEME}, paper lanterns"
    assert await evening.house.services.jobs.list_pictures(job.job_id)
    assert str(BEN) not in repr(await query(evening, "SELECT * FROM phrase"))
    shown = evening.shown
    await evening.house.until(lambda: [e.text for e in shown.shown[-1].phrases][1] == "")
    ended = await evening.end_vote(round_)
    assert (ended.winner, ended.tally) == (2, (0, 1, 0))


async def test_deletion_keeps_the_share_for_a_day_so_that_quotas_hold(evening: Evening):
    round_ = await evening.play()
    job = await evening.job_of(round_)
    await evening.house.services.member_data.delete(BEN)
    standing = evening.house.services.standing
    origin = evening.house.origin(BEN)
    assert await standing.fetch_cost_since(origin, 0) == pytest.approx(job.cost / 2)
    evening.clock.now += DAY + 1
    await evening.house.services.member_data.end_retention()
    assert await standing.fetch_cost_since(origin, 0) == 0
    assert str(BEN) not in repr(await query(evening, "SELECT * FROM job_share"))


async def test_deletion_by_the_starter_takes_the_theme(evening: Evening):
    round_ = await evening.play()
    await evening.house.services.member_data.delete(STARTER)
    assert "market" not in await dump(evening)
    assert (await evening.job_of(round_)).recipe.prompt == "paper lanterns, a sleeping fox"


async def test_deletion_while_the_round_is_open_takes_the_phrase_out(evening: Evening):
    round_ = await evening.start()
    await evening.add(round_, ANN, "paper lanterns")
    fox = await evening.add(round_, BEN, "a sleeping fox")
    await evening.add(round_, CAI, "heavy rain")
    await evening.house.services.member_data.delete(BEN)
    found = await evening.rounds.phrases._phrases.fetch(fox.phrase_id)
    assert found is not None
    assert (found.status, found.text, found.user_id) == (PhraseStatus.WITHDRAWN, "", 0)
    await evening.draw(round_)
    job = await evening.job_of(round_)
    assert [each.user_id for each in job.shares] == [ANN, CAI]


async def test_words_that_were_deleted_while_they_were_drawn_go_at_the_end(
    quiet_evening: Evening,
):
    evening = quiet_evening
    round_ = await evening.start()
    await evening.add(round_, ANN, "paper lanterns")
    await evening.add(round_, BEN, "a sleeping fox")
    await evening.end_time(round_)
    await evening.house.services.member_data.delete(BEN)
    assert "fox" in (await evening.job_of(round_)).recipe.prompt
    await evening.house.start()
    await evening.house.until_idle()
    await evening.tick()
    assert (await evening.fetch(round_)).status is RoundStatus.VOTING
    assert "fox" not in await dump(evening)


async def test_messages_with_the_winner_go_with_the_theme_in_them(evening: Evening):
    await evening.set("showcase_channel_id", 4242)
    round_ = await evening.play()
    ended = await evening.end_vote(round_)
    services = evening.house.services
    await services.member_data.delete(ANN)
    await services.message_removal.run()
    assert evening.house.messenger.removed_messages == []
    await services.member_data.delete(STARTER)
    await services.message_removal.run()
    assert sorted(evening.house.messenger.removed_messages) == [
        (77, ended.winner_message_id),
        (4242, ended.showcase_message_id),
    ]


async def test_words_that_were_deleted_go_if_the_round_is_cancelled(quiet_evening: Evening):
    evening = quiet_evening
    round_ = await evening.start()
    await evening.add(round_, ANN, "paper lanterns")
    await evening.add(round_, BEN, "a sleeping fox")
    await evening.end_time(round_)
    await evening.house.services.member_data.delete(BEN)
    await evening.rounds.rounds.cancel(round_.round_id, GUILD, STARTER)
    assert "fox" not in await dump(evening)


async def test_style_around_the_prompt_stays_after_a_deletion(evening: Evening):
    round_ = await evening.play(style="ink")
    await evening.house.services.member_data.delete(BEN)
    recipe = (await evening.job_of(round_)).recipe
    assert recipe.prompt == f"an ink drawing of {THEME}, paper lanterns, black lines on white paper"
    assert recipe.own_words == f"{THEME}, paper lanterns"


async def test_rounds_go_when_the_servers_time_is_over(evening: Evening):
    round_ = await evening.play()
    await evening.vote(round_, 2, ANN)
    await evening.end_vote(round_)
    evening.clock.now += 91 * DAY
    await evening.house.services.member_data.end_retention()
    for table in ("round", "phrase", "phrase_vote", "picture_vote"):
        assert await query(evening, f"SELECT * FROM {table}") == [], table
    everything = await dump(evening)
    for words in ("lanterns", "fox", "market", str(ANN), str(BEN), str(STARTER)):
        assert words not in everything
    # the numbers of old messages are not used again
    assert (await evening.start()).round_id == round_.round_id + 1


async def test_young_and_running_rounds_stay(quiet_evening: Evening):
    evening = quiet_evening
    await evening.set("retention_days", 1)
    round_ = await evening.start(minutes=1440)
    await evening.add(round_, ANN, "paper lanterns")
    evening.clock.now += DAY - 60
    await evening.house.services.member_data.end_retention()
    state = await evening.rounds.rounds.fetch(round_.round_id, GUILD)
    assert [each.text for each in state.phrases] == ["paper lanterns"]
