"""python -m training.fit_preview MODEL_FOLDER: writes preview.json into it.

The model draws pictures of words of its own; by least squares its finished latents become patches
of PATCH × PATCH pixels of its decoded pictures, each from one place of the latent alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

from bot.engine.previews import PREVIEW_FILE, fit_matrix

PATCH = 4
WORDS = (
    *("dog in autumn leaves", "red apple", "a house by the sea", "cat", "green tree", "pizza"),
    *("rocket in the night", "yellow flower", "blue fish", "snowman", "train", "bird", "key"),
    *("face with a smile", "moon and stars", "a purple umbrella", "horse", "car", "lamp"),
    *("mountain at sunset", "strawberry", "robot", "ghost", "crown", "heart", "black guitar"),
    *("orange balloon", "penguin", "cactus", "bicycle", "white cloud", "brown bear"),
)


@torch.inference_mode()
def main(folder: Path) -> None:
    """Draw, fit, write."""
    pipe = StableDiffusionPipeline.from_pretrained(folder, use_safetensors=True)
    pipe.set_progress_bar_config(disable=True)
    defaults = json.loads((folder / "triptych.json").read_text("utf-8"))
    latents = torch.cat(
        [
            pipe(
                [word] * 2,
                num_inference_steps=defaults["num_inference_steps"],
                guidance_scale=defaults["guidance_scale"],
                generator=torch.Generator().manual_seed(number),
                output_type="latent",
            ).images
            for number, word in enumerate(WORDS)
        ]
    )
    scaled = latents / pipe.vae.config.scaling_factor
    pictures = torch.cat([pipe.vae.decode(batch).sample for batch in scaled.split(4)])
    matrix = fit_matrix(latents, pictures.clamp(-1, 1), PATCH)
    numbers = {
        name: [[round(value, 4) for value in row] for row in rows.tolist()]
        for name, rows in (("weight", matrix.weight), ("bias", matrix.bias[None]))
    }
    content = {"weight": numbers["weight"], "bias": numbers["bias"][0]}
    (folder / PREVIEW_FILE).write_text(json.dumps(content) + "\n", "utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
