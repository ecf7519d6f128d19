"""Batcher: rows of many requests are run in batches of like lengths; those that queue while the model is busy form the
next one."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import ClassVar, Generic

from service.errors import DeadlineExceededError
from service.metrics import Metrics
from service.scheduling.fair_queue import FairQueue, TicketHeap, VirtualClock
from service.scheduling.job import Answer, Done, Job, ModelWork, Priority, Row, offsets
from service.scheduling.scheduler import SHARE_OF_DEADLINE, BaseScheduler, failure_of, no_run
from service.scheduling.thread_pool import LONG_ROW_TOKENS, ThreadPool, Throughput
from service.text.pipeline import Batch, Ids, pad

TYPICAL_ROW_TOKENS = 24
# A run costs as much as so many further rows of its length. Measured on a BiLSTM tagger on one core: one row takes 1.6
# times as long a token as four, and sixteen hardly less than four; the way between event loop and thread comes on top.
RUN_OVERHEAD_ROWS = 1.5
WAY_BACK_SECONDS = 0.03  # from the end of a run to its answers, on a busy event loop


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
        self._by_length: dict[int, TicketHeap] = {}

    @property
    def needs_thread(self) -> bool:
        return self.num_waiting > 0

    @property
    def seconds_waiting(self) -> float:
        """Estimate, from the speed of earlier runs, how long one thread is busy with all that waits."""
        return self.cost * self.throughput.pace

    def take(self, max_cells: int, *, now: float) -> list[Row[Answer]]:
        """Take the next batch: at most ``max_cells`` padded cells, or one row that is longer. It is without the rows
        that are or would be too late, whose jobs fail, and has possibly none."""
        ticket = self._order.first()
        if ticket is None:
            return []
        first: Row[Answer] = ticket[2]
        self._remove(first)
        batch = [first]
        if self.num_waiting:
            self._fill(batch, max_cells)
        self._serve(batch)
        in_time = [row.length for row in batch if row.job.deadline > now]
        seconds = self.throughput.pace * sum(in_time) + WAY_BACK_SECONDS
        for row in batch:
            job = row.job
            # A row that has not waited is run all the same: a pace that is wrong would never be learned anew.
            if job.deadline <= now + min(seconds, now - job.submitted_at):
                job.fail(DeadlineExceededError("the deadline left no time for the work"))
        return [row for row in batch if not row.job.done.done()]

    def _fill(self, batch: list[Row[Answer]], max_cells: int) -> None:
        """Add rows of the nearest lengths as long as the run's cost a token falls."""
        longest = tokens = batch[0].length
        lengths = sorted(self._by_length)
        above = bisect_left(lengths, longest)
        below = above - 1
        while (nearest := _nearest(batch[0].length, lengths, below, above)) is not None:
            before, longest = longest * (len(batch) + RUN_OVERHEAD_ROWS) / tokens, max(longest, nearest)
            room = max_cells // longest - len(batch)
            if room <= 0 or longest * (len(batch) + 1 + RUN_OVERHEAD_ROWS) > before * (tokens + nearest):
                break
            taken = self._take_of(nearest, room)
            batch += taken
            tokens += nearest * len(taken)
            below, above = (below, above + 1) if nearest >= batch[0].length else (below - 1, above)

    def _take_of(self, length: int, room: int) -> list[Row[Answer]]:
        """Take the first ``room`` rows of one length."""
        heap, rows = self._by_length[length], list[Row[Answer]]()
        while len(rows) < room and (ticket := heap.first()) is not None:
            row = ticket[2]
            self._remove(row)
            rows.append(row)
        return rows

    def add(self, row: Row[Answer]) -> None:
        """Queue a row of a request that arrives now; the rows of a request come in their order."""
        super().add(row)
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


