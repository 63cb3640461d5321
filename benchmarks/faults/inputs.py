"""F12, F13, F14: hostile input, the bot's own requests, and moderation."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, given, seed, settings

from benchmarks import moderation
from benchmarks.faults.bench import Audit, Bench, open_bench
from benchmarks.faults.finding import Measurement, Plan
from benchmarks.faults.uploads import list_hostile_uploads
from playground import InteractionHandle

_AT_ONCE = 50
_CORPUS = (
    "@everyone @here <@1> <@&2> <#3>",
    "](https://example.org) [dog](https://example.org)",
    "**dog** __dog__ ~~dog~~ ||dog|| `dog` ```py\ndog```",
    "# dog\n> dog\n- dog",
    "\u202edog\u202c \u2066dog\u2069 שלום سلام",
    "d" + "\u0301\u0323" * 500 + "og",
    "dog\x00cat\x07\x1b[31m",
    "\ud800dog\udfff",
    "dog " * 1500,
    "a" * 6000,
    "{prompt} %s ${x} '; DROP TABLE job; --",
    "<script>alert(1)</script>",
    "",
    " \u200b\u2060\ufeff ",
    "\U0010ffff\U000e0001\ue000",
)
_NUMBERS = st.one_of(
    st.integers(-(2**53), 2**53).map(str), st.sampled_from(["1e9", "NaN", "٣", "-0", "0x10", ""])
)
_TEXT = st.one_of(
    st.sampled_from(_CORPUS),
    st.text(st.characters(min_codepoint=0, max_codepoint=0x10FFFF), max_size=300),
    st.text(st.sampled_from("@<>#&:!*_`~|[]()\n\u202e\u0301 ew"), max_size=80),
)
_OPTIONS = st.fixed_dictionaries(
    {"prompt": _TEXT},
    optional={
        "negative_prompt": _TEXT,
        "seed": st.one_of(_NUMBERS, _TEXT),
        "size": st.one_of(st.from_regex(r"[0-9]{1,6}[x*, ][0-9]{1,6}", fullmatch=True), _TEXT),
        "steps": st.integers(-(2**53), 2**53),
        "guidance": st.floats(-1e300, 1e300),
        "sampler": _TEXT,
        "preset": _TEXT,
        "style": _TEXT,
    },
)


def list_hostile_options(count: int, number: int) -> list[dict[str, object]]:
    """List hostile options: the whole corpus, and more that Hypothesis makes from this seed."""
    found: list[dict[str, object]] = [{"prompt": text} for text in _CORPUS]

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(_OPTIONS)
    def collect(options: dict[str, object]) -> None:
        found.append(options)

    collect()
    return found[:count]


async def measure_inputs(plan: Plan) -> Measurement:
    """F12: hostile prompts and options. Nobody may be pinged, and no raw error may be shown."""
    hostile = list_hostile_options(plan.pick(40, 300, 10_000), plan.seed)
    uploads = list_hostile_uploads(plan.pick(8, 60, 1_000), plan.seed)
    hostile += [{"prompt": "dog", "image": upload} for upload in uploads]
    pings = raw = silent = 0
    delivered = refused = 0
    async with open_bench(plan, "f12") as bench:
        await bench.start()
        for start in range(0, len(hostile), _AT_ONCE):
            await _ask_all(bench, hostile[start : start + _AT_ONCE])
            await bench.settle(60)
            for handle in bench.handles:
                pings += _count_pings(handle)
                raw += sum(_is_raw(message.text()) for message in handle.messages)
                has_pictures = any(message.attachments for message in handle.messages)
                is_told = handle.is_acknowledged and any(m.text() for m in handle.messages)
                delivered += has_pictures
                refused += is_told and not has_pictures
                silent += not (has_pictures or is_told)
                bench.server.forget(handle)
            bench.handles.clear()
        await bench.stop()
        audit: Audit = bench.audit()
        violations = len(bench.server.contract.violations)
        checked = bench.server.contract.reason is None
    return Measurement(
        figure="F12",
        load=f"{len(hostile) - len(uploads)} hostile inputs: all planes, lone surrogates, "
        "controls, markup, mentions, zalgo, right-to-left, 6,000 characters, wrong numbers; "
        f"and {len(uploads)} uploads: bombs, cut, inflated, disguised, oversized, mutated",
        faults="none",
        result={
            "inputs": len(hostile),
            "delivered": delivered,
            "refused": refused,
            "unanswered": silent,
            "pings": pings,
            "raw_errors": raw,
            "violations": violations if checked else "not checked: no API description",
            "tracebacks": audit.tracebacks,
            "integrity": audit.damage,
        },
        goal="0 pings, 0 raw errors, 0 violations of the API description, all answered",
        holds=pings + raw + silent + violations + audit.tracebacks == 0 and audit.damage == "ok",
    )


async def _ask_all(bench: Bench, hostile: list[dict[str, object]]) -> None:
    person = bench.server.person("member").unchecked
    for options in hostile:
        handle = await person.slash("imagine", bench.server.channel("art"), **options)  # type: ignore[arg-type]
        bench.handles.append(handle)
    for handle in bench.handles:
        try:
            await handle.wait_acknowledged(5.0)
        except TimeoutError:
            continue


def _count_pings(handle: InteractionHandle) -> int:
    author = handle.interaction.user_id
    return sum(
        revision.mentions_everyone
        + len(revision.mentioned_role_ids)
        + sum(user != author for user in revision.mentioned_user_ids)
        for revision in handle.history
    )


def _is_raw(text: str) -> bool:
    return any(word in text for word in ("Traceback", "Exception", "sqlite3", "discord."))


async def measure_contract(plan: Plan) -> Measurement:
    """F13: every request of this run follows Discord's API description. So that more kinds of
    requests are counted, another bot runs first and gives many kinds of answers.
    """
    async with open_bench(plan, "f13") as bench:
        await bench.start(FAKE_STEP_SECONDS="0.05")
        await bench.ask("dog")
        await bench.ask("cat", who="newcomer")
        for command in ("queue", "help", "cancel"):
            person = bench.server.person("member")
            handle = await person.slash(command, bench.server.channel("art"))
            await handle.wait_answered()
        await bench.settle()
        await bench.stop()
    contract = plan.contract
    return Measurement(
        figure="F13",
        load=f"{contract.checked} requests with a body, of all figures of this run",
        faults="those of the other figures",
        result={
            "requests": contract.checked,
            "violations": len(contract.violations),
            **({"first": contract.violations[0]} if contract.violations else {}),
            **({"not_checked": contract.reason} if contract.reason else {}),
        },
        goal="0 violations of Discord's OpenAPI description",
        holds=None if contract.reason else not contract.violations,
    )


async def measure_moderation(plan: Plan) -> Measurement:
    """F14: how many disguised words are found, and how many harmless prompts are stopped."""
    recall, benign = moderation.measure_recall(), moderation.measure_false_positives()
    names = ("recall", "reference_recall", "disguised_prompts", "kinds_of_evasion")
    benign_names = ("false_positive_rate", "reference_false_positive_rate", "benign_prompts")
    result = {name: recall[name] for name in names} | {name: benign[name] for name in benign_names}
    return Measurement(
        figure="F14",
        load="the disguises and the harmless prompts of benchmarks.moderation",
        faults="none",
        result={name: round(value, 4) for name, value in result.items()},
        goal="recall >= 0.9, false positives <= 0.02; the reference is a plain word list",
        holds=recall["recall"] >= 0.9 and benign["false_positive_rate"] <= 0.02,
    )
