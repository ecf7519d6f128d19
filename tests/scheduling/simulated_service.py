"""A service whose runs take as long as they are told to: whole loads in no time."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from service.errors import DeadlineExceededError, OverloadedError
from service.metrics import Metrics
from service.scheduling.batcher import Batcher
from service.scheduling.job import Job, Priority
from service.scheduling.thread_pool import ThreadPool
from service.text.pipeline import Batch
from tests.fakes import FakeClock

SECONDS_A_CELL = 0.0001
NUM_SLOTS = 2
CAPACITY = NUM_SLOTS / SECONDS_A_CELL  # cells a second
MAX_CELLS = 512
DEADLINE = 0.5


@dataclass(frozen=True, slots=True)
class Asked:
    """A request in the simulation."""

    at: float
    lengths: tuple[int, ...]
    seconds: float = DEADLINE
    priority: Priority = Priority.INTERACTIVE


@dataclass(slots=True)
class Fate:
    """What became of it."""

    asked: Asked
    refused: OverloadedError | None = None
    answered_after: float | None = None

    @property
    def cells(self) -> int:
        return sum(self.asked.lengths)


@dataclass(eq=False)
class SimulatedExecutor(Executor):
    """Runs end when their time has come; the clock stands still while they are computed."""

    clock: FakeClock
    running: list[tuple[float, int, float, Callable[[], None]]] = field(default_factory=list)
    free_at: list[float] = field(default_factory=lambda: [0.0] * NUM_SLOTS)
    count: int = 0

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        rows = args[1]
        seconds = SECONDS_A_CELL * len(rows) * max(row.length for row in rows)
        begins = max(self.clock.now, heapq.heappop(self.free_at))  # staged ones begin later
        heapq.heappush(self.free_at, begins + seconds)
        self.count += 1
        heapq.heappush(self.running, (begins + seconds, self.count, begins, lambda: function(*args, **kwargs)))
        return Future()

    @property
    def next_end(self) -> float:
        return self.running[0][0] if self.running else float("inf")

    def end_next(self) -> None:
        end, _, begin, finish = heapq.heappop(self.running)
        self.clock.now = begin
        finish()
        assert self.clock.now == pytest.approx(end)
        self.clock.now = end


class Simulation:
    """A batcher on invented slots."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.executor = SimulatedExecutor(self.clock)
        thread_pool = ThreadPool(self.executor, num_threads=NUM_SLOTS, max_cells=MAX_CELLS, clock=self.clock)
        self.batcher: Batcher[int] = Batcher(
            self._run,
            thread_pool=thread_pool,
            max_queued_cells=10**6,
            metrics=Metrics(),
            clock=self.clock,
        )

    def _run(self, batch: Batch) -> list[int]:
        self.clock.now += SECONDS_A_CELL * batch.ids.size
        return [0] * len(batch.lengths)

    async def play(self, coming: Sequence[Asked]) -> list[Fate]:
        start, fates = self.clock.now, []
        for asked in coming:
            await self._until(start + asked.at)
            fates.append(self._come(asked))
            await self._turn()
        await self._until(float("inf"))
        return fates

    async def _until(self, moment: float) -> None:
        while self.executor.next_end <= moment and self.executor.running:
            self.executor.end_next()
            await self._turn()
        if moment < float("inf"):
            self.clock.now = max(self.clock.now, moment)

    async def _turn(self) -> None:
        for _ in range(4):
            await asyncio.sleep(0)

    def _come(self, asked: Asked) -> Fate:
        fate, came = Fate(asked), self.clock.now
        rows = [np.ones(length, np.int32) for length in asked.lengths]
        try:
            job = self.batcher.enqueue(rows, deadline=came + asked.seconds, priority=asked.priority)
        except OverloadedError as error:
            fate.refused = error
        else:
            job.done.add_done_callback(lambda done: self._note(fate, job, done))
        return fate

    def _note(self, fate: Fate, job: Job[int], done: asyncio.Future[Any]) -> None:
        if not isinstance(done.exception(), DeadlineExceededError):
            fate.answered_after = self.clock.now - job.submitted_at


def simulate(coming: Sequence[Asked]) -> list[Fate]:
    return asyncio.run(Simulation().play(coming))


def poisson(rate: float, seconds: float, draw: Callable[[random.Random], tuple[int, ...]], seed: int) -> list[Asked]:
    """Requests for ``rate`` times what the service can do."""
    chance, at = random.Random(seed), 0.0
    mean = sum(sum(draw(random.Random(number))) for number in range(300)) / 300
    coming = []
    while at < seconds:
        at += chance.expovariate(rate * CAPACITY / mean)
        coming.append(Asked(at, draw(chance)))
    return coming


def sentence(chance: random.Random) -> tuple[int, ...]:
    return (chance.randint(5, 40),)


def mixture(chance: random.Random) -> tuple[int, ...]:
    """Single sentences, and a tenth batches of 32."""
    return tuple(chance.randint(5, 40) for _ in range(32 if chance.random() < 0.1 else 1))


def kept(fates: Sequence[Fate]) -> float:
    """Of those let in, the share that was answered in time."""
    taken = [fate for fate in fates if fate.refused is None]
    return sum(fate.answered_after is not None and fate.answered_after <= DEADLINE for fate in taken) / len(taken)


def goodput(fates: Sequence[Fate], seconds: float) -> float:
    """As a share of the capacity."""
    good = (fate for fate in fates if fate.answered_after is not None and fate.answered_after <= DEADLINE)
    return sum(fate.cells for fate in good) / (seconds * CAPACITY)
