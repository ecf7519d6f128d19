"""Entry point of ``python -m service``: reads the settings, binds the sockets, and starts one process or several."""

from __future__ import annotations

import os
import signal
import sys
import time

from service.serving.signals import StopSignal

SWITCH_SECONDS = 0.001  # the event loop gets the interpreter's lock back sooner from a thread with long work


def main() -> int:
    """Run the service; returns 0 after a drain, 1 if it could not start. Heavy modules come after signal handlers."""
    started_at = time.monotonic()
    open_standard_streams()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # blocked until its handler is installed
    stop = StopSignal()
    stop.install()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's: onnxruntime does the multiplying here

    from service.errors import StartupError
    from service.settings import Settings

    if sys.argv[1:]:
        print("ribbon: there are no arguments; python -m service.settings lists the variables", file=sys.stderr)
        return 1
    try:
        settings = Settings.from_environment(os.environ)
    except StartupError as error:
        print(f"ribbon: {error}", file=sys.stderr)
        return 1
    sys.setswitchinterval(SWITCH_SECONDS)

    from service.serving.processes import serve

    return serve(settings, stop, started_at=started_at)


def open_standard_streams() -> None:
    """Open the standard streams that the parent process has closed. Sockets would take their numbers otherwise, and
    what a library writes to standard error would go to a caller."""
    for number, (name, mode) in enumerate({"stdin": "r", "stdout": "w", "stderr": "w"}.items()):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
