"""Train the UNet on composed scenes: python -m training.unet"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from training import models, pictures
from training.basis import Basis, read_basis
from training.config import Run, add_common_arguments, run_from
from training.draws import torch_generator
from training.latents import Latents, SampleBatch
from training.loop import Average, Loop, learning_rate

# How much more a latent cell counts if the subject fills it: subjects first, then the scenery too.
COVER_WEIGHTS = (2.0, 0.5)
GRID_PROMPTS = (
    *("dog sitting in a field of autumn leaves", "a photograph of an horse on moon"),
    *("a cat in a room", "a red car in the city", "a penguin in the snow"),
    *("an elephant on the beach", "a robot in a forest", "a rocket in space"),
    *("a giraffe in the desert", "a lion in a meadow", "a crab underwater"),
    *("a bicycle in the city at night", "a castle in the mountains", "a rabbit in a garden"),
    *("a sheep at sunset", "an owl at night", "a zebra in the snow", "a tractor on the beach"),
    *("a wolf in autumn", "a guitar on the moon", "a frog in the desert", "a bus in the forest"),
    *("a monkey in space", "a teddy bear in a room"),
)


def timesteps_of(count: int, generator: torch.Generator) -> torch.Tensor:
    """Draw one timestep from each of `count` equal parts of 0…999."""
    share = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    return (share * 1000).long().clamp(max=999)


def loss_weights(alphas: torch.Tensor, cover: torch.Tensor, cover_weight: float) -> torch.Tensor:
    """Return weights (n, 1, h, w) with mean 1, larger on subjects.

    They are half flat and half min-SNR-5 (arXiv:2303.09556).
    """
    snr = alphas / (1 - alphas)
    by_noise = snr.clamp(max=5) / (snr + 1)
    by_noise = 0.5 + 0.5 * by_noise / by_noise.mean()
    by_cell = 1 + cover_weight * cover
    return by_noise.view(-1, 1, 1, 1) * by_cell / by_cell.mean()


class Trainer:
    def __init__(self, run: Run, earlier: Path | None) -> None:
        self.run = run
        config, device = run.config, run.device
        folder = run.work / "text"
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.text = CLIPTextModel.from_pretrained(folder / "text_encoder").to(device)
        torch.manual_seed(run.seed)
        self.unet = models.build_unet(config)
        if earlier is not None:
            models.grow(self.unet, earlier / "unet")
        self.unet.to(device)
        self.alphas = models.build_scheduler().alphas_cumprod.to(device)
        groups = [{"params": list(self.unet.parameters()), "peak": config.unet_learning_rate}]
        self.text.requires_grad_(config.text_learning_rate > 0)
        if config.text_learning_rate > 0:
            text_parameters = list(self.text.parameters())
            groups.append({"params": text_parameters, "peak": config.text_learning_rate})
        self.parameters = [p for group in groups for p in group["params"]]
        self.optimiser = torch.optim.AdamW(
            groups, config.unet_learning_rate, betas=(0.9, 0.99), fused=True
        )
        self.average = Average(self.parameters, config.unet_ema)

    def rate(self, peak: float, loop: Loop) -> float:
        share = self.run.config.decay_share
        return learning_rate(peak, loop.seen, loop.total, loop.batch, share)

    def loss(self, batch: SampleBatch, loop: Loop) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weighted loss to minimise, and the plain loss to report."""
        device = self.run.device
        generator = torch_generator(self.run.seed, "noise", loop.step)
        timesteps = timesteps_of(len(batch.latents), generator).to(device)
        noise = torch.randn(batch.latents.shape, generator=generator).to(device)
        alphas = self.alphas[timesteps]
        signal, sigma = alphas.sqrt().view(-1, 1, 1, 1), (1 - alphas).sqrt().view(-1, 1, 1, 1)
        noisy = (signal * batch.latents + sigma * noise).to(memory_format=torch.channels_last)
        target = signal * noise - sigma * batch.latents
        ids = models.tokenize(self.tokenizer, batch.captions).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.run.bfloat16):
            with torch.set_grad_enabled(self.run.config.text_learning_rate > 0):
                states = self.text(ids).last_hidden_state
            predicted = self.unet(noisy, timesteps, states).sample
        error = (predicted.float() - target).square()
        cover_weight = COVER_WEIGHTS[2 * loop.seen >= loop.total]
        weights = loss_weights(alphas, batch.cover, cover_weight)
        return (error * weights).mean(), error.detach().mean()

    def step(self, batch: SampleBatch, loop: Loop) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate(group["peak"], loop)
        loss, plain = self.loss(batch, loop)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        self.average.update(loop.step)
        loop.record(plain)


