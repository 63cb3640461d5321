"""What a model needs is computed from the headers of its files."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bot.engine import ModelSource, measure_need
from bot.engine.capacity.memory import (
    BITS,
    CONTEXT_BYTES,
    PartSize,
    choose_offload,
    estimate,
    find_fit,
    measure_part,
)
from bot.engine.models.checks import find_files
from bot.engine.models.loading import load_model
from bot.engine.models.sizes import describe_need, measure
from tests.gguf_writer import read_transformer, write_gguf
from tests.tiny_models import edit_json

GB = 10**9
PARTS = (
    PartSize("transformer", 24 * GB, 23 * GB, 2 * GB),
    PartSize("vae", GB, 0, GB),
    PartSize("text_encoder", 6 * GB, 5 * GB, 1 * GB),
    PartSize("text_encoder_2", 4 * GB, 4 * GB, 2 * GB),
)


def need(offload: str, kind: str = "none", pixels: int = 0) -> float:
    return (estimate(PARTS, offload, kind, pixels) - CONTEXT_BYTES) / GB


def test_parts_that_wait_in_host_memory_do_not_count() -> None:
    assert need("none") == 35
    assert need("encoders") == 27  # of the encoders, only the layers of the larger share
    assert need("model") == 5
    assert need("none", pixels=10**6) == pytest.approx(35 + 2.048)


def test_quantisation_shrinks_linear_layers_only() -> None:
    assert need("none", "int8") == pytest.approx(35 - (23 + 5 + 4) / 2)
    assert need("none", "nf4") == pytest.approx(35 - 32 * (1 - BITS["nf4"] / 16))
    assert need("none", "Q8_0") == pytest.approx(35 - 23 * (1 - 8.5 / 16))  # the network alone


def test_the_quickest_settings_that_fit_are_chosen() -> None:
    free = [(40, "none"), (30, "encoders"), (8, "model"), (1, "model")]
    for size, expected in free:
        assert choose_offload(PARTS, size * GB, "none", 0) == expected
    assert choose_offload(PARTS, None, "none", 0) == "none"
    fits = [find_fit(PARTS, size * GB, 0) for size in (40, 30, 20, 12, 8, 1)]
    assert fits[:2] == [("none", "none"), ("encoders", "none")]
    assert fits[2:4] == [("encoders", "Q8_0"), ("encoders", "Q4_K_S")]
    assert fits[4:] == [("model", "none"), None]


def test_quantised_file_is_counted_as_it_is() -> None:
    parts = (PartSize("transformer", 7 * GB, 0, GB), *PARTS[1:])
    assert estimate(parts, "none", "Q4_K_S", 0) == estimate(parts, "none", "none", 0)
    assert find_fit(parts, 11 * GB, 0) == ("encoders", "none")


@pytest.mark.parametrize("name", ["sd3", "starter"])
def test_measured_bytes_are_those_of_the_loaded_model(
    name: str, tiny_family: Callable[[str], Path], tiny_model: Path
) -> None:
    source = ModelSource(str(tiny_family("sd3") if name == "sd3" else tiny_model), device="cpu")
    found = find_files(source)
    assert found is not None
    loaded = load_model(source)
    for part in measure(found, 4):
        module = loaded.pipe.components[part.name]
        weights = {id(each): each.nbytes for each in module.parameters()}
        linear = [each for each in module.modules() if isinstance(each, torch.nn.Linear)]
        size = sum(weights.values())
        assert size <= part.num_bytes <= 1.5 * size + 200_000  # tables of positions are no weights
        assert part.linear_bytes <= sum(each.weight.nbytes for each in linear)
        assert 0 < part.moved_bytes <= part.num_bytes


def test_bytes_of_a_gguf_file_are_those_in_the_file(
    tiny_family: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tiny_family("sd3")
    sizes = {}
    for kind in ("F16", "Q8_0", "Q4_0"):
        path = write_gguf(tmp_path / f"{kind}.gguf", read_transformer(folder), kind)
        found = find_files(ModelSource(str(path), model_config=str(folder)))
        assert found is not None
        sizes[kind] = measure(found)[0]
    assert sizes["F16"].num_bytes > sizes["Q8_0"].num_bytes > sizes["Q4_0"].num_bytes
    assert sizes["F16"].linear_bytes > 0
    assert sizes["Q8_0"].linear_bytes == 0


def test_blocks_of_a_network_move_one_after_the_other() -> None:
    def header(shape: list[int]) -> dict[str, object]:
        return {"dtype": "BF16", "shape": shape, "data_offsets": [0, 2 * math.prod(shape)]}

    blocks = {f"transformer_blocks.{n}.ff.weight": header([100, 100]) for n in range(20)}
    part = measure_part("transformer", {**blocks, "proj_out.weight": header([10, 100])})
    assert part == PartSize("transformer", 402_000, 402_000, 62_000)


def test_doctor_says_which_settings_make_a_model_fit() -> None:
    source = ModelSource("a model")

    def ask(size: int, **changes: str) -> tuple[bool, str, str]:
        asked = ModelSource("a model", **changes) if changes else source
        found = describe_need(PARTS, asked, size * GB, 0)
        return found.fits, found.detail, found.remedy

    parts = "transformer 24.0 GB, VAE 1.0 GB, text encoders 10.0 GB; needs about "
    assert ask(40) == (True, f"{parts}35.6 GB of the card's 40.0 GB with OFFLOAD=none", "")
    assert ask(30) == (True, f"{parts}27.6 GB of the card's 30.0 GB with OFFLOAD=encoders", "")
    assert ask(20) == (
        True,
        f"{parts}5.6 GB of the card's 20.0 GB with OFFLOAD=model",
        "Use a GGUF file in Q8_0 for MODEL (see docs/memory.md), set OFFLOAD=encoders: then it "
        "needs about 16.8 GB.",
    )
    fits, _, remedy = ask(30, offload="none")
    assert (fits, remedy) == (False, "Set OFFLOAD=encoders: then it needs about 27.6 GB.")
    assert ask(8)[1].endswith("every step waits for weights from host memory")
    assert ask(2)[2] == "Choose a smaller model, or a card with more memory."


def test_need_of_files_that_are_not_here_is_not_known(
    tiny_family: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(tiny_family("sd3"), tmp_path / "sd3"))
    found = measure_need(ModelSource(str(folder)), 10 * GB)
    assert found is not None
    assert found.fits
    edit_json(folder / "model_index.json", _class_name="StableDiffusion3Img2ImgPipeline")
    monkeypatch.setattr("bot.engine.models.checks.find_cached_file", lambda *_: None)
    assert measure_need(ModelSource("someone/model"), 10 * GB) is None
