"""A third model family, added as CONTRIBUTING describes. No other code has to change."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel

from bot.cli.models import describe_models
from bot.domain.recipes import Recipe
from bot.engine import GenerationRequest, ModelSource
from bot.engine.conditioning import Conditioning, Network, Rows, Start
from bot.engine.models.checks import check_model
from bot.engine.models.decoder import Decoder
from bot.engine.models.defaults import Traits
from bot.engine.models.families import FAMILIES, Config, Family
from bot.engine.models.flop import count_network_flop
from bot.engine.models.init_latents import draw_start
from bot.engine.models.latent_codec import LatentCodec
from bot.engine.models.latent_preview import PreviewMatrix, find_matrix
from bot.engine.models.prompt_encoder import PromptEncoder
from bot.engine.models.traits import find_size_multiple
from bot.engine.sampling.step_tables import PLAIN, Schedule, StepTable
from bot.errors import ConfigError
from tests.engine.conftest import make_request
from tests.engine.drawing import Pair, draw, find_error, find_worst, ignore, load, open_batch, run
from tests.tiny_models import SIDE, build_tiny_pipeline, edit_json

RESCALE = 0.7


class GreyPipeline(StableDiffusionPipeline):
    """A pipeline whose UNet also gets the width of the picture, and whose guidance is rescaled."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        shades = [torch.tensor([shade]) for shade in (0.0, float(options["width"]))]
        shades = shades if options["guidance_scale"] > 1 else shades[1:]
        labels = torch.cat([shade.repeat(len(args[0])) for shade in shades])
        plain = self.unet.forward
        self.unet.forward = partial(plain, class_labels=labels)
        try:
            return super().__call__(*args, guidance_rescale=RESCALE, **options)
        finally:
            self.unet.forward = plain


