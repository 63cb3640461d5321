"""Cuts a picture into tiles that are enlarged one by one.

Needs no torch, because ``cost`` uses it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product

TILE_PIXELS = 128
"""The longest side of a tile without its margin. One tile takes about as long as a step."""

_EVEN = 2  # a ×2 network packs 2×2 pixels, so tiles must begin at even pixels


@dataclass(frozen=True, slots=True)
class Span:
    """A tile along one axis: start to end without its margin, outer_start to outer_end with it."""

    start: int
    end: int
    outer_start: int
    outer_end: int


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of the small picture. Tiles touch; their margins overlap and are cut off later."""

    rows: Span
    columns: Span

    @property
    def num_pixels(self) -> int:
        """Return how many pixels of this tile pass through the network, including the margin."""
        down = self.rows.outer_end - self.rows.outer_start
        return down * (self.columns.outer_end - self.columns.outer_start)


def cut(width: int, height: int, margin: int) -> list[Tile]:
    """Cut a picture into tiles of nearly equal size, row by row."""
    spans = product(_cut_side(height, margin), _cut_side(width, margin))
    return [Tile(rows, columns) for rows, columns in spans]


def _cut_side(side: int, margin: int) -> list[Span]:
    num_tiles = -(-side // TILE_PIXELS)
    edges = [round(n * side / num_tiles / _EVEN) * _EVEN for n in range(num_tiles)] + [side]
    margin += margin % _EVEN
    return [
        Span(start, end, max(start - margin, 0), min(end + margin, side))
        for start, end in pairwise(edges)
    ]
