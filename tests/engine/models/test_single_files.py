"""Single files need only the config files that come with Triptych, and no Hub."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.schedulers import EulerDiscreteScheduler
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from bot.engine import ModelSource
from bot.engine.models.checks import check_model
from bot.engine.models.conversion import build_parts, build_tokenizers, convert
from bot.engine.models.defaults import Traits
from bot.engine.models.files import read_tensor, read_weights
from bot.engine.models.loading import load_model
from bot.engine.models.recognition import find_family_of
from bot.engine.models.rehearsal import list_wanted, rehearse
from bot.engine.models.single_files import CONFIGS, check_single_file, choose_tensors
from bot.engine.models.weights import read_parts
from bot.errors import ConfigError
from tests.checkpoints import name_weights, write_header, write_single_file
from tests.engine.models.test_checks import refuse
from tests.tiny_models import build_tiny_pipeline

PUBLISHED = {
    "sd1": {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480},
    "sd2": {"unet": 865_910_724, "vae": 83_653_863, "text_encoder": 340_387_840},
    "sdxl": {
        "unet": 2_567_463_684,
        "vae": 83_653_863,
        "text_encoder": 123_060_480,
        "text_encoder_2": 694_659_840,
    },
}
PROMPTS = {
    "A photo of an astronaut, riding 2 horses 😀": [
        *(320, 1125, 539, 550, 18376, 267, 6765, 273, 8809, 7334),
    ],
    "ein Fuß im Schnee – 雪の中": [
        *(24524, 665, 127, 509, 1496, 844, 10601, 1224, 165, 249, 103, 21575, 19759, 511),
    ],
}
UNET = "model.diffusion_model."
GUESSED_BY = f"{UNET}output_blocks.11.1.transformer_blocks.0.norm1.bias"


@cache
def full_size(kind: str) -> dict[str, torch.Tensor]:
    """Write the header of a real checkpoint, with zeros as content."""
    with torch.device("meta"):
        weights = name_weights(
            SimpleNamespace(**build_parts(find_family_of(kind), CONFIGS / kind)),
            open_clip=kind == "sd2",
        )
    if kind == "sd2":  # real files also have the last layer, which nobody uses
        last = "cond_stage_model.model.transformer.resblocks."
        names = [name for name in weights if name.startswith(f"{last}22.")]
        weights |= {name.replace(f"{last}22.", f"{last}23."): weights[name] for name in names}
    return weights


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: object, **__: object) -> None:
        raise AssertionError("the Hub was asked")

    for name in ("hf_hub_download", "list_repo_files", "snapshot_download"):
        monkeypatch.setattr(f"bot.engine.models.hub.{name}", ask)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def source_of(path: Path, **options: Any) -> ModelSource:
    return ModelSource(str(path), device="cpu", **options)


def look(path: Path, **options: Any) -> str:
    return check_model(source_of(path, **options))[0]


def traits_of(path: Path) -> Traits:
    return check_single_file(source_of(path)).traits


@pytest.mark.parametrize("kind", PUBLISHED)
def test_configs_that_come_along_build_the_published_models(kind: str) -> None:
    with torch.device("meta"):
        parts = build_parts(find_family_of(kind), CONFIGS / kind)
    sizes = {name: sum(each.numel() for each in part.parameters()) for name, part in parts.items()}
    assert sizes == PUBLISHED[kind]
    for folder in (CONFIGS / kind).rglob("*.json"):
        assert isinstance(json.loads(folder.read_text("utf-8")), dict)


def test_list_of_words_is_clips_own() -> None:
    merges = (CONFIGS / "clip" / "merges.txt").read_bytes()
    digest = "d308b7377a8ceaa9707a21614fe8c831b9196e197b7aeb69833359362907af02"
    assert hashlib.sha256(merges).hexdigest() == digest


def test_prompts_become_the_numbers_that_clip_was_trained_with() -> None:
    """The expected numbers come from OpenAI's own tokenizer, in open_clip 3.3.0."""
    tokenizers = {kind: build_tokenizers(CONFIGS / kind) for kind in PUBLISHED}
    first = tokenizers["sd1"]["tokenizer"]
    assert len(first) == 49_408
    for text, ids in PROMPTS.items():
        assert first(text).input_ids == [49_406, *ids, 49_407]
    assert sorted(tokenizers["sdxl"]) == ["tokenizer", "tokenizer_2"]
    padding = {"padding": "max_length", "max_length": 77}
    for tokenizer, filler in (
        (first, 49_407),
        (tokenizers["sd2"]["tokenizer"], 0),
        (tokenizers["sdxl"]["tokenizer"], 49_407),
        (tokenizers["sdxl"]["tokenizer_2"], 0),
    ):
        ids = tokenizer("a dog", **padding).input_ids
        assert ids == [49_406, 320, 1929, 49_407, *[filler] * 73]
        assert tokenizer.model_max_length == 77


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        ("sd1", "MB, Stable Diffusion 1.x"),
        ("sd2", "MB, Stable Diffusion 2.x, epsilon (guessed from its weights), 512×512 pixels"),
    ],
)
def test_whole_checkpoint_needs_nothing_else(tmp_path: Path, kind: str, label: str) -> None:
    path = write_header(full_size(kind), tmp_path / "one.safetensors")
    [line] = check_model(source_of(path), thorough=True)
    assert label in line


