"""Exposition of metrics: one process's own, or those of all workers together."""

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
Across = Literal["livesum", "livemax"]  # how the workers' values are combined
FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client whenever it opens a file
REFRESH_SECONDS = 0.25
IN_MEMORY = "/dev/shm"  # noqa: S108 (the folder made there is nobody else's)
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Exposition(Protocol):
    """Protocol of the ways in which gauges and process metrics get into ``/metrics``."""

    registry: CollectorRegistry

    def gauge(self, name: str, documentation: str, read: Read, *, across: Across) -> None:
        """Declare a gauge that is read by a function."""
        ...

    def describe_process(self) -> None:
        """Declare the process's memory, processor time and open files."""
        ...

    def render(self) -> bytes:
        """Return the Prometheus text format."""
        ...

    async def keep_fresh(self) -> None:
        """Keep this process's gauges no older than REFRESH_SECONDS for other renderers, until cancelled."""
        ...


class OwnExposition:
    """Exposition of a single process, whose gauges are read when they are asked for."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def gauge(self, name: str, documentation: str, read: Read, *, across: Across) -> None:
        Gauge(name, documentation, registry=self.registry).set_function(read)

    def describe_process(self) -> None:
        ProcessCollector(registry=self.registry)

    def render(self) -> bytes:
        return generate_latest(self.registry)

    async def keep_fresh(self) -> None:
        """Do nothing: the gauges are always fresh."""


@dataclass(slots=True, kw_only=True, eq=False)
class SharedGauge:
    """A gauge whose value the other workers can see."""

    gauge: Gauge
    read: Read
    last: float | None = field(default=None)

    def refresh(self) -> None:
        value = self.read()
        if value != self.last:
            self.gauge.set(value)
            self.last = value


class SharedExposition:
    """Exposition of one worker of several: every value lives in a file of a shared folder, and any worker renders all
    of them.

    The files belong to a worker's number, so that a worker which replaces a dead one counts on where that one stopped,
    and there are never more files than workers. It must be made before any metric is.
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
        """Declare the process metrics per worker: the library's own collector knows of one process only."""
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
    """Make the folder of the workers' values, in memory where the system allows it, unless TMPDIR names another place.
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
    """Drop the live values of a worker that has died; its counters stay."""
    mark_process_dead(worker, str(folder))  # type: ignore[no-untyped-call]


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE_BYTES


def _open_files() -> float:
    return len(list(Path("/proc/self/fd").iterdir())) - 1  # one of them is for this look
