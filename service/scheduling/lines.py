"""What waits for the threads that run models: rows in their order, or whatever else asks for a turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol

from service.errors import DeadlineExceededError
from service.scheduling.job import Answer, Row
from service.scheduling.prediction import Throughput
from service.scheduling.queue import RowQueue


class Line(Protocol):
    """One model's work as the slots see it. All of it belongs to the event loop's thread, but for ``work``."""

    @property
    def is_long(self) -> bool:
        """A run may take as long as a batch of dozens of sentences."""
        ...

    @property
    def takes_turns(self) -> bool:
        """A run ends soon after somebody else wants its slot, whether or not its work is done: then it waits again."""
        ...

    @property
    def num_waiting(self) -> int:
        """What could start; 0 if nothing."""
        ...

    @property
    def cells(self) -> int:
        """Tokens of what could start."""
        ...

    @property
    def rank(self) -> tuple[float, int] | None:
        """To be compared with others' of its kind, the least goes first; None if nothing could start."""
        ...

    @property
    def needs_slot(self) -> bool:
        """Something waits that no run under way will take along."""
        ...

    def seconds_before(self, time: float) -> float:
        """About how long one slot is taken by what waits and comes before a moment of virtual time."""
        ...

    def seconds_for(self, cells: float) -> float:
        """About how long one slot takes for so much."""
        ...

    def take(self, max_cells: int, *, now: float) -> Sequence[Any]:
        """What the next run works on; possibly nothing."""
        ...

    @property
    def work(self) -> Callable[[Any, Sequence[Any], asyncio.AbstractEventLoop], None]:
        """On a worker thread: run what was taken from this line, and see that ``Slots.release`` is called."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class RowLine(Generic[Answer]):
    """One model's short rows, or its long ones, in the order in which they wait."""

    takes_turns: ClassVar[bool] = False

    is_long: bool
    work: Callable[[RowLine[Answer], Sequence[Row[Answer]], asyncio.AbstractEventLoop], None]
    queue: RowQueue[Answer]
    throughput: Throughput = field(default_factory=Throughput)

    @property
    def num_waiting(self) -> int:
        return self.queue.num_rows

    @property
    def cells(self) -> int:
        return self.queue.cells

    @property
    def rank(self) -> tuple[float, int] | None:
        return self.queue.rank

    @property
    def needs_slot(self) -> bool:
        return self.queue.num_rows > 0

    def seconds_before(self, time: float) -> float:
        """Judged by earlier runs."""
        backlog = self.queue.backlog
        return self.throughput.seconds_for(backlog.before(time)) if backlog.total else 0.0

    def seconds_for(self, cells: float) -> float:
        return self.throughput.seconds_for(cells)

    def take(self, max_cells: int, *, now: float) -> list[Row[Answer]]:
        """The next batch without the rows that are too late, which are told so; possibly none."""
        rows = self.queue.take(max_cells)
        for row in rows:
            if row.job.deadline <= now:
                row.job.fail(DeadlineExceededError("the deadline passed before the work began"))
        return [row for row in rows if row.job.is_open]
