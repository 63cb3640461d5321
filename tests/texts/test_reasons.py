"""Reasons are stored as data, not sentences, and each has a sentence."""

from __future__ import annotations

import ast
import json
import pickle
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from bot.domain.jobs import JobStatus, Origin
from bot.domain.recipes import Ask, Recipe, Style
from bot.domain.review import Decision
from bot.domain.rules import Outcome, Verdict
from bot.engine.api import GenerationRequest
from bot.errors import GenerationRejected, StoreError, UserError
from bot.recipes.validate import ParameterLimits, check_ask
from bot.store import Database, JobRepository
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because, describe, find_fields, own_words, recall, say
from bot.texts.sentences import SENTENCES
from tests.conftest import GUILD, MEMBER, FakeCaller, House, OpenHouse
from tests.fakes.engine import FakeEngine

BOT = Path(__file__).resolve().parents[2] / "bot"
MODERATOR, REPORTER = 31, 32
_OF_LISTS = {"known", "channels", "roles", "rules"}
_OF_REASONS = {"why", "last"}
_OF_TEXT = {"text", "name", "path", "fault", "model", "sampler", "parameter", "loaded", "asked"}
_IS_A_SENTENCE = 12  # characters; shorter pieces could come from anywhere


def sample(field: str) -> Any:
    if field in _OF_LISTS:
        return ["one", "two"]
    if field in _OF_REASONS:
        return own_words("That is why.")
    return "some text" if field in _OF_TEXT else 3


def make_sample(code: Code) -> Reason:
    return because(code, **{field: sample(field) for field in find_fields(code)})


def list_texts(code: Code) -> tuple[str, ...]:
    sentence = SENTENCES[code]
    return (sentence.english,) if sentence.many is None else (sentence.english, sentence.many)


def list_pieces() -> set[str]:
    """List the words between the fields of sentences, if they are long enough to recognise."""
    texts = [text for code in Code for text in list_texts(code)]
    pieces = {piece for text in texts for piece, *_ in Formatter().parse(text)}
    return {piece for piece in pieces if len(piece) >= _IS_A_SENTENCE}


def test_every_code_has_a_sentence_and_no_other_has():
    assert set(SENTENCES) == set(Code)


@pytest.mark.parametrize("code", Code)
def test_every_sentence_can_be_said_and_fits_into_a_message(code: Code):
    said = say(make_sample(code))
    assert 0 < len(said) <= 2000
    assert not set("{}") & set(said)
    assert len(list_texts(code)) == 1 or "count" in find_fields(code)


@pytest.mark.parametrize("code", [code for code in Code if len(list_texts(code)) == 2])
def test_one_of_a_thing_is_said_otherwise_than_many(code: Code):
    params = dict(make_sample(code).params)
    one, many = (say(Reason(code, params | {"count": count})) for count in (1, 2))
    assert one.replace("1 ", "2 ") != many


@pytest.mark.parametrize("params", [{}, {"count": 2}, {"count": 2, "last": "x", "first": "y"}])
def test_reason_that_its_sentence_does_not_fit_is_refused_at_once(params: dict[str, Any]):
    with pytest.raises(ValueError, match="strikes names"):
        because(Code.STRIKES, **params)


def test_what_people_wrote_is_no_template():
    nasty = "{steps} {0} %s {"
    assert say(own_words(nasty)) == nasty
    assert say(because(Code.STRIKES, count=2, last=own_words(nasty))).endswith(nasty)


def test_error_says_its_reason_and_keeps_it_on_the_way_out_of_a_worker():
    for kind in (UserError, StoreError, GenerationRejected):
        error = pickle.loads(pickle.dumps(kind(because(Code.UPLOAD_MOVES))))
        assert error.reason == because(Code.UPLOAD_MOVES)
        assert str(error) == say(because(Code.UPLOAD_MOVES))
        assert str(kind("At once.")) == "At once."
        assert kind("At once.").reason == because(Code.UNEXPLAINED)


