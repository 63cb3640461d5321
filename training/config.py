"""The sizes of the model's training, and the arguments every stage shares."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from training.courtesy import Courtesy
from training.scenes import SCENE_NAMES
from training.vocabulary import SUBJECT_NAMES

WORK = Path(__file__).parent / "work"
STARTER_MODEL = Path(__file__).resolve().parents[1] / "bot" / "starter_model"
"""The weights in the repository."""
MAX_EXPORT_BYTES = 30_000_000


@dataclass(frozen=True)
class Config:
    """Everything that a run depends on, except its seed. Counts are samples, not steps."""

    name: str
    subject_names: tuple[str, ...] = SUBJECT_NAMES
    scene_names: tuple[str, ...] = SCENE_NAMES
    # how a subject is drawn and placed
    styles: tuple[str, ...] = ("3d",)
    style_weights: tuple[float, ...] = (1.0,)
    sizes: tuple[int, ...] = (80,)  # pixels of 128
    offsets: tuple[int, ...] = (0,)  # sideways, in pixels; multiples of 16 keep latents alike
    flips: bool = False
    count_weights: tuple[float, ...] = (1.0,)  # of one, two, three
    crowd_size: int = 48  # pixels of each of two or three
    coloured_share: float = 0.0  # share of subjects in another colour than their own
    # latents and autoencoder
    latent_channels: int = 48
    vae_channels: tuple[int, ...] = (16, 16, 40, 96, 160)
    vae_groups: int = 2
    basis_scenes: int = 3_000
    decoder_samples: int = 42_000
    encoder_samples: int = 16_000
    decoder_batch: int = 12
    check_scenes: int = 64  # held back, to measure the autoencoder
    # text
    vocabulary_size: int = 1_500
    text_width: int = 160
    text_tokens: int = 32
    text_samples: int = 60_000
    # UNet
    unet_channels: tuple[int, ...] = (96, 192)
    unet_samples: int = 600_000
    unet_batch: int = 32
    unet_learning_rate: float = 7e-4
    text_learning_rate: float = 0.0  # 0: the text encoder stays as its own stage trained it
    unet_ema: float = 0.998
    decay_share: float = 0.35  # share of the samples at the end that have a falling learning rate
    cached_scenes: int = 24_576  # 0: compose anew for every step
    # judging
    judge_samples: int = 40_000

    @cached_property
    def subject_indices(self) -> tuple[int, ...]:
        return tuple(SUBJECT_NAMES.index(name) for name in self.subject_names)


PLAIN = Config("plain")  # two CPU cores, hours; INTERIM starts from it
INTERIM = Config(  # two CPU cores, an hour from a plain model
    "interim",
    styles=("3d", "flat", "pixel", "mono"),
    style_weights=(0.7, 0.12, 0.09, 0.09),
    offsets=(-16, 0, 16),
    count_weights=(0.62, 0.2, 0.18),
    coloured_share=0.35,
    decoder_samples=12_000,
    encoder_samples=4_000,
    unet_samples=200_000,
    cached_scenes=32_768,
)
FULL = Config(  # one CUDA GPU, 25 minutes
    "full",
    styles=("3d", "flat", "noto", "twemoji", "pixel", "mono"),
    style_weights=(0.44, 0.14, 0.12, 0.12, 0.09, 0.09),
    sizes=(64, 80, 96),
    offsets=(-16, 0, 0, 16),
    flips=True,
    count_weights=(0.62, 0.2, 0.18),
    coloured_share=0.35,
    basis_scenes=20_000,
    decoder_samples=1_500_000,
    encoder_samples=200_000,
    decoder_batch=256,
    text_tokens=77,
    text_samples=400_000,
    unet_samples=8_000_000,
    unet_batch=1_024,
    unet_learning_rate=1.5e-3,
    text_learning_rate=1e-4,
    unet_ema=0.9995,
    cached_scenes=0,
    judge_samples=400_000,
)
CONFIGS = {config.name: config for config in (PLAIN, INTERIM, FULL)}


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", choices=CONFIGS, default=INTERIM.name)
    parser.add_argument("--work", type=Path, default=WORK, help="folder for all that is made")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of torch")
    parser.add_argument("--bfloat16", action="store_true", help="for the UNet; always on cuda")
    parser.add_argument("--courteous", action="store_true", help="one thread while others work")


@dataclass(frozen=True)
class Run:
    """A configuration with its work folder and device."""

    config: Config
    work: Path
    device: torch.device
    seed: int = 0
    after_step: Callable[[], None] = lambda: None
    bfloat16: bool = False  # the UNet's forward pass

    def path(self, *parts: str) -> Path:
        path = self.work.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def run_from(arguments: argparse.Namespace) -> Run:
    torch.set_num_threads(arguments.threads)
    return Run(
        CONFIGS[arguments.config],
        arguments.work,
        torch.device(arguments.device),
        arguments.seed,
        Courtesy(arguments.threads) if arguments.courteous else lambda: None,
        arguments.bfloat16 or arguments.device != "cpu",
    )
