"""Faults on demand, rate limits, and the check against Discord's own description."""

import io

import aiohttp
import discord
import pytest

from playground import Playground, answer, delay, rate_limited, reset
from playground.api.contract import Contract
from playground.api.router import MAX_REQUEST_BYTES
from playground.world.files import measure_picture

NO_DESCRIPTION = Contract().reason
needs_description = pytest.mark.skipif(NO_DESCRIPTION is not None, reason=NO_DESCRIPTION or "")
SEND = "POST /channels/*/messages"


@pytest.fixture
async def channel(server, bot, online):
    async with online(bot):
        yield bot.get_channel(server.channel("art").id)


async def test_error_answer_strikes_the_chosen_request_alone(server, channel):
    server.fault(SEND, answer(403, 50013, "Missing Permissions"), skip=1)
    await channel.send("passes")
    with pytest.raises(discord.Forbidden):
        await channel.send("struck")
    await channel.send("passes again")
    assert [m.content for m in server.messages(server.channel("art"))] == ["passes", "passes again"]
    assert [r.fault for r in server.requests(SEND)] == [None, "403", None]


async def test_applied_fault_takes_effect_although_the_answer_is_lost(server, channel):
    server.fault(SEND, answer(403, applied=True))
    server.fault(SEND, reset(applied=True), skip=1)
    with pytest.raises(discord.Forbidden):
        await channel.send("one")
    with pytest.raises(aiohttp.ClientError):
        await channel.send("two")
    assert [m.content for m in server.messages(server.channel("art"))] == ["one", "two"]


async def test_reset_cuts_the_connection(server, channel):
    planned = server.fault(SEND, reset(), times=None)
    for _ in range(2):
        with pytest.raises((aiohttp.ClientError, OSError)):
            await channel.send("lost")
    assert planned.struck == 2
    server.faults.clear()
    await channel.send("kept")
    assert [m.content for m in server.messages(server.channel("art"))] == ["kept"]


async def test_rate_limited_client_waits_and_sends_once(server, channel):
    server.fault(SEND, rate_limited(0.05))
    server.fault(SEND, rate_limited(0.05, is_global=True), skip=2)
    await channel.send("a")
    await channel.send("b")
    assert len(server.messages(server.channel("art"))) == 2
    assert [r.status for r in server.requests(SEND)] == [429, 200, 429, 200]


async def test_delay_answers_late_but_truly(server, channel):
    server.fault(lambda record: record.body == {"content": "slow", "tts": False}, delay(0.01))
    server.fault(SEND, delay(0.01))
    await channel.send("slow")
    assert server.requests(SEND)[0].fault == "after 0.01 s"


async def test_gateway_connection_can_be_refused(server, bot):
    server.fault("GET /gateway", answer(503))
    async with bot:
        with pytest.raises((aiohttp.ClientError, AttributeError)):
            await bot.start(server.token)


async def test_client_that_ignores_rate_limits_is_answered_429(server):
    headers = {"Authorization": f"Bot {server.token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        statuses = []
        for _ in range(60):
            async with session.get(server.api_base + "/users/@me") as response:
                statuses.append(response.status)
                assert response.headers["Via"]
                assert response.headers["X-RateLimit-Bucket"]
    assert 429 in statuses
    limited = server.requests("GET /users/@me")[-1]
    assert limited.answer["retry_after"] <= 1


async def test_broken_bodies_are_refused(server):
    url = f"{server.api_base}/channels/{server.channel('art').id}/messages"
    headers = {"Authorization": f"Bot {server.token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for body, status, code in (
            (b"{", 400, 50109),
            (b"[]", 400, 50035),
            (bytes(MAX_REQUEST_BYTES + 1), 413, 40005),
        ):
            async with session.post(url, data=io.BytesIO(body)) as response:
                assert (response.status, (await response.json())["code"]) == (status, code)
        async with session.post(url.replace("/messages", "x/messages"), data=b"{}") as response:
            assert (response.status, (await response.json())["code"]) == (400, 50035)


@needs_description
async def test_contract_holds_for_all_that_the_client_sends(server, channel):
    await channel.send("hello", view=discord.ui.View())
    assert server.contract.reason is None
    assert server.contract.violations == []


@needs_description
@pytest.mark.parametrize(
    ("method", "route", "body", "where"),
    [
        ("PATCH", "/webhooks/{a}/{b}/messages/@original", {"content": "x" * 2001}, "content"),
        (
            "POST",
            "/interactions/{a}/{b}/callback",
            {
                "type": 4,
                "data": {
                    "components": [
                        {
                            "type": 1,
                            "components": [
                                {"type": 2, "style": 1, "label": "x", "custom_id": "x" * 101}
                            ],
                        }
                    ]
                },
            },
            "data/components/0/components/0/custom_id",
        ),
        (
            "POST",
            "/channels/{a}/messages",
            {"attachments": [{"id": 0, "description": "x" * 1025}]},
            "attachments/0/description",
        ),
        (
            "POST",
            "/interactions/{a}/{b}/callback",
            {"type": 8, "data": {"choices": [{"name": "x", "value": "x"}] * 26}},
            "data/choices",
        ),
        (
            "PUT",
            "/applications/{a}/commands",
            [{"name": "x", "description": "x" * 101}],
            "0/description",
        ),
        (
            "POST",
            "/interactions/{a}/{b}/callback",
            {"type": 9, "data": {"custom_id": "x", "title": "x" * 46, "components": []}},
            "data",
        ),
    ],
)
def test_contract_names_what_discord_would_not_take(method, route, body, where):
    contract = Contract()
    problems = contract.check(method, route, body)
    assert any(problem.startswith(where) for problem in problems), problems
    assert [v.problem for v in contract.violations] == problems


@needs_description
def test_contract_takes_attachment_ids_as_numbers():
    body = {"attachments": [{"id": 0, "filename": "a.png"}]}
    assert Contract().check("POST", "/channels/{id}/messages", body) == []


async def test_missing_description_is_told_and_checks_nothing(tmp_path):
    server = Playground(contract=Contract(tmp_path / "none.json"))
    assert "no OpenAPI description" in server.contract.reason
    assert server.contract.check("POST", "/channels/{id}/messages", {"content": 3}) == []


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x06\x00\x00\x00\x02\x00", (1536, 512)),
        (b"GIF89a\x10\x00\x08\x00", (16, 8)),
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x00\x08\x00\x10\x03", (16, 8)),
        (b"\xff\xd8\xff", None),
        (b"text", None),
    ],
)
def test_pictures_are_measured_by_their_header(content, size):
    assert measure_picture(content) == size
