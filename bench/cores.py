"""A client and a service that do not share cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def apart(num_cores: int | None) -> Iterator[Callable[[], None]]:
    """Until what is yielded is called this process, and what it starts, have the first so many cores; from then on it
    has the others. None: everybody has all. Raises ValueError if nobody would have any."""
    all_cores = sorted(os.sched_getaffinity(0))
    if num_cores is None:
        yield lambda: None
        return
    if not 0 < num_cores < len(all_cores):
        raise ValueError(f"of {len(all_cores)} cores the service can have 1 to {len(all_cores) - 1}, not {num_cores}")
    os.sched_setaffinity(0, all_cores[:num_cores])
    try:
        yield lambda: os.sched_setaffinity(0, all_cores[num_cores:])
    finally:
        os.sched_setaffinity(0, all_cores)
