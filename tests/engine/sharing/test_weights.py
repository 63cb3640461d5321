"""Where weights rest: plain, quantised by torchao, and quantised in a GGUF file."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gguf
import pytest
import torch
from diffusers.quantizers.gguf.utils import GGUFParameter
from torch.testing._internal.two_tensor import TwoTensor

from bot.engine.sharing.weights import DiskWeights, HostWeights, count_bytes, list_tensors


def make_pipe(weight: torch.Tensor) -> Any:
    """Make a pipeline with one part and one weight."""
    part = torch.nn.Module()
    part.weight = torch.nn.Parameter(weight, requires_grad=False)
    return SimpleNamespace(components={"transformer": part, "tokenizer": object()})


def make_wrapped() -> Any:
    """Make a tensor that has its memory in two others, as those of torchao do."""
    return make_pipe(TwoTensor(torch.full((4, 4), 1.0), torch.full((4, 4), 2.0)))


def test_wrapped_weight_is_counted_by_the_tensors_in_it() -> None:
    assert count_bytes(list_tensors(make_wrapped())) == 2 * 4 * 4 * 4


@pytest.mark.parametrize("is_on_disk", [False, True])
def test_wrapped_weight_leaves_the_device_and_comes_back(*, is_on_disk: bool) -> None:
    pipe = make_wrapped()
    weight, tensors = pipe.components["transformer"].weight, list_tensors(pipe)
    weights = DiskWeights(tensors, make_wrapped) if is_on_disk else HostWeights(tensors)
    weights.rest()
    assert [each.numel() for each in (weight.a, weight.b)] == [0, 0]
    weights.wake()
    assert pipe.components["transformer"].weight is weight
    assert (weight.a == 1).all()
    assert (weight.b == 2).all()


def test_weight_of_a_gguf_file_is_still_quantised_when_it_comes_back() -> None:
    make: Any = GGUFParameter
    kind = gguf.GGMLQuantizationType.Q8_0
    data = torch.arange(136, dtype=torch.uint8).reshape(4, 34)
    pipe = make_pipe(torch.zeros(1))
    weight = pipe.components["transformer"].weight = make(data.clone(), quant_type=kind)
    weights = HostWeights(list_tensors(pipe))
    weights.rest()
    assert weight.numel() == 0
    weights.wake()
    assert weight.quant_type == kind
    assert torch.equal(weight.as_tensor(), data)
