"""Login, sync, the gateway's handshake, and the return after a lost connection."""

import asyncio
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import discord
import psutil
import pytest

from playground import Clock, Playground

ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def connect(server):
    """Open a plain gateway connection and wait for HELLO."""
    async with aiohttp.ClientSession() as session, session.ws_connect(server.gateway_url) as socket:
        assert (await socket.receive_json())["op"] == 10
        yield socket


async def test_client_logs_in_and_sees_the_default_guild(server, bot, online):
    async with online(bot):
        guild = bot.guilds[0]
        assert bot.user.id == server.world.bot.id
        assert guild.name == "Playground"
        assert [channel.name for channel in guild.text_channels] == ["general", "art", "staff"]
        assert bot.get_channel(server.channel("art").id).permissions_for(guild.me).attach_files


async def test_wrong_token_is_refused_at_login_with_401(server, bot):
    async with bot:
        with pytest.raises(discord.LoginFailure):
            await bot.login("another-token")
    assert [record.status for record in server.requests("GET /users/@me")] == [401]


async def test_wrong_token_on_the_gateway_closes_with_4004(server):
    async with connect(server) as socket:
        await socket.send_json({"op": 2, "d": {"token": "another", "intents": 0, "properties": {}}})
        await socket.receive()
        assert socket.close_code == 4004


async def test_event_before_identify_closes_with_4003(server):
    async with connect(server) as socket:
        await socket.send_json({"op": 8, "d": {"guild_id": "1"}})
        await socket.receive()
        assert socket.close_code == 4003


async def test_privileged_intent_the_application_lacks_closes_with_4014(server, new_bot):
    server.world.application_flags = 0
    bot = new_bot(discord.Intents(guilds=True, members=True))
    async with bot:
        with pytest.raises(discord.PrivilegedIntentsRequired):
            await bot.start(server.token)


async def test_members_intent_brings_the_members(server, new_bot, online):
    bot = new_bot(discord.Intents(guilds=True, members=True))
    async with online(bot):
        names = {member.name for member in bot.guilds[0].members}
    assert names == {"playground-bot", "owner", "moderator", "member", "newcomer"}


async def test_sync_gives_ids_and_keeps_them_for_unchanged_commands(server, bot, online, on_go):
    on_go(bot, lambda interaction: interaction.response.defer())
    async with online(bot):
        first = server.commands[0]
        synced = await bot.tree.sync()
        assert [command.id for command in synced] == [first.id]
        assert [command.name for command in await bot.tree.fetch_commands()] == ["go"]
        assert server.commands[0].version == first.version