class Batcher(BaseScheduler[Answer], Generic[Answer]):
    """Runs one model's rows on ``thread_pool``, off the event loop, in batches of padded cells.

    There is no wait timer: a row that finds an idle thread starts at once. Rows of more than LONG_ROW_TOKENS wait in a
    queue of their own, with a limit of its own, and never share a batch with shorter ones. A run that fails fails the
    requests that had rows in it and no others. Rows whose caller disconnected or whose deadline passed are dropped when
    the batch is formed. All methods belong to the event loop's thread; ``run`` is called on the pool's threads.
    """

    def __init__(
        self,
        run: Callable[[Batch], Sequence[Answer]],
        *,
        thread_pool: ThreadPool,
        max_queued_cells: int,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(thread_pool=thread_pool, max_queued_cells=max_queued_cells, metrics=metrics, clock=clock)
        self._run = run
        self._short: RowSource[Answer] = RowSource(thread_pool.clock, is_long=False, work=no_run)
        self._long: RowSource[Answer] = RowSource(thread_pool.clock, is_long=True, work=no_run)
        self._expects_long = False
        self._register()

    @property
    def _queues(self) -> Sequence[RowSource[Answer]]:
        return self._short, self._long

    @property
    def _sources(self) -> Sequence[RowSource[Answer]]:
        return self._short, self._long

    def check(self, *, deadline: float, tokens: int = 1, priority: Priority = Priority.INTERACTIVE) -> None:
        """Take so many tokens for short rows, or for a long one if so many came in one the last time. Raises what
        ``enqueue`` would."""
        is_long = tokens > LONG_ROW_TOKENS and self._expects_long
        source = self._long if is_long else self._short
        offset = 0.0 if is_long else max(0, tokens - TYPICAL_ROW_TOKENS) / priority.share
        seconds = self._seconds_before(source, offset, priority)
        self._check(source.cells, cells=tokens, seconds=seconds, deadline=deadline)

    def enqueue(
        self,
        rows: Sequence[Ids],
        *,
        deadline: float,
        priority: Priority = Priority.INTERACTIVE,
        accepted: bool = False,
    ) -> Job[Answer]:
        """Queue rows (time, ...), none of them empty. Raises as BaseScheduler says."""
        job: Job[Answer] = Job(submitted_at=self._clock(), deadline=deadline, priority=priority)
        if not rows:
            job.done.set_result(Done(answers=()))
            return job
        lengths = list(map(len, rows))
        total = sum(lengths)
        starts = (0.0,) if len(rows) == 1 and priority is Priority.INTERACTIVE else offsets(lengths, priority)
        each_row = enumerate(zip(rows, lengths, starts, strict=True))
        all_rows = [Row(job, index, ids, length, length, offset) for index, (ids, length, offset) in each_row]
        parts: Sequence[tuple[RowSource[Answer], Sequence[Row[Answer]], int]] = ((self._short, all_rows, total),)
        if total > LONG_ROW_TOKENS:
            parts = self._parts(all_rows, lengths)
            self._expects_long = parts[-1][0].is_long
        is_anybody_waiting = self._thread_pool.clock.shares > 0
        for source, part, cells in parts:
            seconds = self._seconds_before(source, part[-1].offset, priority) if is_anybody_waiting else 0.0
            self._check(source.cells, cells=cells, seconds=seconds, deadline=deadline, accepted=accepted)
        self._admit(all_rows, job)
        for source, part, _ in parts:
            for row in part:
                source.add(row)
        for source, _, cells in parts:
            self._thread_pool.arrived(source, tokens=cells)
        return job

    def _seconds_before(self, source: RowSource[Answer], offset: float, priority: Priority) -> float:
        """Return the seconds until the row with this offset begins at the latest, of a request that arrives now: the
        longest wait of its first row, and from then on the clock goes on at the pace of all shares, its own too. It is
        0 if nothing waits."""
        pool = self._thread_pool
        if not pool.clock.shares:
            return 0.0
        own = source.throughput.pace * offset * (pool.clock.shares + priority.share) / pool.num_threads
        return own + pool.wait_seconds(is_long=source.is_long) / SHARE_OF_DEADLINE

    def _parts(
        self, rows: Sequence[Row[Answer]], lengths: Sequence[int]
    ) -> list[tuple[RowSource[Answer], Sequence[Row[Answer]], int]]:
        """Split rows into the short and the long ones, each with their source and their cells."""
        if max(lengths) <= LONG_ROW_TOKENS:
            return [(self._short, rows, sum(lengths))]
        short = [row for row in rows if row.length <= LONG_ROW_TOKENS]
        long = [row for row in rows if row.length > LONG_ROW_TOKENS]
        parts = ((self._short, short), (self._long, long))
        return [(source, part, sum([row.length for row in part])) for source, part in parts if part]

    def _drop(self, job: Job[Answer]) -> None:
        self._short.drop([row for row in job.rows if row.length <= LONG_ROW_TOKENS])
        self._long.drop([row for row in job.rows if row.length > LONG_ROW_TOKENS])

    def _work(self, source: RowSource[Answer], rows: Sequence[Row[Answer]], loop: asyncio.AbstractEventLoop) -> None:
        """Pad and run a batch, on a worker thread, and hand the outcome back to the event loop."""
        began_at = self._clock()
        try:
            batch = pad([row.ids for row in rows])
            answers = self._run(batch)
            if len(answers) != len(rows):
                raise ValueError(f"{len(rows)} rows gave {len(answers)} answers")
        except Exception as error:  # any bug of a model must end here, or its thread would never be free again
            loop.call_soon_threadsafe(self._fail, source, rows, error)
        else:
            loop.call_soon_threadsafe(
                self._finish, source, rows, answers, len(rows) * batch.ids.shape[1], began_at, self._clock()
            )

    def _finish(
        self,
        source: RowSource[Answer],
        rows: Sequence[Row[Answer]],
        answers: Sequence[Answer],
        cells: int,
        began_at: float,
        ended_at: float,
    ) -> None:
        idle_seconds = self._thread_pool.release(source, ended_at=ended_at)  # first of all: the thread is idle
        tokens = sum([row.length for row in rows])
        padding = 1 - tokens / cells
        seconds = ended_at - began_at
        source.throughput.learn(tokens=tokens, seconds=seconds + min(idle_seconds, seconds))
        self._metrics.run_seconds.observe(ended_at - began_at)
        self._metrics.batch_rows.observe(len(rows))
        self._metrics.batch_cells.observe(cells)
        self._metrics.padding_ratio.observe(padding)
        sizes = {"rows": len(rows), "cells": cells, "padding": round(padding, 4)}
        work = ModelWork(stage="model", began_at=began_at, ended_at=ended_at, sizes=sizes)
        for row, answer in zip(rows, answers, strict=True):
            row.job.put(row.index, answer, work)

    def _fail(self, source: RowSource[Answer], rows: Sequence[Row[Answer]], error: Exception) -> None:
        self._thread_pool.release(source)
        failure = failure_of(error)
        for row in rows:
            row.job.fail(failure)