class Grey:
    """See ``ModelFamily``. It shares no code with ``StableDiffusion``."""

    pipeline_class: Any = GreyPipeline
    part_classes: tuple[tuple[str, Any], ...] = (
        ("unet", UNet2DConditionModel),
        ("vae", AutoencoderKL),
        ("text_encoder", CLIPTextModel),
    )
    compared_parts = ("unet", "vae", "text_encoder")
    without_checker: Mapping[str, Any] = {
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }
    sizes: tuple[tuple[int, int], ...] = ()
    half_dtype = torch.float16
    caches_prompts = False
    is_capturable = True
    reads_chunks = True
    editor = None
    only_edits = False
    embeds_guidance = False
    guidance_scale = 5.0
    num_inference_steps = 30

    def __init__(self, pipe: Any, folder: Path | None = None) -> None:
        self.pipe = pipe
        self.network = pipe.unet
        self.tokenizer = pipe.tokenizer
        latent_side = pipe.unet.config.sample_size
        self.codec = LatentCodec(pipe.vae, pipe.vae_scale_factor, latent_side)
        self.decoder = Decoder(pipe, self.codec)
        self._folder = folder
        self._encoder = PromptEncoder(pipe.tokenizer, pipe.text_encoder)
        side = latent_side * pipe.vae_scale_factor
        self.size = (side, side)
        self.size_multiple = find_size_multiple(pipe)
        self.max_tokens = self._encoder.max_tokens
        self.max_clip_skip = 0

    @classmethod
    def adjust(cls, pipe: Any, traits: Traits) -> None:
        """Do nothing: its config files say everything."""

    def prepare(self) -> None:
        """Do nothing."""

    def find_few_steps(self, name: str) -> None:
        """Return None: no model of it was distilled."""

    def latent_shape(self, width: int, height: int) -> tuple[int, int, int]:
        scale = self.pipe.vae_scale_factor
        return (self.network.config.in_channels, height // scale, width // scale)

    def row_shapes(self, num_tokens: int | None = None) -> dict[str, tuple[int, ...]]:
        return {"embeds": (num_tokens or self.max_tokens, self._encoder.width), "shade": ()}

    def encode(self, recipe: Recipe) -> tuple[Conditioning, Conditioning | None]:
        width, _ = recipe.size
        cond = self._make_row(recipe.drawn_prompt, width)
        if recipe.drawn_guidance_scale <= 1:
            return cond, None
        return cond, self._make_row(recipe.negative_prompt, 0)

    def forget(self) -> None:
        """Do nothing, because it caches no prompts."""

    def schedule(self, recipe: Recipe) -> Schedule:
        return PLAIN

    def arrange_noise(self, noise: torch.Tensor) -> torch.Tensor:
        return noise

    def start(self, request: GenerationRequest, table: StepTable, *, tiled: bool = False) -> Start:
        return draw_start(self, request, table, tiled=tiled)

    def predict(
        self, network: Network, inputs: torch.Tensor, times: torch.Tensor, rows: Rows
    ) -> torch.Tensor:
        return network(
            inputs,
            times,
            encoder_hidden_states=rows["embeds"],
            class_labels=rows["shade"],
            return_dict=False,
        )[0]

    def guide(self, uncond: torch.Tensor, cond: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """Rescale the guidance (https://arxiv.org/abs/2305.08891, section 3.4)."""
        guided = uncond + scale[:, None, None, None] * (cond - uncond)
        spread, wanted = (each.std(dim=(1, 2, 3), keepdim=True) for each in (guided, cond))
        return RESCALE * guided * (wanted / spread) + (1 - RESCALE) * guided

    def find_preview(self) -> PreviewMatrix:
        known = PreviewMatrix(torch.full((4, 3), 0.2), torch.zeros(3))
        return find_matrix(self._folder, self.codec, known)

    def count_flop(self) -> tuple[float, float]:
        latent = self.latent_shape(*self.size)
        row_flop = count_network_flop(self.network, latent, self.row_shapes(), self.predict)
        return row_flop, self.codec.count_flop(latent)

    def _make_row(self, text: str, width: int) -> Conditioning:
        encoded = self._encoder.encode(text)
        shade = encoded.embeds.new_tensor(width)
        return Conditioning({"embeds": encoded.embeds, "shade": shade}, encoded.cut_words)


def _find_fault(unet: Config, vae: Config) -> str | None:
    return None if unet.get("class_embed_type") == "timestep" else "its UNet knows no shade"


@pytest.fixture
def grey(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Add the family, and build a tiny model of it."""
    family = Family(
        "grey",
        "Grey Diffusion",
        "nobody/grey",
        ("GreyPipeline",),
        ("unet", "vae", "text_encoder"),
        {"tokenizer": "text_encoder"},
        _find_fault,
        f"{__name__}:Grey",
    )
    monkeypatch.setitem(FAMILIES, "grey", family)
    monkeypatch.setattr(diffusers, "GreyPipeline", GreyPipeline, raising=False)
    plain = build_tiny_pipeline("ddim", unet={"class_embed_type": "timestep"})
    pipe = GreyPipeline(**plain.components, requires_safety_checker=False)
    pipe.save_pretrained(tmp_path / "grey")
    return tmp_path / "grey"


def test_a_new_family_is_known_and_checked(grey: Path) -> None:
    [line] = check_model(ModelSource(str(grey)), thorough=True)

    assert "a diffusers folder" in line
    loads = {each["id"]: each["loads"] for each in describe_models()["families"]}
    assert loads["grey"] == ["diffusers folder", "Hugging Face id"]
    assert all("grey" in each["families"] for each in describe_models()["samplers"])


def test_what_a_new_family_cannot_draw_with_is_refused(grey: Path) -> None:
    edit_json(grey / "unet" / "config.json", class_embed_type=None)

    with pytest.raises(ConfigError, match="its UNet knows no shade"):
        check_model(ModelSource(str(grey)))


def test_a_new_family_draws_beside_others_what_it_draws_alone(grey: Path) -> None:
    model = load(grey)
    first = make_request(sampler="ddim", num_inference_steps=6, negative_prompt="cat")
    second = make_request(
        request_id=2, sampler="euler_a", guidance_scale=30.0, guidance_until=0.5, seeds=(7,)
    )
    alone = draw(open_batch(model), first)
    batch = open_batch(model)

    drawings = [batch.join(each, ignore) for each in (first, second)]
    beside = run(batch, drawings)

    assert isinstance(model.family, Grey)
    assert find_worst(beside[drawings[0]].images, alone.images) <= 1
    assert beside[drawings[1]].images.shape == (1, SIDE, SIDE, 3)


@pytest.mark.parametrize("guidance_scale", [1.0, 7.5])
def test_a_new_family_draws_what_its_own_pipeline_draws(grey: Path, guidance_scale: float) -> None:
    pair = Pair(grey, torch.float64)
    request = make_request(sampler="ddim", guidance_scale=guidance_scale)

    error = find_error(pair.draw_latents(request), pair.draw_latents_alone(request))

    assert error < 1e-6
