"""The *buckets*: the numbers of rows that steps are measured and captured for. Needs no torch."""

from __future__ import annotations

BUCKETS = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""The numbers of rows that are measured, and that graphs are captured for. A captured batch is
padded up to the next of these numbers.
"""


def find_bucket(num_rows: float) -> int:
    """Return the smallest bucket that holds this many rows; if none does, a multiple of the
    largest.
    """
    for bucket in BUCKETS:
        if num_rows <= bucket:
            return bucket
    return int(-(-num_rows // BUCKETS[-1]) * BUCKETS[-1])
