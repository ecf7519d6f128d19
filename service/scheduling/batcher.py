"""Batcher: rows of many requests are run in batches; those that queue while the model is busy form the next one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

from service.errors import CallerLeftError, CapacityError
from service.metrics import Metrics
from service.scheduling.admission import AdmissionControl, Outlook
from service.scheduling.failures import failure_of
from service.scheduling.job import Answer, Done, Job, Row, Work
from service.scheduling.prediction import Prediction, SafetyFactor, WarmUp
from service.scheduling.queue import RowQueue
from service.scheduling.registration import Registration, no_run
from service.scheduling.thread_pool import LONG_ROW_TOKENS, ThreadPool
from service.scheduling.virtual_time import Priority
from service.scheduling.work_source import RowSource
from service.text.batch import Batch, Ids, pad

SourceRows = tuple[RowSource[Answer], list[Row[Answer]]]


TYPICAL_ROW_TOKENS = 24


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome(Generic[Answer]):
    """Result of one batch, as a worker thread brings it back."""

    source: RowSource[Answer]
    rows: Sequence[Row[Answer]]
    answers: Sequence[Answer]  # empty if it failed
    tokens: int
    cells: int
    started_at: float
    finished_at: float
    error: Exception | None = None

    @property
    def padding(self) -> float:
        """Share of the batch's cells that is padding."""
        return 1 - self.tokens / self.cells

    @property
    def work(self) -> Work:
        sizes = {"rows": len(self.rows), "cells": self.cells, "padding": round(self.padding, 4)}
        return Work(stage="model", began_at=self.started_at, ended_at=self.finished_at, sizes=sizes)


