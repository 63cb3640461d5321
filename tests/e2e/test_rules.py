"""A server's own rules: the commands, and what members and moderators see."""

from __future__ import annotations

import json
import signal

import pytest

from playground import Channel, Playground
from playground.people import Person
from playground.wire.options import ClientRefusedError
from playground.world.files import Upload
from playground.world.permissions import Permission
from tests.e2e.conftest import StartBot
from tests.e2e.lens import Lens
from tests.e2e.test_imagine import has_grid

ONLY_MANAGERS = "Only members with “Manage Server” may do this"


async def say(person: Person, command: str, channel: Channel, **options: object) -> str:
    """Return the text of a private answer."""
    handle = await person.slash(command, channel, **options)
    message = await handle.wait_answered()
    assert message.is_ephemeral, message.text()
    return message.text()


async def test_rule_holds_in_its_server_from_the_next_prompt_on_until_it_is_removed(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    moderator, member = server.person("moderator"), server.person("member")
    art = server.channel("art")
    added = await say(
        moderator, "rules add", art, kind="word", text="kale", exceptions="kale chips"
    )
    assert added == "Added `#1` word “kale” → refuse, but not in “kale chips”."
    assert "“kale”" in await say(member, "imagine", art, prompt="a bowl of k@1e")
    assert await bot.stop(signal.SIGKILL) == -signal.SIGKILL
    bot = await start_bot()
    assert "“kale”" in await say(member, "imagine", art, prompt="kale")
    await (await member.slash("imagine", art, prompt="kale chips")).wait_for(has_grid)
    direct = await member.slash("imagine", member.direct_channel, prompt="kale")
    await direct.wait_for(has_grid)
    choices = await moderator.autocomplete("rules remove", art, "rule", "ka")
    assert choices == [{"name": "#1 kale", "value": "1"}]
    assert "Removed `#1`" in await say(moderator, "rules remove", art, rule="1")
    assert "no such rule" in await say(moderator, "rules remove", art, rule="1")
    await (await member.slash("imagine", art, prompt="a bowl of kale")).wait_for(has_grid)

    assert await bot.stop() == 0
    assert [(row["status"], row["rules_version"]) for row in bot.rows()] == [
        ("refused", 1), ("refused", 1), ("delivered", 1), ("delivered", 0), ("delivered", 2),
    ]  # fmt: skip
    entries = bot.rows("SELECT * FROM audit ORDER BY entry_id")
    assert [(row["action"], row["rule"], row["rules_version"]) for row in entries] == [
        ("rule_added", "kale", 1), ("prompt_refused", "kale", 1), ("prompt_refused", "kale", 1),
        ("rule_removed", "kale", 2),
    ]  # fmt: skip
    assert entries[0]["actor_id"] == moderator.id


async def test_members_cannot_touch_the_rules(server: Playground, start_bot: StartBot):
    bot = await start_bot()
    member, art = server.person("member"), server.channel("art")
    with pytest.raises(ClientRefusedError, match="not offered"):
        await member.slash("rules list", art)
    hidden = member.unchecked
    add = {"kind": "word", "text": "dog", "action": "refuse"}
    assert ONLY_MANAGERS in await say(hidden, "rules add", art, **add)
    assert ONLY_MANAGERS in await say(hidden, "rules remove", art, rule="1")
    assert ONLY_MANAGERS in await say(hidden, "rules import-automod", art)
    for command in ("rules list", "rules export"):
        assert "Only moderators" in await say(hidden, command, art)
    assert "Only moderators" in await say(hidden, "rules test", art, prompt="dog")
    assert "Only moderators" in await say(hidden, "rules preview", art, kind="word", text="dog")
    assert await bot.stop() == 0
    assert bot.rows("SELECT * FROM rule") == []


async def test_a_pattern_that_cannot_be_used_is_refused_with_the_reason(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    text = await say(
        server.person("moderator"), "rules add", server.channel("art"), kind="pattern", text="(?=x)"
    )
    assert "cannot be used" in text
    assert "invalid perl operator" in text
    assert "Nothing was changed" in text
    assert await bot.stop() == 0
    assert bot.rows("SELECT * FROM rule") == []


async def test_exported_rules_can_be_imported_elsewhere(server: Playground, start_bot: StartBot):
    await start_bot()
    moderator, art = server.person("moderator"), server.channel("art")
    await say(moderator, "rules add", art, kind="phrase", text="green kale", action="hold")
    await say(moderator, "rules add", art, kind="pattern", text=r"\bturnips?\b", action="spoiler")
    handle = await moderator.slash("rules export", art)
    [file] = (await handle.wait_for(lambda message: bool(message.attachments))).attachments
    assert file.filename == "rules.json"
    assert [each["text"] for each in json.loads(file.content)["rules"]] == [
        "green kale", r"\bturnips?\b",
    ]  # fmt: skip
    again = Upload("rules.json", file.content)
    assert "already has all 2 rules" in await say(moderator, "rules import", art, file=again)
    more = Upload("more.json", b'{"rules": [{"kind": "word", "text": "leek"}]}')
    assert "Added `#3` word “leek”" in await say(moderator, "rules import", art, file=more)
    bad = Upload("bad.json", b'{"rules": [{"kind": "word"}, {"kind": "pattern", "text": "("}]}')
    text = await say(moderator, "rules import", art, file=bad)
    assert "rule 1: text must be visible" in text
    assert "rule 2: the pattern" in text
    for broken in (b"\xff\xfe\x00", b"[]"):
        text = await say(moderator, "rules import", art, file=Upload("x.json", broken))
        assert "Nothing was changed." in text
    assert "**3 rules**, page 1 of 1" in await say(moderator, "rules list", art)


async def test_a_trial_shows_each_form_and_hit_and_draws_nothing(
    server: Playground, start_bot: StartBot, lens: Lens
):
    lens.learn(["aeveryone"])  # how the prompt is read
    bot = await start_bot(BLOCKED_WORDS="yam")
    moderator, art = server.person("moderator"), server.channel("art")
    await say(moderator, "rules add", art, kind="word", text="kale", exceptions="kale chips")
    await say(moderator, "rules add", art, kind="word", text="leek", action="hold")
    text = await say(moderator, "rules test", art, prompt="k4le, y.a.m @everyone **x**")
    assert text.startswith(("**Refused** by “yam”", "**Refused** by “kale”"))
    assert "• leetspeak: kale" in text
    assert "word “kale” → refuse, but not in “kale chips” (leetspeak)" in text
    assert "word “yam” → refuse (joined letters)" in text
    assert "@everyone" not in text
    assert "**" not in text.split("How it was read")[1]
    text = await say(moderator, "rules test", art, prompt="leek with kale chips")
    assert text.startswith("**Held for a moderator** by “leek”")
    assert "allowed by an exception" in text
    assert "There is no review channel" in text
    assert (await say(moderator, "rules test", art, prompt="dog")).startswith("**Allowed**")
    assert await bot.stop() == 0
    assert bot.rows() == []


async def test_preview_counts_what_a_rule_would_have_met_and_saves_nothing(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    moderator, member, art = server.person("moderator"), server.person("member"), None
    art = server.channel("art")
    for prompt in ("a dog", "two d0gs and a d.o.g", "<@1> hotdog", "cat"):
        await (await member.slash("imagine", art, prompt=prompt)).wait_for(has_grid)
    await (await member.slash("imagine", member.direct_channel, prompt="dog")).wait_for(has_grid)
    text = await say(moderator, "rules preview", art, kind="word", text="dog", action="hold")
    assert "the last 4 stored prompts of this server. **2** would have been held" in text
    assert "two d0gs and a d.o.g" in text
    assert "hotdog" not in text
    assert await bot.stop() == 0
    assert bot.rows("SELECT * FROM rule") == []


AUTOMOD = {
    "id": "7",
    "name": "No vegetables",
    "creator_id": "1",
    "event_type": 1,
    "trigger_type": 1,
    "trigger_metadata": {
        "keyword_filter": ["kale", "green leek", "turnip*", "*"],
        "regex_patterns": ["ya+m", "(?<=x)y"],
        "allow_list": ["turnip greens", "x*"],
    },
    "actions": [{"type": 1, "metadata": {}}],
    "enabled": True,
    "exempt_roles": ["5"],
    "exempt_channels": [],
}


async def test_automod_rules_are_copied_and_what_cannot_be_is_said(
    server: Playground, start_bot: StartBot, lens: Lens
):
    lens.learn([r"\\bturnip[^\s[:punct:]]*"])  # the copy of turnip*
    bot = await start_bot()
    moderator, member = server.person("moderator"), server.person("member")
    art = server.channel("art")
    assert "I need the permission “Manage Server”" in await say(
        moderator, "rules import-automod", art
    )
    guild = next(iter(server.world.guilds.values()))
    guild.automod_rules = [
        {**AUTOMOD, "guild_id": str(guild.id)},
        {**AUTOMOD, "id": "8", "guild_id": str(guild.id), "name": "Spam", "trigger_type": 3,
         "trigger_metadata": {}},
    ]  # fmt: skip
    bots = next(role for role in guild.roles.values() if role.name == "Bots")
    bots.permissions |= int(Permission.MANAGE_GUILD)
    text = await say(moderator, "rules import-automod", art)
    assert text.startswith("Added 4 rules.\nNot copied:")
    for part in ("exempt roles", "allowed words with a", "“Spam”", "invalid perl operator"):
        assert part in text, text
    listed = await say(moderator, "rules list", art)
    assert "phrase “green leek” → refuse" in listed
    assert "but not in “turnip greens”" in listed
    for prompt in ("kale", "turnips", "yaaam"):
        assert "do not allow" in await say(member, "imagine", art, prompt=prompt)
    await (await member.slash("imagine", art, prompt="turnip greens")).wait_for(has_grid)
    assert await bot.stop() == 0


async def test_rules_hold_after_a_restart(server: Playground, start_bot: StartBot):
    bot = await start_bot()
    moderator, member = server.person("moderator"), server.person("member")
    art = server.channel("art")
    await say(moderator, "rules add", art, kind="word", text="kale")
    assert await bot.stop() == 0
    await start_bot()
    assert "“kale”" in await say(member, "imagine", art, prompt="kale")
