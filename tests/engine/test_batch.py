from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import bot.engine.runner
import bot.engine.steps.previews
from bot.engine import Progress
from bot.engine.batch import Batch
from bot.engine.models.latent_preview import fit_matrix
from bot.engine.models.stable_diffusion import StableDiffusion
from bot.engine.steps.groups import Drawing
from bot.engine.steps.steppers import Stepper
from bot.engine.steps.transfers import Transfer
from bot.errors import GenerationRejected
from tests.engine.conftest import STARTER, make_request
from tests.engine.drawing import Pair, draw, find_worst, ignore, load, open_batch, run


@pytest.fixture(scope="module")
def batch(tiny_model: Path) -> Batch:
    return open_batch(load(tiny_model))


def count_calls(batch: Batch) -> list[int]:
    """Record the number of rows of every UNet call."""
    rows: list[int] = []
    batch.runner._network.register_forward_pre_hook(lambda _, args: rows.append(args[0].shape[0]))
    return rows


def test_requests_of_one_size_share_every_unet_call(tiny_model: Path) -> None:
    batch = open_batch(load(tiny_model))
    rows = count_calls(batch)
    first = batch.join(make_request(request_id=1, sampler="ddim"), ignore)
    second = batch.join(
        make_request(request_id=2, sampler="euler", guidance_scale=1.0, num_inference_steps=2),
        ignore,
    )
    run(batch, [first, second])
    assert rows == [9, 9, 6, 6]


