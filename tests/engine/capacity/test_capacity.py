from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from bot.engine.api import ModelInfo
from bot.engine.capacity.autotune import Knee, KneeFile, make_key, measure_knee
from bot.engine.capacity.buckets import BUCKETS, find_bucket
from bot.engine.capacity.capacity import Capacity
from bot.engine.capacity.learning import find_knee
from bot.engine.hardware import CPU
from bot.engine.steps.slots import Plan, Slots
from bot.engine.steps.steppers import Stepper
from tests.engine.conftest import make_request
from tests.engine.drawing import load
from tests.fakes.engine import INFO


def make_capacity(knee: int, max_rows: int | None = None, info: ModelInfo = INFO) -> Capacity:
    return Capacity.from_knee(info, knee, max_rows)


def native(**changes: object) -> object:
    return make_request(**{"width": INFO.width, "height": INFO.height, **changes}).recipe


def test_group_of_tiny_pictures_does_not_keep_thousands_of_texts() -> None:
    assert make_capacity(12).count_slots(INFO.width // 8, INFO.height // 8) == 2 * BUCKETS[-1]


def test_tiny_pictures_in_flight_do_not_keep_thousands_of_texts() -> None:
    capacity, others = make_capacity(12), list[object]()
    tiny = native(width=INFO.width // 8, height=INFO.height // 8)
    while capacity.fits(others, tiny):
        others.append(tiny)
    assert len(others) == 2 * BUCKETS[-1] // len(tiny.seeds)


@pytest.mark.parametrize(
    ("knee", "max_rows", "rows"), [(1, None, 12), (24, None, 24), (24, 16, 16), (1, 4, 4)]
)
def test_two_default_requests_always_share_unless_memory_forbids(
    knee: int, max_rows: int | None, rows: int
) -> None:
    assert make_capacity(knee, max_rows).rows == rows


def test_twice_the_rows_are_shared_out_by_pictures_guidance_and_area() -> None:
    capacity, others = make_capacity(12), [native(), native(seeds=tuple(range(6)))]
    assert capacity.fits(others, native())
    assert not capacity.fits([*others, native()], native(seeds=(1,), guidance_scale=1.0))
    assert capacity.fits(others, native(seeds=tuple(range(6)), guidance_scale=1.0))
    assert not capacity.fits(others, native(width=2 * INFO.width))


def test_request_larger_than_everything_goes_alone() -> None:
    capacity, large = make_capacity(12), native(seeds=tuple(range(50)))
    assert capacity.fits([], large)
    assert not capacity.fits([native(seeds=(1,))], large)


def test_rows_that_were_too_many_are_halved_and_stay_so() -> None:
    capacity = make_capacity(24)
    capacity.halve(24, INFO.width, INFO.height)
    assert capacity.count_rows(INFO.width, INFO.height) == 12
    assert capacity.count_rows(2 * INFO.width, 2 * INFO.height) == 3
    capacity.halve(1, INFO.width, INFO.height)
    assert capacity.count_rows(2 * INFO.width, 2 * INFO.height) == 1, "one picture is the least"


def test_rows_that_were_too_many_of_large_pictures_leave_small_ones_alone() -> None:
    capacity = make_capacity(24)
    capacity.halve(6, 2 * INFO.width, 2 * INFO.height)
    assert capacity.count_rows(2 * INFO.width, 2 * INFO.height) == 3
    assert capacity.count_rows(4 * INFO.width, 4 * INFO.height) == 1
    assert capacity.count_rows(INFO.width, INFO.height) == 24
    assert capacity.fits([native(seeds=tuple(range(12)))], native(seeds=tuple(range(12))))
    assert not capacity.fits(
        [native(width=2 * INFO.width, height=2 * INFO.height)], native(seeds=tuple(range(4)))
    ), "6 rows where 3 step at once are all there is room for"


def test_there_are_slots_for_who_came_before_the_rows_were_halved() -> None:
    capacity = make_capacity(12)
    before = capacity.count_slots(INFO.width, INFO.height)
    capacity.halve(12, INFO.width, INFO.height)
    assert capacity.count_slots(INFO.width, INFO.height) == before


def test_there_are_slots_for_all_that_fit_in() -> None:
    capacity = make_capacity(12)
    wide = native(width=INFO.width * 5 // 4, seeds=(1,), guidance_scale=1.0)
    others: list[object] = []
    while capacity.fits(others, wide):
        others.append(wide)
    assert capacity.count_slots(wide.width, wide.height) == len(others) == 19


def test_knee_is_the_fewest_rows_that_are_nearly_the_best() -> None:
    assert find_knee({12: 257.0, 16: 285.0, 24: 304.0, 32: 303.0, 48: 312.0}) == 24
    assert find_knee({12: 10.0}) == 12


def test_knee_is_kept_per_device_and_survives_a_broken_file(tmp_path: Path) -> None:
    file = KneeFile(tmp_path / "engine")
    assert file.read("card") is None
    file.write("card", Knee(24, 40))
    file.write("other card", Knee(2))
    assert (file.read("card"), file.read("other card")) == (Knee(24, 40), Knee(2))
    (tmp_path / "engine" / "knee.json").write_text("[broken")
    assert file.read("card") is None
    file.write("card", Knee(6))
    assert file.read("card") == Knee(6)


def test_knee_is_measured_once_and_read_at_the_next_start(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import bot.engine.runner
    from bot.engine import EngineOptions

    model = load(tiny_model)
    options = EngineOptions(cache_dir=tmp_path)
    measured = bot.engine.runner.ModelRunner(model, options).find_knee()
    assert 12 <= measured.rows <= BUCKETS[-1]
    monkeypatch.setattr(bot.engine.runner, "measure_knee", None)
    assert bot.engine.runner.ModelRunner(model, options).find_knee() == measured


@pytest.mark.parametrize(("num_rows", "bucket"), [(1, 1), (3, 4), (13, 16), (64, 64), (65, 128)])
def test_batch_is_padded_to_the_next_bucket(num_rows: int, bucket: int) -> None:
    assert find_bucket(num_rows) == bucket


class Cramped(Stepper):
    """Steps that do nothing, with up to 16 rows. With more, memory runs out."""

    def __call__(self, plan: Plan) -> None:
        if plan.rows.shape[1] > 16:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")


def test_rows_that_the_memory_ended_at_are_the_most_there_will_be(tiny_model: Path) -> None:
    family = load(tiny_model).family

    def make_slots(num_slots: int) -> Slots:
        cpu = torch.device("cpu")
        return Slots(num_slots, (4, 4, 4), {"embeds": (8, 8)}, device=cpu, dtype=torch.float32)

    def make_stepper(slots: Slots) -> Stepper:
        return Cramped(slots, family, lambda *args: None)

    assert measure_knee(CPU, make_slots, make_stepper, lambda: None, least_rows=12).max_rows == 16
    assert measure_knee(CPU, make_slots, make_stepper, lambda: None, least_rows=24) == Knee(1, 12)


def test_knee_is_measured_anew_for_another_model_size_dtype_or_version(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unet = load(tiny_model).pipe.unet
    other = UNet2DConditionModel.from_config(unet.config, norm_num_groups=2)
    shape = (4, 8, 8)
    keys = [make_key(CPU, part, shape) for part in (unet, other)]
    keys.append(make_key(CPU, unet, (4, 16, 16)))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    keys.append(make_key(CPU, unet, shape))
    monkeypatch.setattr(torch, "__version__", "99.0")
    keys.append(make_key(CPU, unet, shape))
    keys.append(make_key(CPU, unet.to(torch.float64), shape))
    assert len(set(keys)) == len(keys)
