"""``python -m tests.conformance --max-time 300``: what follows is passed on to ``st run``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from bench.process import ROOT, ServiceProcess

EVERYTHING = ("--checks", "all")
CONFIG = Path(__file__).with_name("schemathesis.toml")


def run(
    models_dir: Path, arguments: Sequence[str], variables: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    """Schemathesis' own exit status and what it printed: 0 and no failure, or all there are. ``variables`` are of the
    service's environment."""
    with ServiceProcess(models_dir=models_dir, variables=variables) as service:
        url = f"http://{service.address.host}:{service.address.port}/schema/openapi.json"
        command = [
            sys.executable,
            "-m",
            "schemathesis.cli",
            "--config-file",
            str(CONFIG),
            "--no-color",
            "run",
            url,
            *EVERYTHING,
        ]
        return subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    ended = run(ROOT / "models", sys.argv[1:])
    sys.stdout.write(ended.stdout + ended.stderr)
    sys.exit(ended.returncode)
