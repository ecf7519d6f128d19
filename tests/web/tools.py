"""``python -m tests.web.tools [--install]``: which programs the playground's tests need, and which are not here.

With --install, as root on Debian, the missing ones are installed.
"""

from __future__ import annotations

import os
import shutil
import sys

from tests.deploy.programs import found
from tests.deploy.tools import DEBIAN, install

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
        install(packages)
    for name, package in missing().items():
        sys.stdout.write(f"not installed: {name} ({package}); the tests that need it are skipped\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
