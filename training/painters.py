"""Procedural backdrops, painted for a whole batch at once. Colours are planar RGB floats, 0…1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F  # noqa: N812

from training.draws import Draw

PIXELS = 128
Colour = tuple[int, int, int]


@dataclass(slots=True)
class Backdrop:
    """n unfinished pictures. y runs 0…1 downwards, x 0…1 to the right; horizon is a value of y."""

    pixels: torch.Tensor  # (n, 3, PIXELS, PIXELS)
    horizon: torch.Tensor  # (n, 1, 1, 1)
    draw: Draw

    @property
    def y(self) -> torch.Tensor:
        return torch.linspace(0, 1, PIXELS, device=self.pixels.device).view(1, 1, -1, 1)

    @property
    def x(self) -> torch.Tensor:
        return torch.linspace(0, 1, PIXELS, device=self.pixels.device).view(1, 1, 1, -1)

    def uniform(self, low: float, high: float) -> torch.Tensor:
        return self.draw.uniform(low, high, len(self.pixels), 1, 1, 1)

    def fill(self, mask: torch.Tensor, colour: torch.Tensor) -> None:
        self.pixels = torch.where(mask, colour, self.pixels)


Painter = Callable[[Backdrop], None]


def rgb(colour: Colour, device: torch.device) -> torch.Tensor:
    return torch.tensor(colour, dtype=torch.float32, device=device).view(1, 3, 1, 1) / 255


@cache
def noise_textures(roughness: float, device: torch.device) -> torch.Tensor:
    """Make noise (64, 1, PIXELS, PIXELS), 0…1. A smaller roughness gives more small detail."""
    generator = torch.Generator().manual_seed(7)
    total = torch.zeros(64, 1, PIXELS, PIXELS)
    for cells in (4, 8, 16, 32):
        coarse = torch.rand(64, 1, cells, cells, generator=generator)
        fine = F.interpolate(coarse, PIXELS, mode="bicubic", align_corners=False)
        total += fine / cells**roughness
    low, high = total.amin((2, 3), keepdim=True), total.amax((2, 3), keepdim=True)
    return ((total - low) / (high - low)).to(device)


def noise(backdrop: Backdrop, roughness: float) -> torch.Tensor:
    textures = noise_textures(roughness, backdrop.pixels.device)
    picked = textures[backdrop.draw.integers(0, len(textures) - 1, len(backdrop.pixels))]
    flip = backdrop.uniform(0, 1) < 0.5
    return torch.where(flip, picked.flip(-1), picked)


def jittered(backdrop: Backdrop, colour: Colour) -> torch.Tensor:
    return (rgb(colour, backdrop.pixels.device) * backdrop.uniform(0.94, 1.06)).clamp(0, 1)


def paint_sky(backdrop: Backdrop, top: Colour, bottom: Colour) -> None:
    down = (backdrop.y / backdrop.horizon).clamp(0, 1)
    sky = jittered(backdrop, top) * (1 - down) + jittered(backdrop, bottom) * down
    backdrop.pixels = sky.expand(-1, -1, -1, PIXELS).contiguous()


def paint_ground(backdrop: Backdrop, dark: Colour, light: Colour) -> None:
    texture = noise(backdrop, 1.0)
    depth = ((backdrop.y - backdrop.horizon) / (1.001 - backdrop.horizon)).clamp(0, 1)
    ground = jittered(backdrop, dark) * (1 - texture) + jittered(backdrop, light) * texture
    backdrop.fill(backdrop.y > backdrop.horizon, ground * (0.86 + 0.14 * depth))


def _points(backdrop: Backdrop, count: int, lowest: torch.Tensor | float, size: int) -> None:
    """Paint white dots of size × size pixels above y = lowest."""
    n = len(backdrop.pixels)
    y = (backdrop.draw.uniform(0, 1, n, count) * lowest * (PIXELS - size)).long()
    x = (backdrop.draw.uniform(0, 1, n, count) * (PIXELS - size)).long()
    light = torch.zeros(n, PIXELS * PIXELS, device=backdrop.pixels.device)
    brightness = backdrop.draw.uniform(0.7, 1, n, count)
    for down in range(size):
        for across in range(size):
            light.scatter_reduce_(1, (y + down) * PIXELS + x + across, brightness, "amax")
    backdrop.pixels = torch.maximum(backdrop.pixels, light.view(n, 1, PIXELS, PIXELS))


def stars(backdrop: Backdrop) -> None:
    _points(backdrop, 22, backdrop.horizon.clamp(max=1).view(-1, 1), 1)


def flakes(backdrop: Backdrop) -> None:
    _points(backdrop, 36, 1.0, 2)


def nebula(backdrop: Backdrop) -> None:
    glow = noise(backdrop, 1.6) ** 2
    backdrop.pixels = backdrop.pixels + 0.8 * glow * rgb((90, 40, 140), backdrop.pixels.device)


def sun_glow(backdrop: Backdrop) -> None:
    device = backdrop.pixels.device
    centre = backdrop.uniform(0.25, 0.75)
    distance = ((backdrop.x - centre) ** 2 + (backdrop.y - backdrop.horizon + 0.04) ** 2).sqrt()
    backdrop.pixels = backdrop.pixels + torch.exp(-((distance / 0.28) ** 2)) * rgb(
        (120, 70, 10), device
    )
    backdrop.fill(distance < 0.11, rgb((255, 225, 120), device))


def mountains(backdrop: Backdrop) -> None:
    device = backdrop.pixels.device
    ranges: tuple[tuple[Colour, float, float], ...] = (
        ((120, 138, 178), 0.38, 0.12),
        ((85, 105, 145), 0.2, 0.04),
    )
    for distance, (colour, height, base) in enumerate(ranges):
        ridge = torch.zeros(1, device=device)
        for peak in range(3):
            centre = backdrop.uniform(peak / 3, (peak + 1) / 3)
            ridge = torch.maximum(
                ridge, backdrop.uniform(0.6, 1) * (1 - (backdrop.x - centre).abs() * 2.6)
            )
        ridge = ridge.clamp(min=0)
        top = backdrop.horizon - base - height * ridge
        backdrop.fill(backdrop.y > top, rgb(colour, device))
        if distance == 0:
            cap = (backdrop.y > top) & (backdrop.y < top + 0.12 * ridge - 0.02)
            backdrop.fill(cap, rgb((242, 246, 252), device))


def _skyline(backdrop: Backdrop, night: bool) -> None:
    device = backdrop.pixels.device
    walls: tuple[Colour, ...] = (
        ((38, 42, 70), (50, 48, 82), (30, 34, 60))
        if night
        else ((170, 150, 135), (150, 165, 185), (190, 175, 150))
    )
    palette = torch.cat([rgb(colour, device) for colour in walls])
    left = backdrop.uniform(-0.1, 0.0)
    for _ in range(8):
        width = backdrop.uniform(0.13, 0.2)
        top = backdrop.horizon - backdrop.uniform(0.22, 0.5)
        wall = palette[backdrop.draw.integers(0, 2, len(backdrop.pixels))]
        inside = (backdrop.x >= left) & (backdrop.x < left + width - 0.008)
        inside = inside & (backdrop.y > top) & (backdrop.y <= backdrop.horizon)
        backdrop.fill(inside, wall * backdrop.uniform(0.85, 1.08))
        across = ((backdrop.x - left - 0.02) / 0.047) % 1 < 0.5
        down = ((backdrop.y - top - 0.025) / 0.062) % 1 < 0.5
        inset = (backdrop.x > left + 0.016) & (backdrop.x < left + width - 0.02)
        panes = inside & across & down & inset & (backdrop.y > top + 0.02)
        backdrop.fill(panes, rgb((255, 220, 110) if night else (222, 236, 246), device))
        left = left + width


def skyline(backdrop: Backdrop) -> None:
    _skyline(backdrop, night=False)


def night_skyline(backdrop: Backdrop) -> None:
    _skyline(backdrop, night=True)


def road(backdrop: Backdrop) -> None:
    middle = backdrop.horizon + (1 - backdrop.horizon) * 0.6
    dash = (backdrop.x * 6 + backdrop.uniform(0, 1)) % 1 < 0.55
    line = (backdrop.y - middle).abs() < 0.016
    backdrop.fill(line & dash, rgb((235, 225, 170), backdrop.pixels.device))


def dunes(backdrop: Backdrop) -> None:
    device = backdrop.pixels.device
    phase = backdrop.uniform(0, 6.28)
    for lift, colour in ((0.0, (232, 176, 104)), (0.16, (218, 156, 84))):
        crest = backdrop.horizon + lift + 0.035 * torch.sin(backdrop.x * (8 + 9 * lift) + phase)
        backdrop.fill(backdrop.y > crest, rgb(colour, device) * backdrop.uniform(0.97, 1.03))


def shore(backdrop: Backdrop) -> None:
    device = backdrop.pixels.device
    top = backdrop.horizon - 0.14
    depth = ((backdrop.y - top) / 0.16).clamp(0, 1)
    water = rgb((40, 130, 200), device) * (1 - depth) + rgb((120, 222, 226), device) * depth
    wave = backdrop.horizon + 0.012 * torch.sin(backdrop.x * 14 + backdrop.uniform(0, 6.28))
    backdrop.fill((backdrop.y > top) & (backdrop.y < wave), water)
    backdrop.fill((backdrop.y - wave).abs() < 0.008, rgb((245, 250, 250), device))


def planks(backdrop: Backdrop) -> None:
    device = backdrop.pixels.device
    below = backdrop.y > backdrop.horizon
    seams = ((backdrop.y - backdrop.horizon) * 11) % 1 < 0.12
    backdrop.fill(below & seams, backdrop.pixels * 0.8)
    backdrop.fill((backdrop.y - backdrop.horizon).abs() < 0.014, rgb((245, 240, 230), device))


def light_rays(backdrop: Backdrop) -> None:
    slope = backdrop.uniform(-0.3, 0.3)
    wave = torch.sin((backdrop.x + backdrop.y * slope) * 18 + backdrop.uniform(0, 6.28))
    lit = (wave > 0.3) & (backdrop.y < backdrop.horizon)
    backdrop.pixels = backdrop.pixels + 0.1 * lit * (1 - backdrop.y)


def craters(backdrop: Backdrop) -> None:
    for row in range(7):
        y = backdrop.horizon + (1.02 - backdrop.horizon) * (0.1 + 0.13 * row)
        width = 0.06 + 0.26 * (y - backdrop.horizon)
        across = (backdrop.x - backdrop.uniform(0, 1)) / width
        down = (backdrop.y - y) / (width * 0.34)
        radius = across**2 + down**2
        ground = backdrop.y > backdrop.horizon
        rim = ground & (radius >= 1) & (radius < 1.35) & (backdrop.y > y)
        backdrop.fill(rim, (backdrop.pixels * 1.2).clamp(max=1))
        backdrop.fill(ground & (radius < 1), backdrop.pixels * 0.68)
