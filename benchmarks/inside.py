"""Looks inside a running engine, for figures that no other part of Triptych needs."""

from __future__ import annotations

from bot.engine import Engine
from bot.engine.batch import Batch


def get_batch(engine: Engine) -> Batch:
    """Return the batch of an engine's first model, which must be loaded."""
    models = engine._models  # pyright: ignore[reportPrivateUsage]
    assert models is not None
    batch = models.hosted[0].batch
    assert batch is not None
    return batch