class Batcher(Registration, Generic[Answer]):
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
        super().__init__()
        self._run = run
        self._thread_pool = thread_pool
        self._admission_control = AdmissionControl(max_queued_cells=max_queued_cells)
        self._metrics = metrics
        self._clock = clock
        self._short: RowSource[Answer] = RowSource(is_long=False, work=self._work, queue=RowQueue(thread_pool.clock))
        self._long: RowSource[Answer] = RowSource(is_long=True, work=self._work, queue=RowQueue(thread_pool.clock))
        self._sources = (self._short, self._long)
        self._safety_factor = SafetyFactor()
        self._expects_long = False
        if warm_up is not None:
            self._learn_from(warm_up)
        self._register()

    @property
    def queued_rows(self) -> int:
        return sum(len(source.queue) for source in self._sources)

    @property
    def queued_cells(self) -> int:
        return sum(source.queue.cells for source in self._sources)

    @property
    def oldest_age_seconds(self) -> float:
        oldest = [job.submitted_at for source in self._sources if (job := source.queue.oldest()) is not None]
        return self._clock() - min(oldest) if oldest else 0.0

    def check(self, *, deadline: float, tokens: int = 1, priority: Priority = Priority.INTERACTIVE) -> None:
        """Raise what ``enqueue`` would for so many tokens, before rows are made: in short rows, or in a long one if so
        many came in one the last time."""
        if tokens > LONG_ROW_TOKENS and self._expects_long:
            self._check(self._long, cells=tokens, offset=0.0, deadline=deadline, priority=priority)
        else:
            offset = max(0, tokens - TYPICAL_ROW_TOKENS) / priority.share
            self._check(self._short, cells=tokens, offset=offset, deadline=deadline, priority=priority)

    def enqueue(
        self, rows: Sequence[Ids], *, deadline: float, priority: Priority = Priority.INTERACTIVE
    ) -> Job[Answer]:
        """Queue rows (time, ...), none of them empty, and return their job; await its ``done``.

        ``deadline`` is a reading of the clock. Raises OverloadedError or DeadlineExceededError at once; ``done`` raises
        DeadlineExceededError, ModelFailedError or CallerLeftError.
        """
        done: asyncio.Future[Done[Answer]] = asyncio.get_running_loop().create_future()
        job = Job(ids=rows, done=done, submitted_at=self._clock(), deadline=deadline, priority=priority)
        if not rows:
            done.set_result(Done(answers=()))
            return job
        parts = self._parts(job.rows)
        if job.cost > LONG_ROW_TOKENS:
            self._expects_long = any(source.is_long for source, _ in parts)
        try:
            seconds = max(self._check_part(part, job) for part in parts)
        except CapacityError:
            job.rows.clear()  # they name the job: only the garbage collector would free both
            raise
        job.prediction = Prediction(seconds=seconds, safety_factor=self._safety_factor)
        self._job_started()
        done.add_done_callback(lambda _: self._forget(job, parts))
        for source, part in parts:
            source.queue.push(part)
        for source, part in parts:
            self._thread_pool.arrived(source, tokens=sum(row.length for row in part), offset=part[-1].offset)
        return job

    async def submit(
        self, rows: Sequence[Ids], *, deadline: float, priority: Priority = Priority.INTERACTIVE
    ) -> Done[Answer]:
        """Queue rows and wait for their answers. Cancelling this withdraws the rows."""
        return await self.enqueue(rows, deadline=deadline, priority=priority).done

    def withdraw(self, job: Job[Answer]) -> None:
        """Drop the rows of a disconnected caller that have not started yet."""
        job.fail(CallerLeftError("the connection closed before the answer was ready"))

    def _learn_from(self, warm_up: WarmUp) -> None:
        for source, speed in ((self._short, warm_up.short), (self._long, warm_up.long or warm_up.short)):
            source.throughput.learn(tokens=speed.tokens, seconds=speed.seconds)

    def _parts(self, rows: list[Row[Answer]]) -> list[SourceRows[Answer]]:
        """Split rows into the short and the long ones, each with their source."""
        long = [row for row in rows if row.length > LONG_ROW_TOKENS]
        short = [row for row in rows if row.length <= LONG_ROW_TOKENS] if long else rows
        return [(source, part) for source, part in ((self._short, short), (self._long, long)) if part]

    def _check_part(self, part: SourceRows[Answer], job: Job[Answer]) -> float:
        source, rows = part
        return self._check(
            source,
            cells=sum(row.length for row in rows),
            offset=rows[-1].offset,
            deadline=job.deadline,
            priority=job.priority,
        )

    def _check(
        self, source: RowSource[Answer], *, cells: int, offset: float, deadline: float, priority: Priority
    ) -> float:
        """Check admission and return the seconds that the rows will probably take."""
        seconds = self._thread_pool.completion_seconds(source, cells=cells, offset=offset, priority=priority)
        outlook = Outlook(
            queued_cells=source.queue.cells,
            own_cells=cells,
            seconds=self._safety_factor.factor * seconds + self._thread_pool.overhead_seconds,
            best_seconds=source.throughput.best_seconds_for(cells) / self._thread_pool.num_threads,
            is_idle=self._thread_pool.is_idle,
        )
        self._admission_control.check(outlook, deadline=deadline, now=self._clock())
        return seconds

    def _forget(self, job: Job[Answer], parts: Sequence[SourceRows[Answer]]) -> None:
        """Drop the rows of a job that ended early, by failure or because its waiter was cancelled."""
        if job.remaining:
            for source, rows in parts:
                source.queue.drop(rows)
        job.settle(self._clock())
        job.rows.clear()  # they name the job: without this only the garbage collector would free both
        self._job_ended()

    def _on_register(self) -> None:
        for source in self._sources:
            source.work = self._work
            self._thread_pool.add(source)
        self._metrics.watch(self)

    def _on_unregister(self) -> None:
        for source in self._sources:
            self._thread_pool.remove(source)
            source.work = no_run
        self._metrics.unwatch(self)

    def _work(self, source: RowSource[Answer], rows: Sequence[Row[Answer]], loop: asyncio.AbstractEventLoop) -> None:
        """Pad and run a batch, on a worker thread, and hand the outcome back to the event loop."""
        started_at = self._clock()
        answers: Sequence[Answer] = ()
        error: Exception | None = None
        try:
            answers = self._run(pad([row.ids for row in rows]))
            if len(answers) != len(rows):
                raise ValueError(f"{len(rows)} rows gave {len(answers)} answers")
        except Exception as raised:  # any bug of a model must end here, or its thread would never be free again
            error = raised
        outcome = Outcome(
            source=source,
            rows=rows,
            answers=answers,
            tokens=sum(row.length for row in rows),
            cells=len(rows) * max(row.length for row in rows),
            started_at=started_at,
            finished_at=self._clock(),
            error=error,
        )
        loop.call_soon_threadsafe(self._finish, outcome)

    def _finish(self, outcome: Outcome[Answer]) -> None:
        self._thread_pool.release(outcome.source)  # first of all: the thread is idle
        if outcome.error is not None:
            self._fail(outcome.rows, outcome.error)
        else:
            self._record(outcome)
            work = outcome.work
            for row, answer in zip(outcome.rows, outcome.answers, strict=True):
                row.job.put(row.index, answer, work)

    def _fail(self, rows: Sequence[Row[Answer]], error: Exception) -> None:
        failure = failure_of(error)
        for row in rows:
            row.job.fail(failure)

    def _record(self, outcome: Outcome[Answer]) -> None:
        seconds = outcome.finished_at - outcome.started_at
        outcome.source.throughput.learn(tokens=outcome.tokens, seconds=seconds)
        self._metrics.run_seconds.observe(seconds)
        self._metrics.batch_rows.observe(len(outcome.rows))
        self._metrics.batch_cells.observe(outcome.cells)
        self._metrics.padding_ratio.observe(outcome.padding)
