"""With equal weights and seeds, each family draws the pictures of its diffusers pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bot.engine.api import GenerationRequest, ModelSource
from bot.engine.models.checks import check_model
from bot.engine.models.loading import _load_local, load_model
from tests.checkpoints import write_single_file
from tests.engine.conftest import make_request
from tests.engine.drawing import Pair, draw, find_error, find_worst, load, open_batch, run
from tests.engine.test_exactness import paint
from tests.tiny_models import (
    build_tiny_model,
    build_tiny_xl_model,
    build_tiny_xl_pipeline,
    edit_json,
)

TIME_CONDITION = {"time_cond_proj_dim": 16}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("families")


@pytest.fixture(scope="module")
def xl(folder: Path) -> Pair:
    return Pair(build_tiny_xl_model(folder / "xl"), torch.float64)


def assert_exact(pair: Pair, request: GenerationRequest, bound: float = 1e-6) -> None:
    assert find_error(pair.draw_latents(request), pair.draw_latents_alone(request)) <= bound


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"negative_prompt": "hat"},
        {"guidance_scale": 1.0},
        {"sampler": "euler_a"},
        {"sampler": "dpmpp_2m_karras", "num_inference_steps": 7},
        {"width": 48, "height": 24},
        {"clip_skip": 1},
        {"prompt": ""},
    ],
    ids=str,
)
def test_xl_draws_what_its_pipeline_draws(xl: Pair, changes: dict[str, object]) -> None:
    assert_exact(xl, make_request(**{"sampler": "euler", "prompt": "a dog", **changes}))


def test_xl_draws_from_a_picture_what_its_pipeline_draws(xl: Pair) -> None:
    image = paint(xl.info)
    assert_exact(xl, make_request(sampler="ddim", image=image, strength=0.6))


def test_xl_pictures_are_those_of_its_pipeline(folder: Path) -> None:
    pair = Pair(build_tiny_xl_model(folder / "pictures"))
    request = make_request(sampler="euler")
    assert find_worst(pair.draw(request).images, pair.draw_alone(request)) <= 1


def test_xl_without_zeros_for_no_negative_prompt_encodes_the_empty_one(folder: Path) -> None:
    pair = Pair(build_tiny_xl_model(folder / "empty", force_zeros=False), torch.float64)
    assert_exact(pair, make_request(sampler="euler"))


@pytest.mark.parametrize("sampler", ["euler", "ddim", "dpmpp_2m"])
def test_xl_of_velocity_and_zero_snr_draws_what_its_pipeline_draws(
    folder: Path, sampler: str
) -> None:
    path = folder / "velocity"
    if not path.exists():
        build_tiny_xl_model(path, "xl_zero_snr")
    assert_exact(Pair(path, torch.float64), make_request(sampler=sampler), 1e-5)


def test_xl_rows_of_different_people_do_not_mix(xl: Pair) -> None:
    """Requests with other prompts, sizes, guidance and steps join in between; one is cancelled."""
    requests = [
        make_request(request_id=1, sampler="euler", prompt="a dog", num_inference_steps=6),
        make_request(request_id=2, sampler="ddim", prompt="a cat", guidance_scale=3.0, seeds=(7,)),
        make_request(request_id=3, sampler="euler_a", guidance_scale=1.0, seeds=(8, 9)),
        make_request(request_id=4, sampler="euler", prompt="hat", width=48, seeds=(3,)),
    ]
    gone = make_request(request_id=5, sampler="euler", prompt="a car", seeds=(4,))
    xl.decoded.clear()
    drawings = []
    leaving = xl.batch.join(gone, lambda progress: None)
    for request in requests:
        drawings.append(xl.batch.join(request, lambda progress: None))
        xl.batch.tick()
    xl.batch.leave(leaving)
    finished: dict[int, torch.Tensor] = {}
    while len(finished) < len(requests):
        xl.decoded.clear()
        done = [drawing for drawing, _ in xl.batch.tick()]
        finished |= {
            drawing.request.request_id: latents
            for drawing, latents in zip(done, xl.decoded, strict=True)
        }
    for request in requests:
        alone = xl.draw_latents_alone(request)
        assert find_error(finished[request.request_id], alone) <= 1e-6


@pytest.mark.parametrize("build", [build_tiny_model, build_tiny_xl_model])
def test_distilled_model_is_told_its_guidance_and_takes_one_row(
    folder: Path, build: Callable[..., Path]
) -> None:
    path = build(folder / f"lcm {build.__name__}", "lcm", unet=TIME_CONDITION)
    pair = Pair(path, torch.float64)
    assert pair.info.embeds_guidance
    assert pair.info.default_sampler == "lcm"
    assert pair.info.count_rows(8.0) == 1
    rows: list[int] = []
    hook = pair.batch.runner.family.network.register_forward_pre_hook(
        lambda _, args: rows.append(args[0].shape[0])
    )
    for scale in (1.5, 8.0):
        assert_exact(pair, make_request(sampler="lcm", guidance_scale=scale))
    hook.remove()
    assert set(rows) == {3}


@pytest.mark.parametrize("build", [build_tiny_model, build_tiny_xl_model])
def test_long_prompt_is_encoded_in_chunks(folder: Path, build: Callable[..., Path]) -> None:
    """Chunks have 75 tokens. The shorter of prompt and negative prompt gets empty chunks."""
    pair = Pair(build(folder / f"long {build.__name__}", max_tokens=77), torch.float64)
    first, second = " ".join(["dog"] * 75), " ".join(["cat"] * 5)
    request = make_request(sampler="ddim", prompt=f"{first} {second}", negative_prompt="hat")
    encoded = [_encode(pair, text) for text in (first, second, "hat", "")]
    embeds, negative = (
        torch.cat([encoded[n][0], encoded[m][0]], dim=1) for n, m in ((0, 1), (2, 3))
    )
    told = {"prompt_embeds": embeds, "negative_prompt_embeds": negative}
    if encoded[0][1] is not None:
        told |= {
            "pooled_prompt_embeds": encoded[0][1],
            "negative_pooled_prompt_embeds": encoded[2][1],
        }
    pair.pipe.scheduler = pair._make_scheduler("ddim")
    seeds = request.recipe.seeds
    alone = pair.pipe(
        **{name: each.repeat(len(seeds), *[1] * (each.ndim - 1)) for name, each in told.items()},
        num_inference_steps=request.recipe.num_inference_steps,
        guidance_scale=request.recipe.guidance_scale,
        generator=[torch.Generator().manual_seed(seed) for seed in seeds],
        width=request.recipe.width,
        height=request.recipe.height,
        output_type="latent",
    ).images
    assert find_error(pair.draw_latents(request), alone) <= 1e-6


def _encode(pair: Pair, text: str) -> tuple[torch.Tensor, torch.Tensor | None]:
    if "XL" not in type(pair.pipe).__name__:
        return pair.pipe.encode_prompt(text, "cpu", 1, False)[0], None
    embeds, _, pooled, _ = pair.pipe.encode_prompt(
        text, device="cpu", do_classifier_free_guidance=False
    )
    return embeds, pooled


def test_words_beyond_the_last_chunk_are_cut_and_told(folder: Path) -> None:
    path = build_tiny_model(folder / "cut", max_tokens=77)
    batch = open_batch(load(path))
    prompt = " ".join(["dog"] * 300 + ["cat", "hat"])
    drawing = batch.join(make_request(prompt=prompt, num_inference_steps=1), lambda _: None)
    assert run(batch, [drawing])[drawing].cut_words == "cat hat"


def test_chunk_ends_behind_a_whole_word(folder: Path) -> None:
    [encoder] = load(build_tiny_model(folder / "words", max_tokens=77)).family._encoders
    [first, second], _ = encoder._split(" ".join(["dog"] * 74 + ["zzz"]))
    assert first.count(encoder._tokenizer.eos_token_id) == 2, "its end and one place left free"
    assert second[0] == encoder._tokenizer.bos_token_id
    assert second[4] == encoder._tokenizer.eos_token_id
    assert len(first) == len(second) == 77


def test_xl_latents_are_scaled_by_each_channels_statistics_if_it_has_them(folder: Path) -> None:
    path = build_tiny_xl_model(folder / "statistics")
    own = {"latents_mean": [0.3, -0.2, 0.1, 0.5], "latents_std": [0.8, 1.5, 2.0, 0.6]}
    edit_json(path / "vae" / "config.json", **own)
    pair = Pair(path)
    request = make_request(sampler="ddim", image=paint(pair.info), strength=0.6)
    assert find_worst(pair.draw(request).images, pair.draw_alone(request)) <= 1


@pytest.mark.parametrize("force_upcast", [True, False])
def test_xl_vae_that_overflows_in_float16_stays_in_float32(
    folder: Path, force_upcast: bool
) -> None:
    path = build_tiny_xl_model(folder / f"upcast {force_upcast}", force_upcast=force_upcast)
    pipe = _load_local(ModelSource(str(path)), torch.float16).family.pipe
    assert pipe.unet.dtype == pipe.text_encoder_2.dtype == torch.float16
    assert pipe.vae.dtype == (torch.float32 if force_upcast else torch.float16)


def test_xl_in_a_single_file_draws_what_its_folder_draws(folder: Path) -> None:
    """The small files of a folder describe it, because it does not have the full size."""
    config = build_tiny_xl_model(folder / "config")
    path = write_single_file(build_tiny_xl_pipeline(), folder / "xl.safetensors")
    source = ModelSource(str(path), model_config=str(config), device="cpu")
    assert "Stable Diffusion XL" in check_model(source, thorough=True)[0]
    request = make_request(sampler="euler")
    ours = draw(open_batch(load_model(source)), request).images
    assert find_worst(ours, Pair(config).draw_alone(request)) <= 1


def test_doctor_checks_an_xl_folder(folder: Path) -> None:
    path = build_tiny_xl_model(folder / "doctor")
    source = ModelSource(str(path), device="cpu")
    assert "a diffusers folder" in check_model(source, thorough=True)[0]


@pytest.mark.parametrize("build", [build_tiny_model, build_tiny_xl_model])
def test_enlarged_picture_is_drawn_without_its_prompt(
    folder: Path, build: Callable[..., Path]
) -> None:
    """At twice the size, a prompt would draw its subject a second time."""
    model = load(build(folder / f"enlarged {build.__name__}"))
    batch, image = open_batch(model), paint(model.info)
    pictures = [
        draw(
            batch,
            make_request(prompt=p, sampler="ddim", image=image, strength=0.5, may_tile=enlarged),
        ).images
        for p, enlarged in (("a dog", True), ("cat hat", True), ("a dog", False))
    ]
    assert (pictures[0] == pictures[1]).all()
    assert (pictures[0] != pictures[2]).any()
