"""What FLUX.1 and Chroma do in their own way: guidance, masks, schedules, long prompts."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bot.engine import GenerationRequest
from bot.engine.capacity.tile_plan import must_tile
from bot.engine.models.families import FAMILIES, find_family
from bot.engine.sampling.schedules import Schedule
from bot.errors import ConfigError
from tests.engine.conftest import make_request
from tests.engine.drawing import draw, load, open_batch
from tests.engine.flow_pair import FlowPair
from tests.tiny_models import edit_json

NAMES = ("flux", "flux_schnell", "chroma")
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def open_pair(tiny_family: Callable[[str], Path]) -> Callable[[str], FlowPair]:
    return cache(lambda name: FlowPair(tiny_family(name)))


def ask(request_id: int = 1, **changes: Any) -> GenerationRequest:
    defaults = {
        "prompt": "a dog",
        "width": 64,
        "height": 64,
        "sampler": "euler",
        "num_inference_steps": 2,
        "guidance_scale": 4.0,
        "seeds": (7,),
    }
    return make_request(request_id=request_id, **{**defaults, **changes})


def draw_latent(pair: FlowPair, **changes: Any) -> torch.Tensor:
    request = ask(**changes)
    return pair.draw([request])[request.request_id][0]


def test_guidance_of_dev_is_an_input_of_each_row(open_pair: Callable[[str], FlowPair]) -> None:
    pair = open_pair("flux")
    assert pair.info.count_rows(3.5) == 1
    assert (pair.info.guidance_scale, pair.info.num_inference_steps) == (3.5, 28)
    pair.check([ask(n, guidance_scale=scale) for n, scale in enumerate((0.0, 1.0, 3.3, 30.0))])


def test_schnell_takes_neither_guidance_nor_negative_prompt(
    open_pair: Callable[[str], FlowPair],
) -> None:
    pair = open_pair("flux_schnell")
    assert pair.info.count_rows(7.0) == 1
    assert (pair.info.num_inference_steps, pair.info.is_distilled) == (4, True)
    plain = draw_latent(pair)
    assert torch.equal(plain, draw_latent(pair, guidance_scale=9.0, negative_prompt="sea"))


@pytest.mark.parametrize(
    ("name", "found"),
    [("FLUX.1-dev", None), ("FLUX.1-Turbo-Alpha", 8), ("hyper-flux-8step", 8)],
)
def test_distilled_dev_is_recognised_by_its_name(
    open_pair: Callable[[str], FlowPair], name: str, found: int | None
) -> None:
    few = open_pair("flux").family.find_few_steps(name)
    assert (few and (few.num_inference_steps, few.guidance_scale)) == (found and (found, 3.5))


def test_chroma_is_guided_above_one(open_pair: Callable[[str], FlowPair]) -> None:
    pair = open_pair("chroma")
    assert pair.info.count_rows(5.0) == 2
    requests = [ask(n, guidance_scale=scale) for n, scale in enumerate((0.0, 1.0, 1.01))]
    pair.check(requests)
    encoded = [pair.family.encode(request.recipe)[1] for request in requests]
    assert [each is None for each in encoded] == [True, True, False]


def test_mask_of_chroma_leaves_one_token_of_padding(open_pair: Callable[[str], FlowPair]) -> None:
    family = open_pair("chroma").family
    prompts = ("", "a dog", "a dog " * 400)
    masks = [family.encode(ask(prompt=text).recipe)[0].tensors["mask"] for text in prompts]
    lengths = [len(family.tokenizer(text).input_ids) for text in prompts]
    assert [int(mask.sum()) for mask in masks] == [min(n + 1, 512) for n in lengths]
    assert all(len(mask) == 512 for mask in masks)


@pytest.mark.parametrize("name", NAMES)
def test_mu_is_a_line_between_two_sizes(name: str, open_pair: Callable[[str], FlowPair]) -> None:
    family = open_pair(name).family
    sizes = [(256, 256), (512, 1024), (1024, 1024)]
    found = [family.schedule(ask(width=w, height=h).recipe).mu for w, h in sizes]
    line = [None] * 3 if name == "flux_schnell" else [0.5, pytest.approx(0.8033, abs=1e-4), 1.15]
    assert found == line


def test_sizes_and_steps_in_one_batch_have_their_own_schedules(
    open_pair: Callable[[str], FlowPair],
) -> None:
    open_pair("flux").check(
        [
            ask(1, width=128, num_inference_steps=3),
            ask(2, width=128, num_inference_steps=4, sampler="unipc"),
            ask(3, width=64, height=128, num_inference_steps=3, sampler="dpmpp_2m"),
        ]
    )


@pytest.mark.parametrize("name", ["flux", "chroma"])
def test_unipc_gets_the_noise_levels_that_the_pipeline_passes(
    name: str, open_pair: Callable[[str], FlowPair]
) -> None:
    """FLUX.1 passes none, except from a picture; Chroma passes them always."""
    pair = open_pair(name)
    image = {"image": IMAGE, "strength": 0.7}
    requests = [
        ask(n, sampler="unipc", num_inference_steps=5, **i) for n, i in enumerate([{}, image])
    ]
    pair.check(requests)
    schedules: list[Schedule] = [pair.family.schedule(each.recipe) for each in requests]
    assert [each.sigmas is None for each in schedules] == [name == "flux", False]


@pytest.mark.parametrize(("name", "most"), [("flux", 512), ("flux_schnell", 256), ("chroma", 512)])
def test_end_of_a_long_prompt_is_cut_and_never_logged(
    name: str, most: int, open_pair: Callable[[str], FlowPair], caplog: pytest.LogCaptureFixture
) -> None:
    pair = open_pair(name)
    library = logging.getLogger("diffusers")
    library.addHandler(caplog.handler)
    try:
        for num_words in (100, 600):
            prompt = " ".join(["dog"] * num_words)
            cond, _ = pair.family.encode(ask(prompt=prompt).recipe)
            num_tokens = len(pair.family.tokenizer(prompt).input_ids)
            assert bool(cond.cut_words) == (num_tokens > most)
            read = prompt.removesuffix(cond.cut_words)
            assert len(pair.family.tokenizer(read).input_ids) <= most
    finally:
        library.removeHandler(caplog.handler)
    assert pair.info.max_tokens == most
    assert "dog" not in caplog.text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-6), (torch.bfloat16, 0.02)])
def test_other_precisions_draw_what_the_pipeline_draws(
    name: str, dtype: torch.dtype, most: float, tiny_family: Callable[[str], Path]
) -> None:
    """In bfloat16, only the pipeline rounds the latents, too."""
    pair, request = FlowPair(tiny_family(name), dtype), ask(guidance_scale=2.0)
    drawn, expected = pair.draw([request])[1][0], pair.draw_alone(request, 7)[0]
    difference = (drawn - expected).float().norm() / expected.float().norm()
    assert difference <= most


@pytest.mark.parametrize("name", NAMES)
def test_enlarged_picture_is_drawn_in_tiles(
    name: str, tiny_family: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_family(name), tmp_path / name)
    (folder / "triptych.json").write_text(json.dumps({"native_size": 64}))
    model = load(folder)
    batch = open_batch(model)
    seen: set[tuple[int, ...]] = set()
    network: Any = batch.runner._network
    network.register_forward_pre_hook(lambda _, args: seen.add(args[0].shape[1:]))
    image = np.kron(IMAGE, np.ones((3, 3, 1), np.uint8))
    request = ask(width=192, height=192, image=image, strength=0.5, may_tile=True)
    assert must_tile(model.info, request.recipe)
    assert draw(batch, request).images.shape == (1, 192, 192, 3)
    assert seen == {(16, 16)}, "tiles have the native size: 4 × 4 tokens of 2 × 2 × 4 numbers"


class _OnCpu(TorchDispatchMode):
    """Collects the operations that read a tensor on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [t for t in tree_leaves((args, result)) if isinstance(t, torch.Tensor)]
        places = {t.device.type for t in tensors}
        if len(places) > 1:
            self.seen.append(str(func))
        return result


