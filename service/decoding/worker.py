"""Decode queue and workers: sentences wait on the event loop and are taken by workers, each of which makes one decoder
step after another while it has a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from service.decoding.search import NewTokens
from service.decoding.strategy import DecodeSearch, DecodeStrategy, Finished
from service.metrics import Metrics
from service.scheduling.fair_queue import FairQueue, VirtualClock
from service.scheduling.job import Job, Row, offsets
from service.scheduling.scheduler import SHARE_OF_DEADLINE

OnFinished = Callable[[int, Any], None]  # the sentence's place in its job, and its answer
OnProgress = Callable[[int, NewTokens], None]  # the prompt's place in its job, and what is new of one of its samples


@dataclass(slots=True, kw_only=True, eq=False)
class PendingSentence(Row[Any]):
    """A sentence of a job on its way through the decoder. Its cost is the estimated rows of steps that it takes."""

    search: Any  # a DecodeSearch, of the kind that the strategy decodes
    on_finished: OnFinished | None = None
    on_progress: OnProgress | None = None
    started_at: float = 0.0  # when it was taken

    def is_late(self, now: float) -> bool:
        return self.job.deadline <= now


def pending_sentences(
    job: Job[Any],
    searches: Sequence[DecodeSearch],
    on_finished: OnFinished | None = None,
    on_progress: OnProgress | None = None,
) -> list[PendingSentence]:
    """Make the rows of a job that these searches answer."""
    starts = offsets([search.row_steps for search in searches], job.priority)
    return [
        PendingSentence(
            *(job, index, search.ids, len(search.ids), search.row_steps, offset),
            search=search,
            on_finished=on_finished,
            on_progress=on_progress,
        )
        for index, (search, offset) in enumerate(zip(searches, starts, strict=True))
    ]


class DecodeQueue(FairQueue[PendingSentence]):
    """Queue of sentences by virtual time, in row steps; its counts may be read from any thread. A sentence that is too
    wide for the room there is holds up those behind it, so that its turn comes."""

    def __init__(self) -> None:
        super().__init__(VirtualClock())
        self.rows = 0  # places of all beams
        self._lock = threading.Lock()

    def row_steps_before(self, offset: float, share: float) -> float:
        """Return the row steps that are made at most before the sentence with this offset begins, of a request that
        arrives now with this share: the first sentences of all that wait, with a reserve, and then the shares of all,
        its own too. It is 0 if nothing waits."""
        rows, shares = self.num_waiting, self._clock.shares
        if not rows:
            return 0.0
        return self.cost * min(1.0, shares / rows) / SHARE_OF_DEADLINE + offset * (shares + share)

    def push(self, rows: Iterable[PendingSentence]) -> None:
        """Queue the sentences of requests that arrive now, in the order of each request."""
        with self._lock:
            for row in rows:
                self.add(row)

    def drop(self, rows: Iterable[PendingSentence]) -> None:
        """Drop those of these sentences that still wait."""
        with self._lock:
            super().drop(rows)

    def oldest(self) -> Job[Any] | None:
        """Return the job that arrived first of those with a sentence waiting."""
        with self._lock:
            return super().oldest()

    def take(
        self, *, room: int, share: int, is_empty: bool, now: float
    ) -> tuple[list[PendingSentence], list[PendingSentence]]:
        """Take the next sentences until ``share`` rows are reached, within ``room`` rows; at least one if the worker
        ``is_empty``. Return them, and those whose deadline has passed."""
        admitted: list[PendingSentence] = []
        late: list[PendingSentence] = []
        with self._lock:
            while (first := self.first()) is not None:
                width = first.search.num_rows
                if not first.job.is_open:
                    super().drop([first])
                elif first.is_late(now):
                    super().drop([first])
                    late.append(first)
                elif (share > 0 and width <= room) or (is_empty and not admitted):
                    self._remove(first)
                    self._serve([first])
                    admitted.append(first)
                    room, share = room - width, share - width
                else:
                    break
        return admitted, late

    def add(self, row: PendingSentence) -> None:
        """Queue a sentence; the caller holds the lock."""
        super().add(row)
        self.rows += row.search.num_rows

    def _remove(self, row: PendingSentence) -> None:
        super()._remove(row)
        self.rows -= row.search.num_rows


# Most time that other work waits for a turn to end, besides one step. Changing over costs a tenth of a millisecond.
TURN_SECONDS = 0.01


@dataclass(slots=True, kw_only=True, eq=False)
class StepReport:
    """Results of steps that a thread has not yet reported to the event loop."""

    since: float
    finished: list[Finished[PendingSentence]] = field(default_factory=list)
    progress: list[tuple[PendingSentence, NewTokens]] = field(default_factory=list)
    late: list[PendingSentence] = field(default_factory=list)
    row_steps: int = 0

    @property
    def is_urgent(self) -> bool:
        """Whether the report holds a result that a caller waits for."""
        return bool(self.finished or self.late or self.progress)


class DecodeWorker:
    """Sentences that are decoded together on one thread.

    ``is_running`` and ``paused_at`` belong to the event loop's thread, all else to the thread that runs the worker;
    ``live_rows`` may be read from any.
    """

    def __init__(
        self, strategy: DecodeStrategy[PendingSentence], *, metrics: Metrics, clock: Callable[[], float]
    ) -> None:
        self.is_running = False
        self.paused_at = 0.0
        self.live_rows = 0
        self._strategy = strategy
        self._metrics = metrics
        self._clock = clock

    def advance(self, queue: DecodeQueue, *, share: int, report: StepReport) -> None:
        """Drop unwanted sentences, admit waiting ones and make one step of all. Raises what the model raises."""
        began_at, now = time.perf_counter(), self._clock()
        gone = self._strategy.drop(lambda each: not each.job.is_open or each.is_late(now))
        report.late += (each for each in gone if each.job.is_open)
        model_seconds = self._admit(queue, share=share, now=now, report=report)
        for step in self._strategy.step():
            report.finished += step.finished
            report.progress += step.progress
            report.row_steps += step.num_rows
            model_seconds += step.model_seconds
            self._metrics.decoder_steps.inc()
            self._metrics.decoder_step_rows.observe(step.num_rows)
            self._metrics.decoder_step_seconds.observe(step.model_seconds)
        self.live_rows = self._strategy.live_rows
        self._metrics.decoder_bookkeeping_seconds.observe(time.perf_counter() - began_at - model_seconds)

    def clear(self) -> list[PendingSentence]:
        """Drop all sentences and return them, after a failure."""
        self.live_rows = 0
        return self._strategy.clear()

    def _admit(self, queue: DecodeQueue, *, share: int, now: float, report: StepReport) -> float:
        """Admit waiting sentences and return the seconds the encoder took."""
        if not queue.num_waiting:
            return 0.0
        admitted, late = queue.take(room=self._strategy.room, share=share, is_empty=not len(self._strategy), now=now)
        report.late += late
        for each in admitted:
            each.started_at = now
        self.live_rows += sum(each.search.num_rows for each in admitted)  # other workers count on it
        self._metrics.decoder_admitted.inc(len(admitted))
        return self._strategy.admit(admitted)


class DecodeSource:
    """Work source that offers a decoder's workers to the thread pool: the paused ones, and an empty one if sentences
    wait. It belongs to the event loop's thread, except for ``work``."""

    is_long: ClassVar[bool] = False
    takes_turns: ClassVar[bool] = True

    def __init__(
        self,
        *,
        workers: Sequence[DecodeWorker],
        queue: DecodeQueue,
        work: Callable[[DecodeSource, Sequence[DecodeWorker], asyncio.AbstractEventLoop], None],
    ) -> None:
        self.workers = workers
        self.queue = queue
        self.work = work

    @property
    def running(self) -> list[DecodeWorker]:
        """Workers that have a thread."""
        return [worker for worker in self.workers if worker.is_running]

    @property
    def num_waiting(self) -> int:
        return len(self._waiting())

    @property
    def cells(self) -> int:
        return self.queue.cells

    @property
    def rank(self) -> tuple[float, int] | None:
        """Time since which the source waits; a paused worker waits since its last turn, however old its sentences."""
        since = [worker.paused_at for worker in self._waiting() if worker.live_rows]
        if self._empty() is not None and (oldest := self.queue.oldest()) is not None:
            since.append(oldest.submitted_at)
        return (min(since), 0) if since else None

    @property
    def needs_thread(self) -> bool:
        """Whether a worker is paused, or sentences wait that no running worker will take."""
        if self.queue.num_waiting and not self.running:
            return True
        return any(worker.live_rows for worker in self.workers if not worker.is_running)

    @property
    def seconds_waiting(self) -> float:
        """One turn for each waiting worker."""
        return TURN_SECONDS * self.num_waiting

    def take(self, max_cells: int, *, now: float) -> list[DecodeWorker]:
        """Take the worker that was paused first, or an empty one if a sentence waits."""
        workers = sorted(self._waiting(), key=lambda worker: (not worker.live_rows, worker.paused_at))[:1]
        for worker in workers:
            worker.is_running = True
        return workers

    def _waiting(self) -> list[DecodeWorker]:
        """Return the paused workers, and an empty one if sentences wait that no worker is about to take."""
        paused = [worker for worker in self.workers if worker.live_rows and not worker.is_running]
        empty = self._empty()
        return paused if empty is None else [*paused, empty]

    def _empty(self) -> DecodeWorker | None:
        """Return a worker to decode the next sentence, if more wait than there are workers that begin."""
        num_waiting, empty = self.queue.num_waiting, None
        if num_waiting:
            for worker in self.workers:
                if not worker.live_rows:
                    num_waiting -= worker.is_running
                    empty = empty if worker.is_running else worker
        return empty if num_waiting > 0 else None
