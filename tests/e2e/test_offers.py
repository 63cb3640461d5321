"""Where Discord offers each command, and the answer to people who try it elsewhere."""

from __future__ import annotations

import pytest

from playground import Channel, Member, Playground, add_channel, add_guild, add_role, add_user
from playground.people import Person
from playground.wire.options import ClientRefusedError
from playground.world.permissions import MODERATOR_PERMISSIONS, Permission
from tests.e2e.conftest import StartBot
from tests.e2e.test_imagine import has_grid
from tests.e2e.test_rules import say
from tests.texts.catalogues import PSEUDO, SUFFIX, disguise

MESSAGES, SERVER = str(int(Permission.MANAGE_MESSAGES)), str(int(Permission.MANAGE_GUILD))
ANYWHERE = ([0, 1, 2], [0, 1], None)
OFFERED = {
    "imagine": ANYWHERE,
    "edit": ANYWHERE,
    "gallery": ANYWHERE,
    "recipe": ANYWHERE,
    "queue": ANYWHERE,
    "models": ANYWHERE,
    "cancel": ANYWHERE,
    "help": ANYWHERE,
    "privacy": ANYWHERE,
    "Recipe": ANYWHERE,
    "Remix": ANYWHERE,
    "Report picture": ([0], [0], None),
    "together": ([0], [0], None),
    "style": ([0], [0], SERVER),
    "settings": ([0], [0], SERVER),
    "strike": ([0], [0], MESSAGES),
    "suspend": ([0], [0], MESSAGES),
    "unsuspend": ([0], [0], MESSAGES),
    "rules": ([0], [0], MESSAGES),
    "pause": ([0], [0], MESSAGES),
    "resume": ([0], [0], MESSAGES),
    "audit": ([0], [0], MESSAGES),
    "status": ([0], [0], MESSAGES),
}
"""For each command: its contexts (servers, direct messages, others), its installs (server, person),
and the permission that it needs.
"""

FOR_SERVERS = {
    "status": {},
    "pause": {},
    "resume": {},
    "settings": {},
    "audit search": {},
    "audit export": {},
    "rules list": {},
    "rules export": {},
    "style list": {},
    "together start": {"theme": "mine"},
    "together history": {},
    "style save": {"name": "mine"},
}


@pytest.fixture
def stranger(server: Playground) -> Person:
    """A person who has installed Triptych for themselves, and owns a server without it."""
    user = add_user(server.world, "stranger")
    add_channel(server.world, add_guild(server.world, "Elsewhere", owner=user), "den")
    return server.person("stranger")


@pytest.fixture
def den(server: Playground, stranger: Person) -> Channel:
    return server.channel("den")


async def test_each_command_is_synced_with_places_of_its_own(
    server: Playground, start_bot: StartBot
):
    await start_bot()
    [sync] = server.requests("PUT /applications/*/commands")
    found = {
        each["name"]: (
            each["contexts"],
            each["integration_types"],
            each["default_member_permissions"] and str(each["default_member_permissions"]),
        )
        for each in sync.body
    }
    assert found == OFFERED


async def test_commands_are_synced_in_the_languages_of_the_catalogues(
    server: Playground, start_bot: StartBot
):
    """The ``Lens`` checks that none of their names and descriptions is left out."""
    await start_bot()
    kept = {each.name: each.definition for each in server.commands}
    assert kept.keys() == OFFERED.keys()
    for name in ("imagine", "Report picture"):
        assert kept[name]["name_localizations"] == {PSEUDO: f"{name}-{SUFFIX}"}
    imagine = kept["imagine"]
    assert imagine["description_localizations"] == {PSEUDO: disguise(imagine["description"])}
    [prompt] = [option for option in imagine["options"] if option["name"] == "prompt"]
    assert prompt["name_localizations"] == {PSEUDO: f"prompt-{SUFFIX}"}


