"""Where a process's metrics are seen: in its own answer, or added up with those of the other workers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Protocol

import prometheus_client.values
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.values import MultiProcessValue

from service.errors import SettingsError

Read = Callable[[], float]
Across = Literal["livesum", "livemax"]  # what becomes of the workers' values
FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client whenever it opens a file
REFRESH_SECONDS = 0.25
IN_MEMORY = "/dev/shm"  # noqa: S108 (the folder made there is nobody else's)
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Exposition(Protocol):
    """How gauges that somebody must read get into ``/metrics``, and what is there about the process itself."""

    registry: CollectorRegistry

    def gauge(self, name: str, documentation: str, read: Read, *, across: Across) -> None:
        """Declare one."""
        ...

    def describe_process(self) -> None:
        """Declare its memory, processor time and files."""
        ...

    def render(self) -> bytes:
        """The Prometheus text format."""
        ...

    async def keep_fresh(self) -> None:
        """Until cancelled, so that whoever renders finds this process's gauges no older than REFRESH_SECONDS."""
        ...


class OwnExposition:
    """One process: gauges are read when they are asked for."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def gauge(self, name: str, documentation: str, read: Read, *, across: Across) -> None:
        Gauge(name, documentation, registry=self.registry).set_function(read)

    def describe_process(self) -> None:
        ProcessCollector(registry=self.registry)

    def render(self) -> bytes:
        return generate_latest(self.registry)

    async def keep_fresh(self) -> None:
        """They always are."""


@dataclass(slots=True, kw_only=True, eq=False)
class SharedGauge:
    """One whose value the other workers can see."""

    gauge: Gauge
    read: Read
    last: float | None = field(default=None)

    def refresh(self) -> None:
        value = self.read()
        if value != self.last:
            self.gauge.set(value)
            self.last = value


class SharedExposition:
    """One worker of several: every value lives in a file of a common folder, and any worker renders all of them.

    The files are a worker's by its number, so that one who takes a dead worker's place counts on where that one
    stopped, and there are never more files than workers. To be made before any metric is.
    """

    def __init__(self, folder: Path, *, worker: int) -> None:
        os.environ[FOLDER] = str(folder)
        # How the library itself lets other numbers than process ids be used; metrics look it up when they are made.
        prometheus_client.values.ValueClass = MultiProcessValue(lambda: worker)  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._folder = folder
        self._worker = str(worker)
        self._gauges: list[SharedGauge] = []

    def gauge(self, name: str, documentation: str, read: Read, *, across: Across) -> None:
        gauge = Gauge(name, documentation, registry=self.registry, multiprocess_mode=across)
        self._gauges.append(SharedGauge(gauge=gauge, read=read))

    def describe_process(self) -> None:
        """The library's own collector knows of one process only."""
        for name, documentation, read in (
            ("ribbon_worker_resident_bytes", "Resident memory, that shared with other workers included.", _resident),
            ("ribbon_worker_cpu_seconds", "Processor time used.", time.process_time),
            ("ribbon_worker_open_files", "Open file descriptors.", _open_files),
        ):
            gauge = Gauge(name, documentation, ["worker"], registry=self.registry, multiprocess_mode="livesum")
            self._gauges.append(SharedGauge(gauge=gauge.labels(self._worker), read=read))
        documentation = "Workers started, those that took a dead one's place included."
        Counter("ribbon_worker_starts", documentation, registry=self.registry).inc()

    def render(self) -> bytes:
        self._refresh()
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody, str(self._folder))  # type: ignore[no-untyped-call]
        return generate_latest(everybody)

    async def keep_fresh(self) -> None:
        while True:
            self._refresh()
            await asyncio.sleep(REFRESH_SECONDS)

    def _refresh(self) -> None:
        for each in self._gauges:
            each.refresh()


def make_folder() -> TemporaryDirectory[str]:
    """For the workers' values: in memory where the system has such a place, unless TMPDIR names another.
    Raises SettingsError."""
    in_memory = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    try:
        return TemporaryDirectory(prefix="ribbon-metrics-", dir=os.environ.get("TMPDIR") or in_memory)
    except OSError as error:
        raise SettingsError(
            f"several workers keep their metrics in a folder, and none can be written ({error.strerror}); "
            "set TMPDIR to one that can, or RIBBON_WORKERS to 1"
        ) from error


def forget_worker(folder: Path, worker: int) -> None:
    """Its process is gone: what was live in it is not any more. What it has counted stays."""
    mark_process_dead(worker, str(folder))  # type: ignore[no-untyped-call]


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE_BYTES


def _open_files() -> float:
    return len(list(Path("/proc/self/fd").iterdir())) - 1  # one of them is for this look