async def test_guild_commands_are_offered_in_their_guild_only(server, bot, online):
    guild_id = next(iter(server.world.guilds))

    @bot.tree.command(description="Here alone.", guild=discord.Object(guild_id))
    async def here(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("hello")

    async with online(bot):
        await bot.tree.sync(guild=discord.Object(guild_id))
        handle = await server.person("member").slash("here", server.channel("general"))
        assert (await handle.wait_answered()).content == "hello"
        assert await bot.tree.fetch_commands() == []


async def test_dropped_client_resumes_and_gets_the_missed_interaction(server, bot, online, on_go):
    on_go(bot, lambda interaction: interaction.response.send_message("made it"))
    async with online(bot):
        await server.drop_gateway(4000)
        handle = await server.person("member").slash("go", server.channel("general"))
        assert not handle.is_acknowledged
        assert (await handle.wait_answered()).content == "made it"
        received = [r.opcode for r in server.log.gateway if r.direction == "received"]
        assert received.count(2) == 1
        assert received.count(6) == 1


async def test_connection_cut_without_a_close_frame_is_resumed(server, bot, online, on_go):
    on_go(bot, lambda interaction: interaction.response.send_message("made it"))
    async with online(bot):
        await server.drop_gateway(None)
        handle = await server.person("member").slash("go", server.channel("general"))
        await handle.wait_answered()


async def test_reconnect_opcode_makes_the_client_resume(server, bot, online, on_go):
    on_go(bot, lambda interaction: interaction.response.send_message("made it"))
    async with online(bot):
        server.gateway.ask_reconnect()
        await server.wait_until(lambda: any(r.event == "RESUMED" for r in server.log.gateway))
        handle = await server.person("member").slash("go", server.channel("general"))
        await handle.wait_answered()


async def test_resume_of_an_unknown_session_is_invalid(server):
    async with connect(server) as socket:
        resume = {"token": server.token, "session_id": "unheard of", "seq": 3}
        await socket.send_json({"op": 6, "d": resume})
        answer = await socket.receive_json()
        assert (answer["op"], answer["d"]) == (9, False)


async def test_session_cannot_be_resumed_after_its_window(server, bot, online):
    async with online(bot):
        session_id = next(iter(server.gateway.sessions))
        await bot.close()
        server.clock.advance(6 * 60)
        async with connect(server) as socket:
            resume = {"token": server.token, "session_id": session_id, "seq": 1}
            await socket.send_json({"op": 6, "d": resume})
            assert (await socket.receive_json())["op"] == 9


async def test_heartbeat_is_acknowledged(server, bot, online):
    server.gateway.heartbeat_interval_ms = 500
    async with online(bot):
        await server.wait_until(
            lambda: sum(r.opcode == 11 and r.direction == "sent" for r in server.log.gateway) == 4
        )
        await asyncio.sleep(0.05)
        assert bot.latency < 0.4  # measured from the last heartbeat, not from an earlier one


async def test_message_events_go_only_where_intents_ask(server, new_bot, online):
    bot = new_bot(discord.Intents(guilds=True, guild_messages=True))
    seen, both_seen = [], asyncio.Event()

    @bot.listen()
    async def on_message(message: discord.Message) -> None:
        seen.append((message.author.name, message.content))
        if len(seen) == 2:
            both_seen.set()

    async with online(bot):
        member = server.person("member")
        await member.send(member.direct_channel, "not asked for")
        await member.send(server.channel("general"), "hidden without the content intent")
        await member.send(server.channel("general"), f"hello <@{bot.user.id}>")
        await asyncio.wait_for(both_seen.wait(), 5)
    assert seen == [("member", ""), ("member", f"hello <@{bot.user.id}>")]


async def test_guild_reads_answer_as_discord_does(server, new_bot, online):
    bot = new_bot(discord.Intents(guilds=True, members=True))
    async with online(bot):
        guild = await bot.fetch_guild(bot.guilds[0].id)
        member_id = server.person("member").id
        assert (await guild.fetch_member(member_id)).display_name == "Mia"
        assert len(await guild.fetch_channels()) == 6
        assert {role.name for role in await guild.fetch_roles()} == {
            "@everyone",
            "Moderators",
            "Bots",
        }
        assert [m.name async for m in guild.fetch_members()].count("owner") == 1
        assert (await bot.fetch_user(member_id)).name == "member"
        assert [g.name async for g in bot.fetch_guilds()] == ["Playground"]
        with pytest.raises(discord.NotFound, match="10004"):
            await bot.fetch_guild(1)


async def test_only_loopback_is_served():
    with pytest.raises(ValueError, match="loopback"):
        Playground(host="0.0.0.0")


async def test_request_under_another_host_name_is_refused(server):
    async with aiohttp.ClientSession() as session:
        headers = {"Host": "example.com"}
        async with session.get(server.url + "/api/v10/gateway", headers=headers) as response:
            assert response.status == 403


async def test_unknown_route_is_404_and_logged(server):
    url = server.api_base + "/nowhere"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 404
        assert response.headers["Content-Type"] == "application/json"
    assert server.requests("GET /nowhere")[0].status == 404


def test_clock_moves_by_advance_alone_when_frozen():
    clock = Clock(frozen=True)
    clock.advance(15 * 60)
    assert clock.now() == 15 * 60


@asynccontextmanager
async def run_playground(*arguments):
    """Run `python -m playground`, and end the process if the test does not."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "playground",
        "--port",
        "0",
        "--token",
        "chosen",
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_command_line_names_what_a_bot_owner_needs_and_ends_with_ctrl_c():
    async with run_playground() as process:
        lines = [(await process.stdout.readline()).decode() for _ in range(4)]
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    printed = "".join(lines)
    assert "/api/v10" in printed
    assert "ws://127.0.0.1:" in printed
    assert "chosen" in printed


# prints its arguments, and starts a child process that would run for ever
CHILD = """
import os, subprocess, sys, time
left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
told = [os.environ[name] for name in ("DISCORD_TOKEN", "DISCORD_API_BASE")]
print(*told, os.getpid(), left.pid, flush=True)
time.sleep(600)
"""


async def test_bot_on_the_command_line_is_given_the_address_and_ends_with_the_playground():
    async with run_playground("--", sys.executable, "-c", CHILD) as process:
        opened = (await process.stdout.readline()).decode().split()[-1]
        token, base, *pids = (await process.stdout.readline()).decode().split()
        assert (token, base) == ("chosen", f"{opened}api/v10")
        assert all(psutil.pid_exists(int(pid)) for pid in pids)
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 20) == 0
        assert not any(is_alive(int(pid)) for pid in pids)


def is_alive(pid):
    """Return whether a process runs. In a container, an orphan may stay as a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_bot_that_ends_by_itself_ends_the_playground_with_its_code():
    async with run_playground("--", sys.executable, "-c", "raise SystemExit(3)") as process:
        _, told = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 3
        assert b"ended with code 3" in told
