"""What is promised at the door is kept: against a service whose runs take as long as they are told to."""

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
from service.scheduling.job import Job
from service.scheduling.prediction import (
    LEAST_OFF,
    MOST_OFF,
    Density,
    Inflow,
    Margin,
    Speed,
    Throughput,
    WarmUp,
    completion_seconds,
)
from service.scheduling.slots import Slots
from service.scheduling.virtual_time import Priority
from service.text.batch import Batch
from tests.fakes import FakeClock

SECONDS_A_CELL = 0.0001
NUM_SLOTS = 2
CAPACITY = NUM_SLOTS / SECONDS_A_CELL  # cells a second
MAX_CELLS = 512
DEADLINE = 0.5


def test_throughput_follows_what_runs_take() -> None:
    throughput = Throughput()
    assert throughput.seconds_for(1000) == throughput.best_seconds_for(1000) == 0
    for _ in range(200):
        throughput.learn(tokens=100, seconds=1)
    assert throughput.seconds_for(1000) == pytest.approx(10)
    for _ in range(200):
        throughput.learn(tokens=100, seconds=0.1)
    assert throughput.seconds_for(1000) == pytest.approx(1, rel=0.01)
    throughput.learn(tokens=100, seconds=50)
    assert throughput.best_seconds_for(1000) == pytest.approx(1, rel=0.01)
    assert throughput.seconds_for(1000) > 10


def test_a_margin_grows_until_nearly_all_predictions_hold_and_shrinks_again() -> None:
    margin, chance = Margin(), random.Random(1)
    for _ in range(5000):
        margin.learn(predicted=0.1, real=0.1 * chance.uniform(1, 2))
    assert 1.7 <= margin.factor <= 2.1
    for _ in range(5000):
        margin.learn(predicted=0.1, real=0.05)
    assert margin.factor == LEAST_OFF
    for _ in range(5000):
        margin.learn(predicted=0.001, real=5)
    assert margin.factor == MOST_OFF


def test_a_margin_is_not_for_the_milliseconds_that_anything_takes() -> None:
    margin = Margin()
    for _ in range(100):
        margin.learn(predicted=0.001, real=0.005)
    assert margin.factor < 1.5


def test_inflow_is_what_was_let_in_lately() -> None:
    inflow = Inflow()
    for step in range(1000):
        inflow.note(0.005, offset=300, now=step / 100)
    assert inflow.share_before(3000, now=10.0) == pytest.approx(0.5, rel=0.05)
    assert inflow.share_before(300, now=10.0) == pytest.approx(0.25, rel=0.05)
    assert inflow.share_before(0, now=10.0) < 0.01
    assert inflow.share_before(3000, now=15.0) < 0.01


def test_a_density_is_learned_and_never_nothing() -> None:
    density = Density()
    assert density.cost_of(5000) == 1
    for _ in range(10):
        density.learn(length=500, cost=100)
    assert density.cost_of(1000) == pytest.approx(200, abs=1)
    assert density.cost_of(0) == 1


def test_what_comes_meanwhile_counts_but_no_more_than_if_as_many_waited_all_the_time() -> None:
    assert completion_seconds(ahead=1, own=1, inflow=0, if_steady=9) == 2
    assert completion_seconds(ahead=1, own=1, inflow=0.5, if_steady=9) == 4
    assert completion_seconds(ahead=1, own=1, inflow=0.98, if_steady=9) == 9
    assert completion_seconds(ahead=1, own=1, inflow=0.98, if_steady=1) == 2


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

    def __init__(self, warm_up: WarmUp | None) -> None:
        self.clock = FakeClock()
        self.executor = SimulatedExecutor(self.clock)
        slots = Slots(self.executor, num_slots=NUM_SLOTS, max_cells=MAX_CELLS, clock=self.clock)
        self.batcher: Batcher[int] = Batcher(
            self._run, slots=slots, max_queued_cells=10**6, metrics=Metrics(), warm_up=warm_up, clock=self.clock
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


WARM = WarmUp(short=Speed(tokens=1000, seconds=0.1), longest_seconds=0.1)


def simulate(coming: Sequence[Asked], *, warm_up: WarmUp | None = WARM) -> list[Fate]:
    return asyncio.run(Simulation(warm_up).play(coming))


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


@pytest.mark.parametrize("draw", [sentence, mixture])
@pytest.mark.parametrize("rate", [0.5, 3])
def test_what_is_let_in_is_answered_in_time_and_the_slots_are_busy(
    rate: float, draw: Callable[[random.Random], tuple[int, ...]]
) -> None:
    fates = simulate(poisson(rate, 4, draw, seed=3))
    assert kept(fates) >= 0.97
    refused = sum(fate.cells for fate in fates if fate.refused) / sum(fate.cells for fate in fates)
    if rate < 1:
        assert refused <= 0.05  # a burst may be too much
    else:
        assert refused >= 0.4
        assert goodput(fates, 4) >= 0.8  # the rest is padding


def test_before_the_first_run_a_warm_up_says_what_is_too_much() -> None:
    hundred_batches = [Asked(0.0, (20,) * 100) for _ in range(100)]  # 10 s of work
    fates = simulate(hundred_batches)
    assert 0 < sum(fate.refused is None for fate in fates) <= 10
    assert kept(fates) >= 0.9


def test_a_sentence_is_let_in_beside_one_huge_batch_that_waits() -> None:
    huge, alone = Asked(0.0, (20,) * 2000, seconds=10), Asked(0.1, (20,))
    first, second = simulate([huge, alone])
    assert first.refused is second.refused is None
    assert second.answered_after is not None
    assert second.answered_after < 0.2


def test_a_huge_batch_that_cannot_meet_its_deadline_is_refused_where_a_sentence_is_not() -> None:
    busy = [Asked(0.0, (20,) * 100) for _ in range(3)]
    fates = simulate([*busy, Asked(0.001, (20,) * 400), Asked(0.002, (20,))])
    assert fates[3].refused is not None
    assert fates[4].refused is None
    assert fates[4].answered_after is not None
    alone = simulate([Asked(0.0, (20,) * 1000)])  # 1 s of work for a service that has nothing else to do
    assert alone[0].refused is not None
    assert "nothing waits" in alone[0].refused.detail


def test_who_comes_back_when_told_to_is_let_in() -> None:
    filling = [Asked(0.0, (20,) * 200, seconds=30) for _ in range(20)]  # 4 s
    wanted = (20,) * 300
    refused = simulate([*filling, Asked(0.001, wanted)])[-1].refused
    assert refused is not None
    assert refused.retry_after_seconds is not None
    again = simulate([*filling, Asked(0.001 + refused.retry_after_seconds, wanted)])[-1]
    assert again.refused is None
    assert again.answered_after is not None
    assert again.answered_after <= DEADLINE


def test_bulk_is_served_while_sentences_fill_the_service() -> None:
    sentences = poisson(1.0, 3, sentence, seed=5)
    bulk = Asked(0.5, (20,) * 100, seconds=60, priority=Priority.BULK)
    fates = simulate(sorted([*sentences, bulk], key=lambda asked: asked.at))
    found = next(fate for fate in fates if fate.asked is bulk)
    assert found.answered_after is not None
    assert kept([fate for fate in fates if fate.asked is not bulk]) >= 0.97
