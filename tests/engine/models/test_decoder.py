"""The way from the finished latents to uint8 pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from bot.engine.models.decoder import to_uint8
from bot.engine.models.loading import LoadedModel
from bot.engine.runner import DeviceFull
from bot.errors import GenerationFailed
from tests.engine.conftest import make_request
from tests.engine.drawing import draw as draw_alone
from tests.engine.drawing import load, open_batch
from tests.tiny_models import build_tiny_model


@pytest.fixture(scope="module")
def checked_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("checked") / "model", safety_checker=True)


def draw(model: LoadedModel, **changes: Any) -> Any:
    return draw_alone(open_batch(model), make_request(**changes))


@pytest.mark.parametrize(("guidance_scale", "rows"), [(1.0, 3), (0.0, 3), (1.1, 6)])
def test_each_picture_is_one_row_of_the_unet_and_two_with_guidance(
    tiny_model: Path, guidance_scale: float, rows: int
) -> None:
    model, seen = load(tiny_model), set()
    model.pipe.unet.register_forward_pre_hook(lambda _, args: seen.add(args[0].shape[0]))
    draw(model, guidance_scale=guidance_scale)
    assert seen == {rows}


def test_model_without_a_checker_gives_no_verdicts(tiny_model: Path) -> None:
    assert draw(load(tiny_model)).nsfw_content_detected == (None, None, None)


@pytest.mark.parametrize(("threshold", "verdict"), [(-2.0, True), (2.0, False)])
def test_checker_gives_verdicts_and_leaves_the_pictures_alone(
    checked_model: Path, threshold: float, verdict: bool
) -> None:
    model = load(checked_model)
    torch.nn.init.constant_(model.pipe.safety_checker.concept_embeds_weights, threshold)
    output = draw(model)
    assert output.nsfw_content_detected == (verdict,) * 3
    model.pipe.safety_checker = None
    assert np.array_equal(output.images, draw(model).images)


def test_checker_judges_each_picture_by_itself_as_the_pipeline_does(checked_model: Path) -> None:
    model = load(checked_model)
    checker, scores = model.pipe.safety_checker, []
    images = draw(model).images
    for image in images:
        features = model.pipe.feature_extractor(image, return_tensors="pt").pixel_values
        with torch.no_grad():
            pooled = checker.visual_projection(checker.vision_model(features)[1])
            cosines = torch.cosine_similarity(pooled, checker.concept_embeds[:1])
        scores.append(float(cosines[0]))
    threshold = sum(sorted(scores)[1:]) / 2  # between the second and the third
    torch.nn.init.constant_(checker.concept_embeds_weights, threshold)
    torch.nn.init.constant_(checker.special_care_embeds_weights, 2.0)
    output = draw(model)
    expected = tuple(round(score - threshold, 3) > 0 for score in scores)
    assert sum(expected) == 1
    assert output.nsfw_content_detected == expected


def test_picture_that_is_not_a_number_fails_and_never_becomes_black(tiny_model: Path) -> None:
    model = load(tiny_model)
    torch.nn.init.constant_(model.pipe.vae.decoder.conv_out.bias, float("nan"))
    with pytest.raises(GenerationFailed, match="not-a-number"):
        draw(model)


def test_decoder_that_overflows_float16_is_run_again_in_float32(tiny_model: Path) -> None:
    model = load(tiny_model)
    with torch.no_grad():
        model.pipe.vae.decoder.conv_in.weight.mul_(5e4)  # in float32, group norms undo this
    expected = draw(model).images
    model.pipe.to(torch.float16)
    half = draw(model).images
    assert model.pipe.vae.dtype == torch.float16
    assert np.abs(expected.astype(int) - half.astype(int)).mean() < 3


def test_decoder_whose_cast_to_float32_runs_out_of_memory_is_whole_again(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(tiny_model)
    vae = model.pipe.vae
    with torch.no_grad():
        vae.decoder.conv_in.weight.mul_(5e4)
    model.pipe.to(torch.float16)
    cast_whole = vae.to

    def cast(dtype: torch.dtype) -> object:
        if dtype is torch.float16:
            return cast_whole(dtype)
        vae.decoder.conv_in.to(dtype)  # the first part of the VAE
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(vae, "to", cast)
    with pytest.raises(DeviceFull):
        draw(model)
    assert {weights.dtype for weights in vae.parameters()} == {torch.float16}


def test_values_are_rounded_as_diffusers_rounds_them(tiny_model: Path) -> None:
    model = load(tiny_model)
    picture = torch.linspace(-1.2, 1.2, 3 * 32 * 32).reshape(1, 3, 32, 32)
    [image] = model.pipe.image_processor.postprocess(picture)
    assert np.array_equal(to_uint8(picture)[0].numpy(), np.asarray(image))


def note_batches(model: LoadedModel, most: int) -> list[int]:
    """Record how many pictures are decoded at once. More than ``most`` do not fit into memory."""
    sizes: list[int] = []

    def look(_: object, args: tuple[torch.Tensor, ...]) -> None:
        sizes.append(len(args[0]))
        if sizes[-1] > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    model.pipe.vae.decoder.register_forward_pre_hook(look)
    return sizes


def test_many_pictures_are_decoded_a_few_at_a_time(tiny_model: Path) -> None:
    model = load(tiny_model)
    sizes = note_batches(model, most=99)
    assert len(draw(model, seeds=tuple(range(9))).images) == 9
    assert sizes == [4, 4, 1]


def test_pictures_that_do_not_fit_into_memory_together_are_decoded_one_by_one(
    tiny_model: Path,
) -> None:
    model = load(tiny_model)
    expected = draw(model).images
    sizes = note_batches(model, most=1)
    images = draw(model).images
    assert sizes == [3, 1, 1, 1]
    assert np.abs(images.astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize("how", ["start", "decode_singly", "tiled"])
def test_decoding_in_another_stream_waits_for_the_latents_and_keeps_them(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Checks the order of calls on CUDA with a fake stream that records them."""
    decoder = open_batch(load(tiny_model)).runner.family.decoder
    notes: list[str] = []

    class Stream:
        def wait_stream(self, other: object) -> None:
            notes.append(f"wait for {other}")

    @contextmanager
    def enter(stream: object) -> Iterator[None]:
        notes.append("enter")
        yield
        notes.append("leave")

    decoder._stream = cast(Any, Stream())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: "the steps")
    monkeypatch.setattr(torch.cuda, "stream", enter)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda *args: notes.append("keep"))
    decoder._vae.decoder.register_forward_pre_hook(lambda *args: notes.append("decode"))
    latents = torch.zeros(2, 4, 16, 16)
    if how == "start":
        decoder.start(latents)
    else:
        decoder.decode_singly(latents, tiled=how == "tiled")
    assert notes[:4] == ["wait for the steps", "keep", "enter", "decode"]
    assert notes[-1] == "leave"


def test_prompts_that_were_met_before_are_not_encoded_again(tiny_model: Path) -> None:
    model = load(tiny_model)
    batch, calls = open_batch(model), []
    model.pipe.text_encoder.register_forward_pre_hook(lambda _, args: calls.append(len(args[0])))
    for prompt in ("dog", "cat", "dog"):
        draw_alone(batch, make_request(prompt=prompt, num_inference_steps=1))
    assert len(calls) == 3, "dog, cat and the empty negative prompt"
