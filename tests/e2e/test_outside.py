"""What systemd, Prometheus and a moderator see of the running bot."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from pathlib import Path

import aiohttp

from playground import ClientRefusedError, Message, Playground
from tests.e2e.conftest import TOKEN, StartBot


def has_grid(message: Message) -> bool:
    return bool(message.attachments)


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def test_supervisor_hears_ready_beats_and_stopping(
    server: Playground, start_bot: StartBot, tmp_path: Path
):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        listening.setblocking(False)
        heard: list[str] = []

        async def listen() -> None:
            while True:
                told = await asyncio.get_running_loop().sock_recv(listening, 1000)
                heard.extend(told.decode().splitlines())

        listener = asyncio.create_task(listen())
        bot = await start_bot(NOTIFY_SOCKET=path, WATCHDOG_USEC="600000")
        async with asyncio.timeout(10):
            while "READY=1" not in heard:  # noqa: ASYNC110 - another process tells
                await asyncio.sleep(0.1)
        assert await bot.stop() == 0
        listener.cancel()
    assert heard.count("WATCHDOG=1") >= 3
    assert heard.index("READY=1") < heard.index("STOPPING=1")


async def test_metrics_and_health_on_loopback(server: Playground, start_bot: StartBot):
    port = find_free_port()
    await start_bot(MONITOR_PORT=str(port))
    handle = await server.person("member").slash("imagine", server.channel("art"), prompt="dog")
    await handle.wait_for(has_grid)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        status, answer = 0, None
        async with asyncio.timeout(20):
            while status != 200:  # discord.py waits for guilds before it calls itself ready
                await asyncio.sleep(0.1)
                async with session.get("/healthz") as response:
                    status, answer = response.status, await response.json()
        assert answer == {"ok": True, "faults": []}
        async with session.get("/metrics") as response:
            text = await response.text()
        assert 'triptych_jobs{status="delivered"} 1.0' in text
        assert "process_resident_memory_bytes" in text
        for chore in (
            *("backup", "picture_files", "retention", "deleted_words"),
            *("review", "mod_log", "record_watch"),
        ):
            assert f'triptych_chore_failures_total{{chore="{chore}"}} 0.0' in text


async def test_json_log_follows_a_job_and_holds_no_token(server: Playground, start_bot: StartBot):
    bot = await start_bot(LOG_FORMAT="json", LOG_LEVEL="DEBUG")
    handle = await server.person("member").slash("imagine", server.channel("art"), prompt="dog")
    await handle.wait_for(has_grid)
    assert await bot.stop() == 0
    lines = [json.loads(line) for line in bot.log.splitlines()]
    told = " ".join(line["message"] for line in lines if line.get("job_id") == 1)
    for word in ("queued", "begins", "delivered"):
        assert word in told
    assert TOKEN not in bot.log
    assert handle.interaction.token not in bot.log


async def test_files_of_the_bot_are_for_its_owner_alone(server: Playground, start_bot: StartBot):
    bot = await start_bot()
    handle = await server.person("member").slash("imagine", server.channel("art"), prompt="dog")
    await handle.wait_for(has_grid)
    assert await bot.stop() == 0
    for path in (bot.data_dir, *bot.data_dir.rglob("*")):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


async def test_moderator_sees_how_triptych_is_and_a_member_does_not(
    server: Playground, start_bot: StartBot
):
    await start_bot()
    art = server.channel("art")
    answer = await (await server.person("moderator").slash("status", art)).wait_answered()
    assert answer.is_ephemeral
    for word in ("waiting", "**Engine**: up"):
        assert word in answer.text()
    member = server.person("member")
    refused = await (await member.unchecked.slash("status", art)).wait_answered()
    assert "Manage Messages" in refused.text()
    try:
        await member.slash("status", art)
    except ClientRefusedError:
        return
    raise AssertionError("the command is offered to members")