def test_copy_that_training_keeps_is_left_out(tmp_path: Path) -> None:
    twins = {
        f"model_ema.{name.removeprefix(UNET).replace('.', '')}": tensor
        for name, tensor in full_size("sd1").items()
        if name.startswith(UNET)
    }
    path = write_header({**full_size("sd1"), **twins}, tmp_path / "one.safetensors")
    checked = check_single_file(source_of(path))
    assert not [name for name in checked.tensors if name.startswith("model_ema.")]


def test_smaller_relative_of_a_model_is_said_so(tmp_path: Path) -> None:
    weights = {name: each for name, each in full_size("sd1").items() if "middle_block" not in name}
    path = write_header(weights, tmp_path / "small.safetensors")
    assert (
        "is no whole checkpoint of Stable Diffusion 1.x: of the 686 weights of its unet, 46 "
        in (refuse(source_of(path)))
    )


@pytest.fixture
def two(tmp_path: Path) -> Callable[..., Path]:
    """Write a 2.x checkpoint in which the weight that shows the kind has this spread."""

    def write(spread: float, **metadata: str) -> Path:
        path = write_header(full_size("sd2"), tmp_path / "two.safetensors", **metadata)
        with path.open("r+b") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
            file.seek(8 + length + header[GUESSED_BY]["data_offsets"][0])
            values = torch.tensor([spread, -spread] * 160).half()
            file.write(values.numpy().tobytes())
        return path

    return write


def test_model_of_version_2_is_told_by_its_weights(two: Callable[..., Path]) -> None:
    assert traits_of(two(0.05)) == Traits("epsilon", size=(512, 512))
    path = two(0.15)
    assert traits_of(path) == Traits("v_prediction", size=(768, 768))
    assert "v-prediction (guessed from its weights), 768×768 pixels" in look(path)


def test_model_of_version_2_that_tells_nothing_is_taken_for_the_base(tmp_path: Path) -> None:
    weights = {name: each for name, each in full_size("sd2").items() if name != GUESSED_BY}
    path = write_header(weights, tmp_path / "two.safetensors")
    assert "epsilon (assumed), 512×512 pixels" in look(path)


@pytest.mark.parametrize(
    ("dtype", "is_read"),
    [
        (torch.float64, True),
        (torch.float32, True),
        (torch.float16, True),
        (torch.bfloat16, True),
        (torch.float8_e5m2, False),
    ],
)
def test_one_tensor_is_read_without_torch(
    tmp_path: Path, dtype: torch.dtype, is_read: bool
) -> None:
    path = tmp_path / "some.safetensors"
    numbers = [0.5, -1.25, 96.0]
    save_file({"a": torch.ones(3), "b": torch.tensor(numbers).to(dtype)}, path)
    found = read_tensor(path, read_weights(path).tensors["b"])
    assert (found is not None and found.tolist()) == (is_read and numbers)


@pytest.mark.parametrize(
    ("metadata", "traits"),
    [
        ({"prediction_type": "v"}, Traits("v_prediction", size=(768, 768))),
        ({"predict_key": "v"}, Traits("v_prediction", size=(768, 768))),
        (
            {"prediction_type": "epsilon", "architecture": "stable-diffusion-v2-768-v"},
            Traits("epsilon", size=(512, 512)),
        ),
        ({"architecture": "stable-diffusion-v2-768-v"}, Traits("v_prediction", size=(768, 768))),
        ({"resolution": "768x768"}, Traits("epsilon", size=(768, 768))),
        ({"resolution": "9999x1", "prediction_type": "?"}, Traits("epsilon", size=(512, 512))),
    ],
)
def test_what_a_file_says_of_itself_comes_before_a_guess(
    two: Callable[..., Path], metadata: dict[str, str], traits: Traits
) -> None:
    said = {f"modelspec.{key}": value for key, value in metadata.items()}
    assert traits_of(two(0.05, **said)) == traits


