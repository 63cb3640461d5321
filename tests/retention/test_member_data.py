"""How long members' data is kept, and the mod log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.jobs import JobStatus, Source
from bot.domain.review import Decision
from bot.errors import StoreError, UserError
from bot.jobs.ports import Hidden, Undeliverable, Unreachable
from bot.ops.backups import RecordWatch
from bot.ops.chores import SomeFailed
from bot.retention.member_data import DAY_SECONDS
from bot.review.mod_log import BATCH, PAUSE_SECONDS, ModLog
from bot.services import list_chores
from bot.store import AuditRepository, Backups
from bot.store.personal_data import PERSONAL
from bot.texts.catalog import ENGLISH
from bot.texts.reasons import own_words, say
from tests.conftest import GUILD, MEMBER, House, OpenHouse

CHANNEL = 88


async def draw(house: House, prompt: str, **origin: object) -> int:
    job = await house.submit(prompt, house.origin(**origin))
    await house.until_status(job, JobStatus.DELIVERED)
    return job.job_id


async def test_words_and_pictures_go_when_their_time_is_over(open_house: OpenHouse):
    async with open_house(blocked_words="kale") as house:
        await house.start()
        await house.services.settings.put(GUILD, "retention_days", 2)
        old = await draw(house, "old dog")
        await house.submit("old kale")
        other = await draw(house, "their dog", guild_id=GUILD + 1)
        house.clock.now += 2 * DAY_SECONDS + 1
        young = await draw(house, "young dog")
        await house.services.member_data.end_retention()
        prompts = {number: (await house.fetch(number)).recipe.prompt for number in (1, 2, 3, 4)}
        assert prompts == {old: "", 2: "", other: "their dog", young: "young dog"}
        folders = [house.services.writer.folder_of(number).exists() for number in (old, young)]
        assert folders == [False, True]
        [entry] = await house.services.audit.search(GUILD)
        assert (entry.action, entry.new_value) == (
            AuditAction.RETENTION_ENDED, '{"audit_rows": 1, "prompts": 2}',
        )  # fmt: skip
        assert (await house.fetch(old)).cost > 0
        assert house.engine.num_forgotten == 1


async def test_what_waits_and_what_the_owner_drew_is_left_alone(quiet_house: House):
    waiting = await quiet_house.submit("waiting")
    quiet_house.clock.now += 1000 * DAY_SECONDS
    await quiet_house.services.member_data.end_retention()
    assert (await quiet_house.fetch(waiting)).recipe.prompt == "waiting"
    assert await quiet_house.services.audit.search(GUILD) == []


@pytest.mark.parametrize("source", Source)
async def test_retention_and_export_ask_who_came_and_not_whether_there_is_an_interaction(
    house: House, source: Source
):
    interaction_id = None if source is Source.ROUND else 5
    number = await draw(house, "dog", source=source, interaction_id=interaction_id)
    is_members = source is not Source.TERMINAL
    exported = await house.services.member_data.export(MEMBER)
    assert [job["job_id"] for job in exported["prompts"]] == [number] * is_members
    house.clock.now += 1000 * DAY_SECONDS
    await house.services.member_data.end_retention()
    assert (await house.fetch(number)).recipe.prompt == ("" if is_members else "dog")


async def test_retention_runs_once_a_day(quiet_house: House):
    keeping, jobs = quiet_house.services.member_data, quiet_house.services.dispatcher
    await keeping.run_daily()
    job = await quiet_house.submit("dog")
    await jobs.cancel(job.job_id)
    quiet_house.clock.now += 91 * DAY_SECONDS
    await keeping.run_daily()
    assert (await quiet_house.fetch(job)).recipe.prompt == ""
    job = await quiet_house.submit("dog")
    await jobs.cancel(job.job_id)
    quiet_house.clock.now += DAY_SECONDS - 1
    await keeping.run_daily()
    assert (await quiet_house.fetch(job)).recipe.prompt == "dog"


async def test_setting_that_cannot_be_read_keeps_no_other_server_waiting(open_house: OpenHouse):
    async with open_house() as house:
        await house.start()
        keeping, other = house.services.member_data, GUILD + 1
        damaged, job = await draw(house, "dog"), await draw(house, "their dog", guild_id=other)
        for guild_id in (GUILD, other):
            await house.services.settings.put(guild_id, "retention_days", 2)
        damage = "UPDATE setting SET value = ? WHERE guild_id = ?"
        await house.database.execute(damage, ('"maybe"', GUILD))
        house.clock.now += 3 * DAY_SECONDS
        with pytest.raises(SomeFailed, match=f"guild {GUILD}$"):
            await keeping.run_daily()
        assert [(await house.fetch(n)).recipe.prompt for n in (damaged, job)] == ["dog", ""]
        await house.database.execute(damage, ("2", GUILD))
        house.clock.now += 3600
        await keeping.run_daily()  # and not only on the next day
        assert (await house.fetch(damaged)).recipe.prompt == ""


async def test_mod_log_that_cannot_be_read_keeps_no_other_waiting(quiet_house: House):
    channel, modlog = await begin_mod_log(quiet_house), quiet_house.services.guilds.modlog
    await quiet_house.services.settings.put(GUILD - 1, "mod_log_channel_id", CHANNEL)
    await quiet_house.database.execute(
        "INSERT INTO meta VALUES (?, '{')", (f"mod_log:{GUILD - 1}",)
    )
    with pytest.raises(SomeFailed, match=f"guild {GUILD - 1}$"):
        await modlog.flush(channel.post)
    assert channel.numbers == [1]


async def test_deleted_member_keeps_their_quota_for_a_day_and_is_then_forgotten(house: House):
    services, clock = house.services, house.clock
    number = await draw(house, "my dog")
    await house.database.execute("UPDATE job SET locale = 'fi'")
    job = await house.fetch(number)
    assert await services.member_data.delete(MEMBER) == (1, 1)
    standing = await services.standing.fetch(job.origin, clock.now)
    assert standing.member_cost == job.cost > 0
    clock.now += DAY_SECONDS - 1
    await services.member_data.end_retention()
    assert (await house.fetch(number)).origin.user_id == MEMBER
    clock.now += 2
    await services.member_data.end_retention()
    forgotten = await house.fetch(number)
    assert (forgotten.origin.user_id, forgotten.origin.channel_id) == (0, None)
    assert forgotten.origin.locale == ENGLISH
    assert forgotten.cost == job.cost


async def test_deletion_without_a_record_of_it_blanks_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    number = await draw(house, "my dog")

    async def full(self: AuditRepository, entry: AuditEntry) -> AuditEntry:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(AuditRepository, "add", full)
    with pytest.raises(StoreError):
        await house.services.member_data.delete(MEMBER)
    assert (await house.fetch(number)).recipe.prompt == "my dog"


class Channel:
    """A mod-log channel. It does not post a message again if it knows the nonce."""

    def __init__(self) -> None:
        self.posted: dict[str, list[int]] = {}
        self.fault: Exception | None = None
        self.loses_answers = False

    async def post(self, channel_id: int, entries: Sequence[AuditEntry], nonce: str) -> None:
        assert (channel_id, len(nonce) <= 25) == (CHANNEL, True)
        if self.fault and not self.loses_answers:
            raise self.fault
        self.posted.setdefault(nonce, [entry.entry_id for entry in entries])
        if self.fault:
            raise self.fault

    @property
    def numbers(self) -> list[int]:
        return [number for batch in self.posted.values() for number in batch]


async def record(house: House, count: int = 1) -> None:
    for _ in range(count):
        await house.services.audit.add(AuditEntry(AuditAction.PAUSED, house.clock.now, GUILD))


async def begin_mod_log(house: House) -> Channel:
    await house.services.settings.change(
        GUILD, "mod_log_channel_id", CHANNEL, actor_id=1, now=house.clock.now
    )
    return Channel()


def restarted(house: House) -> ModLog:
    services = house.services
    return ModLog(services.audit, services.settings, services.meta, house.clock)


async def test_mod_log_begins_with_the_row_that_switched_it_on(quiet_house: House):
    await record(quiet_house, 3)
    channel = await begin_mod_log(quiet_house)
    await record(quiet_house, BATCH + 2)
    for _ in range(3):
        await restarted(quiet_house).flush(channel.post)
    assert channel.numbers == list(range(4, BATCH + 7))
    assert max(map(len, channel.posted.values())) == BATCH


async def test_mod_log_that_was_off_for_a_while_does_not_catch_up(quiet_house: House):
    channel = await begin_mod_log(quiet_house)
    settings, modlog = quiet_house.services.settings, quiet_house.services.guilds.modlog
    await modlog.flush(channel.post)
    await settings.change(GUILD, "mod_log_channel_id", None, actor_id=1, now=1.0)
    await record(quiet_house, 2)
    await modlog.flush(channel.post)
    await begin_mod_log(quiet_house)
    await modlog.flush(channel.post)
    assert channel.numbers == [1, 5]


async def test_row_whose_post_got_no_answer_is_neither_lost_nor_doubled(quiet_house: House):
    channel = await begin_mod_log(quiet_house)
    await record(quiet_house, 2)
    channel.fault, channel.loses_answers = Unreachable("no answer"), True
    await quiet_house.services.guilds.modlog.flush(channel.post)
    await record(quiet_house, 2)  # these rows would join the batch, and Discord would not show them
    channel.fault = None
    for _ in range(2):
        await restarted(quiet_house).flush(channel.post)
    assert channel.numbers == [1, 2, 3, 4, 5]


async def test_closed_channel_is_left_alone_for_a_while_and_loses_nothing(quiet_house: House):
    channel = await begin_mod_log(quiet_house)
    modlog = quiet_house.services.guilds.modlog
    channel.fault = Undeliverable("403")
    await modlog.flush(channel.post)
    channel.fault = None
    await modlog.flush(channel.post)
    assert channel.numbers == []
    quiet_house.clock.now += PAUSE_SECONDS
    await modlog.flush(channel.post)
    assert channel.numbers == [1]


REPORTER, MODERATOR = MEMBER + 1, MEMBER + 2
SAID = {"my dog", "not that", "dream-sampler", "an ugly dog", "I am sorry", "be kind"}


async def dump(house: House) -> dict[str, list[dict[str, Any]]]:
    """Return the whole content of the database."""
    tables = await house.database.fetch_all("SELECT name FROM sqlite_schema WHERE type = 'table'")
    return {
        table["name"]: [
            dict(row) for row in await house.database.fetch_all(f"SELECT * FROM {table['name']}")
        ]
        for table in tables
        if table["name"] in PERSONAL
    }


def find_said(rows: dict[str, list[dict[str, Any]]], said: set[str] = SAID) -> set[str]:
    text = json.dumps(rows, ensure_ascii=False)
    return {word for word in said if word in text}


async def live(house: House) -> None:
    """Fill each table with data of a member, a reporter and a moderator."""
    services = house.services
    for name, value in (("review_channel_id", 4), ("reports_to_hide", 1)):
        await services.settings.put(GUILD, name, value)
    number = await draw(house, "my dog")
    styled = {"own_words": "my dog", "negative_prompt": "not that", "sampler": "dream-sampler"}
    await house.submit("my dog kale", **styled)
    await services.reports.take(number, REPORTER, "an ugly dog", GUILD)
    [case] = house.messenger.cards
    await services.decisions.decide(case.card.card_id, Decision.STRIKE, MODERATOR, GUILD)
    await services.sanctions.suspend(
        GUILD, MEMBER, by=MODERATOR, reason=own_words("be kind"), days=60
    )
    await services.sanctions.appeal(GUILD, MEMBER, "I am sorry")


async def test_export_says_each_reason_as_code_and_fields_and_sentence(open_house: OpenHouse):
    async with open_house(blocked_words="kale") as house:
        await house.start()
        await live(house)
        exported = json.loads(json.dumps(await house.services.member_data.export(MEMBER)))
    assert "an ugly dog" not in json.dumps(exported), "a reporter's words are for moderators"
    rows = [row for name in ("prompts", "decisions", "strikes") for row in exported[name]]
    known = {row["reason"]["code"]: row["reason"] for row in rows if row["reason"] is not None}
    assert known.keys() == {"sampler_unknown", "struck_for_reported", "own_words",
                            "pictures_removed_with_strike"}  # fmt: skip
    assert all(set(each) == {"code", "params", "sentence"} for each in known.values())
    assert known["sampler_unknown"]["sentence"].startswith("There is no such sampler.")
    [suspension] = exported["suspensions"]
    assert suspension["reason"] == {
        "code": "own_words", "params": {"text": "be kind"}, "sentence": "be kind",
    }  # fmt: skip
    assert not any("reason_code" in row for row in exported["suspensions"])


async def test_export_says_nothing_of_the_owners_card(house: House):
    job = await house.until_status(await house.submit(), JobStatus.DELIVERED)
    assert job.engine == "fake engine"
    assert "fake engine" not in json.dumps(await house.services.member_data.export(MEMBER))


async def test_export_has_each_prompt_with_its_own_pictures_and_nobody_elses(house: House):
    mine = [await house.submit(), await house.submit(), await house.submit("")]
    theirs = await house.submit(origin=house.origin(MEMBER + 1))
    for job in (*mine[:2], theirs):
        await house.until_status(job, JobStatus.DELIVERED)
    prompts = (await house.services.member_data.export(MEMBER))["prompts"]
    assert [prompt["job_id"] for prompt in prompts] == [job.job_id for job in mine]
    panels = [[file["panel"] for file in prompt["pictures"]] for prompt in prompts]
    assert panels == [[0, 1, 2, 3], [0, 1, 2, 3], []]
    files = await house.services.jobs.list_pictures(mine[1].job_id)
    assert prompts[1]["pictures"] == [asdict(file) for file in files]


async def test_nothing_of_anybody_is_left_when_the_time_is_over(open_house: OpenHouse):
    async with open_house(blocked_words="kale") as house:
        await house.start()
        await live(house)
        people = {str(number) for number in (MEMBER, REPORTER, MODERATOR)}
        before = await dump(house)
        assert find_said(before, SAID | people) == SAID | people
        house.clock.now += 91 * DAY_SECONDS
        await house.services.member_data.end_retention()
        after = await dump(house)
        assert find_said(after, SAID | people) == set()
        assert {table for table, rows in after.items() if rows} == {
            "job", "setting", "audit", "audit_retention", "meta",
        }  # fmt: skip
        [entry] = after["audit"]
        assert json.loads(entry["new_value"]) == {
            "audit_rows": len(before["audit"]), "prompts": 2, "report": 1, "card": 2,
            "suspension": 1, "strike": 1,
        }  # fmt: skip
        assert sum(job["cost"] for job in after["job"]) == sum(job["cost"] for job in before["job"])


async def test_words_that_a_newer_program_put_into_a_recipe_go_with_the_others(house: House):
    number = await draw(house, "my dog")
    seeds = (await house.fetch(number)).recipe.seeds
    await house.database.execute(
        "UPDATE job SET recipe = json_set(recipe, '$.version', 99, '$.prompt_2', 'an ugly dog')"
    )
    await house.services.member_data.delete(MEMBER)
    assert find_said(await dump(house)) == set()
    recipe = (await house.fetch(number)).recipe
    assert (recipe.version, recipe.seeds, recipe.start) == (99, seeds, None)


async def test_what_still_counts_stays_and_goes_when_it_has_ended(open_house: OpenHouse):
    async with open_house(blocked_words="kale") as house:
        await house.start()
        await house.services.settings.put(GUILD, "retention_days", 2)
        await live(house)
        house.clock.now += 3 * DAY_SECONDS
        await house.services.member_data.end_retention()
        rows = await dump(house)
        assert (len(rows["strike"]), len(rows["suspension"])) == (1, 1)
        assert [card["kind"] for card in rows["card"]] == ["appeal"]
        assert find_said(rows) == {"be kind"}  # the reason, which the member may still read
        assert say((await house.submit("dog")).reason).startswith("You are suspended")
        house.clock.now += 60 * DAY_SECONDS
        await house.services.member_data.end_retention()
        rows = await dump(house)
        assert not (rows["strike"] or rows["suspension"] or rows["card"] or rows["report"])


async def test_member_deletes_every_word_they_wrote(open_house: OpenHouse):
    async with open_house(blocked_words="kale") as house:
        await house.start()
        await live(house)
        await house.services.member_data.delete(REPORTER)
        assert find_said(await dump(house)) == SAID - {"an ugly dog"}
        await house.services.member_data.delete(MEMBER)
        assert find_said(await dump(house)) == {"be kind"}
        assert house.engine.num_forgotten == 2


def read_all(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_deleted_words_leave_every_file_within_a_minute(
    open_house: OpenHouse, tmp_path: Path
):
    async with open_house(blocked_words="kale") as house:
        await house.start()
        await live(house)
        before = read_all(tmp_path)
        assert {words for words in SAID if words.encode() in before} == SAID
        for person in (MEMBER, REPORTER):
            await house.services.member_data.delete(person)
        backups = Backups(house.database, tmp_path)
        watch = RecordWatch(house.database, backups, house.clock)
        chores = {c.name: c for c in list_chores(house.services, backups, watch, Channel().post)}
        chore = chores["deleted_words"]
        assert chore.interval_seconds <= 30
        await chore.run()
        after = read_all(tmp_path)
        assert {words for words in SAID if words.encode() in after} == {"be kind"}


async def test_open_report_of_forgotten_pictures_goes_and_its_card_can_be_pressed(house: House):
    await house.services.settings.put(GUILD, "review_channel_id", 4)
    number = await draw(house, "my dog")
    await house.services.reports.take(number, REPORTER, "an ugly dog", GUILD)
    house.clock.now += 91 * DAY_SECONDS
    await house.services.member_data.end_retention()
    await house.services.decisions.sweep()
    [case] = house.messenger.cards
    await house.services.decisions._review_cards.show(case.card.card_id)
    with pytest.raises(UserError, match="deleted from the database"):
        await house.services.decisions.decide(case.card.card_id, Decision.RESTORE, MODERATOR, GUILD)


async def test_number_of_a_card_that_went_is_not_given_again(open_house: OpenHouse):
    async with open_house() as house:
        await house.start()
        for name, value in (("review_channel_id", 4), ("reports_to_hide", 1)):
            await house.services.settings.put(GUILD, name, value)
        for _ in range(2):
            number = await draw(house, "dog")
            await house.services.reports.take(number, REPORTER, "ugly", GUILD)
            assert Hidden() in house.messenger.updates_of(number)
            house.clock.now += 91 * DAY_SECONDS
            await house.services.member_data.end_retention()
        assert sorted({case.card.card_id for case in house.messenger.cards}) == [1, 2]


async def test_reported_pictures_stay_within_reach_until_a_moderator_has_decided(
    open_house: OpenHouse,
):
    async with open_house() as house:
        await house.start()
        for name, value in (("review_channel_id", 4), ("retention_days", 2)):
            await house.services.settings.put(GUILD, name, value)
        number = await draw(house, "my dog")
        message_id = (await house.fetch(number)).message_id
        house.clock.now += 1.5 * DAY_SECONDS
        await house.services.reports.take(number, REPORTER, "an ugly dog", GUILD)
        house.clock.now += DAY_SECONDS
        for _ in range(2):  # the second call finds nothing
            await house.services.member_data.end_retention()
        job = await house.fetch(number)
        assert (job.recipe.prompt, job.origin.user_id) == ("", MEMBER)
        assert (job.message_id, message_id is not None) == (message_id, True)
        ended = await house.services.audit.search(GUILD, actions=[AuditAction.RETENTION_ENDED])
        assert len(ended) == 1
        [case] = house.messenger.cards
        await house.services.decisions.decide(case.card.card_id, Decision.STRIKE, MODERATOR, GUILD)
        assert house.messenger.updates_of(number)[-1] == Hidden(is_removed=True)
        house.clock.now += 2 * DAY_SECONDS
        await house.services.member_data.end_retention()
        assert (await house.fetch(number)).origin.user_id == 0
