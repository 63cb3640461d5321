"""The files that show a job's pictures, in the forms that Discord may accept."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import discord

from bot.images.render import encode_small
from bot.jobs.ports import Delivery

Encoded = list[tuple[str, bytes]]
"""Files by name and content."""


def _as_it_is(job_id: int, delivery: Delivery) -> Encoded:
    return [(f"triptych-{job_id}.png", delivery.grid.read_bytes())]


def _smaller(job_id: int, delivery: Delivery) -> Encoded:
    return [(f"triptych-{job_id}.webp", encode_small(delivery.grid).getvalue())]


def _singly(job_id: int, delivery: Delivery) -> Encoded:
    return [
        (f"triptych-{job_id}-{n}.webp", encode_small(path).getvalue())
        for n, path in enumerate(delivery.images, 1)
    ]


SHAPES = (_as_it_is, _smaller, _singly)
"""Functions that read and encode a delivery. Each is tried if Discord refuses the one before."""


def encode_winner(round_id: int, picture: Path) -> list[Encoded]:
    """Return the forms in which a single picture can be sent. Raises OSError."""
    name = f"triptych-round-{round_id}"
    small = encode_small(picture).getvalue()
    return [[(f"{name}.png", picture.read_bytes())], [(f"{name}.webp", small)]]


def make_files(
    encoded: Encoded, alt_texts: Sequence[str] | None = None, *, spoiler: bool = False
) -> list[discord.File]:
    """Make new files for one attempt to send them; discord.py closes the files after a failure.

    alt_texts: None if people's words in them may have to be removed later. Discord cannot change
    the alt text of a file, but it can change the alt text of a message's component.
    """
    return [
        discord.File(BytesIO(data), name, description=alt_text, spoiler=spoiler)
        for (name, data), alt_text in zip(encoded, alt_texts or [None] * len(encoded), strict=True)
    ]
