"""Batcher: rows of many requests are run in batches; those that queue while the model is busy form the next one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Generic

from service.metrics import Metrics
from service.scheduling.job import Answer, Done, Job, ModelWork, Priority, Row, offsets
from service.scheduling.latency import WarmUp
from service.scheduling.row_source import RowSource
from service.scheduling.scheduler import BaseScheduler, failure_of, no_run
from service.scheduling.thread_pool import LONG_ROW_TOKENS, ThreadPool
from service.text.batch import Batch, Ids, pad

TYPICAL_ROW_TOKENS = 24


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
        warm_up: WarmUp | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(thread_pool=thread_pool, max_queued_cells=max_queued_cells, metrics=metrics, clock=clock)
        self._run = run
        self._short: RowSource[Answer] = RowSource(thread_pool.clock, is_long=False, work=no_run)
        self._long: RowSource[Answer] = RowSource(thread_pool.clock, is_long=True, work=no_run)
        self._expects_long = False
        if warm_up is not None:
            self._learn_from(warm_up)
        self._register()

    @property
    def _queues(self) -> Sequence[RowSource[Answer]]:
        return self._short, self._long

    @property
    def _sources(self) -> Sequence[RowSource[Answer]]:
        return self._short, self._long

    def check(self, *, deadline: float, tokens: int = 1, priority: Priority = Priority.INTERACTIVE) -> None:
        """Raise what ``enqueue`` would for so many tokens, before rows are made: in short rows, or in a long one if so
        many came in one the last time."""
        is_long = tokens > LONG_ROW_TOKENS and self._expects_long
        offset = 0.0 if is_long else max(0, tokens - TYPICAL_ROW_TOKENS) / priority.share
        self._check(
            self._long if is_long else self._short, cells=tokens, offset=offset, deadline=deadline, priority=priority
        )

    def enqueue(
        self,
        rows: Sequence[Ids],
        *,
        deadline: float,
        priority: Priority = Priority.INTERACTIVE,
        accepted: bool = False,
    ) -> Job[Answer]:
        """Queue rows (time, ...), none of them empty, and return their job; await its ``done``.

        ``deadline`` is a reading of the clock. Raises OverloadedError or DeadlineExceededError at once, but nothing for
        want of room in the queue if the rows belong to a request that was ``accepted`` before; ``done`` raises
        DeadlineExceededError, ModelFailedError or CallerLeftError.
        """
        job = self._new_job(deadline=deadline, priority=priority)
        if not rows:
            job.done.set_result(Done(answers=()))
            return job
        lengths = list(map(len, rows))
        each_row = enumerate(zip(rows, lengths, offsets(lengths, priority), strict=True))
        all_rows = [Row(job, index, ids, length, length, offset) for index, (ids, length, offset) in each_row]
        parts = self._parts(all_rows, lengths)
        if sum(lengths) > LONG_ROW_TOKENS:
            self._expects_long = parts[-1][0].is_long
        seconds = 0.0
        for source, part, cells in parts:
            part_seconds = self._check(
                source, cells=cells, offset=part[-1].offset, deadline=deadline, priority=priority, accepted=accepted
            )
            seconds = max(seconds, part_seconds)
        self._admit(job, all_rows, seconds=seconds)
        for source, part, _ in parts:
            source.push(part)
        for source, part, cells in parts:
            self._thread_pool.arrived(source, tokens=cells, offset=part[-1].offset)
        return job

    async def submit(
        self, rows: Sequence[Ids], *, deadline: float, priority: Priority = Priority.INTERACTIVE
    ) -> Done[Answer]:
        """Queue rows and wait for their answers. Cancelling this withdraws the rows."""
        return await self.enqueue(rows, deadline=deadline, priority=priority).done

    def _learn_from(self, warm_up: WarmUp) -> None:
        for source, speed in ((self._short, warm_up.short), (self._long, warm_up.long or warm_up.short)):
            source.throughput.learn(tokens=speed.tokens, seconds=speed.seconds)

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

    def _check(
        self,
        source: RowSource[Answer],
        *,
        cells: int,
        offset: float,
        deadline: float,
        priority: Priority,
        accepted: bool = False,
    ) -> float:
        """Check admission and return the seconds that the rows will probably take."""
        pool = self._thread_pool
        seconds = pool.completion_seconds(source, cells=cells, offset=offset, priority=priority)
        self._admission_control.check(
            queued_cells=source.cells,
            own_cells=cells,
            seconds=self._with_reserve(seconds),
            best_seconds=source.throughput.best_seconds_for(cells) / pool.num_threads,
            is_idle=pool.is_idle,
            seconds_left=deadline - self._clock(),
            accepted=accepted,
        )
        return seconds

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
            loop.call_soon_threadsafe(self._finish, source, rows, answers, batch.cells, began_at, self._clock())

    def _finish(
        self,
        source: RowSource[Answer],
        rows: Sequence[Row[Answer]],
        answers: Sequence[Answer],
        cells: int,
        began_at: float,
        ended_at: float,
    ) -> None:
        self._thread_pool.release(source)  # first of all: the thread is idle
        tokens = sum([row.length for row in rows])
        padding = 1 - tokens / cells
        source.throughput.learn(tokens=tokens, seconds=ended_at - began_at)
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
