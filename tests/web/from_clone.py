"""``python -m tests.web.from_clone``: from a fresh clone of the last commit to an answer in every pane, by the clock.

Clones the repository into a temporary folder, runs ``make serve`` there, opens the playground in Chromium and uses each
pane once. Ends with status 1 if that took more than MOST_SECONDS. The packages come from pip's cache if they are there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.client import Address, Connection, encode_request
from bench.process import ROOT, free_port
from tests.web.browser import PANES, PATIENCE_SECONDS, browser

MOST_SECONDS = 60
TEXT, SHOWN = "Kim moved to Zanzibar.", "zanzibar"  # one pane shows words in lower case


@contextmanager
def served(clone: Path, port: int) -> Iterator[None]:
    """``make serve`` in a clone, once it is ready."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    command = ["make", "serve", f"PORT={port}"]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, cwd=clone, env=kept, stdout=log, stderr=log, start_new_session=True) as process,
    ):
        try:
            while not is_ready(port):
                if process.poll() is not None:
                    log.seek(0)
                    raise RuntimeError(f"make serve ended:\n{log.read().decode()}")
                time.sleep(0.05)
            yield
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)


def is_ready(port: int) -> bool:
    try:
        with Connection(Address(host="127.0.0.1", port=port)) as connection:
            return connection.ask(encode_request("GET", "/health/ready")).status == 200
    except OSError:
        return False


def main() -> int:
    began = time.monotonic()

    def say(what: str) -> None:
        sys.stdout.write(f"{time.monotonic() - began:5.1f} s  {what}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory() as folder:
        clone, port = Path(folder) / "ribbon", free_port()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        say("cloned")
        with served(clone, port):
            say("make serve: ready")
            with browser() as page:
                page.url = f"http://127.0.0.1:{port}/"
                say("Chromium started")
                for pane in PANES:
                    page.open(pane)
                    page.settle(pane)
                    if pane != "generate":  # which has been asked for
                        page.write(f"#{pane}-text", TEXT)
                        page.until(lambda pane=pane: SHOWN in page.text(f"#{pane}").lower(), PATIENCE_SECONDS)
                    say(f"{pane}: used")
                seconds = time.monotonic() - began
                page.check()
    return int(seconds > MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
