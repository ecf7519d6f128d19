"""Rows that wait, kept by arrival and by length at once."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable
from typing import Generic

from service.scheduling.job import Answer, Job, Row

# Measured on a BiLSTM tagger on one core: four rows take half the time a token that one row does, sixteen a little
# less, more no less. So a few rows share a run at almost any length; a run that has enough takes equals alone.
FEW_ROWS, FEW_SPREAD = 4, 2.0
ENOUGH_ROWS, ENOUGH_SPREAD = 16, 1.25
SPREAD_TOKENS = 2


class RowQueue(Generic[Answer]):
    """Hands out batches that begin with the oldest row, filled up with those nearest to it in length.

    That is the age bound: a row is passed over by at most as many batches as there were rows before it.
    Not thread-safe.
    """

    def __init__(self) -> None:
        # Ordered dictionaries as ordered sets: any row is removed in constant time, and counts are exact.
        self._arrivals: OrderedDict[Row[Answer], None] = OrderedDict()
        self._by_length: dict[int, OrderedDict[Row[Answer], None]] = {}
        self.cells = 0  # tokens: what a wait is estimated from

    def __len__(self) -> int:
        return len(self._arrivals)

    def push(self, rows: Iterable[Row[Answer]]) -> None:
        for row in rows:
            self._arrivals[row] = None
            self._by_length.setdefault(row.length, OrderedDict())[row] = None
            self.cells += row.length

    def oldest(self) -> Row[Answer] | None:
        """The first to have come of those that wait."""
        return next(iter(self._arrivals), None)

    def drop(self, job: Job[Answer]) -> None:
        """Forget those of the job's rows that still wait."""
        for row in job.rows:
            if row in self._arrivals:
                self._remove(row)

    def take(self, max_cells: int) -> list[Row[Answer]]:
        """The next batch: at most ``max_cells`` padded cells, or one row that is longer; or no row."""
        oldest = self.oldest()
        if oldest is None:
            return []
        self._remove(oldest)
        taken, shortest, longest = [oldest], oldest.length, oldest.length
        lengths = sorted(self._by_length)
        above = bisect_left(lengths, oldest.length)
        below = above - 1
        while (length := _nearest(oldest.length, lengths, below, above)) is not None:
            shortest, longest = min(shortest, length), max(longest, length)
            room = max_cells // longest - len(taken)
            if room <= 0 or not _worth(shortest, longest, len(taken)):
                break
            taken += self._take_of(length, room)
            below, above = (below, above + 1) if length >= oldest.length else (below - 1, above)
        return taken

    def _take_of(self, length: int, room: int) -> list[Row[Answer]]:
        """The oldest ``room`` rows of one length."""
        rows = [row for row, _ in zip(self._by_length[length], range(room), strict=False)]
        for row in rows:
            self._remove(row)
        return rows

    def _remove(self, row: Row[Answer]) -> None:
        del self._arrivals[row]
        rows = self._by_length[row.length]
        del rows[row]
        if not rows:
            del self._by_length[row.length]
        self.cells -= row.length


def _nearest(length: int, lengths: list[int], below: int, above: int) -> int | None:
    """Of the next shorter and the next longer length, the one nearer to ``length``."""
    if above >= len(lengths):
        return lengths[below] if below >= 0 else None
    if below < 0 or lengths[above] - length <= length - lengths[below]:
        return lengths[above]
    return lengths[below]


def _worth(shortest: int, longest: int, num_rows: int) -> bool:
    """Whether rows so different should share a run that has so many already."""
    if num_rows >= ENOUGH_ROWS:
        return longest == shortest
    spread = FEW_SPREAD if num_rows < FEW_ROWS else ENOUGH_SPREAD
    return longest <= spread * shortest + SPREAD_TOKENS
