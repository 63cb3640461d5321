"""Settings of the whole process that make torch faster: while it is imported, and later."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# the numbers of these options in glibc's malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MMAP_BYTES = 32 * 2**20  # the largest value that glibc accepts
_TRIM_BYTES = 64 * 2**20  # twice the value above, as glibc itself chooses


@contextmanager
def importing_libraries() -> Iterator[None]:
    """Import torch and similar libraries faster, without garbage collection.

    Later collections skip what was imported (gc.freeze), because it stays in memory anyway. This
    saves about 1 s of 7 s. In return, 10,000 objects (8 MB) are never freed. Does nothing once
    torch is imported.
    """
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def keep_freed_memory() -> None:
    """Let glibc keep up to 64 MB of freed memory for the next tensors.

    Otherwise it returns the memory of every large tensor to the system and fetches it again, page
    by page. That took a third of the time of an enlarged tile. Does nothing with another C library.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
            mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)
