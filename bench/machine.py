"""The machine and the versions with which a figure was measured; a figure without them means nothing."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from service.runtime.resources import available_cores

PACKAGES = ("onnxruntime", "numpy", "litestar", "uvicorn", "uvloop", "msgspec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    processor: str
    num_cores: int  # those this process may use
    memory_gigabytes: float
    system: str
    measured_at: str
    load_at_start: float  # processes that wanted a core in the minute before; well above 0 spoils the figures
    versions: dict[str, str]


def this_machine() -> Machine:
    return Machine(
        processor=processor_name(),
        num_cores=available_cores(),
        memory_gigabytes=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        load_at_start=round(os.getloadavg()[0], 2),
        versions={"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    )


def processor_name() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()
