"""A world with two nouns and generated sprites, which needs no download and trains in seconds."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.config import Config, Run
from training.sprites import SPRITE_PIXELS, prop_names, write_bank

TINY = Config(
    "tiny",
    subject_names=("dog", "horse"),
    scene_names=("snow", "desert"),
    styles=("3d", "pixel", "mono"),
    style_weights=(0.8, 0.1, 0.1),
    count_weights=(0.6, 0.2, 0.2),
    coloured_share=0.3,
    latent_channels=8,
    vae_channels=(16, 16, 16, 16, 16),
    basis_scenes=40,
    decoder_samples=64,
    check_scenes=4,
    encoder_samples=12,
    decoder_batch=4,
    vocabulary_size=700,
    text_width=40,
    text_tokens=24,
    text_samples=1_920,
    unet_channels=(32, 32),
    unet_samples=240,
    unet_batch=8,
    unet_learning_rate=2e-3,
    unet_ema=0.9,
    cached_scenes=64,
)


def sprite(number: int) -> np.ndarray:
    """Draw a disc or a bar, each in its own colour."""
    y, x = np.mgrid[-1 : 1 : SPRITE_PIXELS * 1j, -1 : 1 : SPRITE_PIXELS * 1j]
    shape = x**2 + y**2 < 0.9 if number % 2 else abs(x) < 0.4
    pixels = np.zeros((SPRITE_PIXELS, SPRITE_PIXELS, 4), np.uint8)
    pixels[shape] = (40 + 97 * number % 200, 40 + 61 * number % 200, 40 + 31 * number % 200, 255)
    return pixels


@dataclass
class World:
    folder: Path

    def run(self, name: str, **changes: object) -> Run:
        work = self.folder / name
        work.mkdir(exist_ok=True)
        names = [*TINY.subject_names, *prop_names()]
        write_bank(work / "sprites.npz", {f"{n}|3d": sprite(i) for i, n in enumerate(names)})
        return Run(replace(TINY, **changes), work, torch.device("cpu"))


@pytest.fixture(scope="package")
def world(tmp_path_factory) -> World:
    return World(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="package", autouse=True)
def quick_and_talkative():
    """Options with which every step is logged and sample grids are small."""
    before = torch.get_num_threads()
    # one thread, because the tensors are tiny and other tests may run at the same time
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.loop.LOG_SECONDS", 0.0)
        patch.setattr("training.unet.GRID_PROMPTS", ("a dog in the snow", "horse in a desert"))
        yield
    torch.set_num_threads(before)
