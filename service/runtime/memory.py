"""Returns memory to the operating system."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import weakref
from collections.abc import Callable
from contextlib import suppress

LOOK_AFTER_SECONDS = 1.0  # the first check; the next after twice that, and so on
RELEASE_AFTER_SECONDS = 0.1  # by then the object's own references are freed


def release_free_memory() -> None:
    """Return what the C allocator keeps for later, in all its arenas; does nothing where it cannot be asked to.

    glibc keeps the pages of a large answer, and of the model runs behind it, for as long as the process lives.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # not glibc
        return
    trim(0)


def when_gone(thing: object, then: Callable[[], None], *, look_after_seconds: float = LOOK_AFTER_SECONDS) -> None:
    """Call ``then`` in this event loop once an object has been freed.

    A request that failed leaves an exception behind whose frames hold what it used, and each other: only a collection
    finds them, and where nothing is asked any more none would come by itself.
    """
    loop = asyncio.get_running_loop()

    def on_gone() -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(loop.call_later, RELEASE_AFTER_SECONDS, then)

    weakref.finalize(thing, on_gone).atexit = False
    loop.call_later(look_after_seconds, _look, weakref.ref(thing), look_after_seconds)


def _look(thing: weakref.ref[object], seconds: float) -> None:
    if thing() is not None:
        gc.collect()
    if thing() is not None:
        asyncio.get_running_loop().call_later(2 * seconds, _look, thing, 2 * seconds)
