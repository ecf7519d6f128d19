"""The service, and other programs, as processes of their own: started, asked, ended and watched through ``/proc``."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from bench.client import Address

if TYPE_CHECKING:  # others watch processes too, and need no onnxruntime for it
    from bench.model import Model

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
SERVICE = (sys.executable, "-m", "service")
START_SECONDS, STOP_SECONDS, POLL_SECONDS = 60.0, 20.0, 0.02


class Program:
    """A child process, ready inside of its context and gone after it.

    It is ready when ``ready`` is answered with 200. What it writes is kept, and told by the RuntimeError that is raised
    if it is not ready within ``seconds``. Without ``environment`` it has this process's own.
    """

    def __init__(
        self,
        *,
        command: Sequence[str],
        ready: str,
        environment: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        seconds: float = START_SECONDS,
    ) -> None:
        self.command, self.ready, self.environment, self.cwd, self.seconds = command, ready, environment, cwd, seconds
        self.seconds_to_ready = 0.0

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile()  # not on this terminal: a service writes a line a request
        try:
            self.start()
        except BaseException:
            self._log.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._log.close()

    def start(self) -> None:
        """Start it, or start it again after it was killed; returns when it is ready."""
        started = time.perf_counter()
        self.process = subprocess.Popen(
            self.command, cwd=self.cwd, env=self.environment, stdout=self._log, stderr=subprocess.STDOUT
        )
        try:
            self._wait_until_ready(started + self.seconds)
        except BaseException:
            self.stop()
            raise
        self.seconds_to_ready = time.perf_counter() - started

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not end it within STOP_SECONDS. Nothing is done to one that has ended."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL: the end without a warning."""
        self.process.kill()
        self.process.wait()

    def is_ready(self) -> bool:
        """Whether it answers as it does when it is ready."""
        return answers(self.ready)

    def output(self) -> str:
        """Everything that it has written so far."""
        return os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0).decode(errors="replace")

    def _wait_until_ready(self, latest: float) -> None:
        while not self.is_ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.command} ended with {self.process.returncode}:\n{self.output()}")
            if time.perf_counter() > latest:
                raise RuntimeError(f"{self.command} was not ready within {self.seconds:.0f} s:\n{self.output()}")
            time.sleep(POLL_SECONDS)

    @property
    def pid(self) -> int:
        return self.process.pid


class ServiceProcess(Program):
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
        self.url = f"http://{self.address}"
        environment = os.environ | {
            "RIBBON_HOST": self.address.host,
            "RIBBON_PORT": str(self.address.port),
            "RIBBON_MODELS_DIR": str(models_dir.resolve()),
        }
        if model is not None:
            environment[model.default_variable] = model.name
        environment.pop("RIBBON_PRECISION", None)
        if precision is not None:
            environment["RIBBON_PRECISION"] = precision
        super().__init__(command=SERVICE, ready=f"{self.url}/health/ready", environment=environment | variables)

    def wait_for_line(self, message: str) -> None:
        """Until it has logged it: with several workers the first one is ready before all are."""
        deadline = time.perf_counter() + START_SECONDS
        while f'"message":"{message}"' not in self.output():
            if time.perf_counter() > deadline:
                raise RuntimeError(f"the service did not say {message!r} within {START_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)

    @property
    def resident_megabytes(self) -> float:
        """VmRSS of the process and of those it started."""
        return sum(status_megabytes(pid, "VmRSS") for pid in family(self.process.pid))

    @property
    def peak_megabytes(self) -> float:
        """VmHWM: the most that was ever resident, summed likewise."""
        return sum(status_megabytes(pid, "VmHWM") for pid in family(self.process.pid))

    @property
    def cpu_seconds(self) -> float:
        """Processor time used so far by all of them."""
        return sum(process_cpu_seconds(pid) for pid in family(self.process.pid))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_ports(number: int) -> list[int]:
    """So many ports, all different."""
    ports: set[int] = set()
    while len(ports) < number:
        ports.add(free_port())
    return list(ports)


def ask(
    url: str, body: object = None, *, timeout: float = 5.0, headers: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, bytes]:
    """The status and the body of the answer to a GET, or to a POST of JSON where there is a body to send.

    Raises OSError or HTTPException where there is no answer.
    """
    target = urlsplit(url)
    path = target.path + (f"?{target.query}" if target.query else "")
    data = None if body is None else json.dumps(body)
    with closing(HTTPConnection(target.netloc, timeout=timeout)) as connection:
        method = "GET" if data is None else "POST"
        connection.request(method, path or "/", data, {"content-type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()


def answers(url: str) -> bool:
    """Whether a GET is answered with 200 within a second."""
    try:
        return ask(url, timeout=1.0)[0] == 200
    except (OSError, HTTPException):
        return False


def wait_for(condition: Callable[[], bool], *, seconds: float, what: str) -> float:
    """Ask ten times a second until the condition is true; returns the seconds that it took.

    Raises TimeoutError that names ``what``.
    """
    started = time.monotonic()
    while not condition():
        if time.monotonic() > started + seconds:
            raise TimeoutError(f"{what} did not come about within {seconds:.0f} s")
        time.sleep(0.1)
    return time.monotonic() - started


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
