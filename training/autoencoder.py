"""Fit the linear latents and train decoder and encoder to them: python -m training.autoencoder"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from diffusers import AutoencoderKL

from training import models, pictures
from training.basis import Basis, fit_basis, read_basis, read_off, write_basis
from training.compose import CELL, Composer
from training.config import Run, add_common_arguments, run_from
from training.draws import python_random, torch_generator
from training.loop import Average, Loop, learning_rate
from training.painters import PIXELS

DECODER_PEAK, ENCODER_PEAK = 1.5e-3, 2e-3
LATENT_NOISE = 0.25  # the most noise, so that the decoder tolerates the UNet's errors
WHOLE_FROM = 0.6  # after this share of the training, whole pictures replace crops
CROP = 64
LOG_VARIANCE = -9.0  # of the encoder's distribution: so small that sampling changes nearly nothing


def differences(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x[..., 1:, :] - x[..., :-1, :], x[..., 1:] - x[..., :-1]


def reconstruction_loss(made: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the L1 loss of pixels, and of their differences at three scales for sharp edges."""
    loss = (made - truth).abs().mean()
    for scale in range(3):
        for a, b in zip(differences(made), differences(truth), strict=True):
            loss = loss + 0.5 * (a - b).abs().mean()
        if scale < 2:
            made, truth = F.avg_pool2d(made, 2), F.avg_pool2d(truth, 2)
    return loss


