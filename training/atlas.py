"""Sprites in every size that may be needed, as premultiplied RGBA patches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from training.config import Config
from training.scenes import SCENES, Prop, Where
from training.vocabulary import SUBJECT_NAMES

SUBJECT_PATCH = 112  # pixels; room for a subject of up to 96 pixels and its shadow
GROUND_ROW = 96  # the row of a subject patch that touches the ground
Bank = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class PropPatches:
    """The patches of a prop. A variant is a name, a tint, a turn or a mirror image."""

    patches: torch.Tensor  # (sizes, variants, 4, side, side) float16
    is_standing: bool


def cut(sprite: np.ndarray, size: int, turn: int = 0) -> np.ndarray:
    """Scale a sprite so that its longer side is `size`, trim it, and premultiply its alpha.

    Returns float (h, w, 4) in 0…1.
    """
    picture = Image.fromarray(sprite)
    if turn:
        picture = picture.rotate(turn, expand=True, resample=Image.Resampling.BICUBIC)
    ratio = size / max(picture.size)
    width, height = (max(1, round(side * ratio)) for side in picture.size)
    pixels = np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS), np.float32) / 255
    pixels = pixels * np.concatenate(
        [pixels[..., 3:].repeat(3, -1), np.ones((height, width, 1))], -1
    )
    rows = np.flatnonzero((pixels[..., 3] > 0.03).any(1))
    columns = np.flatnonzero((pixels[..., 3] > 0.03).any(0))
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)


def _placed(pixels: np.ndarray, side: int, top: int) -> np.ndarray:
    """Put pixels on a transparent square, centred horizontally. Returns (4, side, side)."""
    height, width = pixels.shape[:2]
    left = side // 2 - width // 2
    square = np.zeros((side, side, 4), np.float32)
    square[top : top + height, left : left + width] = pixels
    return square.transpose(2, 0, 1)


def _shadow(width: int, height: int) -> np.ndarray:
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    shadow = np.zeros((height, width, 4), np.float32)
    shadow[..., 3] = (0.5 * (1 - (x**2 + y**2))).clip(0, 0.42)
    return shadow


def _subject_patches(sprite: np.ndarray, size: int) -> np.ndarray:
    """Return a subject floating in the middle, and standing with a shadow: (2, 4, side, side)."""
    pixels = cut(sprite, size)
    height, width = pixels.shape[:2]
    floating = _placed(pixels, SUBJECT_PATCH, SUBJECT_PATCH // 2 - height // 2)
    shadow = _shadow(width, max(3, height // 7))
    under = _placed(shadow, SUBJECT_PATCH, int(GROUND_ROW - 0.6 * len(shadow)))
    standing = _placed(pixels, SUBJECT_PATCH, GROUND_ROW - height)
    return np.stack([floating, standing + under * (1 - standing[3:])])


def subject_patches(bank: Bank, config: Config) -> dict[tuple[str, int], torch.Tensor]:
    """Return the patches of all subjects, float16 (subjects, 2, 4, side, side), by style and size.

    The subjects are in the order of subject_indices. If a style has no sprite for a noun, the first
    style's sprite is used.
    """
    table = {}
    for style in config.styles:
        for size in {*config.sizes, config.crowd_size}:
            stack = []
            for index in config.subject_indices:
                name = SUBJECT_NAMES[index]
                sprite = bank.get(f"{name}|{style}", bank[f"{name}|{config.styles[0]}"])
                stack.append(_subject_patches(sprite, size))
            table[style, size] = torch.from_numpy(np.stack(stack)).half()
    return table


def _variants(bank: Bank, prop: Prop, size: int) -> list[np.ndarray]:
    cuts = []
    for name in prop.names:
        for turn in range(0, 360, 60) if prop.turned else (0,):
            pixels = cut(bank[f"{name}|3d"], size, turn)
            for tint in prop.tints:
                tinted = pixels * np.array([*tint, 255], np.float32) / 255
                cuts += [tinted, tinted[:, ::-1]]
    return cuts


def prop_patches(bank: Bank, prop: Prop, device: torch.device) -> PropPatches:
    """Cut a prop to all its sizes, in steps of two pixels."""
    low, high = prop.size
    by_size = [_variants(bank, prop, size) for size in range(low, high + 2, 2)]
    side = max(max(pixels.shape[:2]) for cuts in by_size for pixels in cuts)
    is_standing = prop.where in {Where.GROUND, Where.HORIZON, Where.EDGE}
    stacks = [
        np.stack(
            [
                _placed(c, side, side - len(c) if is_standing else side // 2 - len(c) // 2)
                for c in cuts
            ]
        )
        for cuts in by_size
    ]
    return PropPatches(torch.from_numpy(np.stack(stacks)).half().to(device), is_standing)


def all_prop_patches(
    bank: Bank, config: Config, device: torch.device
) -> dict[str, list[PropPatches]]:
    return {
        scene.name: [prop_patches(bank, prop, device) for prop in scene.props]
        for scene in SCENES
        if scene.name in config.scene_names
    }
