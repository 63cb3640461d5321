from __future__ import annotations

from pathlib import Path

import torch

from bot.engine.models.prompt_cache import PromptCache
from bot.engine.runner import ModelRunner
from tests.engine.conftest import STARTER, make_request
from tests.engine.drawing import Pair, find_worst, ignore, load, open_batch, run


def count_keys(unet: torch.nn.Module) -> list[int]:
    """Record how many rows the first layer with a projection of prompts gets at each call."""
    rows: list[int] = []
    part = next(part for part in unet.modules() if isinstance(part, PromptCache)).part
    part.register_forward_pre_hook(lambda _, args: rows.append(len(args[0])))
    return rows


def test_keys_of_a_prompt_are_computed_once_while_nobody_comes_or_goes(tiny_model: Path) -> None:
    batch = open_batch(load(tiny_model))
    rows = count_keys(batch.runner._network)
    first = batch.join(make_request(request_id=1, num_inference_steps=9), ignore)
    for _ in range(4):
        batch.tick()
    assert rows == [6]
    second = batch.join(make_request(request_id=2, num_inference_steps=2), ignore)
    run(batch, [first, second])
    assert rows[1] == 12
    assert len(rows) <= 5, "again only when the rows were others"


def is_forgotten(unet: torch.nn.Module) -> bool:
    parts = [part for part in unet.modules() if isinstance(part, PromptCache)]
    assert parts
    return all(part._asked is None and part._answer is None for part in parts)


def test_nothing_is_kept_of_prompts_while_nobody_draws(tiny_model: Path) -> None:
    batch = open_batch(load(tiny_model))
    unet = batch.runner._network
    run(batch, [batch.join(make_request(), ignore)])
    assert is_forgotten(unet)
    drawing = batch.join(make_request(), ignore)
    batch.tick()
    assert not is_forgotten(unet)
    batch.leave(drawing)
    assert is_forgotten(unet)


def test_prompts_that_are_to_be_forgotten_leave_nothing_and_harm_nobody(tiny_model: Path) -> None:
    pair = Pair(tiny_model)
    request = make_request(request_id=2, num_inference_steps=6)
    for _ in range(2):  # the second time without any cached prompt
        other, drawing = (
            pair.batch.join(make_request(request_id=1, prompt="a car", seeds=(1,)), ignore),
            pair.batch.join(request, ignore),
        )
        pair.batch.tick()
        pair.batch.leave(other)
        pair.batch.forget_prompts()
        assert pair.batch.runner.family.num_prompts == 0
        outcome = run(pair.batch, [drawing])[drawing]
        assert find_worst(outcome.images, pair.draw_alone(request)) <= 1
        [group] = pair.batch._groups
        assert group._slots.conditioning["embeds"].any()
        pair.batch.forget_prompts()
        assert not (group._slots.conditioning["embeds"].any() or group._slots.rings.any())
        assert not group._slots._gathered[1]


def test_nothing_is_kept_of_the_knees_measuring(tiny_model: Path) -> None:
    runner = ModelRunner(load(tiny_model))
    runner.find_knee()
    assert is_forgotten(runner._network)


def test_model_that_is_opened_twice_remembers_once(tiny_model: Path) -> None:
    model = load(tiny_model)
    for _ in range(2):
        ModelRunner(model)
    parts = [part for part in model.pipe.unet.modules() if isinstance(part, PromptCache)]
    assert not any(isinstance(part.part, PromptCache) for part in parts)


def test_prompt_in_the_place_of_another_is_not_drawn_with_its_keys() -> None:
    pair = Pair(STARTER)
    info = pair.info
    size = {"width": info.width, "height": info.height}
    neighbour = make_request(num_inference_steps=50, sampler=info.default_sampler, **size)
    # while this one is drawn, the batch does not forget the other prompts
    drawing = pair.batch.join(neighbour, ignore)
    for prompt, negative in (("dog in autumn leaves", ""), ("a red car", ""), ("a red car", "hat")):
        request = make_request(
            prompt=prompt,
            negative_prompt=negative,
            **size,
            num_inference_steps=3,
            seeds=(1,),  # one picture, so it gets the slot of the picture before
            sampler=info.default_sampler,
        )
        assert find_worst(pair.draw(request).images, pair.draw_alone(request)) <= 1
    assert drawing in pair.batch.drawings
