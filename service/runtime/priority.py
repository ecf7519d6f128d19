"""Priority of threads where cores are scarce."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

NICENESS = 10  # measured: refusals under overload take half as long, and no fewer sentences are answered


def lower_priority() -> None:
    """Lower the priority of the calling thread, which runs models, below that of the event loop, for which all requests
    wait.

    Threads have priorities of their own on Linux only; elsewhere, and where a sandbox forbids it, nothing is done.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)
