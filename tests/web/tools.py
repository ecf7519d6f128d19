"""``python -m tests.web.tools [--install]``: which programs the playground's tests need, and which are not here.

With --install, as root on Debian, the missing ones are installed, unless they cannot be fetched in a minute and a half.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.deploy.programs import found
from tests.deploy.tools import DEBIAN, install

DOWNLOAD_SECONDS = 90
PROGRAMS = {
    "chromium": f"{DEBIAN}chromium",
    "chromedriver": f"{DEBIAN}chromium-driver",
    "npm": f"{DEBIAN}npm",
}


def missing() -> dict[str, str]:
    return {name: package for name, package in PROGRAMS.items() if found(name) is None}


def main(arguments: list[str]) -> int:
    """Always 0: tests whose program is missing skip themselves and say so."""
    packages = sorted({package.removeprefix(DEBIAN) for package in missing().values()})
    if packages and "--install" in arguments and os.geteuid() == 0 and shutil.which("apt-get"):
        try:
            install(packages, DOWNLOAD_SECONDS)
        except subprocess.SubprocessError as error:
            sys.stdout.write(f"cannot install {' '.join(packages)}: {error}\n")
    for name, package in missing().items():
        sys.stdout.write(f"not installed: {name} ({package}); the tests that need it are skipped\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
