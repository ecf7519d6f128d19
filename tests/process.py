"""A process of the service, as users run it: for tests of ports, signals and exit statuses."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.process import ROOT, SERVICE, family

PATIENCE_SECONDS = 60
QUICKLY_SECONDS = 10  # far below the grace period


def environment(models: Path, **choices: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RIBBON_")}
    return (
        kept
        | {"RIBBON_MODELS_DIR": str(models), "RIBBON_PORT": "0", "RIBBON_THREADS": "1", "RIBBON_DEVICE": "cpu"}
        | {"RIBBON_ALLOWED_HOSTS": "*"}
        | choices
    )


@dataclass(slots=True, kw_only=True, eq=False)
class RunningProcess:
    """``python -m service`` and what it has logged."""

    popen: subprocess.Popen[str]
    lines: list[Any] = field(default_factory=list)

    def line(self, message: str) -> Any:
        """The next one with this message."""
        for line in self._rest():
            if line["message"] == message:
                return line
        raise AssertionError(f"it never said {message!r} but {self.lines}")

    def rest(self) -> list[Any]:
        """Until it ends."""
        return list(self._rest())

    @property
    def workers(self) -> list[int]:
        """Their process ids."""
        return family(self.popen.pid)[1:]

    def terminate(self) -> None:
        self.popen.send_signal(signal.SIGTERM)

    def status(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Once it has ended."""
        return self.popen.wait(seconds)

    def _rest(self) -> Iterator[Any]:
        assert self.popen.stderr is not None
        for text in self.popen.stderr:
            self.lines.append(json.loads(text))
            yield self.lines[-1]


@contextmanager
def running(models: Path, **choices: str) -> Iterator[RunningProcess]:
    """Gone after the block, whatever happened in it."""
    with started(SERVICE, environment(models, **choices)) as service:
        yield service


@contextmanager
def started(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[RunningProcess]:
    """The same by a command of its own."""
    popen = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield RunningProcess(popen=popen)
    finally:
        with suppress(ProcessLookupError):  # all have ended
            os.killpg(popen.pid, signal.SIGKILL)
        popen.communicate()


def heeds(pid: int, signum: signal.Signals) -> bool:
    """Whether a process catches a signal."""
    [mask] = re.findall(r"SigCgt:\s+([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text())
    return bool(int(mask, 16) & 1 << (signum - 1))


def start_that_fails(models: Path, **choices: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        SERVICE,
        cwd=ROOT,
        env=environment(models, **choices),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def client_of(url: str) -> httpx.Client:
    """Without certificates, which take longer to read than most answers."""
    return httpx.Client(base_url=url, trust_env=False, verify=False, timeout=PATIENCE_SECONDS)  # noqa: S501


def get(url: str, path: str) -> httpx.Response:
    """On a connection of its own."""
    with client_of(url) as client:
        return client.get(path)


def metrics_of(url: str) -> dict[str, float]:
    """Every sample by its name and labels, as they are written."""
    lines = [line for line in get(url, "/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def say_hello(url: str) -> httpx.Response:
    """A request that any worker answers, on a connection of its own."""
    with client_of(url) as client:
        return client.post("/tag", json={"text": "Alice"})
