"""``python -m tests.web``: the playground's tests in a browser, on one service for two browsers at a time.

What follows is passed on to pytest. Without Chromium the tests skip themselves and say so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack

from bench.process import ROOT, ServiceProcess
from tests.web.tools import missing


def main(arguments: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-m", "browser", "tests/web", *arguments]
    with ExitStack() as stack:
        variables = {}
        if not missing().keys() & {"chromium", "chromedriver"}:
            service = stack.enter_context(ServiceProcess(models_dir=ROOT / "models"))
            variables["PLAYGROUND_URL"] = f"http://{service.address.host}:{service.address.port}/"
            command += ["-n", "2"]
        return subprocess.run(command, cwd=ROOT, env=os.environ | variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
