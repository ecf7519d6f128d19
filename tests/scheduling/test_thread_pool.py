"""Whose turn it is: several models on the same threads, and long rows beside short ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import OverloadedError
from service.metrics import Metrics
from service.scheduling.batcher import Batcher
from service.scheduling.job import Job
from service.scheduling.thread_pool import (
    HALF_LIFE_SECONDS,
    LONG_ROW_TOKENS,
    SILENCE_SECONDS,
    ThreadPool,
    Throughput,
)
from service.text.pipeline import Batch
from tests.fakes import FakeClock

FOREVER = 1e12
LONG, SHORT = LONG_ROW_TOKENS + 1, 8


class StoppedExecutor(Executor):
    """Keeps what is submitted until it is told to end it. A run is known by the letters its rows are made of, capitals
    being long."""

    def __init__(self) -> None:
        self.running: list[tuple[str, Callable[[], None]]] = []
        self.begun: list[str] = []
        self.long_at_begin: list[int] = []  # how many long ones ran as each run had begun

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        _, rows, _ = args
        letters = "".join(chr(row.ids[0]) for row in rows)
        self.running.append((letters, lambda: function(*args, **kwargs)))
        self.begun.append(letters)
        self.long_at_begin.append(sum(each.isupper() for each, _ in self.running))
        return Future()


class Bench:
    """Two models of the same slots. Every row is enqueued a moment after the one before."""

    def __init__(self, *, num_threads: int, max_queued_cells: int) -> None:
        self.clock, self.executor = FakeClock(), StoppedExecutor()
        self.thread_pool = ThreadPool(self.executor, num_threads=num_threads, max_cells=LONG, clock=self.clock)
        self.models = [self._model(max_queued_cells) for _ in range(2)]

    def _model(self, max_queued_cells: int) -> Batcher[int]:
        return Batcher(
            self._run,
            thread_pool=self.thread_pool,
            max_queued_cells=max_queued_cells,
            metrics=Metrics(),
            clock=self.clock,
        )

    def _run(self, batch: Batch) -> list[int]:
        self.clock.now += 0.01
        return batch.ids[:, 0].tolist()

    def come(self, letter: str, length: int, *, model: int = 0, seconds: float = FOREVER) -> Job[int]:
        self.clock.now += 0.001
        row = np.full(length, ord(letter), np.int32)
        return self.models[model].enqueue([row], deadline=self.clock.now + seconds)

    async def turn(self) -> None:
        for _ in range(4):
            await asyncio.sleep(0)

    async def answer_short(self, number: int) -> None:
        """One after the other."""
        for _ in range(number):
            self.come("a", SHORT)
            await self.turn()
            await self.end("a")

    async def end(self, letters: str = "") -> None:
        """The run of these letters, or else the one that began first."""
        names = [name for name, _ in self.executor.running]
        _, finish = self.executor.running.pop(names.index(letters) if letters else 0)
        finish()
        await self.turn()

    async def end_all(self) -> None:
        while self.executor.running:
            await self.end()

    @property
    def running(self) -> list[str]:
        return sorted(name for name, _ in self.executor.running)


def run(scenario: Callable[[Bench], Awaitable[None]], *, num_threads: int, max_queued_cells: int = 100_000) -> None:
    async def main() -> None:
        await asyncio.wait_for(scenario(Bench(num_threads=num_threads, max_queued_cells=max_queued_cells)), timeout=20)

    asyncio.run(main())


def test_slots_are_shared_and_of_single_rows_the_oldest_goes_first_whichever_its_model() -> None:
    async def scenario(bench: Bench) -> None:
        jobs = [bench.come(letter, SHORT, model=model) for letter, model in (("a", 0), ("b", 1))]
        await bench.turn()
        assert bench.running == ["a"]
        jobs += [bench.come("c", SHORT, model=1), bench.come("d", SHORT, model=0)]
        await bench.end_all()
        assert bench.executor.begun == ["a", "bc", "d"]
        assert [job.done.result().answers for job in jobs] == [[ord(letter)] for letter in "abcd"]

    run(scenario, num_threads=1)


def test_a_closed_model_that_comes_back_while_its_last_run_ends_is_run_again() -> None:
    async def scenario(bench: Bench) -> None:
        withdrawn = bench.come("a", SHORT)
        await bench.turn()
        bench.models[0].close()
        bench.models[0].withdraw(withdrawn)  # its run goes on, and nothing else holds the model
        await bench.turn()
        job = bench.come("b", SHORT)  # of a request that had found the model before
        await bench.end_all()
        assert job.done.result().answers == [ord("b")]

    run(scenario, num_threads=1)


def test_long_rows_leave_a_slot_to_the_short_ones() -> None:
    async def scenario(bench: Bench) -> None:
        for letter, length in (("A", LONG), ("c", SHORT), ("B", LONG)):
            bench.come(letter, length)
        await bench.turn()
        assert bench.running == ["A", "c"]
        bench.come("d", SHORT, model=1)
        await bench.end("c")
        assert bench.running == ["A", "d"]
        await bench.end("A")
        assert bench.running == ["B", "d"]

    run(scenario, num_threads=2)


def test_the_slot_left_to_short_rows_is_left_by_all_models_together() -> None:
    async def scenario(bench: Bench) -> None:
        for _ in range(LONG // SHORT):
            bench.come("a", SHORT)
        bench.come("A", LONG, model=0)
        bench.come("B", LONG, model=1)
        await bench.turn()
        while "A" not in bench.running or len(bench.running) > 1:
            await bench.end(next(name for name in bench.running if name != "A"))
        assert bench.running == ["A"]

    run(scenario, num_threads=2)


def test_where_much_is_short_the_next_short_row_finds_its_slot_idle() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.answer_short(LONG // SHORT)
        bench.come("A", LONG)
        bench.come("B", LONG)
        await bench.turn()
        assert bench.running == ["A"]
        bench.clock.now += 2 * HALF_LIFE_SECONDS
        bench.come("C", LONG)
        await bench.turn()
        assert bench.running == ["A", "B"]

    run(scenario, num_threads=2)


def test_once_nothing_short_comes_any_more_a_backlog_of_long_rows_has_every_slot() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.answer_short(2 * LONG // SHORT)
        for letter in "ABCD":
            bench.come(letter, LONG)
        await bench.turn()
        bench.clock.now += SILENCE_SECONDS / 2
        await bench.end("A")
        assert bench.running == ["B"]
        bench.clock.now += SILENCE_SECONDS / 2
        await bench.end("B")
        assert bench.running == ["C", "D"]

    run(scenario, num_threads=2)


def test_long_rows_that_may_not_run_do_not_part_short_ones_that_come_together() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.answer_short(LONG // SHORT)
        for letter in "AB":
            bench.come(letter, LONG)
            await bench.turn()
        assert bench.running == ["A"]
        for letter in "cde":
            bench.come(letter, SHORT)
        await bench.turn()
        assert bench.running == ["A", "cde"]

    run(scenario, num_threads=2)


def test_where_little_is_short_long_rows_have_every_slot() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.answer_short(1)
        bench.come("A", LONG)
        bench.come("B", LONG)
        await bench.turn()
        assert bench.running == ["A", "B"]

    run(scenario, num_threads=2)


def test_where_nothing_short_comes_long_rows_have_every_slot() -> None:
    async def scenario(bench: Bench) -> None:
        for letter in "ABC":
            bench.come(letter, LONG)
        await bench.turn()
        assert bench.running == ["A", "B"]
        bench.come("d", SHORT)
        await bench.end("A")
        assert bench.running == ["B", "d"]  # C is older, but would have the last slot
        await bench.end_all()
        assert bench.executor.begun == ["A", "B", "d", "C"]

    run(scenario, num_threads=2)


def test_on_a_single_slot_long_and_short_take_turns() -> None:
    async def scenario(bench: Bench) -> None:
        for letter in "ABC":
            bench.come(letter, LONG)
        await bench.turn()
        bench.come("d", SHORT)
        await bench.end("A")
        bench.come("e", SHORT)
        await bench.end("d")
        bench.come("f", SHORT)
        await bench.end_all()
        assert bench.executor.begun == ["A", "d", "B", "ef", "C"]

    run(scenario, num_threads=1)


@pytest.mark.parametrize("num_threads", [1, 2, 3])
def test_long_rows_do_not_starve_however_many_short_ones_come(num_threads: int) -> None:
    async def scenario(bench: Bench) -> None:
        for letter in "ABCDE":
            bench.come(letter, LONG)
        ends = 0
        while "E" not in bench.executor.begun:
            for _ in range(2 * num_threads):
                bench.come("s", SHORT)
                await bench.turn()
            await bench.end()
            ends += 1
        assert [letters for letters in bench.executor.begun if letters.isupper()] == list("ABCDE")
        assert ends <= 10

    run(scenario, num_threads=num_threads)


COMING = st.lists(st.tuples(st.booleans(), st.integers(0, 1), st.booleans()), min_size=1, max_size=25)


@given(COMING, st.integers(1, 3))
def test_while_a_short_row_waits_no_long_one_takes_the_last_slot_or_a_second_turn(
    coming: list[tuple[bool, int, bool]], num_threads: int
) -> None:
    async def scenario(bench: Bench) -> None:
        jobs, short = [], {}
        for number, (is_long, model, ends) in enumerate(coming):
            letter = chr(ord("A" if is_long else "a") + number)
            if not is_long:
                short[letter] = len(bench.executor.begun)
            jobs.append(bench.come(letter, LONG if is_long else SHORT, model=model))
            if ends and bench.running:
                await bench.end()
        await bench.turn()
        await bench.end_all()
        assert all(job.done.result() for job in jobs)
        for letter, came in short.items():
            start = next(place for place, letters in enumerate(bench.executor.begun) if letter in letters)
            check_long_runs(bench.executor, came, start, num_threads=num_threads)

    run(scenario, num_threads=num_threads)


def check_long_runs(executor: StoppedExecutor, came: int, start: int, *, num_threads: int) -> None:
    """Those that began after so many runs and before that run, while a short row waited."""
    are_long = [letters.isupper() for letters in executor.begun[came:start]]
    if num_threads == 1:
        assert not any(one and two for one, two in pairwise(are_long))
    elif any(are_long):
        long_ones = zip(are_long, executor.long_at_begin[came:start], strict=True)
        assert max(count for is_long, count in long_ones if is_long) < num_threads


def test_a_queue_of_reviews_refuses_reviews_and_no_sentence() -> None:
    async def scenario(bench: Bench) -> None:
        for letter in "ABCD":
            bench.come(letter, LONG)
        await bench.turn()
        assert bench.running == ["A"]
        with pytest.raises(OverloadedError):
            bench.come("E", LONG)
        bench.models[0].check(deadline=FOREVER)
        bench.come("f", SHORT)

    run(scenario, num_threads=1, max_queued_cells=4 * LONG)


def test_waits_are_estimated_by_kind_over_all_models() -> None:
    async def scenario(bench: Bench) -> None:
        for letter, length in (("a", SHORT), ("A", LONG)):
            bench.come(letter, length)
            await bench.turn()
            await bench.end(letter)  # 10 ms each
        assert bench.thread_pool.wait_seconds() == bench.thread_pool.wait_seconds(is_long=True) == 0
        bench.come("A", LONG)
        bench.come("b", SHORT)
        await bench.turn()
        assert bench.running == ["A", "b"]
        for letter in "BCD":
            bench.come(letter, LONG)
        bench.come("c", SHORT)
        assert bench.thread_pool.wait_seconds() == pytest.approx(0.005)  # 10 ms on two threads
        assert bench.thread_pool.wait_seconds(2) == pytest.approx(0.015)  # behind two more that are not queued yet
        assert bench.thread_pool.wait_seconds(is_long=True) == pytest.approx(0.02)
        with pytest.raises(OverloadedError):
            bench.come("E", LONG, seconds=0.03)
        bench.come("d", SHORT, seconds=0.05)

    run(scenario, num_threads=2)


@pytest.mark.parametrize(
    ("others", "waited", "seconds"), [(0, 0.005, 0.01), (1, 0.005, 0.015), (1, 5.0, 0.02)]
)  # a run takes 0.01
def test_a_thread_that_waits_for_the_event_loop_while_rows_wait_counts_as_slower(
    others: int, waited: float, seconds: float
) -> None:
    async def scenario(bench: Bench) -> None:
        bench.come("a", SHORT)
        await bench.turn()
        for _ in range(others):
            bench.come("b", SHORT)
        _, finish = bench.executor.running.pop()
        finish()
        bench.clock.now += waited
        await bench.turn()
        bench.come("c", SHORT)
        bench.come("d", SHORT)
        assert bench.thread_pool.wait_seconds() == pytest.approx(2 * seconds)

    run(scenario, num_threads=1)


def test_of_a_long_request_that_waits_its_first_row_alone_stands_before_a_newcomer() -> None:
    async def scenario(bench: Bench) -> None:
        bench.come("a", SHORT)
        await bench.turn()
        await bench.end()
        bench.come("b", SHORT)
        await bench.turn()
        rows = [np.full(SHORT, ord("c"), np.int32)] * 20
        bench.models[0].enqueue(rows, deadline=FOREVER)
        assert bench.thread_pool.wait_seconds() == pytest.approx(0.01)
        with pytest.raises(OverloadedError):
            bench.models[0].enqueue(rows, deadline=bench.clock.now + 0.3)
        bench.come("d", SHORT, seconds=0.05)

    run(scenario, num_threads=1)


def test_the_pace_follows_what_runs_take() -> None:
    throughput = Throughput()
    assert throughput.pace == 0
    for seconds in (1, 0.1):
        for _ in range(200):
            throughput.learn(tokens=100, seconds=seconds)
        assert throughput.pace == pytest.approx(seconds / 100, rel=0.01)