async def keep(database: Database, reason: Reason) -> Reason | None:
    """Save a reason and return what the database gives back."""
    jobs = JobRepository(database)
    verdict = Verdict(Outcome.HOLD, reason)
    job = await jobs.insert_job(
        Origin(1), Recipe("dog"), now=1.0, cost_estimate=1.0, refusal=reason, verdict=verdict
    )
    assert job is not None
    assert job.held_for == job.reason
    found = await jobs.fetch_job(job.job_id)
    assert found is not None
    assert found.reason == job.reason
    return found.reason


async def test_every_reason_comes_back_from_the_record(quiet_house: House):
    for code in Code:
        assert await keep(quiet_house.database, make_sample(code)) == make_sample(code)


@pytest.mark.parametrize(
    "newer",
    [
        Reason("tired_of_drawing", {"hours": 3}),
        Reason("tired_of_drawing", {"why": Reason("also_new")}),
        Reason("strikes", {"count": 2, "last": "x", "first": "y"}),  # with one field too many
        # with a field of another kind
        Reason("out_of_range", {"parameter": "x", "least": "a", "most": "b"}),
        # too large for a float
        Reason("out_of_range", {"parameter": "x", "least": 0, "most": 10**400}),
    ],
)
async def test_reason_of_a_newer_program_is_said_plainly_and_kept(
    quiet_house: House, newer: Reason
):
    found = await keep(quiet_house.database, newer)
    assert found is not None
    assert say(found).startswith("A newer version of Triptych saved the reason")
    assert found.code == newer.code
    assert await keep(quiet_house.database, found) == found
    known = describe(found)
    assert known is not None
    assert known["code"] == newer.code


def test_reason_within_a_reason_may_be_newer():
    last = {"code": "also_new", "params": {}}
    reason = recall("strikes", {"count": 2, "last": last})
    assert say(reason).startswith("2 strikes. The last one: A newer version")


async def test_no_sentence_is_kept(open_house: OpenHouse):
    def flaw(request: GenerationRequest) -> None:
        if request.recipe.prompt == "large":
            raise GenerationRejected(make_sample(Code.TOO_LARGE_FOR_DEVICE))
        if request.recipe.prompt == "odd":
            raise ValueError("odd")

    async with open_house(FakeEngine(flaw=flaw), blocked_words="kale") as house:
        await house.start()
        await refuse_and_end(house)
        await review_and_punish(house)
        rows = await dump(house.database)
    kept = json.dumps(rows, ensure_ascii=False)
    assert {piece for piece in list_pieces() if piece in kept} == set()
    codes = {row["reason_code"] for name in ("job", "audit", "strike") for row in rows[name]}
    codes |= {row["reason_code"] for row in rows["suspension"]}
    assert codes >= {
        Code.PROMPT_EMPTY, Code.STEPS_OUT_OF_RANGE, Code.RULE_REFUSES, Code.SERVER_PAUSED,
        Code.SETTING, Code.STYLE, Code.CANCELLED, Code.NOT_POSTED, Code.TOO_LARGE_FOR_DEVICE,
        Code.DRAWING_FAILED, Code.MODERATOR_REFUSED, Code.SUSPENDED_FOR_REFUSED, Code.SUSPENDED,
        Code.MODERATOR_LIFTED, Code.STRUCK_FOR_REPORTED, Code.STRIKES, Code.OWN_WORDS,
    }  # fmt: skip
    assert {row["held_code"] for row in rows["job"]} == {"", Code.EVERYTHING_REVIEWED}


async def refuse_and_end(house: House) -> None:
    services = house.services
    await house.submit("")
    await house.submit("kale")
    await house.submit(num_inference_steps=0)
    for value in (True, None):
        await services.settings.change(GUILD, "is_paused", value, actor_id=1, now=1.0)
        job = await house.submit()
    await services.guilds.styles.put(GUILD, Style("noir", before="film noir of"), 1)
    await house.until_status(job, JobStatus.DELIVERED)
    await house.until_status(await house.submit("large"), JobStatus.REFUSED)
    await house.until_status(await house.submit("odd"), JobStatus.FAILED)
    house.messenger.posts = False
    await house.until_status(await house.submit(), JobStatus.UNDELIVERABLE)
    house.messenger.posts = True


