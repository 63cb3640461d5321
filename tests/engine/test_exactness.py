"""Whatever else is in the batch, a picture equals the one that diffusers draws alone.

`make test` draws each sampler once and a few mixed schedules with tiny models; `make exactness`
sets EXACTNESS=full and draws each sampler in twelve combinations of model, steps, guidance and
origin, and many schedules. Both print the largest differences found (pytest -s).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations, product
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from bot.engine import SAMPLER_IDS, GenerationRequest
from tests.engine.conftest import STARTER, make_request
from tests.engine.drawing import Pair, find_error, find_worst, ignore, load, open_batch
from tests.tiny_models import build_tiny_model, build_tiny_xl_model

FULL = os.environ.get("EXACTNESS") == "full"
STEPS = (1, 2, 3, 7, 13, 37, 50) if FULL else (2, 3, 6)
GUIDANCES = (0.0, 1.0, 5.0, 14.0)
NUM_COMBINATIONS = 12 if FULL else 1
SCHEDULES = 10 if FULL else 2
MODELS = (
    ("starter", "epsilon", "v-prediction", "xl", "xl v-prediction", "xl distilled")
    if FULL
    else ("epsilon", "xl")
)
MIXED = ("epsilon", "v-prediction", "xl") if FULL else ("epsilon", "xl")
FLOAT32 = ("euler", "dpmpp")
"""The samplers that diffusers computes in float32. The others use the sample's own precision."""


@pytest.fixture(scope="module")
def figures() -> Iterator[dict[str, float]]:
    """The largest difference of each kind, printed at the end."""
    worst: dict[str, float] = {}
    yield worst
    for kind, value in sorted(worst.items()):
        sys.stdout.write(f"\n{kind:58} {value:.1e}")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "starter": STARTER,
        "epsilon": build_tiny_model(folder / "epsilon"),
        "v-prediction": build_tiny_model(folder / "v", "zero_snr"),
        "xl": build_tiny_xl_model(folder / "xl"),
        "xl v-prediction": build_tiny_xl_model(folder / "xl v", "xl_zero_snr"),
        "xl distilled": build_tiny_xl_model(
            folder / "distilled", "lcm", unet={"time_cond_proj_dim": 16}
        ),
    }


@pytest.fixture(scope="module")
def pairs(models: dict[str, Path]) -> dict[tuple[str, torch.dtype], Pair]:
    return {
        (name, dtype): Pair(folder, dtype)
        for name, folder in models.items()
        if name in {*MODELS, *MIXED}
        for dtype in (torch.float64, torch.float32)
    }


def note(figures: dict[str, float], kind: str, value: float) -> float:
    figures[kind] = max(figures.get(kind, 0.0), value)
    return value


def describe(sampler: str) -> str:
    return "float32 inside" if sampler.startswith(FLOAT32) else "own precision"


def bound(sampler: str, dtype: torch.dtype, guidance_scale: float) -> float:
    """Return the allowed difference. Guidance multiplies float32 rounding: 1.04e-5 at a scale of
    14.
    """
    if dtype == torch.float32:
        return 1e-3
    if not sampler.startswith(FLOAT32):
        return 1e-9
    return 3e-5 if guidance_scale > 10 else 1e-5


def make(pair: Pair, **changes: Any) -> GenerationRequest:
    info = pair.info
    size = {"width": info.width, "height": info.height, "guidance_scale": info.guidance_scale}
    return make_request(**{**size, "num_inference_steps": 10, **changes})


