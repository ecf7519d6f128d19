"""A decoder's tables in line for the slots: those that were paused, and empty ones for sentences that wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from service.scheduling.table import Table
from service.scheduling.waiting import Waiting

# What somebody else waits at most, beside the step under way. To change over costs a tenth of a millisecond.
TURN_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TurnLine:
    """Belongs to the event loop's thread, but for ``work``."""

    is_long: ClassVar[bool] = False
    takes_turns: ClassVar[bool] = True

    tables: Sequence[Table]
    waiting: Waiting
    work: Callable[[TurnLine, Sequence[Table], asyncio.AbstractEventLoop], None]

    @property
    def running(self) -> list[Table]:
        return [table for table in self.tables if table.is_running]

    @property
    def num_waiting(self) -> int:
        paused = is_empty = 0  # asked many times a request, and nearly always to be told 0
        for table in self.tables:
            if not table.is_running:
                paused, is_empty = (paused + 1, is_empty) if table.live_rows else (paused, 1)
        return paused + (1 if is_empty and len(self.waiting) else 0)

    @property
    def cells(self) -> int:
        return self.waiting.cells

    @property
    def rank(self) -> tuple[float, int] | None:
        """Since when it waits. A paused table waits since its last turn: its sentences may be as old as they like."""
        since = [table.paused_at for table in self._paused()]
        if self._empty() and (oldest := self.waiting.oldest()) is not None:
            since.append(oldest.submitted_at)
        return (min(since), 0) if since else None

    @property
    def needs_slot(self) -> bool:
        """A table under way takes in those who wait."""
        return bool(self._paused() or (len(self.waiting) and not self.running))

    def seconds_before(self, time: float) -> float:
        """A turn each: its time is not the rows'."""
        return TURN_SECONDS * self.num_waiting

    def seconds_for(self, cells: float) -> float:
        return TURN_SECONDS

    def take(self, max_cells: int, *, now: float) -> list[Table]:
        """The table that was paused first, or an empty one if somebody waits."""
        tables = sorted(self._paused(), key=lambda table: table.paused_at) or (self._empty() if self.waiting else [])
        for table in tables[:1]:
            table.is_running = True
        return tables[:1]

    def _paused(self) -> list[Table]:
        return [table for table in self.tables if not table.is_running and table.live_rows]

    def _empty(self) -> list[Table]:
        return [table for table in self.tables if not table.is_running and not table.live_rows]