async def review_and_punish(house: House) -> None:
    services = house.services
    values = {"review_channel_id": 4, "review_everything": True, "strikes_to_suspend": 2}
    for name, value in values.items():
        await services.settings.put(GUILD, name, value)
    job = await house.submit()
    assert await services.dispatcher.cancel(job.job_id)
    await house.submit()
    [*_, case] = house.messenger.cards
    await services.decisions.decide(case.card.card_id, Decision.SUSPEND, MODERATOR, GUILD)
    await house.submit(caller=FakeCaller())
    lifted = because(Code.MODERATOR_LIFTED)
    await services.sanctions.lift(GUILD, MEMBER, by=MODERATOR, reason=lifted)
    await services.settings.put(GUILD, "review_everything", None)
    shown = await house.until_status(await house.submit(), JobStatus.DELIVERED)
    await services.reports.take(shown.job_id, REPORTER, "ugly", GUILD)
    [*_, case] = house.messenger.cards
    await services.sanctions.strike(GUILD, MEMBER, by=MODERATOR, reason=own_words("rude"))
    await services.decisions.decide(case.card.card_id, Decision.STRIKE, MODERATOR, GUILD)
    await house.until_idle()


async def dump(database: Database) -> dict[str, list[dict[str, Any]]]:
    tables = await database.fetch_all("SELECT name FROM sqlite_schema WHERE type = 'table'")
    return {
        table["name"]: [
            dict(row) for row in await database.fetch_all(f"SELECT * FROM {table['name']}")
        ]
        for table in tables
    }


ROOMS = (
    "jobs",
    "recipes",
    "images",
    "engine",
    "chat/parsing.py",
    "chat/caller.py",
    "cli/terminal.py",
)
MAKE_REASONS = {"because", "_explain_unsaved", "_explain_pixels", "_explain_kind"}
KEPT_ERRORS = {"UserError", "StoreError", "NotInQueueYet", "GenerationRejected"}
SHOWN_AT_ONCE = {
    ("jobs/intake.py", "submit"),  # there is no row
    ("jobs/intake.py", "_answer"),  # the row is tried again
    ("chat/parsing.py", "parse_number"),
    ("recipes/styles.py", "put"),
    ("recipes/styles.py", "remove"),
    ("recipes/styles.py", "_check"),
}
"""The functions whose errors are shown to somebody but never stored."""


def find_sentences() -> set[tuple[str, str]]:
    """Find where errors that may go on record are made from a sentence."""
    found: set[tuple[str, str]] = set()
    for room in ROOMS:
        place = BOT / room
        for path in place.rglob("*.py") if place.is_dir() else [place]:
            tree = ast.parse(path.read_text("utf-8"))
            words = {name for node in tree.body for name in list_worded_names(node)}
            for function in ast.walk(tree):
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                    calls = [node for node in ast.walk(function) if is_worded(node, words)]
                    found |= {(str(path.relative_to(BOT)), function.name) for _ in calls}
    return found


def list_worded_names(node: ast.stmt) -> list[str]:
    """``_GONE = "It is gone."``"""
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.JoinedStr):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def is_worded(node: ast.AST, words: set[str]) -> bool:
    """``UserError("…")``, ``UserError(texts.GONE())``, or of a name that stands for text."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return False
    if node.func.id not in KEPT_ERRORS:
        return False
    said = node.args[0]
    if isinstance(said, ast.Call):
        return ast.unparse(said.func).rpartition(".")[2] not in MAKE_REASONS
    is_text = isinstance(said, ast.Constant | ast.JoinedStr)
    return is_text or (isinstance(said, ast.Name) and said.id in words)


def test_what_may_go_on_record_is_refused_with_a_reason():
    assert find_sentences() == SHOWN_AT_ONCE


def test_refusal_of_a_name_does_not_repeat_it():
    """The name would be stored beside the prompt, in whatever words the member chose."""
    for ask in (Ask("dog", sampler="dream"), Ask("dog", preset="dream")):
        with pytest.raises(UserError) as refused:
            check_ask(ask, ParameterLimits(100, 100, 1024))
        assert "dream" not in json.dumps(describe(refused.value.reason))
