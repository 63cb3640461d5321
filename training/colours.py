"""Recolour a subject: replace its main colour, but not that of eyes, wheels and beaks."""

from __future__ import annotations

import torch

LUMA = (0.299, 0.587, 0.114)
_HUES = 12  # bins of the circle; one more holds what has no hue
_GREY = 0.08  # chroma below which a pixel has no hue
_DARK = 0.12  # luma below which a pixel is an outline or a pupil
_BODY_GREY = 0.6  # how much a grey pixel counts against a coloured one


def luma(pixels: torch.Tensor) -> torch.Tensor:
    """Return the luma (…, 1, h, w) of colours (…, 3 or more, h, w)."""
    weights = torch.tensor(LUMA, device=pixels.device).view(3, 1, 1)
    return (pixels[..., :3, :, :] * weights).sum(-3, keepdim=True)


def straight(patches: torch.Tensor) -> torch.Tensor:
    """Return the colours (n, 3, h, w) of premultiplied patches (n, 4, h, w)."""
    return (patches[:, :3] / patches[:, 3:].clamp(min=0.04)).clamp(0, 1)


def _hue(chroma: torch.Tensor) -> torch.Tensor:
    """Return the hue of colours from which the luma was subtracted, 0…1 around the circle."""
    red, green, blue = chroma.unbind(-3)
    angle = torch.atan2(3**0.5 * (green - blue), 2 * red - green - blue)
    return angle / (2 * torch.pi) % 1


def body_colour(patch: torch.Tensor) -> torch.Tensor:
    """Return the mean colour (3,) of a patch's commonest hue, or of its greys.

    patch: (4, h, w), premultiplied.
    """
    pixels = patch[None].float()
    colours = straight(pixels)
    brightness = luma(colours)
    chroma = colours - brightness
    bins = (_hue(chroma) * _HUES).long().clamp(max=_HUES - 1)[0]
    is_grey = chroma.norm(dim=1)[0] < _GREY
    bins = torch.where(is_grey, _HUES, bins).flatten()
    weight = (pixels[0, 3] * (brightness[0, 0] > _DARK)).flatten()
    counts = torch.zeros(_HUES + 1, device=patch.device).index_add_(0, bins, weight)
    around = counts[:_HUES] + counts[:_HUES].roll(1) + counts[:_HUES].roll(-1)
    if counts[_HUES] * _BODY_GREY > around.max():
        member = bins == _HUES
    else:
        far = (bins - around.argmax() + _HUES // 2) % _HUES - _HUES // 2
        member = (far.abs() <= 1) & (bins < _HUES)
    weight = weight * member
    return (colours[0].flatten(1) * weight).sum(1) / weight.sum().clamp(min=1e-6)


def _smooth(value: torch.Tensor, low: float, high: float) -> torch.Tensor:
    share = ((value - low) / (high - low)).clamp(0, 1)
    return share * share * (3 - 2 * share)


def _belongs(colours: torch.Tensor, bodies: torch.Tensor) -> torch.Tensor:
    """Return how much each pixel has the body's colour, by hue or by greyness: (n, 1, h, w)."""
    bodies = bodies.view(-1, 3, 1, 1)
    brightness, body_brightness = luma(colours), luma(bodies)
    chroma, body = colours - brightness, bodies - body_brightness
    strength, body_strength = chroma.norm(dim=1, keepdim=True), body.norm(dim=1, keepdim=True)
    cosine = (chroma * body).sum(1, keepdim=True) / (strength * body_strength).clamp(min=1e-6)
    by_hue = _smooth(cosine, 0.45, 0.8) * _smooth(strength, 0.02, 0.08)
    by_grey = 1 - _smooth(strength, 0.14, 0.26)
    member = torch.where(body_strength < _GREY, by_grey, by_hue)
    return member * _smooth(brightness / body_brightness.clamp(min=0.05), 0.15, 0.5)


def recolour(patches: torch.Tensor, bodies: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Recolour premultiplied patches (n, 4, h, w) from bodies to targets (n, 3). Shading stays."""
    colours = straight(patches)
    target = targets.view(-1, 3, 1, 1)
    light = luma(colours) / luma(bodies.view(-1, 3, 1, 1)).clamp(min=0.05)
    shaded = target * light.clamp(max=1) ** 0.8
    bright = shaded + (1 - shaded) * 0.45 * (light - 1).clamp(0, 1)
    painted = torch.lerp(colours, bright, _belongs(colours, bodies))
    return torch.cat([painted * patches[:, 3:], patches[:, 3:]], 1)
