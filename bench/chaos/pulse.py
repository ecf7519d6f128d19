"""Whether the machine itself kept up: what is late here was late for everybody."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.chaos.clock import now

BEAT_SECONDS = 0.05
LATE_SECONDS = 1.0
PRESSURE = Path("/proc/pressure/cpu")


class Pulse:
    """Beats while it is :meth:`beating`."""

    def __init__(self) -> None:
        self.late: list[tuple[float, float]] = []  # when beats were due and when they came, of those that came late
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
            if late > BEAT_SECONDS:
                self.late.append((now() - late, now()))

    def lag_between(self, one: float, other: float) -> float:
        """Return for how many seconds between two moments, in either order, nothing ran here."""
        since, until = sorted((one, other))
        return sum(max(0.0, min(until, came) - max(since, due)) for due, came in self.late)

    def read(self) -> dict[str, float]:
        """The figures so far. ``cpu_pressure`` is the share of time in which any process waited for a core."""
        waited, lags = waited_seconds() - self._waited_before, [came - due for due, came in self.late]
        return {
            "worst_lag_seconds": round(max(lags, default=0.0), 2),
            "beats_over_a_second_late": sum(lag > LATE_SECONDS for lag in lags),
            "cpu_pressure": round(min(1.0, waited / self.seconds), 2) if self.seconds else 0.0,
        }


def waited_seconds() -> float:
    """The seconds in which any process waited for a core; 0 if the kernel does not measure it."""
    try:
        return int(PRESSURE.read_text().split("total=")[1].split()[0]) / 1e6
    except OSError:
        return 0.0
