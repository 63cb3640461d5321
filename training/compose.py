"""Compose training scenes as tensors: a batch is a pure function of (seed, name, number)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812

from training import atlas, painters, placement
from training.captions import Spec, draw_spec
from training.colours import body_colour, recolour
from training.config import Config, Run
from training.draws import Draw, python_random
from training.effects import EFFECTS
from training.painters import PIXELS, Backdrop
from training.scenes import SCENE_NAMES, SCENES, Prop, Scene, Where
from training.sprites import read_bank
from training.vocabulary import COLOURS, SUBJECT_COLOURS

_MARGIN = 64  # pixels around the canvas, so that a patch may hang over the edge
CELL = 16  # pixels of one latent cell


@dataclass(frozen=True, slots=True)
class Scenes:
    pixels: torch.Tensor  # (n, 3, 128, 128) float32, 0…1
    cover: torch.Tensor  # (n, 1, 8, 8), the share of each latent cell that subjects cover
    specs: list[Spec]


def paste(canvas: torch.Tensor, patches: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> None:
    """Paste premultiplied patches (n, 4, s, s) into a canvas (n, c, h, w), top left at (x, y)."""
    n, channels, height, width = canvas.shape
    side = patches.shape[-1]
    span = torch.arange(side, device=canvas.device)
    rows = y.clamp(0, height - side)[:, None] + span
    columns = x.clamp(0, width - side)[:, None] + span
    index = (rows[:, :, None] * width + columns[:, None, :]).view(n, 1, -1)
    index = index.expand(-1, channels, -1)
    flat, patches = canvas.view(n, channels, -1), patches.to(canvas.dtype).reshape(n, 4, -1)
    blended = flat.gather(2, index) * (1 - patches[:, 3:]) + patches[:, :channels]
    flat.scatter_(2, index, blended)


class Composer:
    def __init__(self, bank: atlas.Bank, config: Config, device: torch.device) -> None:
        self.config = config
        self.device = device
        self.subjects = {
            key: patches.to(device) for key, patches in atlas.subject_patches(bank, config).items()
        }
        self.bodies = {  # style → (subjects, 3)
            style: torch.stack([body_colour(patch[0]) for patch in self._of_style(style)])
            for style in config.styles
        }
        self.props = atlas.all_prop_patches(bank, config, device)

    def _of_style(self, style: str) -> torch.Tensor:
        return self.subjects[style, self.config.sizes[0]]

    @classmethod
    def of(cls, run: Run) -> Composer:
        return cls(read_bank(run.work / "sprites.npz"), run.config, run.device)

    def compose(self, count: int, *name: object) -> Scenes:
        chance = python_random(*name, "specs")
        return self.compose_specs([draw_spec(self.config, chance) for _ in range(count)], *name)

    @torch.no_grad()
    def compose_specs(self, specs: list[Spec], *name: object) -> Scenes:
        draw = Draw(self.device, *name, "pixels")
        pixels = torch.empty(len(specs), 3, PIXELS, PIXELS, device=self.device)
        for place in sorted({spec.place for spec in specs}):
            members = [i for i, spec in enumerate(specs) if spec.place == place]
            pixels[members] = self._backdrops(place, len(members), draw)
        pixels, cover = self._with_subjects(pixels, specs, draw)
        pixels = pixels.clamp(0, 1)
        for style, effect in EFFECTS.items():
            members = [i for i, spec in enumerate(specs) if spec.style == style]
            if members:
                pixels[members] = effect(pixels[members])
        return Scenes(pixels, cover, specs)

    def _backdrops(self, place: str, count: int, draw: Draw) -> torch.Tensor:
        if place.startswith("plain-"):
            colour = painters.rgb(COLOURS[place.removeprefix("plain-")], self.device)
            shade = 1 - 0.06 * torch.linspace(0, 1, PIXELS, device=self.device).view(1, 1, -1, 1)
            return (colour * shade).expand(count, 3, PIXELS, PIXELS)
        scene = SCENES[SCENE_NAMES.index(place)]
        horizon = draw.uniform(*scene.horizon, count, 1, 1, 1)
        backdrop = Backdrop(torch.empty(count, 3, 0, 0, device=self.device), horizon, draw)
        painters.paint_sky(backdrop, *scene.sky)
        for paint in scene.behind:
            paint(backdrop)
        painters.paint_ground(backdrop, *scene.ground)
        for paint in scene.upon:
            paint(backdrop)
        backdrop.pixels = self._with_props(backdrop.pixels.clamp(0, 1), scene, horizon, draw)
        for paint in scene.over:
            paint(backdrop)
        return backdrop.pixels

    def _with_props(
        self, pixels: torch.Tensor, scene: Scene, horizon: torch.Tensor, draw: Draw
    ) -> torch.Tensor:
        canvas = F.pad(pixels, (_MARGIN,) * 4)
        for prop, patches in zip(scene.props, self.props[scene.name], strict=True):
            self._scatter(canvas, prop, patches, horizon.view(-1, 1), draw)
        return canvas[:, :, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]

    def _scatter(
        self,
        canvas: torch.Tensor,
        prop: Prop,
        patches: atlas.PropPatches,
        horizon: torch.Tensor,
        draw: Draw,
    ) -> None:
        """Paste props, far ones first. Unused slots of a picture are pasted fully transparent."""
        n, (low, high), (small, large) = len(canvas), prop.count, prop.size
        used = torch.arange(high, device=self.device) < draw.integers(low, high, n, 1)
        x, y = _prop_places(prop, horizon, draw, high)
        share = draw.uniform(0, 1, n, high)
        if prop.where is Where.GROUND:
            share = ((y - horizon) / (1.05 - horizon)).clamp(0, 1)
        pixels = small + (large - small) * share
        variant = draw.integers(0, patches.patches.shape[1] - 1, n, high)
        table = patches.patches
        size = ((pixels - small) / 2).round().long().clamp(0, len(table) - 1)
        order = y.argsort(1)
        side = table.shape[-1]
        drop = side if patches.is_standing else side // 2
        left = (x * PIXELS).long() - side // 2 + _MARGIN
        top = (y * PIXELS).long() - drop + _MARGIN
        rows = torch.arange(n, device=self.device)
        for slot in range(high):
            pick = order[:, slot]
            chosen = table[size[rows, pick], variant[rows, pick]]
            chosen = chosen * used[rows, pick].view(-1, 1, 1, 1)
            paste(canvas, chosen, left[rows, pick], top[rows, pick])

    def _with_subjects(
        self, pixels: torch.Tensor, specs: list[Spec], draw: Draw
    ) -> tuple[torch.Tensor, torch.Tensor]:
        config, n, side = self.config, len(specs), atlas.SUBJECT_PATCH
        sizes = draw.integers(0, len(config.sizes) - 1, n).tolist()
        mirrored = (draw.uniform(0, 1, n) < 0.5).tolist()
        places = placement.places(specs, config, draw)
        patches = torch.zeros(n, 4, side, side, device=self.device)
        for i, spec in enumerate(specs):
            if spec.subject is None:
                continue
            size = config.sizes[sizes[i]] if spec.count == 1 else config.crowd_size
            row = config.subject_indices.index(spec.subject)
            patch = self.subjects[spec.style, size][row, int(not placement.floats(spec))]
            patches[i] = patch.flip(-1) if config.flips and mirrored[i] else patch
        self._paint(patches, specs)
        canvas = F.pad(pixels, (_MARGIN,) * 4)
        shape = torch.zeros_like(canvas[:, :1])
        silhouette = torch.cat(
            [patches[:, 3:], torch.zeros_like(patches[:, :2]), patches[:, 3:]], 1
        )
        for slot in range(max(map(len, places))):
            rows = [i for i in range(n) if len(places[i]) > slot]
            x, y = self._corners([places[i][slot] for i in rows], [specs[i] for i in rows])
            for target, source in ((canvas, patches), (shape, silhouette)):
                part = target[rows]
                paste(part, source[rows], x, y)
                target[rows] = part
        inner = slice(_MARGIN, -_MARGIN)
        cover = F.avg_pool2d(shape[:, :, inner, inner], CELL)
        return canvas[:, :, inner, inner], cover

    def _paint(self, patches: torch.Tensor, specs: list[Spec]) -> None:
        """Recolour the subjects that need another colour, in place."""
        rows = [i for i, spec in enumerate(specs) if spec.colour]
        if not rows:
            return
        painted = [specs[i] for i in rows]
        indices = [self.config.subject_indices.index(spec.subject or 0) for spec in painted]
        bodies = [self.bodies[s.style][i] for s, i in zip(painted, indices, strict=True)]
        targets = torch.tensor([SUBJECT_COLOURS[spec.colour] for spec in painted]) / 255
        patches[rows] = recolour(patches[rows], torch.stack(bodies), targets.to(self.device))

    def _corners(
        self, places: list[tuple[int, int]], specs: list[Spec]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the top left corners of the patches on the canvas."""
        half = atlas.SUBJECT_PATCH // 2
        rises = [half if placement.floats(spec) else atlas.GROUND_ROW for spec in specs]
        x = [place[0] - half + _MARGIN for place in places]
        y = [place[1] - rise + _MARGIN for place, rise in zip(places, rises, strict=True)]
        return torch.tensor(x, device=self.device), torch.tensor(y, device=self.device)


def _prop_places(
    prop: Prop, horizon: torch.Tensor, draw: Draw, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the x and y of props, each (n, count), as shares 0…1 of the picture."""
    n = len(horizon)
    x, y = draw.uniform(0, 1, n, count), draw.uniform(0, 1, n, count)
    beside = torch.where(x < 0.5, 0.04 + 0.24 * x, 0.84 + 0.24 * (x - 0.5))
    match prop.where:
        case Where.GROUND:
            return x, horizon + (1.04 - horizon) * y
        case Where.HORIZON:
            spread = (torch.arange(count, device=x.device) + x) / count
            return spread, horizon + 0.05 * y
        case Where.SKY:
            return x, 0.12 + (0.62 * horizon - 0.12).clamp(min=0.08) * y
        case Where.CORNER:
            return beside, 0.13 + 0.12 * y
        case Where.EDGE:
            return beside, horizon + 0.04 + 0.09 * y
