"""Decoder: sentences of many requests share every decoder step; they join and leave at any step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from service.decoding.strategy import DecodeSearch, DecodeStrategy, Finished
from service.decoding.worker import (
    TURN_SECONDS,
    DecodeQueue,
    DecodeSource,
    DecodeWorker,
    OnFinished,
    OnProgress,
    PendingSentence,
    StepReport,
    pending_sentences,
)
from service.errors import CallerLeftError, DeadlineExceededError
from service.metrics import Metrics
from service.scheduling.job import Done, Job, ModelWork, Priority
from service.scheduling.scheduler import BaseScheduler, failure_of, no_run
from service.scheduling.thread_pool import ThreadPool, Throughput

TYPICAL_ROW_STEPS = 96  # of a sentence: 24 steps of a beam of 4


class Decoder(BaseScheduler[Any]):
    """Decodes one model's sentences on ``thread_pool``, off the event loop, iteration by iteration: translations, or
    continuations of prompts, which are called sentences here too.

    Several workers, one for each thread, share one queue; ``new_strategy`` makes what each decodes with. A worker that
    has a thread goes on until it is empty or, if other work waits for the thread, for TURN_SECONDS; waiting sentences
    join it at its next step, as far as the strategy has room. Sentences whose caller disconnected or whose deadline
    passed are gone before the next step. A run that fails fails the sentences of its worker and no others. It is used
    as a Batcher is; all methods belong to the event loop's thread.
    """

    def __init__(
        self,
        new_strategy: Callable[[], DecodeStrategy[PendingSentence]],
        *,
        thread_pool: ThreadPool,
        max_queued_cells: int,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(thread_pool=thread_pool, max_queued_cells=max_queued_cells, metrics=metrics, clock=clock)
        self._queue = DecodeQueue()
        self._throughput = Throughput()  # in row steps
        strategies = (new_strategy() for _ in range(thread_pool.num_threads))
        self._workers = [DecodeWorker(each, metrics=metrics, clock=clock) for each in strategies]
        self._source = DecodeSource(workers=self._workers, queue=self._queue, work=no_run)
        self._register()

    @property
    def live_rows(self) -> int:
        """Number of places of all beams that are being decoded."""
        return sum([worker.live_rows for worker in self._workers])

    @property
    def _queues(self) -> Sequence[DecodeQueue]:
        return (self._queue,)

    @property
    def _sources(self) -> Sequence[DecodeSource]:
        return (self._source,)

    def check(self, *, deadline: float, tokens: int = 1, priority: Priority = Priority.INTERACTIVE) -> None:
        """Raise what ``enqueue`` would for searches of so many row steps, before they are made."""
        offset = max(0, tokens - TYPICAL_ROW_STEPS) / priority.share
        self._check(self._queue.cells, cells=1, seconds=self._seconds_before(offset, priority), deadline=deadline)

    def enqueue(
        self,
        searches: Sequence[DecodeSearch],
        *,
        deadline: float,
        priority: Priority = Priority.INTERACTIVE,
        accepted: bool = False,
        on_finished: OnFinished | None = None,
        on_progress: OnProgress | None = None,
    ) -> Job[Any]:
        """Queue one sentence per search. Raises as BaseScheduler says.

        ``on_finished`` is called on the event loop for each sentence as soon as it is finished, in the order in which
        sentences finish and before any task that awaits ``done`` resumes; ``on_progress`` before it for the tokens of
        samples that are streamed.
        """
        job: Job[Any] = Job(submitted_at=self._clock(), deadline=deadline, priority=priority)
        if not searches:
            job.done.set_result(Done(answers=()))
            return job
        sentences = pending_sentences(job, searches, on_finished, on_progress)
        cells, seconds = sum([each.length for each in sentences]), self._seconds_before(sentences[-1].offset, priority)
        self._check(self._queue.cells, cells=cells, seconds=seconds, deadline=deadline, accepted=accepted)
        self._admit(sentences, job)
        self._queue.push(sentences)
        self._thread_pool.arrived(self._source, tokens=cells)
        return job

    def _seconds_before(self, offset: float, priority: Priority) -> float:
        """Return the seconds until the sentence with this offset begins at the latest, if it arrives now."""
        row_steps = self._queue.row_steps_before(offset, priority.share)
        return self._throughput.pace * row_steps / self._thread_pool.num_threads

    def _drop(self, job: Job[Any]) -> None:
        """Drop the waiting sentences of a job that ended early; those being decoded are seen to be closed."""
        self._queue.drop([row for row in job.rows if isinstance(row, PendingSentence)])
        error = None if job.done.cancelled() else job.done.exception()
        if job.done.cancelled() or isinstance(error, CallerLeftError):
            self._metrics.decoder_cancelled.labels("cancelled").inc(job.remaining)
        elif isinstance(error, DeadlineExceededError):
            self._metrics.decoder_cancelled.labels("expired").inc(job.remaining)

    def _register(self) -> None:
        super()._register()
        self._metrics.decoders.append(self)

    def _unregister(self) -> None:
        super()._unregister()
        self._metrics.decoders.remove(self)

    def _work(self, source: DecodeSource, workers: Sequence[DecodeWorker], loop: asyncio.AbstractEventLoop) -> None:
        """Run one worker's turn, on a worker thread."""
        (worker,) = workers
        began_at = self._clock()
        report = StepReport(since=began_at)
        try:
            while True:
                worker.advance(self._queue, share=self._share(worker), report=report)
                if self._is_over(worker, began_at):
                    break
                if report.is_urgent:
                    loop.call_soon_threadsafe(self._on_report, report, self._clock())
                    report = StepReport(since=self._clock())
        except Exception as error:  # any bug of a model must end here, or its thread would never be free again
            loop.call_soon_threadsafe(self._fail, worker.clear(), error)
        loop.call_soon_threadsafe(self._on_turn_ended, worker, report, self._clock())

    def _share(self, worker: DecodeWorker) -> int:
        """Return how many more rows a worker should have so that all that run, or are about to, have equally many."""
        running = self._source.running
        total = sum([each.live_rows for each in running]) + self._queue.rows
        return -(-total // max(1, len(running) + self._thread_pool.num_idle)) - worker.live_rows

    def _is_over(self, worker: DecodeWorker, began_at: float) -> bool:
        if not worker.live_rows and not self._queue.num_waiting:
            return True
        return self._thread_pool.is_wanted and self._clock() - began_at >= TURN_SECONDS

    def _on_turn_ended(self, worker: DecodeWorker, report: StepReport, now: float) -> None:
        worker.is_running, worker.paused_at = False, now
        self._thread_pool.release(self._source)  # first of all: the thread is idle
        self._on_report(report, now)

    def _on_report(self, report: StepReport, now: float) -> None:
        """Handle a thread's report, on the event loop."""
        self._throughput.learn(tokens=report.row_steps, seconds=now - report.since)
        for late in report.late:
            late.job.fail(DeadlineExceededError("the deadline passed before the work was finished"))
        for sentence, new in report.progress:
            if sentence.on_progress is not None and sentence.job.is_open:
                asyncio.get_running_loop().call_soon(sentence.on_progress, sentence.index, new)
        for each in report.finished:
            self._put(each, now)

    def _put(self, finished: Finished[PendingSentence], now: float) -> None:
        sentence, answer = finished.item, finished.answer
        job, on_finished = sentence.job, sentence.on_finished
        if on_finished is not None and job.is_open:  # called later: if it raises, no other caller suffers
            asyncio.get_running_loop().call_soon(on_finished, sentence.index, answer)
        num_tokens = finished.num_tokens
        self._metrics.decoder_target_tokens.inc(num_tokens)
        sizes = {"sentences": 1, "steps": finished.num_steps, "target_tokens": num_tokens}
        work = ModelWork(stage="decode", began_at=sentence.started_at, ended_at=now, sizes=sizes)
        job.put(sentence.index, answer, work)

    def _fail(self, sentences: Sequence[PendingSentence], error: Exception) -> None:
        failure = failure_of(error)
        for each in sentences:
            each.job.fail(failure)
