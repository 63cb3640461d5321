"""How much of a prompt fits, without the model's tokenizer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import UserError
from bot.rounds.prompts import MAX_COMPANY, compose_company, estimate_tokens
from bot.texts.codes import Code
from tests.fakes.engine import INFO, FakeEngine
from tests.rounds.conftest import ANN, BEN, OpenEvening

ROOT = Path(__file__).parents[2]
SMALL = replace(INFO, max_tokens=32, letters_per_token=2.0)  # like the starter model


def test_estimate_is_seldom_too_low_for_the_starter_model():
    from transformers import CLIPTokenizerFast

    from bot.engine.models.prompt_encoder import measure_letters

    tokenizer = CLIPTokenizerFast.from_pretrained(ROOT / "bot" / "starter_model" / "tokenizer")
    letters = measure_letters(tokenizer)
    assert letters == pytest.approx(2.0, abs=0.1)
    lines = (ROOT / "benchmarks" / "harmless" / "english.txt").read_text("utf-8").splitlines()
    texts = [line for line in lines if 0 < len(line) <= 80]
    assert len(texts) > 50
    short = [
        text
        for text in texts
        if estimate_tokens(text, letters * 0.75)
        < len(tokenizer(text, add_special_tokens=False).input_ids)
    ]
    assert len(short) <= len(texts) * 0.1


async def test_model_with_a_short_encoder_gets_what_it_can_read(open_evening: OpenEvening):
    async with open_evening(draws=False, engine=FakeEngine(info=SMALL)) as evening:
        with pytest.raises(UserError) as caught:
            await evening.start("a very long theme about many extraordinary things in one place")
        assert caught.value.reason.code == Code.THEME_NO_ROOM
        round_ = await evening.start("a cat")
        with pytest.raises(UserError) as caught:
            await evening.add(round_, ANN, "extraordinarily complicated architecture everywhere")
        assert caught.value.reason.code == Code.PHRASE_NO_ROOM
        assert 4 <= caught.value.reason.params["count"] <= 8
        for number in range(3):
            await evening.add(round_, 100 + number, f"red ball number {number}")
        await evening.add(round_, BEN, "a dog")
        await evening.end_time(round_)
        prompt = (await evening.job_of(round_)).recipe.prompt
        assert prompt == "a cat, red ball number 0, red ball number 1, a dog"


def test_company_has_the_newest_phrases_and_is_never_long():
    others = [f"{number:03} {'x' * 70}" for number in range(100)]
    company = compose_company("theme", others, "mine")
    assert company.startswith("theme, 0")
    assert company.endswith(f"{others[-1]}, mine")
    assert MAX_COMPANY - 80 < len(company) < MAX_COMPANY + 20
