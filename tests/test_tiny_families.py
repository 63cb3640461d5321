"""The tiny models load in their families' own pipelines and answer to what is asked of them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.tiny_families import FAMILIES, draw_alone, make_tiny
from tests.tiny_families.tokenizers import build_qwen_tokenizer

PROMPT = "a dog in the leaves"
WITHOUT_NEGATIVE = {"flux", "flux_schnell", "flux2"}
WITHOUT_IMG2IMG = {"flux2", "sana"}


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return request.param, make_tiny(request.param, tmp_path_factory.mktemp(request.param))


def draw(folder: Path, prompt: str = PROMPT, **recipe: Any) -> torch.Tensor:
    recipe = {"steps": 2, "negative_prompt": "blurry", "width": 96, **recipe}
    return draw_alone(folder, prompt=prompt, dtype=torch.float32, **recipe)[0]


def test_each_family_draws_what_is_asked(family: Any) -> None:
    name, folder = family
    latents, picture = draw_alone(
        folder, prompt=PROMPT, negative_prompt="blurry", steps=2, width=96, dtype=torch.float32
    )
    assert picture.shape == (64, 96, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 5
    grids = {"flux2": (1, 16, 4, 6), "sana": (1, 4, 2, 3)}
    assert latents.shape == grids.get(name, (1, 4, 8, 12))
    assert torch.equal(draw(folder), latents)
    others = {
        "prompt": draw(folder, "two boats wait in the rain"),
        "guidance": draw(folder, guidance=2.0),
        "negative prompt": draw(folder, negative_prompt="too dark"),
        "seed": draw(folder, seed=1),
    }
    same = {what for what, other in others.items() if torch.allclose(other, latents, atol=0.01)}
    expected = {"negative prompt"} if name in WITHOUT_NEGATIVE else set()
    assert same == expected | ({"guidance"} if name == "flux_schnell" else set())


def test_no_weight_is_zero(family: Any) -> None:
    for path in family[1].rglob("*.safetensors"):
        for name, weight in load_file(path).items():
            if name != "bn.num_batches_tracked":
                assert weight.count_nonzero() > 0.9 * weight.numel(), f"{path}: {name}"


def test_pictures_start_from_a_picture_if_the_family_can(family: Any) -> None:
    name, folder = family
    image = Image.effect_noise((96, 64), 80).convert("RGB")
    if name in WITHOUT_IMG2IMG:
        with pytest.raises(ValueError, match="no pipeline that starts from a picture"):
            draw(folder, image=image, strength=0.5)
        return
    assert not torch.allclose(draw(folder, image=image, strength=0.5), draw(folder), atol=0.01)


def test_the_same_bytes_are_written_each_time(family: Any, tmp_path: Path) -> None:
    name, folder = family
    assert _hash(make_tiny(name, tmp_path)) == _hash(folder)


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
