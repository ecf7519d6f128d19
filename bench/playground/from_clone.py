"""Measure the time from a fresh clone of the last commit to an answer in every pane of the playground.

    python -m bench.playground.from_clone

clones the repository into a temporary folder, runs ``make serve`` there, opens the playground in Chromium and uses each
pane once. Ends with status 1 if that took more than MOST_SECONDS. The packages come from pip's cache if they are there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.playground.browser import PANES, browser
from bench.process import ROOT, Program, free_port

MOST_SECONDS, START_SECONDS = 60, 1800.0
TEXT, SHOWN = "Kim moved to Zanzibar.", "zanzibar"  # one pane shows words in lower case


def make_serve(clone: Path, port: int) -> Program:
    """Return ``make serve`` in a clone. Make passes SIGTERM on to the service."""
    return Program(
        command=["make", "serve", f"PORT={port}"],
        ready=f"http://127.0.0.1:{port}/health/ready",
        environment={name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")},
        cwd=clone,
        seconds=START_SECONDS,
    )


def main() -> int:
    """Returns 0 if it was fast enough."""
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:5.1f} s  {what}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        clone, port = Path(folder) / "ribbon", free_port()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        say("cloned")
        with make_serve(clone, port):
            say("make serve: ready")
            with browser() as page:
                page.url = f"http://127.0.0.1:{port}/"
                say("Chromium started")
                for pane in PANES:
                    page.open(pane)
                    page.settle(pane)
                    if pane != "generate":  # which has been asked for
                        page.write(f"#{pane}-text", TEXT)
                        page.until(lambda pane=pane: SHOWN in page.text(f"#{pane}").lower())
                    say(f"{pane}: used")
                seconds = time.monotonic() - began
                page.check()
    return int(seconds > MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
