"""Metrics of several workers as those of one service: prometheus_client's multiprocess mode.

Each worker keeps its values in files of a shared folder, and whichever is asked renders all of them.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

import prometheus_client.values
from prometheus_client import CollectorRegistry, Counter, Gauge, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.values import MultiProcessValue

from service.errors import SettingsError
from service.metrics import Across, Metrics

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client whenever it opens a file
SUPERVISOR = 0  # its number among the workers, which begin with 1
REFRESH_SECONDS = 0.25
IN_MEMORY = "/dev/shm"  # noqa: S108 (the folder made there is nobody else's)
FOLDER_BYTES = 512 * 1024  # of each process: five files of 64 KB, and room to grow
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class WorkerMetrics(Metrics):
    """Metrics of one worker of several. They must be the first that its process declares."""

    def __init__(self, folder: Path, *, worker: int) -> None:
        use_folder(folder, worker=worker)
        self._folder = folder
        self._worker = str(worker)
        self._reads: list[tuple[Gauge, Callable[[], float]]] = []
        super().__init__()
        reserve_files(folder, worker)

    def render(self) -> bytes:
        """Return the Prometheus text format of all workers together."""
        self._refresh()
        return render_folder(self._folder)

    async def keep_fresh(self) -> None:
        while True:
            self._refresh()
            await asyncio.sleep(REFRESH_SECONDS)

    def _gauge(self, name: str, documentation: str, read: Callable[[], float], *, across: Across = "livesum") -> None:
        self._reads.append((Gauge(name, documentation, registry=self.registry, multiprocess_mode=across), read))

    def _declare_process(self) -> None:
        """Declare the process metrics per worker: the library's own collector knows of one process only."""
        for name, documentation, read in (
            ("ribbon_worker_resident_bytes", "Resident memory, that shared with other workers included.", _resident),
            ("ribbon_worker_cpu_seconds", "Processor time used.", time.process_time),
            ("ribbon_worker_open_files", "Open file descriptors.", _open_files),
        ):
            gauge = Gauge(name, documentation, ["worker"], registry=self.registry, multiprocess_mode="livesum")
            self._reads.append((gauge.labels(self._worker), read))
        documentation = "Workers started, those that took a dead one's place included."
        Counter("ribbon_worker_starts", documentation, registry=self.registry).inc()

    def _refresh(self) -> None:
        for gauge, read in self._reads:
            gauge.set(read())


class FilledFiles(MultiProcessCollector):
    """The library's collector without the files that are empty: a worker that is starting has made them and written
    nothing yet, and the library fails at them."""

    def collect(self) -> Iterable[Metric]:
        paths = [str(path) for path in Path(self._path).glob("*.db") if _is_filled(path)]
        return self.merge(paths, accumulate=True)  # type: ignore[no-untyped-call,no-any-return]


def render_folder(folder: Path) -> bytes:
    """Return the Prometheus text format of all files in a folder."""
    registry = CollectorRegistry()
    FilledFiles(registry, str(folder))  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def use_folder(folder: Path, *, worker: int) -> None:
    """Keep the values of all metrics that this process declares from now on in files of a folder. The files belong to a
    worker's number, not to its process id as by default, so that a worker which replaces a dead one counts on where
    that one stopped, and there are never more files than workers."""
    os.environ[FOLDER] = str(folder)
    prometheus_client.values.ValueClass = MultiProcessValue(lambda: worker)  # type: ignore[no-untyped-call]


def supervisor_registry(folder: Path) -> CollectorRegistry:
    """Return a registry for the metrics of a supervisor, which are shown with those of its workers."""
    use_folder(folder, worker=SUPERVISOR)
    return CollectorRegistry()


def make_folder(*, num_workers: int) -> TemporaryDirectory[str]:
    """Make the folder of the workers' values, in memory where the system allows it, unless TMPDIR names another place.
    Raises SettingsError, also if the disk is full."""
    in_memory = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    try:
        folder = TemporaryDirectory(prefix="ribbon-metrics-", dir=os.environ.get("TMPDIR") or in_memory)
    except OSError as error:
        raise _no_folder(error) from error
    try:
        with NamedTemporaryFile(dir=folder.name) as file:
            reserve(file.fileno(), FOLDER_BYTES * (num_workers + 1))
    except OSError as error:
        folder.cleanup()
        raise _no_folder(error) from error
    return folder


def _no_folder(error: OSError) -> SettingsError:
    return SettingsError(
        f"several workers keep their metrics in a folder, and none can be written ({error.strerror}); "
        "set TMPDIR to one that can, or RIBBON_WORKERS to 1"
    )


def reserve(descriptor: int, size: int) -> None:
    """Have the disk keep room for a file. Without it the system ends a process that writes to a mapped page for which
    there is none. Raises OSError."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)


def reserve_files(folder: Path, worker: int) -> None:
    """Reserve the room of the files that a worker has mapped, so that a disk that fills up later does not end it."""
    for path in folder.glob(f"*_{worker}.db"):
        with path.open("r+b") as file:
            reserve(file.fileno(), path.stat().st_size)


def forget_worker(folder: Path, worker: int) -> None:
    """Drop the gauges of a worker that has died; its counters and histograms stay."""
    mark_process_dead(worker, str(folder))  # type: ignore[no-untyped-call]


def _is_filled(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:  # a dead worker's, just removed
        return False


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE_BYTES


def _open_files() -> float:
    return len(list(Path("/proc/self/fd").iterdir())) - 1  # one of them is for this look
