"""Enlarged pictures that are too large for one pass."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from bot.engine import Engine, GenerationRequest
from bot.engine.batch import TILED_SECONDS, Batch
from bot.engine.capacity.tile_plan import count_tiles, must_tile
from bot.engine.models.loading import LoadedModel
from bot.engine.models.tiling import TiledFamily
from bot.errors import GenerationCancelled, GenerationRejected
from tests.engine.conftest import STARTER, make_request
from tests.engine.drawing import draw, ignore, load, open_batch, run
from tests.tiny_models import SIDE

LARGE = 3 * SIDE
FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")


def make_picture(side: int) -> np.ndarray:
    """Make a picture with soft colours across its whole width."""
    down, across = np.mgrid[0:side, 0:side] / side
    return (np.stack([down, across, (down + across) / 2], axis=2) * 255).astype(np.uint8)


def make_upscale(side: int = LARGE, **changes: Any) -> GenerationRequest:
    return make_request(
        **{
            "prompt": "",
            "width": side,
            "height": side,
            "guidance_scale": 1.0,
            "sampler": "ddim",
            "num_inference_steps": 10,
            "seeds": (5,),
            "image": make_picture(side),
            "strength": 0.2,
            "may_tile": True,
            **changes,
        }
    )


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> LoadedModel:
    return load(tiny_model)


@pytest.fixture(scope="module")
def starter() -> LoadedModel:
    return load(STARTER)


@pytest.fixture
def batch(tiny: LoadedModel) -> Batch:
    return open_batch(tiny)


def note_calls(batch: Batch) -> list[tuple[int, int]]:
    """Record the latent size of every UNet call."""
    sizes: list[tuple[int, int]] = []
    batch.runner._network.register_forward_pre_hook(lambda _, args: sizes.append(args[0].shape[2:]))
    return sizes


def draw_untiled(batch: Batch, request: GenerationRequest) -> np.ndarray:
    return draw(batch, make_copy(request, may_tile=False)).images[0].astype(int)


def make_copy(request: GenerationRequest, **changes: Any) -> GenerationRequest:
    start = request.recipe.start
    if "may_tile" in changes:
        start = replace(start, factor=2 if changes.pop("may_tile") else 1)
    image = changes.pop("image", request.image)
    return GenerationRequest(
        request.request_id, replace(request.recipe, start=start, **changes), image
    )


def measure_seams(differences: np.ndarray, side: int, tile: int) -> tuple[float, float]:
    """Return the mean step between neighbouring columns, at the tiles' edges and elsewhere."""
    jumps = np.abs(np.diff(differences, axis=1)).mean(axis=0)
    num_tiles = count_tiles(side, tile)
    starts = [round(n * (side - tile) / (num_tiles - 1)) for n in range(num_tiles)]
    edges = {s for s in starts if s} | {s + tile for s in starts if s + tile < side}
    at_edges = [x for x in range(side - 1) if x + 1 in edges]
    elsewhere = [x for x in range(side - 1) if x + 1 not in edges]
    return float(jumps[at_edges].mean()), float(jumps[elsewhere].mean())


