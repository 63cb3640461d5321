"""All stages, from generated sprites to an export with which StableDiffusionPipeline draws."""

import json
import shutil
import signal
from dataclasses import replace

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from transformers.utils import logging

from training import autoencoder, export, judge, models, preview_matrix, text_encoder, unet
from training.basis import read_basis, read_off
from training.compose import Composer
from training.config import MAX_EXPORT_BYTES

logging.disable_progress_bar()


def losses(folder):
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


def falls(values, share=0.25):
    part = max(1, int(len(values) * share))
    return sum(values[-part:]) < 0.9 * sum(values[:part])


@pytest.fixture(scope="module")
def trained(world):
    """Run all stages before the UNet once."""
    run = world.run("pipeline")
    autoencoder.train(run)
    text_encoder.train(run)
    unet.train(run)
    preview_matrix.write(run)
    export.export(run, run.work / "export")
    return run


def test_loss_falls_in_every_stage(trained):
    assert falls(losses(trained.work / "autoencoder" / "decoder"))
    assert falls(losses(trained.work / "text" / "run"))
    assert falls(losses(trained.work / "unet" / "run"))


def test_logs_and_sample_grids_are_written(trained):
    last = (trained.work / "unet" / "run" / "log.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["samples_per_second"] > 0
    assert list((trained.work / "unet" / "grids").glob("*.png"))
    assert list((trained.work / "autoencoder" / "grids").glob("*.png"))


def test_linear_latents_are_a_projection(trained):
    basis = read_basis(trained.work / "autoencoder" / "basis.pt")
    pictures = Composer.of(trained).compose(4, 0, "projection").pixels * 2 - 1
    once = basis.encode(pictures)
    assert torch.allclose(basis.encode(basis.decode(once)), once, atol=1e-3)


def test_linear_latents_are_read_off_an_encoder_that_was_taught_them(trained):
    basis, composer = read_basis(trained.work / "autoencoder" / "basis.pt"), Composer.of(trained)
    found = read_off(basis.encode, composer, trained)
    pictures = composer.compose(4, 0, "read off").pixels * 2 - 1
    latents = basis.encode(pictures)
    assert torch.allclose(found.encode(pictures), latents, atol=0.02)
    assert torch.allclose(found.decode(latents), basis.decode(latents), atol=0.02)


def test_an_export_is_enough_to_begin_from(trained, world):
    run = world.run("begun from an export")
    text_encoder.obtain_tokenizer(run, trained.work / "export")
    basis = autoencoder.obtain_basis(run, trained.work / "export")
    assert basis.encoder.shape == (run.config.latent_channels, 768)
    assert basis.mean.isfinite().all()


def test_export_loads_and_draws(trained):
    folder = trained.work / "export"
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    pictures = pipeline(["a dog in the snow"] * 3, num_inference_steps=2, output_type="np").images
    assert pictures.shape == (3, 128, 128, 3)
    assert pictures.std() > 0
    config = pipeline.scheduler.config
    assert config.beta_schedule == "scaled_linear"
    assert not config.rescale_betas_zero_snr
    assert not config.clip_sample


def test_export_carries_licences_defaults_and_preview(trained):
    folder = trained.work / "export"
    assert json.loads((folder / "triptych.json").read_text())["num_inference_steps"] == 20
    preview = json.loads((folder / "preview.json").read_text())
    assert len(preview["weight"]) == trained.config.latent_channels
    assert len(preview["bias"]) == len(preview["weight"][0]) == 3 * preview_matrix.PATCH**2
    attribution = (folder / "ATTRIBUTION.md").read_text()
    assert "fluent-emoji-3d" in attribution
    assert {"MIT-fluent-emoji.txt", "Apache-2.0.txt", "CC-BY-4.0.txt"} == {
        path.name for path in (folder / "licences").iterdir()
    }
    stored = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert stored < MAX_EXPORT_BYTES
    assert "_name_or_path" not in (folder / "unet" / "config.json").read_text()


def test_a_resumed_run_equals_an_uninterrupted_one(trained, world):
    whole = torch.load(trained.work / "unet" / "run" / "checkpoint.pt", weights_only=True)
    run = world.run("resumed")
    for part in ("text", "autoencoder"):
        shutil.copytree(trained.work / part, run.work / part, dirs_exist_ok=True)
    steps = iter(range(100))

    def stop_at_third_step():
        if next(steps) == 2:
            signal.raise_signal(signal.SIGTERM)

    stopped = unet.train(replace(run, after_step=stop_at_third_step))
    assert stopped.seen == 3 * run.config.unet_batch
    assert unet.train(run).is_finished
    parts = torch.load(run.work / "unet" / "run" / "checkpoint.pt", weights_only=True)
    assert parts["seen"] == whole["seen"]
    assert all(torch.equal(parts["unet"][name], whole["unet"][name]) for name in whole["unet"])
    assert all(map(torch.equal, parts["average"], whole["average"]))


@pytest.mark.parametrize(("looks", "heads"), [(False, judge.NAMING), (True, judge.HEADS)])
def test_judge_is_trained_on_real_scenes_and_stored_with_its_ceiling(
    world, monkeypatch, looks, heads
):
    monkeypatch.setattr(judge, "BATCH", 8)
    monkeypatch.setattr(judge, "CHECK_SCENES", 8)
    run = world.run("judge", judge_samples=16)
    weights = run.work / "judge.safetensors"
    judge.train(run, weights, looks=looks)
    loaded, facts = judge.load(weights)
    assert set(facts) == {*heads, "nothing", "real_diversity"}
    seen = loaded.look(torch.zeros(2, 3, 128, 128))
    assert [set(row) for row in seen] == [set(heads)] * 2


def test_a_larger_model_grown_from_an_export_draws_the_same_at_first(trained, world):
    """New latent channels have no effect until they are trained."""
    folder = trained.work / "export" / "unet"
    small = UNet2DConditionModel.from_pretrained(folder, dtype=torch.float32)
    large = models.build_unet(replace(trained.config, latent_channels=12))
    models.grow(large, folder)
    noise, states = torch.randn(2, 12, 8, 8), torch.randn(2, 24, 40)
    grown = large(noise, 500, states).sample
    assert torch.allclose(grown[:, :8], small(noise[:, :8], 500, states).sample, atol=1e-4)
    assert grown[:, 8:].abs().max() == 0
