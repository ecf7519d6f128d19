"""``python -m tests.deploy.tools [--install]``: which programs the checks of deploy/ need, and which are not here.

With --install, as root on Debian, the missing ones that Debian has are installed; nothing is left running.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.deploy.programs import PACKAGES, found

DEBIAN = "Debian package "
# What Debian starts when it is installed, and nobody asked for.
UNITS = ("prometheus", "prometheus-alertmanager", "prometheus-node-exporter", "haproxy")


def missing() -> dict[str, str]:
    return {name: package for name, package in PACKAGES.items() if found(name) is None}


def install(packages: list[str], download_seconds: float | None = None) -> None:
    """Install packages of Debian. Raises CalledProcessError, or TimeoutExpired if they are not had in time."""
    subprocess.run(["apt-get", "update", "-q"], check=True, timeout=download_seconds)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-qy", "--no-install-recommends", *packages]
    subprocess.run([*command, "--download-only"], env=quiet, check=True, timeout=download_seconds)
    subprocess.run(command, env=quiet, check=True)  # which is not to be broken off
    if shutil.which("systemctl"):
        subprocess.run(["systemctl", "disable", "--now", *UNITS], capture_output=True, check=False)


def main(arguments: list[str]) -> int:
    """Always 0: tests whose program is missing skip themselves and say so."""
    debian = sorted({package.removeprefix(DEBIAN) for package in missing().values() if package.startswith(DEBIAN)})
    if debian and "--install" in arguments and os.geteuid() == 0 and shutil.which("apt-get"):
        install(debian)
    for name, package in missing().items():
        sys.stdout.write(f"not installed: {name} ({package}); the checks that need it are skipped\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
