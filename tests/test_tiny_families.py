"""The tiny models load in their families' own pipelines and answer to what is asked of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    FlowMatchHeunDiscreteScheduler,
    FlowMatchLCMScheduler,
    UniPCMultistepScheduler,
)
from PIL import Image
from safetensors.torch import load_file

from tests.tiny_families import FAMILIES, draw_alone, load_alone, make_tiny
from tests.tiny_families.tokenizers import build_qwen_tokenizer

PROMPT = "a dog in the leaves"

FLOW = {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 3.0}
OTHERS: dict[str, Callable[[], Any]] = {
    "heun": lambda: FlowMatchHeunDiscreteScheduler(shift=3.0),
    "lcm": lambda: FlowMatchLCMScheduler(shift=3.0),
    "dpmpp_2m": lambda: DPMSolverMultistepScheduler(**FLOW),
    "unipc": lambda: UniPCMultistepScheduler(**FLOW),
}


@pytest.fixture(scope="module", autouse=True)
def one_torch_thread() -> None:
    """Two threads on two busy cores wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def load(tiny_family: Callable[[str], Path]) -> Callable[[str], Any]:
    """Return a function that loads a family's pipeline in float32, once."""
    return cache(lambda name: load_alone(tiny_family(name), torch.float32))


def draw(model: Any, prompt: str = PROMPT, **recipe: Any) -> tuple[torch.Tensor, np.ndarray]:
    recipe = {"steps": 2, "negative_prompt": "blurry", "width": 96, **recipe}
    return draw_alone(model, prompt=prompt, **recipe)


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_draws_what_is_asked(name: str, load: Callable[[str], Any]) -> None:
    pipe = load(name)
    latents, picture = draw(pipe)
    assert picture.shape == (64, 96, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 20
    grids = {"flux2": (1, 16, 4, 6), "sana": (1, 4, 2, 3)}
    assert latents.shape == grids.get(name, (1, 4, 8, 12))
    assert torch.equal(draw(pipe)[0], latents)
    others = {
        "prompt": draw(pipe, "two boats wait in the rain"),
        "guidance": draw(pipe, guidance=2.0),
        "negative prompt": draw(pipe, negative_prompt="too dark"),
        "seed": draw(pipe, seed=1),
    }
    same = {what for what, other in others.items() if np.array_equal(other[1], picture)}
    expected = {"negative prompt"} if name in {"flux", "flux_schnell"} else set()
    assert same == expected | ({"guidance"} if name == "flux_schnell" else set())


@pytest.mark.parametrize("name", ["z_image", "sana"])  # the others draw other noise in float64
def test_float64_draws_nearly_the_same_as_float32_from_the_same_noise(
    name: str, load: Callable[[str], Any], tiny_family: Callable[[str], Path]
) -> None:
    pipe = load(name)
    alone = draw_alone(
        tiny_family(name), prompt=PROMPT, negative_prompt="blurry", steps=2, width=96
    )[0]
    torch.testing.assert_close(alone, draw(pipe)[0], atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", FAMILIES)
def test_no_weight_is_zero(name: str, tiny_family: Callable[[str], Path]) -> None:
    for path in tiny_family(name).rglob("*.safetensors"):
        for key, weight in load_file(path).items():
            if key != "bn.num_batches_tracked":
                assert weight.count_nonzero() > 0.9 * weight.numel(), f"{path}: {key}"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_picture_can_be_the_start(name: str, load: Callable[[str], Any]) -> None:
    pipe = load(name)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8))
    latents, picture = draw(pipe, image=image, strength=0.5, steps=4)
    assert torch.equal(draw(pipe, image=image, strength=0.5, steps=4)[0], latents)
    brighter = image.point(lambda value: 128 + value // 2)
    assert not np.array_equal(draw(pipe, image=brighter, strength=0.5, steps=4)[1], picture)


@pytest.mark.parametrize("name", ["flux2", "sana"])  # the others have an img2img pipeline
def test_a_start_picture_at_full_strength_changes_nothing(
    name: str, load: Callable[[str], Any]
) -> None:
    pipe = load(name)
    image = Image.new("RGB", (96, 64), "red")
    torch.testing.assert_close(
        draw(pipe)[0], draw(pipe, image=image, strength=1.0)[0], atol=0.01, rtol=0
    )


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("kind", OTHERS)
def test_any_flow_scheduler_draws_with_and_without_a_picture(
    kind: str, name: str, load: Callable[[str], Any]
) -> None:
    pipe, calls = load(name), []
    own, image = pipe.scheduler, Image.new("RGB", (64, 64), "red")
    count = pipe.transformer.register_forward_pre_hook(lambda *_: calls.append(1))
    recipe: dict[str, Any] = {"scheduler": OTHERS[kind](), "steps": 4, "guidance": 0.0, "width": 64}
    picture = draw(pipe, **recipe)[1]
    num_without = len(calls)
    started = draw(pipe, **recipe, image=image, strength=0.5)[1]
    count.remove()
    assert pipe.scheduler is own
    assert not np.array_equal(picture, started)
    assert (num_without, len(calls) - num_without) == ((7, 3) if kind == "heun" else (4, 2))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_same_bytes_are_written_each_time(
    name: str, tmp_path: Path, tiny_family: Callable[[str], Path]
) -> None:
    assert _hash(make_tiny(name, tmp_path)) == _hash(tiny_family(name))


def test_the_words_before_a_prompt_of_qwen_image_are_34_tokens() -> None:
    tokenizer = build_qwen_tokenizer()
    before = (
        "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, "
        "quantity, text, spatial relationships of the objects and background:<|im_end|>\n"
        "<|im_start|>user\n"
    )
    assert len(tokenizer(before).input_ids) == 34


def _hash(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