def test_base_of_version_2_that_says_so_is_not_guessed(two: Callable[..., Path]) -> None:
    said = {"modelspec.architecture": "stable-diffusion-v2-512"}
    assert traits_of(two(0.15, **said)) == Traits("epsilon", size=(512, 512))


def test_config_folder_of_the_owner_comes_before_a_guess(
    two: Callable[..., Path], config: str
) -> None:
    path = two(0.15)
    assert check_single_file(source_of(path, model_config=config)).traits == Traits()
    (path.parent / "triptych.json").write_text('{"prediction_type": "epsilon"}')
    checked = check_single_file(source_of(path, model_config=config))
    assert checked.traits == Traits("epsilon")


def test_marks_come_before_what_the_file_says(tmp_path: Path) -> None:
    marks = {name: torch.empty(0, device="meta") for name in ("v_pred", "ztsnr")}
    said = {"modelspec.prediction_type": "epsilon"}
    path = write_header({**full_size("sd1"), **marks}, tmp_path / "one.safetensors", **said)
    assert traits_of(path) == Traits("v_prediction", zero_snr=True)
    assert "v-prediction (it has the mark v_pred)" in look(path)
    (tmp_path / "one.triptych.json").write_text('{"prediction_type": "epsilon"}')
    assert traits_of(path) == Traits("epsilon"), "noise alone cannot be predicted from noise alone"


def build_tiny_xl() -> SimpleNamespace:
    """Build the parts of a tiny Stable Diffusion XL, with the shapes of diffusers' own tests."""
    torch.manual_seed(0)
    text = CLIPTextConfig(
        bos_token_id=0,
        eos_token_id=2,
        hidden_size=32,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=5,
        vocab_size=1000,
        hidden_act="gelu",
        projection_dim=24,
    )
    unet = UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=2,
        sample_size=32,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 2),
        projection_class_embeddings_input_dim=72,
        cross_attention_dim=64,
        norm_num_groups=1,
    )
    vae = AutoencoderKL(
        block_out_channels=(32, 64),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        sample_size=128,
    )
    return SimpleNamespace(
        unet=unet,
        vae=vae,
        text_encoder=CLIPTextModel(text),
        text_encoder_2=CLIPTextModelWithProjection(text),
    )


def test_xl_checkpoint_converts_to_the_weights_that_it_was_made_of() -> None:
    tiny = build_tiny_xl()
    parts = vars(tiny)
    found = convert(choose_tensors(name_weights(tiny)), parts)
    assert found.keys() == parts.keys()
    for name, part in parts.items():
        wanted = list_wanted(part)
        assert wanted.keys() <= found[name].keys()
        for each, tensor in wanted.items():
            assert torch.equal(found[name][each], tensor), f"{name}.{each}"


def test_xl_checkpoint_fits_the_configs_that_come_along(tmp_path: Path) -> None:
    path = write_header(full_size("sdxl"), tmp_path / "xl.safetensors")
    checked = check_single_file(source_of(path))
    assert (checked.kind, checked.traits) == ("sdxl", Traits())
    assert checked.parts == ("unet", "vae", "text_encoder", "text_encoder_2")
    assert checked.label == "Stable Diffusion XL"
    rehearse(checked, checked.config)
    weights = {name: each for name, each in full_size("sdxl").items() if "embedders.1" not in name}
    path = write_header(weights, tmp_path / "xl.safetensors")
    with pytest.raises(ConfigError, match="has no second text encoder inside"):
        check_single_file(source_of(path))


def test_xl_checkpoint_without_a_layer_is_refused(tmp_path: Path) -> None:
    gone = "conditioner.embedders.1.model.transformer.resblocks.31.mlp.c_fc.bias"
    weights = {name: each for name, each in full_size("sdxl").items() if name != gone}
    path = write_header(weights, tmp_path / "xl.safetensors")
    checked = check_single_file(source_of(path))
    with pytest.raises(ConfigError, match="of its text_encoder_2, 1 are not there"):
        rehearse(checked, checked.config)


