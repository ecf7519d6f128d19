"""Base of a model's scheduler: admission of its jobs, their end, and its place in the thread pool and the gauges.

Admission is a bound on the queue, in tokens and in time: a request is refused where it would wait too long for its own
deadline at the speed of the last runs. An idle service refuses nothing.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import Any, Generic

from service.errors import CallerLeftError, DeadlineExceededError, ModelFailedError, OverloadedError, ServiceError
from service.logs import error_fields
from service.metrics import Metrics
from service.scheduling.fair_queue import FairQueue
from service.scheduling.job import Answer, Done, Job, Priority, Row
from service.scheduling.thread_pool import ThreadPool, WorkSource

# A request is let in if the usual wait before its first row is at most this part of the time that it has left. Batches
# of like lengths pass over others, but no row was seen to wait for more than three times the mean; and a queue so short
# keeps every thread busy all the same (ADR 14).
SHARE_OF_DEADLINE = 1 / 3
LONGEST_RETRY_SECONDS = 60
_log = logging.getLogger(__name__)


class BaseScheduler(ABC, Generic[Answer]):
    """Base class of schedulers, which are registered with the thread pool and the gauges while they are open or have
    jobs.

    A request that found the model before it was closed may still bring a job: then the scheduler is registered again
    for as long. Once it is unregistered nothing but such requests holds it, or the model it runs. All methods belong to
    the event loop's thread.
    """

    def __init__(
        self, *, thread_pool: ThreadPool, max_queued_cells: int, metrics: Metrics, clock: Callable[[], float]
    ) -> None:
        self._thread_pool = thread_pool
        self._max_queued_cells = max_queued_cells
        self._metrics = metrics
        self._clock = clock
        self._num_open = 0
        self._is_closed = False
        self._is_registered = False

    @property
    @abstractmethod
    def _queues(self) -> Sequence[FairQueue[Any]]:
        """Queues in which rows wait."""

    @property
    @abstractmethod
    def _sources(self) -> Sequence[WorkSource]:
        """Work sources for the thread pool."""

    @abstractmethod
    def check(self, *, deadline: float, tokens: int = 1, priority: Priority = Priority.INTERACTIVE) -> None:
        """Raise what ``enqueue`` would for about so many tokens, before rows are made of them."""

    @abstractmethod
    def enqueue(
        self,
        rows: Sequence[Any],
        /,
        *,
        deadline: float,
        priority: Priority = Priority.INTERACTIVE,
        accepted: bool = False,
    ) -> Job[Answer]:
        """Queue rows and return their job; await its ``done``.

        ``deadline`` is a reading of the clock. Raises OverloadedError or DeadlineExceededError at once, but nothing for
        want of room in the queue if the rows belong to a request that was ``accepted`` before; ``done`` raises
        DeadlineExceededError, ModelFailedError or CallerLeftError.
        """

    @abstractmethod
    def _work(self, source: Any, taken: Sequence[Any], loop: asyncio.AbstractEventLoop) -> None:
        """Run what was taken from a source, on a worker thread, and have ``ThreadPool.release`` called."""

    @abstractmethod
    def _drop(self, job: Job[Answer]) -> None:
        """Drop the waiting rows of a job that ended before all were answered."""

    @property
    def queued_rows(self) -> int:
        """Number of rows that wait."""
        return sum(queue.num_waiting for queue in self._queues)

    @property
    def queued_cells(self) -> int:
        """Number of tokens that wait."""
        return sum(queue.cells for queue in self._queues)

    @property
    def oldest_age_seconds(self) -> float:
        """Seconds for which the oldest waiting row has waited; 0 if none waits."""
        oldest = [job.submitted_at for queue in self._queues if (job := queue.oldest()) is not None]
        return self._clock() - min(oldest) if oldest else 0.0

    def withdraw(self, job: Job[Answer]) -> None:
        """Drop the rows of a disconnected caller that have not been run; those being decoded go before the next
        step."""
        job.fail(CallerLeftError("the connection closed before the answer was ready"))

    def close(self) -> None:
        """Close the scheduler: the model is served no longer."""
        self._is_closed = True
        self._unregister_if_done()

    def _check(self, queued_cells: int, *, cells: int, seconds: float, deadline: float, accepted: bool = False) -> None:
        """Raise DeadlineExceededError or OverloadedError if a request is to be refused.

        ``queued_cells`` wait in the same queue and the request brings ``cells``; its last row begins after so many
        ``seconds`` at the latest, which are 0 where nothing waits. While others wait, one may take half of the room
        that is left in the queue, so that a few huge ones never fill it; the last tokens go to requests of one token
        each. Rows of a request that was ``accepted`` before find room in any queue.
        """
        seconds_left = deadline - self._clock()
        if seconds_left <= 0:
            raise DeadlineExceededError("the deadline passed before the work could be queued")
        if queued_cells and not accepted:
            room = self._max_queued_cells - queued_cells
            if cells > max(room // 2, min(room, 1)):
                raise OverloadedError(
                    f"{queued_cells} tokens are waiting and the limit is {self._max_queued_cells}: there is no room "
                    f"for {cells} more",
                    retry_after_seconds=retry_seconds(seconds),
                )
        if seconds > seconds_left:
            raise OverloadedError(
                f"{queued_cells} tokens are waiting; this may take up to {1000 * seconds:.0f} ms, and "
                f"{1000 * seconds_left:.0f} ms are left",
                retry_after_seconds=retry_seconds(seconds - seconds_left),
            )

    def _admit(self, rows: Sequence[Row[Answer]], job: Job[Answer]) -> None:
        """Count a job, before any of its rows is queued."""
        job.rows, job.remaining = rows, len(rows)
        job.answers = [None] * len(rows)
        job.done.add_done_callback(partial(self._end, job))
        self._num_open += 1
        if not self._is_registered:
            self._register()

    def _end(self, job: Job[Answer], _: asyncio.Future[Done[Answer]]) -> None:
        """Count off a job that was answered, failed or withdrawn."""
        if job.remaining:
            self._drop(job)
        job.rows = ()  # they name the job: without this only the garbage collector would free both
        self._num_open -= 1
        if self._is_closed:
            self._unregister_if_done()

    def _register(self) -> None:
        self._is_registered = True
        for source in self._sources:
            source.work = self._work
            self._thread_pool.add(source)
        self._metrics.queues.append(self)

    def _unregister_if_done(self) -> None:
        if self._is_closed and self._is_registered and not self._num_open:
            self._is_registered = False
            self._unregister()

    def _unregister(self) -> None:
        """Leave the thread pool and the gauges without leaving a cycle of references: objects from the start of the
        service are frozen out of the garbage collector."""
        for source in self._sources:
            self._thread_pool.remove(source)
            source.work = no_run
        self._metrics.queues.remove(self)


def retry_seconds(excess: float) -> int:
    """Return the whole seconds in which so much work will have been done."""
    return min(LONGEST_RETRY_SECONDS, max(1, ceil(excess)))


def no_run(*_: object) -> None:
    """Stands for the work of a source that is not registered; it is never called."""


def failure_of(error: Exception) -> ServiceError:
    """Log where an error was raised, and return the error for all requests that had a part in the run."""
    _log.error("a model run failed", extra=error_fields(error))
    return error if isinstance(error, ServiceError) else ModelFailedError("the model's run failed")
