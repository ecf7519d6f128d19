"""Forecast of how long a request will keep a decoder, learned from the decoder's turns and from recent arrivals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from service.decoding.queue import DecodeQueue, PendingSentence
from service.scheduling.job import Priority
from service.scheduling.latency import ArrivalRate, Throughput, WarmUp

TYPICAL_STEPS = 24  # of a sentence
TYPICAL_ROW_STEPS = 4 * TYPICAL_STEPS


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeRequest:
    """Sizes of a request that a prediction is made from."""

    cells: int
    row_steps: int
    longest: int  # steps of one sentence
    offset: float  # by virtual time, of its last sentence
    priority: Priority

    @classmethod
    def of(cls, sentences: Sequence[PendingSentence], priority: Priority) -> Self:
        return cls(
            cells=sum([each.length for each in sentences]),
            row_steps=sum([each.cost for each in sentences]),
            longest=max([each.search.num_steps for each in sentences]),
            offset=sentences[-1].offset,
            priority=priority,
        )

    @classmethod
    def about(cls, row_steps: int, priority: Priority) -> Self:
        """Make a request of which nothing but its cost is known yet."""
        offset = max(0, row_steps - TYPICAL_ROW_STEPS) / priority.share
        return cls(cells=1, row_steps=row_steps, longest=1, offset=offset, priority=priority)


class Forecast:
    """Predictions for one decoder with so many workers, as if no other model wanted its threads."""

    def __init__(self, *, num_workers: int, warm_up: WarmUp | None) -> None:
        self._num_workers = num_workers
        self._row_steps = Throughput()
        self._steps = Throughput()
        self._arrival_rate = ArrivalRate()
        if warm_up is not None:
            self.learn(row_steps=warm_up.short.tokens, num_steps=1, seconds=warm_up.short.seconds)

    def learn(self, *, row_steps: int, num_steps: int, seconds: float) -> None:
        """Learn from one worker's steps how long they take."""
        self._row_steps.learn(tokens=row_steps, seconds=seconds)
        self._steps.learn(tokens=num_steps, seconds=seconds)

    def record_arrival(self, request: DecodeRequest, *, now: float) -> None:
        """Record an admitted request, which will delay those that come after it."""
        self._arrival_rate.record(self._seconds_for(request.row_steps), offset=request.offset, now=now)

    def best_seconds(self, request: DecodeRequest) -> float:
        """Predict the seconds of a request that nothing delays, at the highest speed that was ever reached."""
        return self._row_steps.best_seconds_for(request.row_steps) / self._num_workers

    def seconds(self, request: DecodeRequest, queue: DecodeQueue, *, live_rows: int, now: float) -> float:
        """Predict the seconds until a request is answered: as many steps as its longest sentence takes, or as long as
        all of it takes on all threads."""
        shares = queue.shares + request.priority.share
        return self._arrival_rate.completion_seconds(
            ahead=self._seconds_for(_row_steps_before(request, queue, live_rows)),
            own=max(self._seconds_for(request.row_steps), self._steps.seconds_for(request.longest)),
            if_steady=self._seconds_for(request.offset * shares),
            offset=request.offset,
            now=now,
        )

    def _seconds_for(self, row_steps: float) -> float:
        """Predict the seconds that all workers together take for so many row steps."""
        return self._row_steps.seconds_for(row_steps) / self._num_workers


def _row_steps_before(request: DecodeRequest, queue: DecodeQueue, live_rows: int) -> float:
    """Return the row steps that come before a request, and, if one waits, half of what is being decoded, which is half
    done on average."""
    if not queue.num_waiting:
        return 0.0
    return queue.row_steps_before(request.offset) + live_rows * TYPICAL_STEPS / 2
