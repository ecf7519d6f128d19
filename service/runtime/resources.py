"""Resources of this process: the device and the cores to run models on, and freed memory."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from service.errors import DeviceError

Device = Literal["cpu", "cuda"]
DeviceChoice = Literal["auto", "cpu", "cuda"]
FindObstacle = Callable[[], "Obstacle | None"]

LOOK_AFTER_SECONDS = 1.0  # the first check for an object that is to be freed; the next after twice that, and so on
RELEASE_AFTER_SECONDS = 0.1  # by then the object's own references are freed
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Reason why CUDA cannot be used."""

    reason: str
    log_level: int  # higher if CUDA was to be expected


def choose_device(choice: DeviceChoice, find_obstacle: FindObstacle) -> Device:
    """Choose the device. ``cpu`` never looks for an obstacle, and so never touches CUDA; ``auto`` falls back to the CPU
    with a log line. Raises DeviceError if ``cuda`` meets an obstacle."""
    if choice == "cpu":
        return "cpu"
    obstacle = find_obstacle()
    if obstacle is None:
        return "cuda"
    if choice == "cuda":
        raise DeviceError(f"RIBBON_DEVICE=cuda: {obstacle.reason}")
    _log.log(obstacle.log_level, "models run on the CPU: %s", obstacle.reason)
    return "cpu"


def available_cores(root: Path = Path("/"), *, visible: int | None = None) -> int:
    """Return the whole cores under the CPU affinity (or ``visible``, if given) and the cgroup quota, at least 1.

    A fraction is rounded down: more busy threads than quota means being stopped for the rest of each period.
    """
    return max(1, int(min([visible or _affinity(), *_quotas(root)])))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """Yield every limit on the way from this process's cgroup up to the root; the least one binds."""
    for controllers, group in _cgroups(root):
        if controllers == "":  # v2: one hierarchy
            for folder in _upwards(root / "sys/fs/cgroup", group):
                yield from _quota_v2(folder / "cpu.max")
        elif "cpu" in controllers.split(","):
            for name in dict.fromkeys(("cpu", controllers)):
                for folder in _upwards(root / "sys/fs/cgroup" / name, group):
                    yield from _quota_v1(folder)


def _cgroups(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the (controllers, path) lines of ``/proc/self/cgroup``: ``4:cpu,cpuacct:/kubepods/pod7``."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        yield controllers, group


def _upwards(mount: Path, group: str) -> Iterator[Path]:
    """Yield the group's folder, its parents, and the mount itself, which is all that a container may see."""
    relative = Path(group.lstrip("/"))
    yield mount / relative
    for parent in relative.parents:
        yield mount / parent


def _quota_v2(file: Path) -> Iterator[float]:
    """Read ``cpu.max``, which holds ``max 100000`` or ``150000 100000``."""
    quota, _, period = _read(file).strip().partition(" ")
    if quota.isdigit() and period.isdigit():
        yield int(quota) / int(period)


def _quota_v1(folder: Path) -> Iterator[float]:
    """Read the quota and period of version 1; a quota of -1 is none."""
    quota, period = _read(folder / "cpu.cfs_quota_us").strip(), _read(folder / "cpu.cfs_period_us").strip()
    if quota.isdigit() and period.isdigit():
        yield int(quota) / int(period)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def release_free_memory() -> None:
    """Return what the C allocator keeps for later, in all its arenas; does nothing where it cannot be asked to.

    glibc keeps the pages of a large answer, and of the model runs behind it, for as long as the process lives.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # not glibc
        return
    trim(0)


def when_gone(thing: object, then: Callable[[], None], *, look_after_seconds: float = LOOK_AFTER_SECONDS) -> None:
    """Call ``then`` in this event loop once an object has been freed.

    A request that failed leaves an exception behind whose frames hold what it used, and each other: only a collection
    finds them, and where nothing is asked any more none would come by itself.
    """
    loop = asyncio.get_running_loop()

    def on_gone() -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(loop.call_later, RELEASE_AFTER_SECONDS, then)

    weakref.finalize(thing, on_gone).atexit = False
    loop.call_later(look_after_seconds, _look, weakref.ref(thing), look_after_seconds)


def _look(thing: weakref.ref[object], seconds: float) -> None:
    if thing() is not None:
        gc.collect()
    if thing() is not None:
        asyncio.get_running_loop().call_later(2 * seconds, _look, thing, 2 * seconds)