def test_xl_checkpoint_that_predicts_v_is_told_by_its_marks(tmp_path: Path) -> None:
    marks = {name: torch.empty(0, device="meta") for name in ("v_pred", "ztsnr")}
    path = write_header({**full_size("sdxl"), **marks}, tmp_path / "xl.safetensors")
    checked = check_single_file(source_of(path))
    assert checked.traits == Traits("v_prediction", zero_snr=True)
    scheduler = rehearse(checked, checked.config)._own
    assert isinstance(scheduler, EulerDiscreteScheduler)
    assert scheduler.config["rescale_betas_zero_snr"]
    assert scheduler.config["timestep_spacing"] == "trailing"


def unet_of(channels: int = 4, first: int = 320) -> dict[str, torch.Tensor]:
    return {
        f"{UNET}input_blocks.0.0.weight": torch.empty(first, channels, 3, 3, device="meta"),
        f"{UNET}out.2.weight": torch.empty(4, 320, 3, 3, device="meta"),
    }


def only(key: str) -> dict[str, torch.Tensor]:
    return {key: torch.empty(8, device="meta")}


OTHERS = [
    (only("lora_unet_mid_block_attentions_0_proj_in.lora_down.weight"), "it is a LoRA"),
    (only("unet.mid_block.attentions.0.to_q.lora_A.weight"), "it is a LoRA"),
    (only("emb_params"), "it is a textual inversion"),
    (only("control_model.time_embed.0.weight"), "it is a ControlNet"),
    (
        only("double_blocks.0.img_attn.qkv.weight") | only("controlnet_blocks.0.weight"),
        "it is a ControlNet",
    ),
    (only("single_stream_modulation.lin.weight"), "it is a FLUX.2 checkpoint"),
    (only("txt_norm.weight"), "it is a Qwen-Image checkpoint"),
    (only("layers.0.adaLN_modulation.0.weight"), "it is a Z-Image or Lumina checkpoint"),
    (only("double_layers.0.attn.w2q.weight"), "it is an AuraFlow checkpoint"),
    (only("head.modulation"), "it is a Wan checkpoint"),
    (only("blocks.0.cross_attn.kv_linear.bias"), "it is a PixArt or Sana checkpoint"),
    (only("clip_txt_mapper.weight"), "it is a Stable Cascade checkpoint"),
    (only("input_blocks.0.0.weight"), "it is a UNet alone, without a text encoder and a VAE"),
    (only("down_blocks.0.resnets.0.conv1.weight"), "it is a UNet alone"),
    (only("decoder.conv_in.weight"), "it is a VAE alone; the setting VAE may name it"),
    (only("text_model.embeddings.token_embedding.weight"), "it is a text encoder alone"),
    (unet_of(9), "its UNet takes 9 channels, as for inpainting"),
    (unet_of(8), "its UNet takes 8 channels, as for editing by instructions"),
    (unet_of(5), "its UNet takes 5 channels, as for depth"),
    (unet_of(6), r"its UNet takes 6 channels\)"),
    (
        {**unet_of(first=384), **only("conditioner.embedders.0.model.ln_final.bias")},
        "it is the refiner of Stable Diffusion XL",
    ),
    ({**unet_of(), **only("edm_mean")}, "it is a Playground 2.5 checkpoint"),
    ({**unet_of(), **only("edm_vpred.sigma_max")}, "of the EDM kind, like CosXL"),
    ({**unet_of(), **only(f"{UNET}label_emb.0.0.weight")}, "more than a prompt, as unCLIP does"),
]


@pytest.mark.parametrize(("weights", "words"), OTHERS, ids=[words[:40] for _, words in OTHERS])
def test_file_of_another_kind_is_named(
    tmp_path: Path, weights: dict[str, torch.Tensor], words: str
) -> None:
    path = write_header(weights, tmp_path / "other.safetensors")
    with pytest.raises(ConfigError, match=words) as caught:
        check_model(source_of(path))
    assert "cannot draw with" in str(caught.value)
    assert "choose a text-to-image model of" in str(caught.value)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("first_stage_model.", "has no VAE inside: .* set VAE to one .* or set MODEL_CONFIG"),
        ("cond_stage_model.", "has no text encoder inside: .* set MODEL_CONFIG"),
    ],
)
def test_part_that_is_missing_is_named_with_the_remedy(
    tmp_path: Path, start: str, words: str
) -> None:
    weights = {name: each for name, each in full_size("sd1").items() if not name.startswith(start)}
    path = write_header(weights, tmp_path / "one.safetensors")
    with pytest.raises(ConfigError, match=words):
        check_model(source_of(path))