@pytest.mark.parametrize("name", NAMES)
def test_no_step_copies_from_the_cpu(name: str, tiny_family: Callable[[str], Path]) -> None:
    """A CUDA graph cannot capture such a copy. The device "meta" stands for the GPU here."""
    family: Any = load(tiny_family(name)).family
    network = family.network.to("meta")
    rows = {n: torch.zeros(2, *s, device="meta") for n, s in family.row_shapes().items()}
    latents = torch.zeros(2, *family.latent_shape(64, 64), device="meta")
    with torch.no_grad(), _OnCpu() as mode:
        family.predict(network, latents, torch.zeros(2, device="meta"), rows)
    assert mode.seen == []


@pytest.mark.parametrize(
    ("family", "changes", "words"),
    [
        ("flux", {"in_channels": 384}, "384 channels instead of 64"),
        ("flux", {"in_channels": 128, "out_channels": 64}, "128 channels instead of 64"),
        ("chroma", {"in_channels": 128}, "as for editing"),
        ("flux", {}, None),
        ("chroma", {"in_channels": 64, "out_channels": None}, None),
    ],
)
def test_transformers_for_other_tasks_are_refused(
    family: str, changes: dict[str, Any], words: str | None
) -> None:
    fault = FAMILIES[family].find_fault(changes, {"latent_channels": 16})
    assert (fault is None) if words is None else (fault is not None and words in fault)


@pytest.mark.parametrize(
    ("pipeline", "words"),
    [
        ("FluxFillPipeline", "fills holes"),
        ("FluxControlPipeline", "follows a picture"),
    ],
)
def test_pipelines_for_other_tasks_are_named(pipeline: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        find_family({"_class_name": pipeline}, "m")


def test_folder_with_a_transformer_of_another_width_is_refused(
    tiny_family: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_family("flux"), tmp_path / "fill")
    edit_json(folder / "transformer" / "config.json", in_channels=96)
    with pytest.raises(ConfigError, match="96 channels"):
        load(folder)
