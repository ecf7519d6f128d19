"""Which threads go first where cores are scarce."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

NICENESS = 10  # measured: refusals under overload take half as long, and no fewer sentences are answered


def give_way() -> None:
    """The calling thread runs models: the event loop, for which everybody waits, goes before it from now on.

    A thread's own priority is Linux's; elsewhere, and where a sandbox forbids it, nothing is done.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)