async def test_stranger_with_an_install_of_their_own_sees_nothing_of_others(
    server: Playground, start_bot: StartBot, stranger: Person, den: Channel
):
    await start_bot(FAKE_PICTURE_CHECK="0.1", FAKE_STEP_SECONDS="0.1")
    art = server.channel("art")
    await (await server.person("member").slash("imagine", art, prompt="dog", steps=100)).wait_for(
        lambda message: "Drawing" in message.text()
    )
    for channel in (den, stranger.direct_channel):
        for command, options in FOR_SERVERS.items():
            with pytest.raises(ClientRefusedError):
                await stranger.slash(command, channel, **options)
            answer = await say(stranger.unchecked, command, channel, **options)
            assert "works only in servers that have added Triptych" in answer, command
        queue = await say(stranger, "queue", channel)
        assert "In this server" not in queue or "0 prompts in the queue, 0 being drawn." in queue
    assert "0 prompts in the queue, 1 being drawn" in await say(
        server.person("member"), "queue", art
    )


async def test_status_tells_a_server_its_own_and_the_owner_of_the_application_the_rest(
    server: Playground, start_bot: StartBot
):
    await start_bot(FAKE_STEP_SECONDS="0.1")
    busy = server.person("newcomer")
    other = add_guild(server.world, "Other", owner=busy.user)
    room = add_channel(server.world, other, "room")
    drawn = await busy.slash("imagine", room, prompt="cat", steps=100)
    await drawn.wait_for(lambda message: "Drawing" in message.text())
    art = server.channel("art")
    told = await say(server.person("moderator"), "status", art)
    assert "**This server**: 0 waiting, 0 being drawn. Nothing was drawn in the last hour" in told
    assert "**Engine**: up" in told
    for word in ("MiB", "warnings**", "Refused", "fake model", "cpu", "1 being", "chores"):
        assert word not in told
    whole = await say(server.person("owner"), "status", art)  # of the application, too
    assert "**All servers**: 0 waiting, 1 being drawn. Wait in the last hour: median" in whole
    for word in ("fake model on cpu", "MiB", "Refused by Discord", "Last warnings", "no faults"):
        assert word in whole


async def test_moderator_of_a_server_that_only_people_brought_it_to_deletes_nothing(
    server: Playground, start_bot: StartBot, stranger: Person, den: Channel
):
    bot = await start_bot()
    member = server.person("member")
    assert den.guild_id is not None
    server.world.guilds[den.guild_id].members[member.id] = Member(member.user)
    drawn = await member.slash("imagine", den, prompt="dog")
    grid = await drawn.wait_for(has_grid)
    more = await (await member.press(grid, grid.button("⋯").custom_id or "")).wait_answered()
    delete = more.button("Delete the pictures").custom_id or ""
    pressed = await stranger.unchecked.press(more, delete)
    await pressed.wait_for(lambda message: "Only the member who asked" in message.text())
    assert (bot.data_dir / "pictures" / "1" / "grid.png").is_file()


async def test_panel_of_a_server_that_has_removed_the_bot_changes_nothing(
    server: Playground, start_bot: StartBot
):
    await start_bot()
    owner, art = server.person("owner"), server.channel("art")
    panel = await (await owner.slash("settings", art)).wait_answered()
    assert art.guild_id is not None
    guild = server.world.guilds[art.guild_id]
    role = add_role(server.world, guild, "Deputies", MODERATOR_PERMISSIONS)
    del guild.members[server.world.bot.id]
    pressed = await owner.select(panel, "v1:settings:people.moderator_role_ids", [role])
    answer = await pressed.wait_for(lambda message: "Manage Server" in message.content)
    assert "Nothing was changed" in answer.content


async def test_team_runs_the_application_together_and_who_is_only_invited_does_not(
    server: Playground, start_bot: StartBot
):
    server.world.application_team = [
        (server.person("moderator").user, 2),
        (server.person("member").user, 1),
    ]
    await start_bot()
    art = server.channel("art")
    assert "MiB" in await say(server.person("moderator"), "status", art)
    assert "Only moderators" in await say(server.person("member").unchecked, "status", art)
    assert "MiB" not in await say(server.person("owner"), "status", art)