@torch.no_grad()
def sample(
    unet: UNet2DConditionModel,
    text: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    prompts: list[str],
    seed: int = 0,
    num_inference_steps: int = 20,
    guidance_scale: float = 3.0,
) -> torch.Tensor:
    """Draw latents (n, c, 8, 8) as StableDiffusionPipeline would."""
    device = unet.device
    scheduler: DDIMScheduler = models.build_scheduler()
    scheduler.set_timesteps(num_inference_steps)
    side = unet.config.sample_size
    shape = (len(prompts), unet.config.in_channels, side, side)
    latents = torch.randn(shape, generator=torch_generator(seed, "sample")).to(device)
    ids = models.tokenize(tokenizer, [""] * len(prompts) + list(prompts)).to(device)
    states = text(ids).last_hidden_state
    for timestep in scheduler.timesteps:
        blind, guided = unet(torch.cat([latents] * 2), timestep, states).sample.chunk(2)
        noise = blind + guidance_scale * (guided - blind)
        latents = scheduler.step(noise, timestep, latents).prev_sample
    return latents


def decode(latents: torch.Tensor, run: Run, basis: Basis) -> torch.Tensor:
    """Decode with the trained decoder if there is one, else with the linear basis."""
    folder = run.work / "autoencoder" / "vae"
    if not folder.is_dir():
        return basis.to(latents.device).decode(latents)
    vae = AutoencoderKL.from_pretrained(folder).to(latents.device).eval()
    with torch.no_grad():
        return torch.cat([vae.decode(part).sample for part in latents.split(8)])


def train(
    run: Run,
    earlier: Path | None = None,
    total: int | None = None,
) -> Loop:
    config = run.config
    run.path("pid").write_text(f"{os.getpid()}\n", encoding="utf-8")
    trainer = Trainer(run, earlier)
    basis = read_basis(run.work / "autoencoder" / "basis.pt")
    folder = run.path("unet", "run")

    def write_grid(seen: int) -> None:
        trainer.average.swap()
        latents = sample(trainer.unet, trainer.text, trainer.tokenizer, list(GRID_PROMPTS))
        trainer.average.swap()
        grid = pictures.to_bytes(decode(latents, run, basis))
        pictures.write_grid(run.path("unet", "grids", f"{seen:09d}.png"), grid, 8)

    state = {
        "unet": trainer.unet,
        "text": trainer.text,
        "optimiser": trainer.optimiser,
        "average": trainer.average.values,
    }
    total = total or config.unet_samples
    loop = Loop("unet", folder, total, config.unet_batch, state, write_grid, run.after_step)
    loop.load()
    latents = Latents(run, basis)
    for step in loop.steps(lambda: trainer.rate(config.unet_learning_rate, loop)):
        trainer.step(latents.batch(step), loop)
    trainer.average.swap()
    trainer.unet.save_pretrained(run.path("unet", "unet"))
    trainer.text.save_pretrained(run.path("unet", "text_encoder"))
    return loop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    parser.add_argument("--init", type=Path, help="an earlier model's folder to begin from")
    parser.add_argument("--samples", type=int, help="how many in all, instead of the config's")
    arguments = parser.parse_args()
    train(run_from(arguments), arguments.init, arguments.samples)


if __name__ == "__main__":
    main()
