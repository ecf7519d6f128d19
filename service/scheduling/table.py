"""One of the decoder's tables: while it has a slot its thread takes one step after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from service.metrics import Metrics
from service.scheduling.beams import Beams
from service.scheduling.sentence import Finished
from service.scheduling.waiting import Sought, Waiting


@dataclass(slots=True, kw_only=True, eq=False)
class News:
    """What a thread has to tell the event loop, and since when it has told nothing."""

    since: float
    finished: list[Finished[Sought]] = field(default_factory=list)
    late: list[Sought] = field(default_factory=list)
    num_steps: int = 0
    row_steps: int = 0

    @property
    def is_urgent(self) -> bool:
        """Somebody waits for it."""
        return bool(self.finished or self.late)


class Table:
    """Sentences in the making, and whose turn it is. ``is_running`` and ``paused_at`` belong to the event loop's
    thread, all else to the one that runs it; ``live_rows`` may be read from any."""

    def __init__(self, beams: Beams[Sought], *, metrics: Metrics, clock: Callable[[], float]) -> None:
        self.is_running = False
        self.paused_at = 0.0
        self.live_rows = 0
        self._beams = beams
        self._metrics = metrics
        self._clock = clock

    def advance(self, waiting: Waiting, *, share: int, news: News) -> None:
        """Those who left go, those who wait come in, and all make a step. Raises what the model raises."""
        began_at, now = time.perf_counter(), self._clock()
        gone = self._beams.drop(lambda each: not each.is_open or each.is_late(now))
        news.late += (each for each in gone if each.is_open)
        model_seconds = self._admit(waiting, share=share, now=now, news=news)
        for run in self._beams.step():
            news.finished += run.finished
            news.num_steps += 1
            news.row_steps += run.num_rows
            model_seconds += run.model_seconds
            self._metrics.decoder_steps.inc()
            self._metrics.decoder_step_rows.observe(run.num_rows)
            self._metrics.decoder_step_seconds.observe(run.model_seconds)
        self.live_rows = self._beams.live_rows
        self._metrics.decoder_bookkeeping_seconds.observe(time.perf_counter() - began_at - model_seconds)

    def clear(self) -> list[Sought]:
        """Forget everything: whom a failure harmed."""
        self.live_rows = 0
        return self._beams.clear()

    def _admit(self, waiting: Waiting, *, share: int, now: float, news: News) -> float:
        """The seconds it took the encoder."""
        if not len(waiting):
            return 0.0
        taken = waiting.take(room=self._beams.room, share=share, is_empty=not len(self._beams), now=now)
        news.late += taken.late
        for each in taken.admitted:
            each.started_at = now
        self.live_rows += sum(each.search.beam_size for each in taken.admitted)  # the other tables count on it
        self._metrics.decoder_admitted.inc(len(taken.admitted))
        return self._beams.admit(taken.admitted)


def share_of(table: Table, running: Sequence[Table], *, waiting_rows: int, num_idle: int) -> int:
    """How many more rows a table should have, for all those under way, and those about to be, to have as many."""
    total = sum(each.live_rows for each in running) + waiting_rows
    return -(-total // max(1, len(running) + num_idle)) - table.live_rows
