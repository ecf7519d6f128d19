"""Decode worker: while it has a thread it makes one decoder step after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from service.decoding.queue import DecodeQueue, PendingSentence
from service.decoding.sampling import NewTokens
from service.decoding.strategy import DecodeStrategy, Finished
from service.metrics import Metrics


@dataclass(slots=True, kw_only=True, eq=False)
class StepReport:
    """Results of steps that a thread has not yet reported to the event loop."""

    since: float
    finished: list[Finished[PendingSentence]] = field(default_factory=list)
    progress: list[tuple[PendingSentence, NewTokens]] = field(default_factory=list)
    late: list[PendingSentence] = field(default_factory=list)
    num_steps: int = 0
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
        """Drop sentences that are not wanted any more, admit waiting ones and make one step of all. Raises what the
        model raises."""
        began_at, now = time.perf_counter(), self._clock()
        gone = self._strategy.drop(lambda each: not each.is_open or each.is_late(now))
        report.late += (each for each in gone if each.is_open)
        model_seconds = self._admit(queue, share=share, now=now, report=report)
        for run in self._strategy.step():
            report.finished += run.finished
            report.progress += run.progress
            report.num_steps += 1
            report.row_steps += run.num_rows
            model_seconds += run.model_seconds
            self._metrics.decoder_steps.inc()
            self._metrics.decoder_step_rows.observe(run.num_rows)
            self._metrics.decoder_step_seconds.observe(run.model_seconds)
        self.live_rows = self._strategy.live_rows
        self._metrics.decoder_bookkeeping_seconds.observe(time.perf_counter() - began_at - model_seconds)

    def clear(self) -> list[PendingSentence]:
        """Drop all sentences and return them, after a failure."""
        self.live_rows = 0
        return self._strategy.clear()

    def _admit(self, queue: DecodeQueue, *, share: int, now: float, report: StepReport) -> float:
        """Admit waiting sentences and return the seconds the encoder took."""
        if not len(queue):
            return 0.0
        taken = queue.take(room=self._strategy.room, share=share, is_empty=not len(self._strategy), now=now)
        report.late += taken.late
        for each in taken.admitted:
            each.started_at = now
        self.live_rows += sum(each.search.num_rows for each in taken.admitted)  # other workers count on it
        self._metrics.decoder_admitted.inc(len(taken.admitted))
        return self._strategy.admit(taken.admitted)


def share_of(worker: DecodeWorker, running: Sequence[DecodeWorker], *, waiting_rows: int, num_idle: int) -> int:
    """Return how many more rows a worker should have so that all running workers, and those about to run, have equally
    many."""
    total = sum(each.live_rows for each in running) + waiting_rows
    return -(-total // max(1, len(running) + num_idle)) - worker.live_rows