def test_group_has_no_more_slots_than_its_memory_allows(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = Pair(tiny_model)
    width, height = make_request().recipe.size
    slot_bytes = pair.batch.runner._make_slots(width, height, 1, 77).slot_bytes
    monkeypatch.setattr(bot.engine.runner, "MAX_GROUP_BYTES", 3 * slot_bytes)
    requests = [make_request(request_id=n, sampler="ddim") for n in range(2)]
    drawings = [pair.batch.join(each, ignore) for each in requests]
    assert [group.num_free for group in pair.batch._groups] == [1, 1]
    drawn = run(pair.batch, drawings)
    assert find_worst(drawn[drawings[1]].images, pair.draw_alone(requests[1])) <= 1
    pair.batch.join(make_request(seeds=tuple(range(6))), ignore)
    assert 0 in [group.num_free for group in pair.batch._groups], "one request always fits"


def join(batch: Batch, number: int, num_steps: int, **changes: object) -> Drawing:
    request = make_request(
        request_id=number, sampler="ddim", num_inference_steps=num_steps, **changes
    )
    return batch.join(request, ignore)


def test_newcomer_takes_its_first_steps_before_those_who_are_drawn(tiny_model: Path) -> None:
    batch = open_batch(load(tiny_model), rows=12)
    early = [join(batch, 1, 20), join(batch, 2, 20)]
    for _ in range(5):
        batch.tick()
    late = join(batch, 3, 20)
    assert [drawing.step for drawing in [*early, late]] == [5, 5, 0]
    for _ in range(5):
        batch.tick()
    assert [drawing.step for drawing in [*early, late]] == [10, 7, 3], "now it waits its turn"


def test_equal_requests_are_done_in_the_order_they_came(tiny_model: Path) -> None:
    batch = open_batch(load(tiny_model), rows=12)
    drawings = [join(batch, number, 8) for number in range(4)]
    done: list[Drawing] = []
    while len(done) < 2:
        done += [drawing for drawing, _ in batch.tick()]
    assert done == drawings[:2]
    assert [drawing.step for drawing in drawings[2:]] == [3, 3]
    assert list(run(batch, drawings[2:])) == drawings[2:]


def test_short_request_passes_long_ones_but_not_for_ever(tiny_model: Path) -> None:
    batch = open_batch(load(tiny_model), rows=12)
    long = [join(batch, number, 40) for number in range(2)]
    batch.tick()
    order: list[Drawing] = []
    for number in range(3, 100):
        short = [join(batch, 2 * number + n, 8, seeds=(1, 2, 3)) for n in range(2)]
        while not set(short) <= set(order):
            order += [drawing for drawing, _ in batch.tick()]
        if long[-1] in order:
            break
    assert order[0] not in long
    assert set(long) < set(order), "those who come later are due later"


def test_pictures_of_a_request_larger_than_a_step_go_on_together(tiny_model: Path) -> None:
    batch = open_batch(load(tiny_model), rows=12)
    drawing = join(batch, 1, 4, seeds=tuple(range(9)))
    steps: list[int] = []
    while not drawing.is_done:
        batch.tick()
        steps.append(drawing.step)
    assert steps == [0, 1, 2, 2, 3, 4]


def test_cancelled_request_frees_its_rows_for_the_next_step(tiny_model: Path) -> None:
    batch = open_batch(load(tiny_model))
    rows = count_calls(batch)
    gone = batch.join(make_request(request_id=1), ignore)
    stays = batch.join(make_request(request_id=2, num_inference_steps=2), ignore)
    batch.tick()
    batch.leave(gone)
    run(batch, [stays])
    assert rows == [12, 6, 6]
    assert batch.drawings == []


def test_guidance_ends_after_its_share_of_the_steps(tiny_model: Path) -> None:
    batch = open_batch(load(tiny_model))
    rows = count_calls(batch)
    request = make_request(sampler="ddim", num_inference_steps=5, guidance_until=0.6)
    cut = draw(batch, request)
    assert rows == [6, 6, 6, 3, 3]
    whole = draw(batch, make_request(sampler="ddim", num_inference_steps=5))
    assert not np.array_equal(cut.images, whole.images)


def test_sizes_take_turns_so_that_each_request_gets_its_share(tiny_model: Path) -> None:
    batch = open_batch(load(tiny_model))
    shapes: list[int] = []
    batch.runner._network.register_forward_pre_hook(
        lambda _, args: shapes.append(args[0].shape[-1])
    )
    small = make_request(sampler="ddim", num_inference_steps=24, seeds=(1,))
    large = make_request(request_id=2, sampler="ddim", num_inference_steps=24, seeds=(2,), width=64)
    drawings = [batch.join(small, ignore), batch.join(large, ignore)]
    for _ in range(18):
        batch.tick()
    native, wide = min(shapes), max(shapes)
    assert shapes.count(native) == 2 * shapes.count(wide), "twice the work, half the turns"
    run(batch, drawings)


def test_late_size_does_not_make_up_for_the_time_before_it_came(tiny_model: Path) -> None:
    batch = open_batch(load(tiny_model))
    first = batch.join(make_request(sampler="ddim", num_inference_steps=40, seeds=(1,)), ignore)
    for _ in range(10):
        batch.tick()
    late = make_request(request_id=2, sampler="ddim", num_inference_steps=40, seeds=(2,), width=24)
    second = batch.join(late, ignore)
    for _ in range(10):
        batch.tick()
    assert first.step >= 13
    assert second.step <= 7


def test_each_size_draws_what_the_pipeline_draws_while_others_are_in_flight(
    tiny_model: Path,
) -> None:
    pair = Pair(tiny_model)
    wide = make_request(request_id=1, width=48, height=24)
    native = make_request(request_id=2, sampler="dpmpp_3m")
    drawings = {pair.batch.join(r, ignore): r for r in (wide, native)}
    for drawing, outcome in run(pair.batch, drawings).items():
        assert find_worst(outcome.images, pair.draw_alone(drawings[drawing])) <= 1


def test_seconds_of_a_shared_step_are_shared_by_rows(batch: Batch) -> None:
    three = batch.join(make_request(request_id=1, num_inference_steps=20), ignore)
    one = batch.join(make_request(request_id=2, num_inference_steps=20, seeds=(1,)), ignore)
    joining = three.seconds, one.seconds
    for _ in range(20):
        batch.tick()
    shares = (three.seconds - joining[0], one.seconds - joining[1])
    assert shares[0] == pytest.approx(3 * shares[1])
    batch.leave(three)
    batch.leave(one)


def test_request_that_cannot_be_drawn_leaves_nothing_behind(batch: Batch) -> None:
    with pytest.raises(GenerationRejected):
        batch.join(make_request(sampler="lms"), ignore)
    assert batch.drawings == []


def test_previews_come_every_few_steps_but_not_twice_a_second(tiny_model: Path) -> None:
    now = [0.0]
    whole = open_batch(load(tiny_model))
    batch = Batch(whole.runner, whole.capacity, clock=lambda: now[0])
    seen: list[Progress] = []

    def watch(progress: Progress) -> None:
        seen.append(progress)
        now[0] += 0.2

    draw(batch, make_request(sampler="ddim", num_inference_steps=20), watch)
    with_preview = [p for p in seen if p.preview is not None]
    assert [p.step for p in seen] == list(range(1, 21))
    assert [p.step for p in with_preview] == [3, 9, 15]
    assert {p.preview.shape for p in with_preview if p.preview is not None} == {(3, 16, 16, 3)}
    assert all(p.preview.dtype == np.uint8 for p in with_preview if p.preview is not None)


class SlowTransfer(Transfer):
    """A transfer that is not ready while another size has its turn, as on CUDA."""

    looks = 0

    def is_ready(self) -> bool:
        self.looks += 1
        return self.looks > 1


def test_preview_that_arrives_in_the_turn_of_another_size_is_shown(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.engine.steps.previews, "Transfer", SlowTransfer)
    batch, seen = open_batch(load(tiny_model)), []
    native = make_request(request_id=1, sampler="ddim", num_inference_steps=5, seeds=(1,))
    other = make_request(request_id=2, sampler="ddim", num_inference_steps=20, seeds=(2,), width=24)
    drawings = [batch.join(native, seen.append), batch.join(other, ignore)]
    run(batch, drawings)
    assert [p.step for p in seen if p.preview is not None] == [3]


def test_last_preview_of_the_starter_model_resembles_its_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bot.engine.steps.previews, "PREVIEW_SECONDS", 0.0)
    batch = open_batch(load(STARTER))
    info, previews = batch.runner.info, []
    request = make_request(
        prompt="red apple",
        width=info.width,
        height=info.height,
        num_inference_steps=10,
        guidance_scale=info.guidance_scale,
        sampler=info.default_sampler,
        seeds=(0,),
    )
    output = draw(batch, request, lambda p: previews.append(p.preview))
    last = [preview for preview in previews if preview is not None][-1][0].astype(float)
    side = info.width // last.shape[1]
    picture = output.images[0].reshape(last.shape[0], side, last.shape[1], side, 3).mean((1, 3))
    assert last.shape == (32, 32, 3)
    assert np.corrcoef(last.ravel(), picture.ravel())[0, 1] > 0.9


