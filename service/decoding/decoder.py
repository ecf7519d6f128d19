"""Decoder: sentences of many requests share every decoder step; they join and leave at any step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from service.decoding.forecast import DecodeRequest, Forecast
from service.decoding.queue import DecodeQueue, OnFinished, OnProgress, PendingSentence
from service.decoding.source import TURN_SECONDS, DecodeSource
from service.decoding.strategy import DecodeSearch, DecodeStrategy, Finished
from service.decoding.worker import DecodeWorker, StepReport, share_of
from service.errors import CallerLeftError, DeadlineExceededError
from service.metrics import Metrics
from service.scheduling.admission import AdmissionControl, Outlook
from service.scheduling.failures import failure_of
from service.scheduling.job import Done, Job, Work
from service.scheduling.prediction import WarmUp
from service.scheduling.registration import Registration, no_run
from service.scheduling.thread_pool import ThreadPool
from service.scheduling.virtual_time import Priority

# While rows of other models wait each of their runs, of as many tokens as a batch may have, comes between two turns.
RUNS_PER_TURN = 3.0


class Decoder(Registration):
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
        warm_up: WarmUp | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._thread_pool = thread_pool
        self._admission_control = AdmissionControl(max_queued_cells=max_queued_cells)
        self._metrics = metrics
        self._clock = clock
        self._queue = DecodeQueue()
        self._forecast = Forecast(num_workers=thread_pool.num_threads, warm_up=warm_up)
        strategies = (new_strategy() for _ in range(thread_pool.num_threads))
        self._workers = [DecodeWorker(each, metrics=metrics, clock=clock) for each in strategies]
        self._source = DecodeSource(workers=self._workers, queue=self._queue, work=no_run)
        self._register()

    @property
    def live_rows(self) -> int:
        """Number of places of all beams that are being decoded."""
        return sum(worker.live_rows for worker in self._workers)

    @property
    def queued_rows(self) -> int:
        """Number of sentences that wait."""
        return len(self._queue)

    @property
    def queued_cells(self) -> int:
        """Number of source tokens of the waiting sentences."""
        return self._queue.cells

    @property
    def oldest_age_seconds(self) -> float:
        oldest = self._queue.oldest()
        return 0.0 if oldest is None else self._clock() - oldest.submitted_at

    def check(self, *, deadline: float, tokens: int = 1, priority: Priority = Priority.INTERACTIVE) -> None:
        """Raise what ``enqueue`` would for searches of so many row steps, before they are made."""
        self._check(DecodeRequest.about(tokens, priority), deadline=deadline)

    def enqueue(
        self,
        searches: Sequence[DecodeSearch],
        *,
        deadline: float,
        priority: Priority = Priority.INTERACTIVE,
        on_finished: OnFinished | None = None,
        on_progress: OnProgress | None = None,
    ) -> Job[Any]:
        """Queue one sentence per search and return its job; await ``job.done`` for the answers.

        ``on_finished`` is called on the event loop for each sentence as soon as it is finished, in the order in which
        sentences finish and before any task that awaits ``done`` resumes; ``on_progress`` before it for the tokens of
        samples that are streamed. ``deadline`` is a reading of the clock.
        Raises OverloadedError or DeadlineExceededError at once; ``done`` raises DeadlineExceededError, ModelFailedError
        or CallerLeftError.
        """
        done: asyncio.Future[Done[Any]] = asyncio.get_running_loop().create_future()
        job = Job(
            ids=[each.ids for each in searches],
            done=done,
            submitted_at=self._clock(),
            deadline=deadline,
            priority=priority,
            costs=[each.row_steps for each in searches],
        )
        if not searches:
            done.set_result(Done(answers=()))
            return job
        sentences = [
            PendingSentence(row=row, search=search, on_finished=on_finished, on_progress=on_progress)
            for row, search in zip(job.rows, searches, strict=True)
        ]
        request = DecodeRequest.of(sentences, priority)
        job.prediction = self._forecast.prediction(self._check(request, deadline=deadline))
        self._forecast.record_arrival(request, now=self._clock())
        self._job_started()
        done.add_done_callback(lambda _: self._forget(job, sentences))
        self._queue.push(sentences)
        self._thread_pool.arrived(self._source, tokens=sum(each.row.length for each in sentences))
        return job

    async def submit(
        self,
        searches: Sequence[DecodeSearch],
        *,
        deadline: float,
        priority: Priority = Priority.INTERACTIVE,
        on_finished: OnFinished | None = None,
        on_progress: OnProgress | None = None,
    ) -> Done[Any]:
        """Queue sentences and wait for their answers. Cancelling this withdraws the sentences."""
        return await self.enqueue(
            searches, deadline=deadline, priority=priority, on_finished=on_finished, on_progress=on_progress
        ).done

    def withdraw(self, job: Job[Any]) -> None:
        """Drop a disconnected caller's sentences: those that wait now, those being decoded before their next step."""
        job.fail(CallerLeftError("the connection closed before the answer was ready"))

    def _check(self, request: DecodeRequest, *, deadline: float) -> float:
        """Check admission and return the seconds that the request will probably take."""
        seconds = self._completion_seconds(request)
        outlook = Outlook(
            queued_cells=self._queue.cells,
            own_cells=request.cells,
            seconds=self._forecast.safety_factor.factor * seconds + self._thread_pool.overhead_seconds,
            best_seconds=self._forecast.best_seconds(request),
            is_idle=not len(self._queue) and not self.live_rows and self._thread_pool.is_idle,
        )
        self._admission_control.check(outlook, deadline=deadline, now=self._clock())
        return seconds

    def _completion_seconds(self, request: DecodeRequest) -> float:
        """Predict the time of the request's own decoding and of other models' rows that run meanwhile."""
        seconds = self._forecast.seconds(request, self._queue, live_rows=self.live_rows, now=self._clock())
        return seconds + min(self._thread_pool.wait_seconds(is_long=False), RUNS_PER_TURN * seconds)

    def _forget(self, job: Job[Any], sentences: list[PendingSentence]) -> None:
        """Drop the waiting sentences of a job that ended early; those being decoded are seen to be closed."""
        if job.remaining:
            self._queue.drop(sentences)
            reason = _reason(job)
            if reason is not None:
                self._metrics.decoder_cancelled.labels(reason).inc(job.remaining)
        job.settle(self._clock())
        job.rows.clear()  # they name the job: without this only the garbage collector would free both
        sentences.clear()
        self._job_ended()

    def _on_register(self) -> None:
        self._source = replace(self._source, work=self._work)
        self._thread_pool.add(self._source)
        self._metrics.watch(self)
        self._metrics.watch_decoder(self)

    def _on_unregister(self) -> None:
        self._thread_pool.remove(self._source)
        self._source = replace(self._source, work=no_run)
        self._metrics.unwatch(self)
        self._metrics.unwatch_decoder(self)

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
        return share_of(
            worker, self._source.running, waiting_rows=self._queue.rows, num_idle=self._thread_pool.num_idle
        )

    def _is_over(self, worker: DecodeWorker, began_at: float) -> bool:
        if not worker.live_rows and not len(self._queue):
            return True
        return self._thread_pool.is_wanted and self._clock() - began_at >= TURN_SECONDS

    def _on_turn_ended(self, worker: DecodeWorker, report: StepReport, now: float) -> None:
        worker.is_running, worker.paused_at = False, now
        self._thread_pool.release(self._source)  # first of all: the thread is idle
        self._on_report(report, now)

    def _on_report(self, report: StepReport, now: float) -> None:
        """Handle a thread's report, on the event loop."""
        self._forecast.learn(row_steps=report.row_steps, num_steps=report.num_steps, seconds=now - report.since)
        for late in report.late:
            late.row.job.fail(DeadlineExceededError("the deadline passed before the work was finished"))
        for pending, new in report.progress:
            if pending.row.job.is_open and pending.on_progress is not None:
                asyncio.get_running_loop().call_soon(pending.on_progress, pending.row.index, new)
        for each in report.finished:
            self._put(each, now)

    def _put(self, finished: Finished[PendingSentence], now: float) -> None:
        pending, answer = finished.item, finished.answer
        job, index = pending.row.job, pending.row.index
        if job.is_open and pending.on_finished is not None:
            asyncio.get_running_loop().call_soon(
                pending.on_finished, index, answer
            )  # if it raises, no other caller suffers
        self._metrics.decoder_target_tokens.inc(finished.num_tokens)
        sizes = {"sentences": 1, "steps": finished.num_steps, "target_tokens": finished.num_tokens}
        job.put(index, answer, Work(stage="decode", began_at=pending.started_at, ended_at=now, sizes=sizes))

    def _fail(self, sentences: Sequence[PendingSentence], error: Exception) -> None:
        failure = failure_of(error)
        for each in sentences:
            each.row.job.fail(failure)


def _reason(job: Job[Any]) -> str | None:
    """Return why the rest of a job is not wanted any more; None if the model failed."""
    error: BaseException | None = CallerLeftError("") if job.done.cancelled() else job.done.exception()
    if isinstance(error, CallerLeftError):
        return "cancelled"
    return "expired" if isinstance(error, DeadlineExceededError) else None
