"""Rows of many requests become batches; what piled up while the model was busy is the next one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

from service.errors import CallerLeftError
from service.metrics import Metrics
from service.scheduling.admission import Admission, Outlook
from service.scheduling.failures import failure_of
from service.scheduling.job import Answer, Done, Job, Row, Work
from service.scheduling.lines import RowLine
from service.scheduling.prediction import Margin, Promise, WarmUp
from service.scheduling.queue import RowQueue
from service.scheduling.slots import LONG_ROW_TOKENS, Slots
from service.scheduling.stay import Stay, no_work
from service.scheduling.virtual_time import Priority
from service.text.batch import Batch, Ids, pad

Part = tuple[RowLine[Answer], list[Row[Answer]]]


TYPICAL_ROW_TOKENS = 24


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome(Generic[Answer]):
    """What a worker thread brings back."""

    line: RowLine[Answer]
    rows: Sequence[Row[Answer]]
    answers: Sequence[Answer]  # empty if it failed
    tokens: int
    cells: int
    started_at: float
    finished_at: float
    error: Exception | None = None

    @property
    def padding(self) -> float:
        """The share of its cells."""
        return 1 - self.tokens / self.cells

    @property
    def work(self) -> Work:
        sizes = {"rows": len(self.rows), "cells": self.cells, "padding": round(self.padding, 4)}
        return Work(stage="model", began_at=self.started_at, ended_at=self.finished_at, sizes=sizes)


class Batcher(Stay, Generic[Answer]):
    """Runs one model's rows on ``slots``, off the event loop, in batches of padded cells.

    There is no wait timer: a row that finds an idle slot starts at once. Rows of more than LONG_ROW_TOKENS wait in a
    line of their own, with a bound of its own, and never share a batch with shorter ones. A run that fails fails the
    requests that had rows in it and no others. Rows whose caller left or whose deadline passed are dropped when the
    batch is formed. All methods belong to the event loop's thread; ``run`` is called on the slots' own.
    """

    def __init__(
        self,
        run: Callable[[Batch], Sequence[Answer]],
        *,
        slots: Slots,
        max_queued_cells: int,
        metrics: Metrics,
        warm_up: WarmUp | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._run = run
        self._slots = slots
        self._admission = Admission(max_queued_cells=max_queued_cells)
        self._metrics = metrics
        self._clock = clock
        self._short: RowLine[Answer] = RowLine(is_long=False, work=self._work, queue=RowQueue(slots.clock))
        self._long: RowLine[Answer] = RowLine(is_long=True, work=self._work, queue=RowQueue(slots.clock))
        self._lines = (self._short, self._long)
        self._margin = Margin()
        self._expects_long = False
        if warm_up is not None:
            self._learn_from(warm_up)
        self._come()

    @property
    def queued_rows(self) -> int:
        return sum(len(line.queue) for line in self._lines)

    @property
    def queued_cells(self) -> int:
        return sum(line.queue.cells for line in self._lines)

    @property
    def oldest_age_seconds(self) -> float:
        oldest = [job.submitted_at for line in self._lines if (job := line.queue.oldest()) is not None]
        return self._clock() - min(oldest) if oldest else 0.0

    def check(self, *, deadline: float, tokens: int = 1, priority: Priority = Priority.INTERACTIVE) -> None:
        """Raises what ``enqueue`` would for so many tokens in short rows, or in a long one if so many came in one the
        last time: a look before the work of making rows."""
        if tokens > LONG_ROW_TOKENS and self._expects_long:
            self._check(self._long, cells=tokens, offset=0.0, deadline=deadline, priority=priority)
        else:
            offset = max(0, tokens - TYPICAL_ROW_TOKENS) / priority.share
            self._check(self._short, cells=tokens, offset=offset, deadline=deadline, priority=priority)

    def enqueue(
        self, rows: Sequence[Ids], *, deadline: float, priority: Priority = Priority.INTERACTIVE
    ) -> Job[Answer]:
        """Let rows (time, ...) in, none of them empty; await the job's ``done``.

        ``deadline`` is a reading of the clock. Raises OverloadedError or DeadlineExceededError at the door;
        ``done`` raises DeadlineExceededError, ModelFailedError or CallerLeftError.
        """
        done: asyncio.Future[Done[Answer]] = asyncio.get_running_loop().create_future()
        job = Job(ids=rows, done=done, submitted_at=self._clock(), deadline=deadline, priority=priority)
        if not rows:
            done.set_result(Done(answers=()))
            return job
        parts = self._parts(job.rows)
        if job.cost > LONG_ROW_TOKENS:
            self._expects_long = any(line.is_long for line, _ in parts)
        job.promise = Promise(seconds=max(self._check_part(part, job) for part in parts), margin=self._margin)
        self._job_came()
        done.add_done_callback(lambda _: self._forget(job, parts))
        for line, part in parts:
            line.queue.push(part)
        for line, part in parts:
            self._slots.arrived(line, tokens=sum(row.length for row in part), offset=part[-1].offset)
        return job

    async def submit(
        self, rows: Sequence[Ids], *, deadline: float, priority: Priority = Priority.INTERACTIVE
    ) -> Done[Answer]:
        """Enqueue and wait. To cancel it is to withdraw the rows."""
        return await self.enqueue(rows, deadline=deadline, priority=priority).done

    def withdraw(self, job: Job[Answer]) -> None:
        """The caller left: drop what did not start yet."""
        job.fail(CallerLeftError("the connection closed before the answer was ready"))

    def _learn_from(self, warm_up: WarmUp) -> None:
        for line, speed in ((self._short, warm_up.short), (self._long, warm_up.long or warm_up.short)):
            line.throughput.learn(tokens=speed.tokens, seconds=speed.seconds)

    def _parts(self, rows: list[Row[Answer]]) -> list[Part[Answer]]:
        """The short rows and the long ones, each with their line."""
        long = [row for row in rows if row.length > LONG_ROW_TOKENS]
        short = [row for row in rows if row.length <= LONG_ROW_TOKENS] if long else rows
        return [(line, part) for line, part in ((self._short, short), (self._long, long)) if part]

    def _check_part(self, part: Part[Answer], job: Job[Answer]) -> float:
        line, rows = part
        return self._check(
            line,
            cells=sum(row.length for row in rows),
            offset=rows[-1].offset,
            deadline=job.deadline,
            priority=job.priority,
        )

    def _check(self, line: RowLine[Answer], *, cells: int, offset: float, deadline: float, priority: Priority) -> float:
        """The seconds that it will probably take."""
        seconds = self._slots.completion_seconds(line, cells=cells, offset=offset, priority=priority)
        outlook = Outlook(
            queued_cells=line.queue.cells,
            own_cells=cells,
            seconds=self._margin.factor * seconds + self._slots.overhead_seconds,
            best_seconds=line.throughput.best_seconds_for(cells) / self._slots.num_slots,
            is_idle=self._slots.is_idle,
        )
        self._admission.check(outlook, deadline=deadline, now=self._clock())
        return seconds

    def _forget(self, job: Job[Answer], parts: Sequence[Part[Answer]]) -> None:
        """A job that ended early, by failure or because its waiter was cancelled, takes its rows along."""
        if job.remaining:
            for line, rows in parts:
                line.queue.drop(rows)
        job.settle(self._clock())
        job.rows.clear()  # they name the job: without this only the garbage collector would free both
        self._job_went()

    def _enter(self) -> None:
        for line in self._lines:
            line.work = self._work
            self._slots.add(line)
        self._metrics.watch(self)

    def _leave(self) -> None:
        for line in self._lines:
            self._slots.remove(line)
            line.work = no_work
        self._metrics.unwatch(self)

    def _work(self, line: RowLine[Answer], rows: Sequence[Row[Answer]], loop: asyncio.AbstractEventLoop) -> None:
        """On a worker thread: pad, run, and hand the outcome back to the loop."""
        started_at = self._clock()
        answers: Sequence[Answer] = ()
        error: Exception | None = None
        try:
            answers = self._run(pad([row.ids for row in rows]))
            if len(answers) != len(rows):
                raise ValueError(f"{len(rows)} rows gave {len(answers)} answers")
        except Exception as raised:  # any bug of a model must end here, or its slot would never be free again
            error = raised
        outcome = Outcome(
            line=line,
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
        self._slots.release(outcome.line)  # first of all: the slot is idle
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
        outcome.line.throughput.learn(tokens=outcome.tokens, seconds=seconds)
        self._metrics.run_seconds.observe(seconds)
        self._metrics.batch_rows.observe(len(outcome.rows))
        self._metrics.batch_cells.observe(outcome.cells)
        self._metrics.padding_ratio.observe(outcome.padding)
