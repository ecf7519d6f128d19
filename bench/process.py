"""The service as users run it: a process of its own, watched from outside through ``/proc``."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from bench.client import Address, Connection, encode_request

if TYPE_CHECKING:  # others watch processes too, and need no onnxruntime for it
    from bench.model import Model

ROOT = Path(__file__).parents[1]
START_SECONDS, STOP_SECONDS = 60.0, 20.0
_LOG_BYTES = 1 << 20  # from the beginning; more than what is logged before it is ready


class ServiceProcess:
    """A process of ``python -m service`` on a free port, with every model of the folder; ready inside of its context.

    ``model``, if given, answers for its task. ``precision`` is that of every model that has it; without it each model
    has its own. ``variables`` are further ones of its environment.
    """

    def __init__(
        self,
        *,
        models_dir: Path,
        model: Model | None = None,
        precision: str | None = None,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.address = Address(host="127.0.0.1", port=free_port())
        self._environment = os.environ | {
            "RIBBON_HOST": self.address.host,
            "RIBBON_PORT": str(self.address.port),
            "RIBBON_MODELS_DIR": str(models_dir.resolve()),
        }
        if model is not None:
            self._environment[model.default_variable] = model.name
        self._environment.pop("RIBBON_PRECISION", None)
        if precision is not None:
            self._environment["RIBBON_PRECISION"] = precision
        self._environment |= variables
        self.seconds_to_ready = 0.0

    def __enter__(self) -> ServiceProcess:
        started = time.perf_counter()
        self._log = tempfile.TemporaryFile()  # a line a request, as in production, but not on this terminal
        self._process = subprocess.Popen(
            [sys.executable, "-m", "service"],
            cwd=ROOT,
            env=self._environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            self._wait_until_ready(started)
        except BaseException:
            self.__exit__()
            raise
        self.seconds_to_ready = time.perf_counter() - started
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _wait_until_ready(self, started: float) -> None:
        while not self._is_ready():
            if self._process.poll() is not None:
                self._log.seek(0)
                raise RuntimeError(f"the service did not start:\n{self._log.read().decode()}")
            if time.perf_counter() - started > START_SECONDS:
                raise RuntimeError(f"the service was not ready within {START_SECONDS:.0f} s")
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        try:
            with Connection(self.address) as connection:
                return connection.ask(encode_request("GET", "/health/ready")).status == 200
        except OSError:
            return False

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_for_line(self, message: str) -> None:
        """Until it has logged it: with several workers the first one is ready before all are."""
        deadline = time.perf_counter() + START_SECONDS
        while f'"message":"{message}"'.encode() not in os.pread(self._log.fileno(), _LOG_BYTES, 0):
            if time.perf_counter() > deadline:
                raise RuntimeError(f"the service did not say {message!r} within {START_SECONDS:.0f} s")
            time.sleep(0.02)

    @property
    def resident_megabytes(self) -> float:
        """VmRSS of the process and of those it started."""
        return sum(status_megabytes(pid, "VmRSS") for pid in family(self._process.pid))

    @property
    def peak_megabytes(self) -> float:
        """VmHWM: the most that was ever resident, summed likewise."""
        return sum(status_megabytes(pid, "VmHWM") for pid in family(self._process.pid))

    @property
    def cpu_seconds(self) -> float:
        """Processor time used so far by all of them."""
        return sum(process_cpu_seconds(pid) for pid in family(self._process.pid))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    children = [
        int(child) for listing in Path(f"/proc/{pid}/task").glob("*/children") for child in listing.read_text().split()
    ]
    return [pid, *(member for child in children for member in family(child))]


def status_megabytes(pid: int, field: str) -> float:
    found = re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def memory_of(pid: int, field: str) -> float:
    """The field ``Rss`` or ``Pss`` of a process, in megabytes."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def process_cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user_ticks, system_ticks = int(fields[11]), int(fields[12])
    return (user_ticks + system_ticks) / os.sysconf("SC_CLK_TCK")
