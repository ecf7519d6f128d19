"""Run the playground's tests in a browser, on one service for two browsers at a time.

    python -m bench.playground

Further arguments are pytest's. Without Chromium the tests skip themselves and say so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack

from bench.process import ROOT, ServiceProcess
from bench.programs import BROWSER, missing


def main(arguments: list[str]) -> int:
    """Returns pytest's exit status."""
    command = [sys.executable, "-m", "pytest", "-m", "browser", "tests/web", *arguments]
    with ExitStack() as stack:
        variables = {}
        if not missing(BROWSER):
            service = stack.enter_context(ServiceProcess(models_dir=ROOT / "models"))
            variables["PLAYGROUND_URL"] = f"{service.url}/"
            command += ["-n", "2"]
        return subprocess.run(command, cwd=ROOT, env=os.environ | variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
