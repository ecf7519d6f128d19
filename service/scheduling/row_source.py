"""Row source: waiting rows of one model, ordered by virtual time and by length at once, and handed out in batches."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import ClassVar, Generic

from service.errors import DeadlineExceededError
from service.scheduling.fair_queue import FairQueue, TicketHeap, VirtualClock
from service.scheduling.job import Answer, Row
from service.scheduling.latency import Throughput

# Measured on a BiLSTM tagger on one core: four rows take half the time a token that one row does, sixteen a little
# less, more no less. So a few rows share a run at almost any length; a run that has enough takes equals alone.
FEW_ROWS, FEW_SPREAD = 4, 2.0
ENOUGH_ROWS, ENOUGH_SPREAD = 16, 1.25
SPREAD_TOKENS = 2


class RowSource(FairQueue[Row[Answer]], Generic[Answer]):
    """One model's short rows, or its long ones, as a work source of the thread pool.

    A batch begins with the row of least virtual time, and is filled up with the rows nearest to it in length. Rows of
    one length are taken by virtual time again. So a row is passed over by at most as many batches as there are rows
    before it, and the clock bounds how many rows may yet come to stand before it.
    """

    takes_turns: ClassVar[bool] = False

    def __init__(
        self,
        clock: VirtualClock,
        *,
        is_long: bool,
        work: Callable[[RowSource[Answer], Sequence[Row[Answer]], asyncio.AbstractEventLoop], None],
    ) -> None:
        super().__init__(clock)
        self.is_long = is_long
        self.work = work
        self.throughput = Throughput()
        self._by_length: dict[int, TicketHeap[Row[Answer]]] = {}

    @property
    def needs_thread(self) -> bool:
        return self.num_waiting > 0

    def seconds_before(self, time: float) -> float:
        """Estimate from the speed of earlier runs."""
        return self.throughput.seconds_for(self.backlog.before(time))

    def seconds_for(self, cells: float) -> float:
        return self.throughput.seconds_for(cells)

    def take(self, max_cells: int, *, now: float) -> list[Row[Answer]]:
        """Take the next batch without the rows that are too late, whose jobs fail; possibly none."""
        rows = self.take_batch(max_cells)
        for row in rows:
            if row.job.deadline <= now:
                row.job.fail(DeadlineExceededError("the deadline passed before the work began"))
        return [row for row in rows if row.job.is_open]

    def take_batch(self, max_cells: int) -> list[Row[Answer]]:
        """Take at most ``max_cells`` padded cells, or one row that is longer; or no row if none waits."""
        first = self.first()
        if first is None:
            return []
        self._remove(first)
        batch = [first]
        if self.num_waiting:
            self._fill(batch, max_cells)
        self._serve(batch)
        return batch

    def _fill(self, batch: list[Row[Answer]], max_cells: int) -> None:
        length = shortest = longest = batch[0].length
        lengths = sorted(self._by_length)
        above = bisect_left(lengths, length)
        below = above - 1
        while (nearest := _nearest(length, lengths, below, above)) is not None:
            shortest, longest = min(shortest, nearest), max(longest, nearest)
            room = max_cells // longest - len(batch)
            if room <= 0 or not _worth(shortest, longest, len(batch)):
                break
            batch += self._take_of(nearest, room)
            below, above = (below, above + 1) if nearest >= length else (below - 1, above)

    def _take_of(self, length: int, room: int) -> list[Row[Answer]]:
        """Take the first ``room`` rows of one length."""
        heap, rows = self._by_length[length], list[Row[Answer]]()
        while len(rows) < room and (row := heap.first()) is not None:
            self._remove(row)
            rows.append(row)
        return rows

    def _add(self, row: Row[Answer]) -> None:
        super()._add(row)
        heap = self._by_length.get(row.length)
        if heap is None:
            heap = self._by_length[row.length] = TicketHeap()
        heap.push(row.ticket)  # type: ignore[arg-type]  # it has one now

    def _remove(self, row: Row[Answer]) -> None:
        super()._remove(row)
        if not self._by_length[row.length].count_cancelled():
            del self._by_length[row.length]


def _nearest(length: int, lengths: list[int], below: int, above: int) -> int | None:
    """Return the length nearest to ``length``, of the next shorter and the next longer one."""
    if above >= len(lengths):
        return lengths[below] if below >= 0 else None
    if below < 0 or lengths[above] - length <= length - lengths[below]:
        return lengths[above]
    return lengths[below]


def _worth(shortest: int, longest: int, num_rows: int) -> bool:
    """Whether rows of such different lengths should share a run that has so many rows already."""
    if num_rows >= ENOUGH_ROWS:
        return longest == shortest
    spread = FEW_SPREAD if num_rows < FEW_ROWS else ENOUGH_SPREAD
    return longest <= spread * shortest + SPREAD_TOKENS