def edit_header(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change the metadata in the header of a file of zeros."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    edit(header)
    end = max(each["data_offsets"][1] for each in header.values())
    start = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(start).to_bytes(8, "little") + start)
        file.truncate(8 + len(start) + end)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (f"{UNET}out.2.bias", {"dtype": "U8", "shape": [8]}, r"quantised weights \(as U8\)"),
        (f"{UNET}out.2.scale_weight", None, "quantised weights .with scales of their own"),
        ("scaled_fp8", None, "quantised weights .with scales of their own"),
        (f"{UNET}out.2.weight.absmax", None, "quantised weights"),
        (f"{UNET}out.2.bias", {"shape": [5]}, "is broken"),
        (f"{UNET}out.2.bias", {"shape": [-4]}, "is broken"),
        (f"{UNET}out.2.bias", {"shape": [-2, -2]}, "is broken"),
        (f"{UNET}out.2.bias", {"data_offsets": [8, 0]}, "is broken"),
        (f"{UNET}out.2.bias", {"dtype": []}, "is broken"),
        (f"{UNET}out.2.bias", {"data_offsets": [0, 8]}, "is broken"),
        ("one.more", {"shape": [], "data_offsets": [True, 3]}, "is broken"),
        ("one.more", {"shape": [2.0], "data_offsets": [0, 4]}, "is broken"),
    ],
)
def test_header_that_lies_or_holds_other_numbers_is_refused(
    tmp_path: Path, name: str, change: dict[str, Any] | None, words: str
) -> None:
    path = write_header(full_size("sd1"), tmp_path / "one.safetensors")
    extra = {"dtype": "F16", "shape": [0], "data_offsets": [0, 0]}

    def edit(header: dict[str, Any]) -> None:
        header[name] = {**header.get(name, extra), **(change or {})}

    edit_header(path, edit)
    with pytest.raises(ConfigError, match=words):
        check_model(source_of(path))


@pytest.fixture
def config(tiny_model: Path) -> str:
    return str(tiny_model)


@pytest.mark.parametrize(
    "dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2]
)
def test_weights_of_fewer_bits_are_read_as_they_are(
    tmp_path: Path, config: str, dtype: torch.dtype
) -> None:
    path = write_single_file(build_tiny_pipeline(), tmp_path / "one.safetensors")
    weights = {name: each.to(dtype) for name, each in load_file(path).items()}
    save_file({**weights, "model_ema.decay": torch.ones(())}, path)
    checked = check_single_file(source_of(path, model_config=config))
    parts = read_parts(checked, None, torch.float32)
    for name, part in vars(build_tiny_pipeline()).items():
        if name in parts:
            wanted = {key: each.to(dtype).float() for key, each in list_wanted(part).items()}
            assert wanted.keys() == list_wanted(parts[name]).keys()
            for key, each in list_wanted(parts[name]).items():
                assert each.dtype == torch.float32
                assert torch.equal(each, wanted[key])
    assert not any(part.training for part in parts.values())


def test_file_may_be_replaced_while_its_model_is_drawn_with(tmp_path: Path, config: str) -> None:
    path = write_single_file(build_tiny_pipeline(), tmp_path / "one.safetensors")
    checked = check_single_file(source_of(path, model_config=config))
    unet = read_parts(checked, None, torch.float32)["unet"]
    before = unet.conv_in.bias.clone()
    path.write_bytes(bytes(path.stat().st_size))
    assert torch.equal(unet.conv_in.bias, before)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("start", [UNET, "first_stage_model.", "cond_stage_model."])
def test_weights_that_are_no_numbers_are_refused_at_the_start(
    tmp_path: Path, config: str, number: float, start: str
) -> None:
    path = write_single_file(build_tiny_pipeline(), tmp_path / "one.safetensors")
    weights = load_file(path)
    weights[next(name for name in weights if name.startswith(start))].view(-1)[3] = number
    save_file(weights, path)
    with pytest.raises(ConfigError, match=r"has 1 weights with numbers in them that are none"):
        load_model(source_of(path, model_config=config))
