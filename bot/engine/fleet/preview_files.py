"""Makes previews small enough for a network. Imports numpy."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bot.engine.fleet.messages import Stepped

MAX_PREVIEW_BYTES = 50_000
_MAX_PIXELS = 2**22
_QUALITIES = (60, 30, 10)


def pack_preview(pictures: NDArray[np.uint8]) -> bytes:
    """Join small pictures, uint8 (N, h, w, 3) RGB, into one WebP. b"" if it exceeds 50 kB."""
    strip = Image.fromarray(pictures.reshape(-1, *pictures.shape[2:]))
    for quality in _QUALITIES:
        buffer = BytesIO()
        strip.save(buffer, "WEBP", quality=quality, method=0)
        if buffer.tell() <= MAX_PREVIEW_BYTES:
            return buffer.getvalue()
    return b""


def unpack_preview(report: Stepped) -> NDArray[np.uint8] | None:
    """Return the preview in a report, uint8 (N, h, w, 3) RGB; None if it has none.

    Raises ValueError if the bytes are not a preview.
    """
    if not report.preview:
        return None
    try:
        with Image.open(BytesIO(report.preview), formats=["WEBP"]) as strip:
            if strip.width * strip.height > _MAX_PIXELS:
                raise ValueError(f"{strip.size} is too large")
            pixels = np.asarray(strip.convert("RGB"))
        return pixels.reshape(report.num_pictures, -1, *pixels.shape[1:])
    except Exception as error:  # Pillow raises many kinds of errors
        raise ValueError(f"no preview: {type(error).__name__}: {error}") from error