class Predicts:
    """Stands for a family whose network is this function of a tile and its times."""

    def __init__(self, function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        self.guide = None
        self.function = function

    def predict(self, network: None, tile: torch.Tensor, times: torch.Tensor, rows: Any) -> Any:
        return self.function(tile, times)


def cut(function: Any, size: tuple[int, int], tile: tuple[int, int]) -> TiledFamily:
    return TiledFamily(cast(Any, Predicts(function)), size, tile, torch.device("cpu"))


def test_tiles_of_a_prediction_that_looks_at_single_pixels_are_the_whole() -> None:
    latents = torch.randn(2, 3, 23, 40)
    seen: list[tuple[int, ...]] = []

    def predict(tile: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(tile.shape[2:]))
        return tile * 2 + times[:, None, None, None]

    times = torch.tensor([1.0, 2.0])
    noise = cut(predict, (23, 40), (8, 64)).predict(cast(Any, None), latents, times, {})
    torch.testing.assert_close(noise, predict(latents, times))
    assert set(seen[:-1]) == {(8, 40)}, "a side below the native one is not cut"


@pytest.mark.parametrize("side", range(9, 80, 7))
def test_neighbours_share_a_quarter_and_change_hands_without_a_jump(side: int) -> None:
    """Each tile predicts its own number, so the result shows how tiles are blended."""
    numbers = iter(range(100))

    def predict(tile: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        return torch.full_like(tile, next(numbers))

    latents = torch.zeros(1, 1, 8, side)
    noise = cut(predict, (8, side), (8, 8)).predict(cast(Any, None), latents, torch.zeros(1), {})
    line = noise[0, 0, 0]
    assert line[0] == 0 and line[-1] == count_tiles(side, 8) - 1
    assert ((line.diff() >= -1e-5) & (line.diff() <= 0.67)).all()


def test_enlarged_picture_is_tiled_beyond_twice_the_native_side_only(batch: Batch) -> None:
    sizes = note_calls(batch)
    native = SIDE // 2
    for side, seen in ((2 * SIDE, {(2 * native, 2 * native)}), (LARGE, {(native, native)})):
        sizes.clear()
        draw(batch, make_upscale(side))
        assert set(map(tuple, sizes)) == seen
    sizes.clear()
    draw(batch, make_upscale(may_tile=False))
    assert {tuple(size) for size in sizes} == {(3 * native, 3 * native)}, "any other is not"


def test_tiles_leave_no_seam(starter: LoadedModel) -> None:
    """Compared with one pass, differences are not larger at the tiles' edges."""
    side, tile = 4 * starter.info.width, starter.info.width
    request = make_upscale(side, sampler=starter.info.default_sampler)
    batch = open_batch(starter)
    assert must_tile(starter.info, request.recipe)
    tiled = draw(batch, request).images[0].astype(int)
    whole = draw_untiled(batch, request)
    difference = (tiled - whole).mean(axis=2)
    for picture in (difference, difference.T):
        at_edges, elsewhere = measure_seams(picture, side, tile)
        assert at_edges <= 1.5 * elsewhere + 0.2
    assert np.abs(difference).mean() < 12, "it is the same picture"


def test_tiled_picture_is_the_same_every_time_and_another_with_another_seed(batch: Batch) -> None:
    first, again = (draw(batch, make_upscale()).images for _ in range(2))
    other = draw(batch, make_upscale(seeds=(6,))).images
    assert (first == again).all()
    assert (first != other).any()


def test_others_are_drawn_beside_a_tiled_one_as_if_alone(batch: Batch) -> None:
    alone = draw(batch, make_request(sampler="ddim")).images
    drawings = [
        batch.join(make_upscale(request_id=1), ignore),
        batch.join(make_upscale(request_id=2, may_tile=False), ignore),
        batch.join(make_request(request_id=3, sampler="ddim"), ignore),
    ]
    outcomes = run(batch, drawings)
    assert np.abs(outcomes[drawings[2]].images.astype(int) - alone.astype(int)).max() <= 1
    assert {outcome.images.shape[1] for outcome in outcomes.values()} == {SIDE, LARGE}


def test_tiled_request_is_cancelled_within_a_step(
    tiny_model: Path, open_engine: Callable[..., Engine]
) -> None:
    engine = open_engine(tiny_model)
    steps: list[int] = []

    def report(progress: Any) -> None:
        steps.append(progress.step)
        engine.cancel(1)

    future = engine.submit(make_upscale(strength=1.0), report)
    wait([future], 60)
    assert isinstance(future.exception(), GenerationCancelled)
    assert len(steps) == 1


def test_cost_counts_what_tiles_share(tiny: LoadedModel) -> None:
    cost = tiny.cost_model
    untiled = cost.estimate(make_upscale(may_tile=False).recipe)
    assert count_tiles(LARGE, SIDE) == 4
    assert cost.estimate(make_upscale().recipe) == pytest.approx(untiled * 4 * 4 / 9)
    twice = make_upscale(2 * SIDE)
    assert cost.estimate(twice.recipe) == cost.estimate(make_copy(twice, may_tile=False).recipe)


def fail_on_large(part: Any, method: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a part of the model run out of memory above this many pixels or latents a side."""
    own = getattr(part, method)

    def run_out(tensor: torch.Tensor, *args: Any, **rest: Any) -> Any:
        if tensor.shape[-1] > limit:
            raise FULL
        return own(tensor, *args, **rest)

    monkeypatch.setattr(part, method, run_out)


def note_sides(part: torch.nn.Module) -> set[int]:
    """Record the width of every input that a part of the model gets."""
    sides: set[int] = set()
    part.register_forward_pre_hook(lambda _, args: sides.add(args[0].shape[-1]))
    return sides


def test_vae_works_in_tiles_where_the_unet_does(batch: Batch) -> None:
    vae = batch.runner.family.pipe.vae
    encoded, decoded = note_sides(vae.encoder), note_sides(vae.decoder)
    draw(batch, make_upscale())
    assert max(encoded) == SIDE
    assert max(decoded) == SIDE // 2


def test_vae_that_was_configured_for_large_pictures_works_in_tiles_of_the_models_size(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    vae = batch.runner.family.pipe.vae
    monkeypatch.setattr(vae, "tile_sample_min_size", 16 * SIDE)
    monkeypatch.setattr(vae, "tile_latent_min_size", 8 * SIDE)
    encoded, decoded = note_sides(vae.encoder), note_sides(vae.decoder)
    draw(batch, make_upscale())
    assert (max(encoded), max(decoded)) == (SIDE, SIDE // 2)
    assert (vae.tile_sample_min_size, vae.tile_latent_min_size) == (16 * SIDE, 8 * SIDE)


def test_tiles_that_overflow_float16_are_decoded_again_in_tiles(tiny_model: Path) -> None:
    model = load(tiny_model)
    with torch.no_grad():
        model.pipe.vae.decoder.conv_in.weight.mul_(5e4)  # in float32, group norms undo this
    model.pipe.to(torch.float16)
    decoded = note_sides(model.pipe.vae.decoder)
    draw(open_batch(model), make_upscale())
    assert max(decoded) == SIDE // 2


@pytest.mark.parametrize("part", ["unet", "encoder", "decoder"])
def test_enlarged_picture_that_does_not_fit_in_one_pass_is_tiled(
    batch: Batch, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    pipe = batch.runner.family.pipe
    parts = {"unet": pipe.unet, "encoder": pipe.vae.encoder, "decoder": pipe.vae.decoder}
    fail_on_large(parts[part], "forward", SIDE if part == "encoder" else SIDE // 2, monkeypatch)
    request = make_upscale(2 * SIDE)
    assert not must_tile(batch.runner.info, request.recipe)
    output = draw(batch, request)
    assert output.images.shape == (1, 2 * SIDE, 2 * SIDE, 3)
    assert draw(batch, request).images.shape == output.images.shape
    assert not batch.drawings
    assert not pipe.vae.use_tiling


@pytest.mark.parametrize("part", ["unet", "encoder"])
def test_size_that_met_a_full_memory_is_tried_in_one_pass_again_after_an_hour(
    tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    now, parent = [0.0], open_batch(tiny)
    batch = Batch(parent.runner, parent.capacity, clock=lambda: now[0])
    request = make_upscale(2 * SIDE)
    untiled = draw(batch, request).images
    pipe = batch.runner.family.pipe
    with monkeypatch.context() as patched:
        failing, limit = (pipe.unet, SIDE // 2) if part == "unet" else (pipe.vae.encoder, SIDE)
        fail_on_large(failing, "forward", limit, patched)
        tiled = draw(batch, request).images
    now[0] = TILED_SECONDS - 1
    assert (draw(batch, request).images == tiled).all()
    now[0] = TILED_SECONDS
    assert (draw(batch, request).images == untiled).all()
    assert (tiled != untiled).any()


def test_all_who_fit_in_go_over_to_tiles_and_nobody_else_pays(
    tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = open_batch(tiny, rows=12)
    alone = draw(batch, make_request(sampler="ddim")).images
    fail_on_large(batch.runner.family.pipe.unet, "forward", SIDE // 2, monkeypatch)
    requests: list[GenerationRequest] = []
    while batch.capacity.fits(
        [request.recipe for request in requests],
        (upscale := make_upscale(2 * SIDE, seeds=(len(requests),))).recipe,
    ):
        requests.append(upscale)
    assert len(requests) == 6
    drawings = [batch.join(request, ignore) for request in requests]
    outcomes = run(batch, drawings)
    assert [outcome.images.shape[1] for outcome in outcomes.values()] == [2 * SIDE] * 6
    assert batch.capacity.count_rows(SIDE, SIDE) == 12
    assert (draw(batch, make_request(sampler="ddim")).images == alone).all()


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_memory_of_the_pass_that_failed_is_free_when_tiles_are_tried(
    batch: Batch, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    vae = batch.runner.family.pipe.vae
    failing, limit = (vae.encoder, SIDE) if part == "encoder" else (vae.decoder, SIDE // 2)
    own = failing.forward
    held: list[weakref.ref[torch.Tensor]] = []
    is_held: list[bool] = []

    def run_out(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.shape[-1] > limit:
            made = tensor * 2
            held.append(weakref.ref(made))
            raise torch.OutOfMemoryError(*FULL.args)
        is_held.append(held[0]() is not None)
        return own(tensor)

    monkeypatch.setattr(failing, "forward", run_out)
    draw(batch, make_upscale(2 * SIDE))
    assert len(held) == 1 and is_held and not any(is_held)


def test_any_other_picture_that_does_not_fit_is_refused(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_on_large(batch.runner.family.pipe.unet, "forward", SIDE // 2, monkeypatch)
    draw(batch, make_upscale(2 * SIDE))
    with pytest.raises(GenerationRejected, match="does not fit into the memory"):
        draw(batch, make_upscale(2 * SIDE, may_tile=False))
