"""The service under attack, watched from outside: its peak memory, and how long its event loop stands still."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.client import Address
from bench.process import status_megabytes

PATIENCE_SECONDS = 60.0
PROBE_SECONDS = 0.005  # between two looks at the event loop
MEGABYTE = 1024 * 1024
JSON_TYPE = MappingProxyType({"Content-Type": "application/json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer; status 0 if there was none."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)  # names in small letters

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        """The kind of a problem; empty for other answers."""
        return str(self.document.get("kind", "")) if "problem" in self.headers.get("content-type", "") else ""

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.status), self.kind)))


@dataclass(slots=True, kw_only=True)
class Harm:
    """Harm that an attack did while it was watched."""

    peak_megabytes: float = 0.0  # above what was resident before
    longest_pause: float = 0.0  # seconds for which GET /health/live was not answered
    longest_work: float = 0.0  # seconds of processor time that the event loop's thread took in one of these pauses


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """A running service: its process, and the addresses of callers and operators."""

    pid: int
    address: Address
    admin: Address

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = JSON_TYPE,
        *,
        admin: bool = False,
    ) -> Reply:
        """Send a request on a connection of its own."""
        address = self.admin if admin else self.address
        connection = HTTPConnection(address.host, address.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(status=answer.status, body=answer.read(), headers=named)
        except (OSError, HTTPException):
            return Reply(status=0)
        finally:
            connection.close()

    def post(self, path: str, **fields: Any) -> Reply:
        return self.ask("POST", path, json.dumps(fields).encode())

    def connect(self) -> socket.socket:
        return socket.create_connection((self.address.host, self.address.port), PATIENCE_SECONDS)

    def exchange(self, sent: bytes, *, half_close: bool = False) -> bytes:
        """Send bytes, and return what comes until the service closes or says nothing for a second."""
        with self.connect() as caller:
            caller.sendall(sent)
            if half_close:
                caller.shutdown(socket.SHUT_WR)
            caller.settimeout(PATIENCE_SECONDS if half_close else 1.0)
            received = b""
            with suppress(TimeoutError, ConnectionResetError):
                while part := caller.recv(65536):
                    received += part
            return received

    @property
    def resident_megabytes(self) -> float:
        return status_megabytes(self.pid, "VmRSS")

    @contextmanager
    def watched(self) -> Iterator[Harm]:
        """Context manager that measures the harm done meanwhile. The system is told to forget the peak before."""
        harm, is_over = Harm(), threading.Event()
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        before = self.resident_megabytes
        probe = threading.Thread(target=self._probe, args=(harm, is_over))
        probe.start()
        try:
            yield harm
        finally:
            is_over.set()
            probe.join()
            harm.peak_megabytes = max(0.0, status_megabytes(self.pid, "VmHWM") - before)

    def _probe(self, harm: Harm, is_over: threading.Event) -> None:
        connection = HTTPConnection(self.address.host, self.address.port, timeout=PATIENCE_SECONDS)
        while not is_over.wait(PROBE_SECONDS):
            began_at, worked = time.perf_counter(), self.loop_seconds
            try:
                connection.request("GET", "/health/live")
                connection.getresponse().read()
            except (OSError, HTTPException):
                connection.close()
            harm.longest_pause = max(harm.longest_pause, time.perf_counter() - began_at)
            harm.longest_work = max(harm.longest_work, self.loop_seconds - worked)
        connection.close()

    @property
    def loop_seconds(self) -> float:
        """Processor time of the event loop's thread, which is the process's first; unlike the clock it does not go on
        while the machine does other work."""
        nanoseconds = Path(f"/proc/{self.pid}/task/{self.pid}/schedstat").read_text().split()[0]
        return int(nanoseconds) / 1e9
