"""``python -m bench.conformance --max-time 300``: what follows is passed on to ``st run``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from bench.process import ROOT, ServiceProcess

CONFIG = Path(__file__).with_name("schemathesis.toml")


def run(
    models_dir: Path, arguments: Sequence[str], variables: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    """Run Schemathesis against a service with these models; returns its exit status, 0 without a failure, and what it
    printed. ``arguments`` are for ``st run``, ``variables`` for the service's environment."""
    with ServiceProcess(models_dir=models_dir, variables=variables) as service:
        command = [
            sys.executable,
            "-m",
            "schemathesis.cli",
            "--config-file",
            str(CONFIG),
            "--no-color",
            "run",
            f"{service.url}/schema/openapi.json",
            *("--checks", "all"),
        ]
        return subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    ended = run(ROOT / "models", sys.argv[1:])
    sys.stdout.write(ended.stdout + ended.stderr)
    sys.exit(ended.returncode)
