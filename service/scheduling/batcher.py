"""Rows of many requests become batches; what piled up while the model was busy is the next one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from traceback import extract_tb
from typing import Generic

from service.errors import CallerLeftError, DeadlineExceededError, ModelFailedError, ServiceError
from service.metrics import Metrics
from service.scheduling.admission import Admission, Throughput
from service.scheduling.job import Answer, Done, Job, Row
from service.scheduling.queue import RowQueue
from service.text.batch import Batch, Ids, pad

MIN_ROWS_TO_SPLIT = 4  # fewer rows than this in a run cost almost what this many do
MIN_ROWS_TO_STAGE = 64  # several full batches

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome(Generic[Answer]):
    """What a worker thread brings back."""

    rows: Sequence[Row[Answer]]
    answers: Sequence[Answer]  # empty if it failed
    tokens: int
    cells: int
    started_at: float
    finished_at: float
    error: Exception | None = None


class Batcher(Generic[Answer]):
    """Runs rows on ``num_slots`` threads of ``executor``, off the event loop, in batches of padded cells.

    There is no wait timer: a row that finds an idle slot starts at once. A run that fails fails the requests
    that had rows in it and no others. Rows whose caller left or whose deadline passed are dropped when the
    batch is formed. All methods belong to the event loop's thread; ``run`` is called on the executor's.
    """

    def __init__(
        self,
        run: Callable[[Batch], Sequence[Answer]],
        *,
        executor: Executor,
        num_slots: int,
        max_cells: int,
        max_queued_cells: int,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._executor = executor
        self._num_slots = num_slots
        self._max_cells = max_cells
        self._metrics = metrics
        self._clock = clock
        self._queue: RowQueue[Answer] = RowQueue()
        self._busy = 0
        self._is_scheduled = False
        self._throughput = Throughput()
        self._admission = Admission(num_slots=num_slots, max_queued_cells=max_queued_cells, throughput=self._throughput)
        metrics.watch(self)

    @property
    def queued_rows(self) -> int:
        return len(self._queue)

    @property
    def queued_cells(self) -> int:
        return self._queue.cells

    @property
    def oldest_age_seconds(self) -> float:
        oldest = self._queue.oldest()
        return self._clock() - oldest.job.submitted_at if oldest else 0.0

    def check(self, *, deadline: float) -> None:
        """Raises what ``enqueue`` would for the smallest row: a look before the work of making rows."""
        self._admission.check(tokens=1, queued_cells=self.queued_cells, deadline=deadline, now=self._clock())

    def enqueue(self, rows: Sequence[Ids], *, deadline: float) -> Job[Answer]:
        """Let rows (time, ...) in, none of them empty; await the job's ``done``.

        ``deadline`` is a reading of the clock. Raises OverloadedError or DeadlineExceededError at the door;
        ``done`` raises DeadlineExceededError, ModelFailedError or CallerLeftError.
        """
        now = self._clock()
        done: asyncio.Future[Done[Answer]] = asyncio.get_running_loop().create_future()
        job = Job(ids=rows, done=done, submitted_at=now, deadline=deadline)
        if not rows:
            done.set_result(Done(answers=()))
            return job
        tokens = sum(map(len, rows))
        self._admission.check(tokens=tokens, queued_cells=self.queued_cells, deadline=deadline, now=now)
        self._queue.push(job)
        done.add_done_callback(lambda _: self._forget(job))
        self._schedule()
        return job

    async def submit(self, rows: Sequence[Ids], *, deadline: float) -> Done[Answer]:
        """Enqueue and wait. To cancel it is to withdraw the rows."""
        return await self.enqueue(rows, deadline=deadline).done

    def withdraw(self, job: Job[Answer]) -> None:
        """The caller left: drop what did not start yet."""
        job.fail(CallerLeftError("the connection closed before the answer was ready"))

    def _forget(self, job: Job[Answer]) -> None:
        """A job that ended early, by failure or because its waiter was cancelled, takes its rows along."""
        if job.remaining:
            self._queue.drop(job)
        job.rows.clear()  # they name the job: without this only the garbage collector would free both

    def _schedule(self) -> None:
        """Form batches once all that is ready now has been queued: no timer, only the loop's next turn. A turn in
        which many requests are read is long, so what fills the idle slots does not wait for its end."""
        if self._busy >= self._num_slots:
            return
        if self.queued_cells >= self._max_cells * (self._num_slots - self._busy):
            self._fill_slots()
        elif not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._fill_slots)

    def _fill_slots(self) -> None:
        self._is_scheduled = False
        while self._busy < self._num_slots or self._may_stage():
            rows = self._queue.take(self._share())
            if not rows:
                return
            self._start(rows)

    def _may_stage(self) -> bool:
        """Under load one batch more waits at the threads' own door, lest a slot stand idle while the event loop
        is busy. With so many rows waiting, those that come in the meantime would not have changed it."""
        return self._busy == self._num_slots and len(self._queue) >= MIN_ROWS_TO_STAGE

    def _share(self) -> int:
        """Cells for the next batch: what waits is split among the idle slots, down to a few rows each."""
        idle = max(1, self._num_slots - self._busy)
        if len(self._queue) < MIN_ROWS_TO_SPLIT * idle:
            return self._max_cells
        return min(self._max_cells, -(-self._queue.cells // idle))

    def _start(self, rows: Sequence[Row[Answer]]) -> None:
        """Drop the rows that are too late and send the others to a thread."""
        now = self._clock()
        for row in rows:
            if row.job.deadline <= now:
                row.job.fail(DeadlineExceededError("the deadline passed before the work began"))
        rows = [row for row in rows if row.job.is_open]
        if rows:
            self._busy += 1
            self._executor.submit(self._work, rows, asyncio.get_running_loop())

    def _work(self, rows: Sequence[Row[Answer]], loop: asyncio.AbstractEventLoop) -> None:
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
        self._busy -= 1
        self._fill_slots()  # first of all: the slot is idle
        if outcome.error is not None:
            self._fail(outcome.rows, outcome.error)
        else:
            self._record(outcome)
            for row, answer in zip(outcome.rows, outcome.answers, strict=True):
                row.job.put(row.index, answer, started_at=outcome.started_at, finished_at=outcome.finished_at)

    def _fail(self, rows: Sequence[Row[Answer]], error: Exception) -> None:
        _log.error("a model run failed", extra={"error": type(error).__name__, "frames": _frames(error)})
        failure = error if isinstance(error, ServiceError) else ModelFailedError("the model's run failed")
        for row in rows:
            row.job.fail(failure)

    def _record(self, outcome: Outcome[Answer]) -> None:
        seconds = outcome.finished_at - outcome.started_at
        self._throughput.learn(tokens=outcome.tokens, seconds=seconds)
        self._metrics.batch_rows.observe(len(outcome.rows))
        self._metrics.batch_cells.observe(outcome.cells)
        self._metrics.padding_ratio.observe(1 - outcome.tokens / outcome.cells)


def _frames(error: Exception) -> list[str]:
    """Where it was raised. The message is left out: it may quote the text."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)]
