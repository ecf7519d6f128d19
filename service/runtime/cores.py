"""Number of cores that this process may really use: the container's quota, not the host's count."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


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
