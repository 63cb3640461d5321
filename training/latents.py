"""Training samples for the UNet: latents of composed scenes, each with a new caption."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path

import torch

from training.basis import Basis
from training.captions import Spec, training_caption
from training.compose import Composer
from training.config import Run
from training.draws import python_random, torch_generator
from training.loop import save_atomically

SHARD = 2_048  # scenes composed and stored at once


@dataclass(frozen=True, slots=True)
class SampleBatch:
    latents: torch.Tensor  # (n, c, 8, 8) float32
    cover: torch.Tensor  # (n, 1, 8, 8), how much of each cell the subject covers
    captions: list[str]


class Latents:
    """Latents, cached on disk if config.cached_scenes is not 0, else composed for each step."""

    def __init__(self, run: Run, basis: Basis) -> None:
        self.run = run
        self.basis = basis.to(run.device)
        self.composer: Composer | None = None
        self.latents = self.cover = torch.empty(0)
        self.specs: list[Spec] = []
        if run.config.cached_scenes:
            self._fill_cache()

    def _compose(self, count: int, *name: object) -> tuple[torch.Tensor, torch.Tensor, list[Spec]]:
        if self.composer is None:
            self.composer = Composer.of(self.run)
        scenes = self.composer.compose(count, self.run.seed, *name)
        return self.basis.encode(scenes.pixels * 2 - 1), scenes.cover, scenes.specs

    def _fill_cache(self) -> None:
        stored = []
        shards = -(-self.run.config.cached_scenes // SHARD)
        for number in range(shards):
            path = self.run.path("latents", f"{number:04d}.pt")
            if not path.is_file():
                self._write_shard(path, number)
                print(f"latents {number + 1}/{shards}", flush=True)
            stored.append(torch.load(path, weights_only=True))
        self.latents = torch.cat([shard["latents"] for shard in stored])
        self.cover = torch.cat([shard["cover"] for shard in stored])
        self.specs = [Spec(*spec) for shard in stored for spec in shard["specs"]]

    def _write_shard(self, path: Path, number: int) -> None:
        count = min(SHARD, self.run.config.cached_scenes)
        parts = [
            self._compose(min(256, count - done), "latents", number, done)
            for done in range(0, count, 256)
        ]
        state = {
            "latents": torch.cat([part[0] for part in parts]).half().cpu(),
            "cover": torch.cat([part[1] for part in parts]).half().cpu(),
            "specs": [astuple(spec) for part in parts for spec in part[2]],
        }
        save_atomically(state, path)

    def batch(self, step: int) -> SampleBatch:
        run, count = self.run, self.run.config.unet_batch
        chance = python_random(run.seed, "captions", step)
        if run.config.cached_scenes:
            generator = torch_generator(run.seed, "pick", step)
            index = torch.randint(len(self.specs), (count,), generator=generator)
            latents, cover = self.latents[index], self.cover[index]
            specs = [self.specs[i] for i in index.tolist()]
        else:
            latents, cover, specs = self._compose(count, "live", step)
        captions = [training_caption(spec, run.config, chance) for spec in specs]
        return SampleBatch(latents.float().to(run.device), cover.float().to(run.device), captions)