class Pictures:
    """Batches of composed scenes in -1…1: whole, or two crops of each scene on the latent grid."""

    def __init__(self, run: Run, name: str) -> None:
        self.run, self.name = run, name
        self.composer = Composer.of(run)

    def batch(self, count: int, step: int, whole: bool) -> torch.Tensor:
        name = (self.run.seed, self.name, step)
        if whole:
            return self.composer.compose(max(1, count // 3), *name).pixels * 2 - 1
        scenes = self.composer.compose(count // 2, *name).pixels * 2 - 1
        chance = python_random(*name, "crops")
        cells = (PIXELS - CROP) // CELL
        crops = []
        for picture in scenes:
            for _ in range(2):
                top, left = (CELL * chance.randint(0, cells) for _ in range(2))
                crops.append(picture[:, top : top + CROP, left : left + CROP])
        return torch.stack(crops)


def obtain_basis(run: Run, earlier: Path | None) -> Basis:
    path = run.path("autoencoder", "basis.pt")
    if not path.is_file():
        composer = Composer.of(run)
        known = None if earlier is None else earlier_basis(run, earlier, composer)
        write_basis(fit_basis(composer, run, known), path)
    return read_basis(path)


@torch.no_grad()
def earlier_basis(run: Run, earlier: Path, composer: Composer) -> Basis:
    """Return the basis of an earlier model, from its work folder or from an export's encoder."""
    if (earlier / "basis.pt").is_file():
        return read_basis(earlier / "basis.pt")
    vae = AutoencoderKL.from_pretrained(earlier / "vae", dtype=torch.float32).to(run.device)
    return read_off(lambda part: vae.encode(part).latent_dist.mean, composer, run)


def build(run: Run, earlier: Path | None) -> torch.nn.Module:
    torch.manual_seed(run.seed)
    vae = models.build_vae(run.config)
    if earlier is not None:
        models.grow(vae, earlier / "vae")
    channels = run.config.latent_channels
    identity = torch.eye(channels).view(channels, channels, 1, 1)
    with torch.no_grad():
        new = vae.post_quant_conv.weight.abs().sum((1, 2, 3)) == 0  # channels it lacked before
        rows = new if earlier is not None else slice(None)
        vae.post_quant_conv.weight[rows] = identity[rows]
        vae.quant_conv.weight.zero_()
        vae.quant_conv.weight[:channels, :channels] = identity
        vae.quant_conv.bias.zero_()
        vae.quant_conv.bias[channels:] = LOG_VARIANCE
    return vae.to(run.device)


def check_pictures(run: Run) -> torch.Tensor:
    scenes = Composer.of(run).compose(run.config.check_scenes, run.seed, "held-back pictures")
    return scenes.pixels * 2 - 1


def train_decoder(run: Run, vae: torch.nn.Module, basis: Basis, total: int) -> Loop:
    count, basis = run.config.decoder_batch, basis.to(run.device)
    source, truth = Pictures(run, "decoder"), check_pictures(run)
    parameters = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]
    optimiser = torch.optim.AdamW(parameters, DECODER_PEAK, betas=(0.9, 0.98), weight_decay=1e-4)
    average = Average(parameters, 0.995)

    def check(seen: int) -> None:
        average.swap()
        with torch.no_grad():
            made = torch.cat([vae.decode(z).sample for z in basis.encode(truth).split(8)])
        average.swap()
        loop.log(psnr=round(pictures.psnr(made, truth), 3))
        grid = pictures.to_bytes(torch.cat([truth[:16], made[:16]]))
        pictures.write_grid(run.path("autoencoder", "grids", f"{seen:09d}.png"), grid, 8)

    state = {"vae": vae, "optimiser": optimiser, "average": average.values}
    folder = run.path("autoencoder", "decoder")
    loop = Loop("decoder", folder, total, count, state, check, run.after_step, preview_seconds=120)
    loop.load()

    def rate() -> float:
        return learning_rate(DECODER_PEAK, loop.seen, loop.total, count, 0.6)

    for step in loop.steps(rate):
        batch = source.batch(count, step, whole=loop.seen > WHOLE_FROM * loop.total)
        generator = torch_generator(run.seed, "latent noise", step)
        latents = basis.encode(batch)
        strength = LATENT_NOISE * torch.rand(len(batch), 1, 1, 1, generator=generator)
        noise = strength * torch.randn(latents.shape, generator=generator)
        made = vae.decode(latents + noise.to(run.device)).sample
        loss = reconstruction_loss(made, batch)
        optimiser.param_groups[0]["lr"] = rate()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        average.update(step)
        loop.record(loss)
    average.swap()
    return loop


def train_encoder(run: Run, vae: torch.nn.Module, basis: Basis) -> Loop:
    """Train the encoder to return the linear latents. Only img2img needs it."""
    config, count = run.config, run.config.decoder_batch
    basis = basis.to(run.device)
    source = Pictures(run, "encoder")
    parameters = list(vae.encoder.parameters())
    optimiser = torch.optim.AdamW(parameters, ENCODER_PEAK, betas=(0.9, 0.98))
    state = {"encoder": vae.encoder, "optimiser": optimiser}
    folder = run.path("autoencoder", "encoder")
    loop = Loop("encoder", folder, config.encoder_samples, count, state, after_step=run.after_step)
    loop.load()

    def rate() -> float:
        return learning_rate(ENCODER_PEAK, loop.seen, loop.total, count, 0.7)

    for step in loop.steps(rate):
        batch = source.batch(count, step, whole=loop.seen > WHOLE_FROM * loop.total)
        loss = (vae.encode(batch).latent_dist.mean - basis.encode(batch)).square().mean()
        optimiser.param_groups[0]["lr"] = rate()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        loop.record(loss)
    return loop


def measure(run: Run, vae: torch.nn.Module, basis: Basis) -> dict[str, float]:
    """Return PSNRs in dB on held-back scenes: linear latents, with decoder, with both networks."""
    truth, basis = check_pictures(run), basis.to(run.device)
    with torch.no_grad():
        exact = basis.encode(truth)
        made = torch.cat([vae.decode(z).sample for z in exact.split(8)])
        latents = [vae.encode(part).latent_dist.mean for part in truth.split(8)]
        round_trip = torch.cat([vae.decode(z).sample for z in latents])
    return {
        "linear_psnr": round(pictures.psnr(basis.decode(exact), truth), 2),
        "decoder_psnr": round(pictures.psnr(made, truth), 2),
        "round_trip_psnr": round(pictures.psnr(round_trip, truth), 2),
    }


def train(run: Run, earlier: Path | None = None, decoder_samples: int | None = None) -> Loop:
    basis = obtain_basis(run, earlier)
    vae = build(run, earlier)
    total = decoder_samples or run.config.decoder_samples
    loop = train_decoder(run, vae, basis, total)
    if loop.is_finished:
        train_encoder(run, vae, basis)
    vae.save_pretrained(run.path("autoencoder", "vae"))
    figures = measure(run, vae, basis)
    path = run.path("autoencoder", "psnr.json")
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(figures)
    return loop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    parser.add_argument("--init", type=Path, help="an earlier model's folder to begin from")
    parser.add_argument("--samples", type=int, help="for the decoder, instead of the config's")
    parser.add_argument("--basis-only", action="store_true", help="only fit the linear latents")
    arguments = parser.parse_args()
    run = run_from(arguments)
    if arguments.basis_only:
        obtain_basis(run, arguments.init)
        return
    train(run, arguments.init, arguments.samples)


if __name__ == "__main__":
    main()
