"""What the service's image holds and weighs, without a container engine: ``python deploy/image_size.py [FOLDER]``.

Runs the Dockerfile's own commands of the stages that the CPU image is made of, on this machine, and sums up what they
leave. Exit status 1 above the budget. With FOLDER the tree is left there, as /opt/ribbon will be.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from prune import size_of

ROOT = Path(__file__).parents[1]
BUDGET_BYTES = 350_000_000
# All layers of python:3.11.16-slim-bookworm on amd64, uncompressed ("Virtual Size"), from docker-library/repo-info,
# repos/python/local/3.11-slim-bookworm.md; rounded up, because the pinned digest is a later build of the same release.
BASE_BYTES = 132_000_000
BASE_PYTHON = (3, 11)


def instructions_of(stage: str) -> list[str]:
    """The instructions of one stage of the Dockerfile, continued lines joined."""
    lines = (ROOT / "deploy" / "Dockerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
    names = {index: line.split()[-1] for index, line in enumerate(lines) if line.startswith("FROM ")}
    start = next((index for index, name in names.items() if name == stage), None)
    if start is None:
        raise SystemExit(f"image_size.py: the Dockerfile has no stage {stage}")
    end = min((index for index in names if index > start), default=len(lines))
    return [line for line in lines[start + 1 : end] if line and not line.startswith("#")]


def run_stage(stage: str, target: str, folder: Path) -> None:
    """Run the stage's RUN lines here, with ``folder`` for what they call ``target``."""
    python = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{python}:{os.environ['PATH']}", "PIP_QUIET": "1"}
    for line in instructions_of(stage):
        if line.startswith("RUN "):
            command = line.removeprefix("RUN ").replace(f" {target}", f" {folder}")
            subprocess.run(["sh", "-ec", command], cwd=ROOT / "deploy", env=environment, check=True)


def copy_context(stage: str, tree: Path) -> None:
    """Follow the stage's COPY lines from this folder, with ``tree`` as its working directory."""
    for line in instructions_of(stage):
        if line.startswith("COPY ") and "--from" not in line:
            source, target = line.split()[1:]
            name = Path(source).name if target == "./" else target
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, tree / name)


def build(tree: Path) -> None:
    """Lay out /opt/ribbon of the CPU image in ``tree``. Raises CalledProcessError where packages cannot be had."""
    run_stage("packages-cpu", "/packages", tree / "packages")
    shutil.copytree(ROOT / "service", tree / "service", ignore=shutil.ignore_patterns("__pycache__"))
    run_stage("code", "/code/service", tree / "service")
    copy_context("service", tree)


def parts(tree: Path) -> dict[str, int]:
    """Bytes of each part of the image."""
    inside = {path.name: size_of(path) if path.is_dir() else path.stat().st_size for path in sorted(tree.iterdir())}
    return {"base image": BASE_BYTES, **inside}


def report(sizes: dict[str, int]) -> str:
    total = sum(sizes.values())
    rows = [*sizes.items(), ("all", total), ("budget", BUDGET_BYTES)]
    return "\n".join(f"{name:14} {size / 1e6:7.1f} MB" for name, size in rows)


def main(arguments: list[str]) -> int:
    if sys.version_info[:2] != BASE_PYTHON:
        sys.stderr.write("image_size.py: run it with Python {}.{}, the image's: wheels differ\n".format(*BASE_PYTHON))
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        tree = Path(arguments[0] if arguments else temporary) / ("" if arguments else "ribbon")
        build(tree)
        sizes = parts(tree)
    sys.stdout.write(report(sizes) + "\n")
    return int(sum(sizes.values()) > BUDGET_BYTES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
