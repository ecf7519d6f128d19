"""Whether the machine itself kept up: what is late here was late for everybody."""

from __future__ import annotations

import asyncio
from pathlib import Path

BEAT_SECONDS = 0.05
LATE_SECONDS = 1.0
PRESSURE = Path("/proc/pressure/cpu")


class Pulse:
    """Beats while it is :meth:`beating`."""

    def __init__(self) -> None:
        self.worst_seconds = 0.0  # by which a beat came late
        self.num_late = 0
        self.seconds = 0.0
        self._waited_before = 0.0

    async def beating(self) -> None:
        """Beat for ever, and note the beats that come late."""
        loop, self._waited_before = asyncio.get_running_loop(), waited_seconds()
        while True:
            due = loop.time() + BEAT_SECONDS
            await asyncio.sleep(BEAT_SECONDS)
            late = loop.time() - due
            self.seconds += BEAT_SECONDS + late
            self.worst_seconds = max(self.worst_seconds, late)
            self.num_late += late > LATE_SECONDS

    def read(self) -> dict[str, float]:
        """The figures so far. ``cpu_pressure`` is the share of time in which any process waited for a core."""
        waited = waited_seconds() - self._waited_before
        return {
            "worst_lag_seconds": round(self.worst_seconds, 2),
            "beats_over_a_second_late": self.num_late,
            "cpu_pressure": round(min(1.0, waited / self.seconds), 2) if self.seconds else 0.0,
        }


def waited_seconds() -> float:
    """The seconds in which any process waited for a core; 0 if the kernel does not measure it."""
    try:
        return int(PRESSURE.read_text().split("total=")[1].split()[0]) / 1e6
    except OSError:
        return 0.0
