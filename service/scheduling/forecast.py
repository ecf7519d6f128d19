"""How long a request will keep a decoder: learned from its turns, and from what else was let in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from service.scheduling.prediction import Inflow, Margin, Promise, Throughput, WarmUp, completion_seconds
from service.scheduling.virtual_time import Priority
from service.scheduling.waiting import Sought, Waiting

TYPICAL_STEPS = 24  # of a sentence
TYPICAL_ROW_STEPS = 4 * TYPICAL_STEPS


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a prediction needs of a request."""

    cells: int
    row_steps: int
    longest: int  # tokens of one sentence
    offset: float  # by virtual time, of its last sentence
    priority: Priority

    @classmethod
    def of(cls, sentences: Sequence[Sought], priority: Priority) -> Self:
        return cls(
            cells=sum(each.row.length for each in sentences),
            row_steps=sum(each.row_steps for each in sentences),
            longest=max(each.row.length for each in sentences),
            offset=sentences[-1].row.offset,
            priority=priority,
        )

    @classmethod
    def about(cls, row_steps: int, priority: Priority) -> Self:
        """One that costs so much and of which nothing else is known yet."""
        offset = max(0, row_steps - TYPICAL_ROW_STEPS) / priority.share
        return cls(cells=1, row_steps=row_steps, longest=1, offset=offset, priority=priority)


class Forecast:
    """Of one decoder with so many tables, as if nobody else wanted its slots."""

    def __init__(self, *, num_tables: int, warm_up: WarmUp | None) -> None:
        self.margin = Margin()
        self._num_tables = num_tables
        self._row_steps = Throughput()
        self._steps = Throughput()
        self._inflow = Inflow()
        if warm_up is not None:
            self.learn(row_steps=warm_up.short.tokens, num_steps=1, seconds=warm_up.short.seconds)

    def learn(self, *, row_steps: int, num_steps: int, seconds: float) -> None:
        """One table took so long over so many steps."""
        self._row_steps.learn(tokens=row_steps, seconds=seconds)
        self._steps.learn(tokens=num_steps, seconds=seconds)

    def let_in(self, asked: Asked, *, now: float) -> None:
        """It will be in the way of those that come after it."""
        self._inflow.note(self._seconds_for(asked.row_steps), offset=asked.offset, now=now)

    def promise(self, seconds: float) -> Promise:
        return Promise(seconds=seconds, margin=self.margin)

    def best_seconds(self, asked: Asked) -> float:
        """With nobody before it, at the highest speed that was ever reached."""
        return self._row_steps.best_seconds_for(asked.row_steps) / self._num_tables

    def seconds(self, asked: Asked, waiting: Waiting, *, live_rows: int, now: float) -> float:
        """As many steps as the longest takes, or as long as it all takes on every slot."""
        shares = waiting.shares + asked.priority.share
        return completion_seconds(
            ahead=self._seconds_for(_row_steps_before(asked, waiting, live_rows)),
            own=max(self._seconds_for(asked.row_steps), self._steps.seconds_for(asked.longest)),
            inflow=self._inflow.share_before(asked.offset, now=now),
            if_steady=self._seconds_for(asked.offset * shares),
        )

    def _seconds_for(self, row_steps: float) -> float:
        """Of all tables together."""
        return self._row_steps.seconds_for(row_steps) / self._num_tables


def _row_steps_before(asked: Asked, waiting: Waiting, live_rows: int) -> float:
    """Of those who come first, and half of what is being decoded, which is half done, if one waits for it."""
    if not len(waiting):
        return 0.0
    return waiting.row_steps_before(asked.offset) + live_rows * TYPICAL_STEPS / 2