def paint(info: Any) -> np.ndarray:
    shape = (info.height, info.width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@dataclass(frozen=True)
class Case:
    """One way to draw one picture alone with a sampler."""

    model: str
    sampler: str
    num_inference_steps: int
    guidance_scale: float
    from_picture: bool

    def __str__(self) -> str:
        origin = "picture" if self.from_picture else "text"
        numbers = f"{self.num_inference_steps}-{self.guidance_scale:g}"
        return f"{self.model}-{self.sampler}-{numbers}-{origin}"


def list_cases() -> Iterator[Case]:
    """List cases so that each sampler has each value, and any two values appear together once."""
    for n, sampler in enumerate(SAMPLER_IDS):
        for k in range(n, n + NUM_COMBINATIONS):
            model, steps = MODELS[k % len(MODELS)], STEPS[(n + k) % len(STEPS)]
            guidance = GUIDANCES[(k + k // len(GUIDANCES)) % len(GUIDANCES)]
            # with fewer than two steps and this strength, the pipeline would run no step
            yield Case(model, sampler, steps, guidance, steps > 1 and bool((k // 2 + n) % 2))


def test_cases_have_every_pair_of_values() -> None:
    cases = [*list_cases()]
    assert len(cases) <= 400
    if not FULL:
        assert {case.model for case in cases} == {*MODELS}
        return
    for one, other in combinations(("model", "num_inference_steps", "guidance_scale"), 2):
        values = ({getattr(case, each) for case in cases} for each in (one, other))
        pairs = {(getattr(case, one), getattr(case, other)) for case in cases}
        assert pairs == set(product(*values))
    for name in ("model", "num_inference_steps", "guidance_scale", "from_picture"):
        of_sampler = {(case.sampler, getattr(case, name)) for case in cases}
        values = {getattr(case, name) for case in cases}
        assert len(of_sampler) == len(values) * len(SAMPLER_IDS), name


@pytest.mark.parametrize("case", [*list_cases()], ids=str)
def test_request_alone_is_what_the_pipeline_draws(
    pairs: dict[tuple[str, torch.dtype], Pair], figures: dict[str, float], case: Case
) -> None:
    for dtype in (torch.float64, torch.float32):
        pair = pairs[case.model, dtype]
        if case.sampler not in pair.info.samplers:
            pytest.skip("the model does not offer it")
        request = make(
            pair,
            sampler=case.sampler,
            num_inference_steps=case.num_inference_steps,
            guidance_scale=case.guidance_scale,
            seeds=(5,),
            image=paint(pair.info) if case.from_picture else None,
            strength=0.6,
        )
        error = find_error(pair.draw_latents(request), pair.draw_latents_alone(request))
        note(figures, f"alone, {case.model}, {str(dtype)[6:]}, {describe(case.sampler)}", error)
        assert error <= bound(case.sampler, dtype, case.guidance_scale)


@dataclass(frozen=True)
class Visit:
    """A request: the tick at which it joins, and the tick at which it is cancelled, if any."""

    request: GenerationRequest
    tick: int
    cancelled_after: int | None


def visits(pair: Pair, max_steps: int) -> st.SearchStrategy[list[Visit]]:
    info = pair.info
    requests = st.builds(
        lambda **changes: make(pair, **changes),
        prompt=st.sampled_from(["dog", "a cat on a moon", ""]),
        negative_prompt=st.sampled_from(["", "hat"]),
        sampler=st.sampled_from(info.samplers),
        num_inference_steps=st.integers(2, max_steps),
        guidance_scale=st.sampled_from([0.0, 1.0, 3.0, 7.5]),
        seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3).map(tuple),
        image=st.sampled_from([None, None, paint(info)]),
        strength=st.sampled_from([0.5, 1.0]),
        width=st.sampled_from([info.width, info.width, info.width + info.size_multiple]),
    )
    visit = st.builds(Visit, requests, st.integers(0, 12), st.one_of(st.none(), st.integers(1, 4)))
    return st.lists(visit, min_size=4, max_size=7)


def play(pair: Pair, schedule: list[Visit]) -> dict[int, tuple[torch.Tensor, np.ndarray]]:
    """Let requests join and be cancelled. Return latents and pictures of those that finished."""
    batch, tick = pair.batch, 0
    inside: dict[Any, tuple[int, Visit, int]] = {}
    finished: dict[int, tuple[torch.Tensor, np.ndarray]] = {}
    coming = sorted(enumerate(schedule), key=lambda item: item[1].tick)
    while coming or inside:
        for item in [item for item in coming if item[1].tick <= tick]:
            number, visit = item
            if batch.capacity.fits([d.request.recipe for d in inside], visit.request.recipe):
                inside[batch.join(replace(visit.request, request_id=number), ignore)] = (
                    *item,
                    tick,
                )
                coming.remove(item)
        for drawing, (_, visit, since) in list(inside.items()):
            if visit.cancelled_after is not None and tick - since >= visit.cancelled_after:
                batch.leave(drawing)
                del inside[drawing]
        pair.decoded.clear()
        outcomes = batch.tick()
        for drawing, outcome in outcomes:
            number, _, _ = inside.pop(drawing)
            finished[number] = (pair.decoded.pop(0), outcome.images)
        tick += 1
    return finished


@pytest.mark.parametrize("name", MIXED)
def test_mixed_batch_draws_for_each_what_the_pipeline_draws_alone(
    pairs: dict[tuple[str, torch.dtype], Pair], figures: dict[str, float], name: str
) -> None:
    max_steps = 25 if FULL else 10

    @hypothesis.settings(
        max_examples=SCHEDULES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(visits(pairs[name, torch.float64], max_steps))
    def check(schedule: list[Visit]) -> None:
        for dtype in (torch.float64, torch.float32):
            pair = pairs[name, dtype]
            for number, (latents, images) in play(pair, schedule).items():
                request = schedule[number].request
                error = find_error(latents, pair.draw_latents_alone(request))
                kind = (
                    "float32 inside"
                    if request.recipe.sampler.startswith(FLOAT32)
                    else "own precision"
                )
                note(figures, f"mixed, {name}, {str(dtype)[6:]}, {kind}", error)
                recipe = request.recipe
                assert error <= bound(recipe.sampler, dtype, recipe.guidance_scale), request
                if dtype == torch.float32:
                    worst = find_worst(images, pair.draw_alone(request))
                    note(figures, f"mixed, {name}, grey levels", worst)
                    assert worst <= 2, request

    check()


def test_same_request_twice_alone_is_bit_equal(models: dict[str, Path]) -> None:
    pair = Pair(models["starter"])
    request = make(pair, num_inference_steps=5)
    first, second = pair.draw(request).images, pair.draw(request).images
    assert torch.equal(pair.decoded[0], pair.decoded[1])
    assert np.array_equal(first, second)


def test_deterministic_mode_is_bit_equal_whoever_else_is_in_the_batch(
    models: dict[str, Path],
) -> None:
    pair = Pair(models["starter"], rows=18, deterministic=True)
    request = make(pair, num_inference_steps=5, request_id=1)
    alone = pair.draw(request).images
    stay = make(pair, num_inference_steps=9, sampler="pndm", seeds=(9, 8), request_id=2)
    late = make(pair, num_inference_steps=7, sampler="heun", guidance_scale=1.0, request_id=3)
    finished = play(pair, [Visit(stay, 0, None), Visit(request, 2, None), Visit(late, 4, None)])
    assert np.array_equal(finished[1][1], alone)


def test_request_that_turns_into_not_a_number_leaves_its_neighbours_as_they_were(
    models: dict[str, Path],
) -> None:
    batch = open_batch(load(models["epsilon"]))
    good, bad = (make_request(request_id=n, num_inference_steps=6, seeds=(n,)) for n in (1, 2))
    first = batch.join(good, ignore)
    batch.tick()
    second = batch.join(bad, ignore)
    [group] = batch._groups
    with torch.inference_mode():
        group._slots.rings[second.panels[0].slot, 0] = float("nan")
    outcomes: dict[Any, Any] = {}
    while len(outcomes) < 2:
        outcomes.update(batch.tick())
    assert "not-a-number" in str(outcomes[second])
    pair = Pair(models["epsilon"])
    assert find_worst(outcomes[first].images, pair.draw_alone(good)) <= 1
