"""Row queue: waiting rows, ordered by virtual time and by length at once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Generic

from service.scheduling.job import Answer, Job, Row
from service.scheduling.virtual_time import BacklogHistogram, FairQueue, VirtualClock, cancel

# Measured on a BiLSTM tagger on one core: four rows take half the time a token that one row does, sixteen a little
# less, more no less. So a few rows share a run at almost any length; a run that has enough takes equals alone.
FEW_ROWS, FEW_SPREAD = 4, 2.0
ENOUGH_ROWS, ENOUGH_SPREAD = 16, 1.25
SPREAD_TOKENS = 2


class RowQueue(Generic[Answer]):
    """Hands out batches that begin with the row of least virtual time, filled up with the rows nearest to it in length.

    Rows of one length are taken by virtual time again. So a row is passed over by at most as many batches as there are
    rows before it, and the clock bounds how many rows may yet come to stand before it. Queues of one clock share its
    order. Not thread-safe.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._order: FairQueue[Row[Answer]] = FairQueue()
        self._by_length: dict[int, FairQueue[Row[Answer]]] = {}
        self.num_rows = 0
        self._jobs: dict[Job[Answer], int] = {}  # rows of each that wait, by arrival
        self.backlog = BacklogHistogram()

    def __len__(self) -> int:
        return self.num_rows

    @property
    def cells(self) -> int:
        """Number of waiting tokens, from which waits are estimated."""
        return self.backlog.total

    @property
    def rank(self) -> tuple[float, int] | None:
        """Rank of the first row among all rows of the clock; None if none waits."""
        return self._order.rank()

    def push(self, rows: Iterable[Row[Answer]]) -> None:
        """Queue rows of requests that arrive now, in the order of each request."""
        for row in rows:
            row.ticket = ticket = self._clock.ticket(row.offset, row)
            self._order.push(ticket)
            if row.length not in self._by_length:
                self._by_length[row.length] = FairQueue()
            self._by_length[row.length].push(ticket)
            self.backlog.add(ticket, row.length)
            self.num_rows += 1
            self._count(row.job)

    def oldest(self) -> Job[Answer] | None:
        """Return the job that arrived first of those with a row waiting."""
        return next(iter(self._jobs), None)

    def drop(self, rows: Iterable[Row[Answer]]) -> None:
        """Drop those of these rows, which were pushed here, that still wait."""
        for row in rows:
            if row.ticket is not None:
                self._vacate(row)
                self._discount(row.job)

    def take(self, max_cells: int) -> list[Row[Answer]]:
        """Take the next batch: at most ``max_cells`` padded cells, or one row that is longer; or no row."""
        first = self._order.first()
        if first is None:
            return []
        taken = self._fill(first, max_cells)
        self._clock.serve(sum(row.length for row in taken))  # while those it is shared with still count as waiting
        for row in taken:
            self._discount(row.job)
        return taken

    def _fill(self, first: Row[Answer], max_cells: int) -> list[Row[Answer]]:
        self._vacate(first)
        taken, shortest, longest = [first], first.length, first.length
        lengths = sorted(self._by_length)
        above = bisect_left(lengths, first.length)
        below = above - 1
        while (length := _nearest(first.length, lengths, below, above)) is not None:
            shortest, longest = min(shortest, length), max(longest, length)
            room = max_cells // longest - len(taken)
            if room <= 0 or not _worth(shortest, longest, len(taken)):
                break
            taken += self._take_of(length, room)
            below, above = (below, above + 1) if length >= first.length else (below - 1, above)
        return taken

    def _take_of(self, length: int, room: int) -> list[Row[Answer]]:
        """Take the first ``room`` rows of one length."""
        fair_queue, rows = self._by_length[length], list[Row[Answer]]()
        while len(rows) < room and (row := fair_queue.first()) is not None:
            self._vacate(row)
            rows.append(row)
        return rows

    def _vacate(self, row: Row[Answer]) -> None:
        assert row.ticket is not None  # noqa: S101  # it waits here
        self.backlog.remove(row.ticket, row.length)
        self.num_rows -= 1
        cancel(row.ticket)
        row.ticket = None
        self._order.count_cancelled()
        fair_queue = self._by_length[row.length]
        fair_queue.count_cancelled()
        if not len(fair_queue):
            del self._by_length[row.length]

    def _count(self, job: Job[Answer]) -> None:
        if job not in self._jobs:
            self._jobs[job] = 0
            self._clock.joined(job.priority)
        self._jobs[job] += 1

    def _discount(self, job: Job[Answer]) -> None:
        self._jobs[job] -= 1
        if not self._jobs[job]:
            del self._jobs[job]
            self._clock.left(job.priority)


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
