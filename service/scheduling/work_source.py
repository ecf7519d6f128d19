"""Work sources: what the thread pool takes work from, such as a model's queue of rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol

from service.errors import DeadlineExceededError
from service.scheduling.job import Answer, Row
from service.scheduling.prediction import Throughput
from service.scheduling.queue import RowQueue


class WorkSource(Protocol):
    """One model's work as the thread pool sees it. It belongs to the event loop's thread, except for ``work``."""

    @property
    def is_long(self) -> bool:
        """Whether a run may take as long as a batch of dozens of sentences."""
        ...

    @property
    def takes_turns(self) -> bool:
        """Whether a run ends soon after its thread is wanted, done or not, and waits again."""
        ...

    @property
    def num_waiting(self) -> int:
        """Number of rows or workers that could start; 0 if none."""
        ...

    @property
    def cells(self) -> int:
        """Number of tokens that could start."""
        ...

    @property
    def rank(self) -> tuple[float, int] | None:
        """Rank among sources of its kind, the least goes first; None if nothing could start."""
        ...

    @property
    def needs_thread(self) -> bool:
        """Whether work waits that no running run will take along."""
        ...

    def seconds_before(self, time: float) -> float:
        """Estimate how long one thread is busy with waiting work that comes before a moment of virtual time."""
        ...

    def seconds_for(self, cells: float) -> float:
        """Estimate how long one thread takes for so many cells."""
        ...

    def take(self, max_cells: int, *, now: float) -> Sequence[Any]:
        """Take the work of the next run; possibly none."""
        ...

    @property
    def work(self) -> Callable[[Any, Sequence[Any], asyncio.AbstractEventLoop], None]:
        """Function that runs what was taken, on a worker thread, and sees that ``ThreadPool.release`` is called."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class RowSource(Generic[Answer]):
    """One model's short rows, or its long ones, in the order in which they wait."""

    takes_turns: ClassVar[bool] = False

    is_long: bool
    work: Callable[[RowSource[Answer], Sequence[Row[Answer]], asyncio.AbstractEventLoop], None]
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
    def needs_thread(self) -> bool:
        return self.queue.num_rows > 0

    def seconds_before(self, time: float) -> float:
        """Estimate from the speed of earlier runs."""
        backlog = self.queue.backlog
        return self.throughput.seconds_for(backlog.before(time)) if backlog.total else 0.0

    def seconds_for(self, cells: float) -> float:
        return self.throughput.seconds_for(cells)

    def take(self, max_cells: int, *, now: float) -> list[Row[Answer]]:
        """Take the next batch without the rows that are too late, whose jobs fail; possibly none."""
        rows = self.queue.take(max_cells)
        for row in rows:
            if row.job.deadline <= now:
                row.job.fail(DeadlineExceededError("the deadline passed before the work began"))
        return [row for row in rows if row.job.is_open]
