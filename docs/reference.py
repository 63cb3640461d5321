"""The reference: StableDiffusionPipeline alone, at full size. Needs the weights and a CUDA GPU.

It draws one picture and a 1×3 grid. docs/reference.md says what to compare them with.
"""

from __future__ import annotations

import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import make_image_grid
from PIL import Image


def draw(pipe: StableDiffusionPipeline, prompt: str, seeds: range) -> list[Image.Image]:
    """Draw one picture per seed, each with its own CPU generator."""
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    return pipe([prompt] * len(seeds), generator=generators).images


def main() -> None:
    """Write horse.png and dogs.png into the current folder."""
    pipe = StableDiffusionPipeline.from_pretrained(
        "CompVis/stable-diffusion-v1-4", dtype=torch.float16, variant="fp16", use_safetensors=True
    ).to("cuda")
    draw(pipe, "a photograph of an horse on moon", range(1))[0].save("horse.png")
    dogs = draw(pipe, "dog sitting in a field of autumn leaves", range(3))
    make_image_grid(dogs, rows=1, cols=3).save("dogs.png")


if __name__ == "__main__":
    main()
