"""Work source of a decoder: its paused workers, and an empty one if sentences wait, ask for threads of the pool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from service.decoding.queue import DecodeQueue
from service.decoding.worker import DecodeWorker

# Most time that other work waits for a turn to end, besides one step. Changing over costs a tenth of a millisecond.
TURN_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecodeSource:
    """Offers a decoder's workers to the thread pool. It belongs to the event loop's thread, except for ``work``."""

    is_long: ClassVar[bool] = False
    takes_turns: ClassVar[bool] = True

    workers: Sequence[DecodeWorker]
    queue: DecodeQueue
    work: Callable[[DecodeSource, Sequence[DecodeWorker], asyncio.AbstractEventLoop], None]

    @property
    def running(self) -> list[DecodeWorker]:
        return [worker for worker in self.workers if worker.is_running]

    @property
    def num_waiting(self) -> int:
        paused = is_empty = 0  # asked many times a request, and nearly always to be told 0
        for worker in self.workers:
            if not worker.is_running:
                paused, is_empty = (paused + 1, is_empty) if worker.live_rows else (paused, 1)
        return paused + (1 if is_empty and len(self.queue) else 0)

    @property
    def cells(self) -> int:
        return self.queue.cells

    @property
    def rank(self) -> tuple[float, int] | None:
        """Time since which the source waits. A paused worker waits since its last turn, however old its sentences
        are."""
        since = [worker.paused_at for worker in self._paused()]
        if self._empty() and (oldest := self.queue.oldest()) is not None:
            since.append(oldest.submitted_at)
        return (min(since), 0) if since else None

    @property
    def needs_thread(self) -> bool:
        """Whether a worker is paused, or sentences wait that no running worker will take."""
        return bool(self._paused() or (len(self.queue) and not self.running))

    def seconds_before(self, time: float) -> float:
        """Estimate one turn for each waiting worker: the source's time is not the rows' virtual time."""
        return TURN_SECONDS * self.num_waiting

    def seconds_for(self, cells: float) -> float:
        return TURN_SECONDS

    def take(self, max_cells: int, *, now: float) -> list[DecodeWorker]:
        """Take the worker that was paused first, or an empty one if a sentence waits."""
        workers = sorted(self._paused(), key=lambda worker: worker.paused_at) or (self._empty() if self.queue else [])
        for worker in workers[:1]:
            worker.is_running = True
        return workers[:1]

    def _paused(self) -> list[DecodeWorker]:
        return [worker for worker in self.workers if not worker.is_running and worker.live_rows]

    def _empty(self) -> list[DecodeWorker]:
        return [worker for worker in self.workers if not worker.is_running and not worker.live_rows]
