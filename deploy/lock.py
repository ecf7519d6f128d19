"""Write the image's lock files, every package with its hashes: ``python deploy/lock.py``, with pip-tools installed.

What is asked for stands in pyproject.toml alone. onnxruntime and onnxruntime-gpu install the same files, so the lock
for CUDA has the second in place of the first, with the CUDA libraries it names.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
GPU = "onnxruntime-gpu"


def needed_for_cpu() -> list[str]:
    """Tracing too: an image is not the place to install an extra later."""
    return PROJECT["dependencies"] + PROJECT["optional-dependencies"]["tracing"]


def needed_for_cuda() -> list[str]:
    """The base without onnxruntime, and the gpu extra with the libraries that a machine with a driver alone lacks."""
    base = [each for each in needed_for_cpu() if not each.startswith("onnxruntime")]
    return base + [each.replace(GPU, f"{GPU}[cuda,cudnn]", 1) for each in PROJECT["optional-dependencies"]["gpu"]]


def needed_for_training() -> list[str]:
    return PROJECT["dependencies"] + PROJECT["optional-dependencies"]["train"]


def needed_for_load() -> list[str]:
    """The base too: load tests share their arithmetic with the benchmarks, which run models themselves."""
    return PROJECT["dependencies"] + PROJECT["optional-dependencies"]["load"]


LOCKS = {
    "requirements.lock": needed_for_cpu,
    "requirements-cuda.lock": needed_for_cuda,
    "requirements-train.lock": needed_for_training,
    "requirements-load.lock": needed_for_load,
}


def write(name: str, needed: list[str]) -> None:
    """Pins that stand there already are kept where they still fit: to move them all, delete the file first."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "wanted.in"
        wanted.write_text("\n".join(needed), "utf-8")
        command = [sys.executable, "-m", "piptools", "compile", "--quiet", "--generate-hashes", "--strip-extras"]
        quiet = ["--no-header", "--no-annotate", "--allow-unsafe", "--no-emit-index-url", "--no-emit-find-links"]
        target = ROOT / "deploy" / name
        subprocess.run([*command, *quiet, "--output-file", str(target), str(wanted)], check=True)


if __name__ == "__main__":
    for name in sys.argv[1:] or LOCKS:
        write(name, LOCKS[name]())