def test_matrix_is_fitted_to_a_vae_that_nobody_knows(tiny_model: Path) -> None:
    pipe = load(STARTER).pipe  # as if the model had no preview.json
    matrix = StableDiffusion(pipe).find_preview()
    channels = pipe.vae.config.latent_channels
    assert (matrix.weight.shape, matrix.bias.shape) == ((channels, 12), (12,))
    red = torch.zeros(1, 3, 128, 128) + torch.tensor([1.0, -1.0, -1.0])[:, None, None]
    with torch.no_grad():
        latents = pipe.vae.encode(red).latent_dist.mode() * pipe.vae.config.scaling_factor
    r, g, b = matrix.render(latents).float().mean((0, 1, 2))
    assert r > g + 50
    assert r > b + 50


def test_fit_finds_the_matrix_that_made_the_pictures() -> None:
    latents = torch.randn(64, 6, 4, 4)
    weight = torch.randn(6, 12) / 10
    patches = torch.einsum("nchw,cp->nphw", latents, weight) + 0.1
    pictures = torch.nn.functional.pixel_shuffle(patches, 2)
    matrix = fit_matrix(latents, pictures, patch=2)
    assert torch.allclose(matrix.weight, weight, atol=1e-2)
    assert torch.allclose(matrix.bias, torch.tensor(0.1), atol=1e-2)


def test_step_that_is_tried_again_adds_the_same_noise(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = open_batch(load(tiny_model), rows=12)
    request = make_request(sampler="euler_a")
    alone = draw(batch, request).images
    own, faults = Stepper.__call__, [torch.OutOfMemoryError("CUDA out of memory.")]

    def step(self: Stepper, plan: Any) -> None:
        if faults:
            raise faults.pop()
        own(self, plan)

    monkeypatch.setattr(Stepper, "__call__", step)
    again = draw(batch, request).images
    assert not faults
    assert find_worst(again, alone) <= 1
