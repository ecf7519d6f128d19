"""Giving memory back to the system."""

from __future__ import annotations

import ctypes


def release_free_memory() -> None:
    """Return what the C allocator keeps for later, in all its arenas; does nothing where it cannot be asked to.

    glibc keeps the pages of a large answer, and of the model runs behind it, for as long as the process lives.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # not glibc
        return
    trim(0)
