"""The batcher: every caller gets its own answers, whatever its neighbours do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import (
    CallerLeftError,
    DeadlineExceededError,
    ModelFailedError,
    OverloadedError,
)
from service.metrics import Metrics
from service.scheduling.batcher import Batcher
from service.scheduling.job import Job
from service.scheduling.thread_pool import LONG_ROW_TOKENS, ThreadPool
from service.text.pipeline import Batch, Ids
from tests.fakes import FakeClock

FOREVER = 1e12


@dataclass(eq=False)
class SumModel:
    """A row's answer is the sum of its ids. Its gate can be shut; a row that holds -1 breaks the run."""

    gate: threading.Event = field(default_factory=threading.Event)
    batches: list[list[int]] = field(default_factory=list)  # the lengths in each
    started: threading.Event = field(default_factory=threading.Event)
    running: int = 0
    most_running: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.gate.set()

    def __call__(self, batch: Batch) -> Sequence[int]:
        with self.lock:
            self.batches.append(batch.lengths.tolist())
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        self.started.set()
        try:
            assert self.gate.wait(timeout=20)
            if (batch.ids == -1).any():
                raise RuntimeError("a secret text")
            return [int(row.sum()) for row in batch.ids]
        finally:
            with self.lock:
                self.running -= 1


@dataclass(eq=False)
class Bench:
    model: SumModel
    batcher: Batcher[int]
    metrics: Metrics
    clock: FakeClock

    async def hold(self, rows: Sequence[Ids]) -> Job[int]:
        """Start to run these; no run ends until the gate is opened."""
        self.model.gate.clear()
        job = self.batcher.enqueue(rows, deadline=FOREVER)
        async with asyncio.timeout(20):
            await asyncio.to_thread(self.model.started.wait)
        return job

    async def turn(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)


@contextmanager
def bench(*, num_threads: int = 1, max_cells: int = 64, max_queued_cells: int = 10_000) -> Iterator[Bench]:
    model, metrics, clock = SumModel(), Metrics(), FakeClock()
    with ThreadPoolExecutor(num_threads) as executor:
        thread_pool = ThreadPool(executor, num_threads=num_threads, max_cells=max_cells, clock=clock)
        batcher = Batcher(
            model,
            thread_pool=thread_pool,
            max_queued_cells=max_queued_cells,
            metrics=metrics,
            clock=clock,
        )
        yield Bench(model, batcher, metrics, clock)
        model.gate.set()


def run(scenario: Callable[[Bench], Awaitable[None]], **options: int) -> None:
    async def main(each: Bench) -> None:
        await asyncio.wait_for(scenario(each), timeout=20)

    with bench(**options) as each:
        asyncio.run(main(each))


def row(*ids: int) -> Ids:
    return np.array(ids, np.int32)


ROWS = st.lists(st.integers(0, 1000), min_size=1, max_size=40).map(lambda ids: row(*ids))
REQUESTS = st.lists(st.lists(ROWS, max_size=6), min_size=1, max_size=12)


@given(REQUESTS, st.integers(1, 3), st.integers(1, 200), st.data())
def test_every_row_gets_its_own_answer(
    requests: list[list[Ids]], num_threads: int, max_cells: int, data: st.DataObject
) -> None:
    pauses = [data.draw(st.booleans()) for _ in requests]

    async def scenario(each: Bench) -> None:
        jobs = []
        for rows, pause in zip(requests, pauses, strict=True):
            jobs.append(each.batcher.enqueue(rows, deadline=FOREVER))
            if pause:
                await asyncio.sleep(0)
        for rows, done in zip(requests, await asyncio.gather(*(job.done for job in jobs)), strict=True):
            assert list(done.answers) == [int(ids.sum()) for ids in rows]
        assert all(len(lengths) == 1 or len(lengths) * max(lengths) <= max_cells for lengths in each.model.batches)
        assert each.model.most_running <= num_threads
        assert (each.batcher.queued_rows, each.batcher.queued_cells, each.batcher.oldest_age_seconds) == (0, 0, 0)

    run(scenario, num_threads=num_threads, max_cells=max_cells)


def test_no_rows_are_answered_at_once() -> None:
    async def scenario(each: Bench) -> None:
        assert list((await each.batcher.enqueue([], deadline=FOREVER).done).answers) == []
        assert each.model.batches == []

    run(scenario)


def test_what_piled_up_while_the_model_was_busy_is_the_next_batch() -> None:
    async def scenario(each: Bench) -> None:
        first = await each.hold([row(1)])
        later = [each.batcher.enqueue([row(2, 3)], deadline=FOREVER) for _ in range(5)]
        await each.turn()
        assert each.batcher.queued_rows == 5
        each.model.gate.set()
        await asyncio.gather(first.done, *(job.done for job in later))
        assert each.model.batches == [[1], [2] * 5]

    run(scenario)


def test_idle_slots_share_what_waits() -> None:
    async def scenario(each: Bench) -> None:
        await each.batcher.enqueue([row(*[1] * 5)] * 8, deadline=FOREVER).done
        assert each.model.batches == [[5] * 4, [5] * 4]

    run(scenario, num_threads=2)


def test_a_few_rows_are_not_worth_sharing() -> None:
    async def scenario(each: Bench) -> None:
        await each.batcher.enqueue([row(1, 2)] * 3, deadline=FOREVER).done
        assert each.model.batches == [[2] * 3]

    run(scenario, num_threads=2)


def test_a_run_that_fails_fails_its_own_rows_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(each: Bench) -> None:
        bad = await each.hold([row(-1), row(*[1] * 50)])
        good = each.batcher.enqueue([row(4)], deadline=FOREVER)
        each.model.gate.set()
        with pytest.raises(ModelFailedError):
            await bad.done
        assert (await good.done).answers == [4]
        assert (await each.batcher.enqueue([row(5)], deadline=FOREVER).done).answers == [5]

    run(scenario)
    assert "a model run failed" in caplog.text
    assert "secret" not in caplog.text


def test_a_wrong_number_of_answers_is_a_failure() -> None:
    async def scenario() -> None:
        with ThreadPoolExecutor(1) as executor:
            batcher: Batcher[int] = Batcher(
                lambda _: [1, 2, 3],
                thread_pool=ThreadPool(executor, num_threads=1, max_cells=10),
                max_queued_cells=10,
                metrics=Metrics(),
            )
            with pytest.raises(ModelFailedError):
                await batcher.enqueue([row(1)], deadline=FOREVER).done

    asyncio.run(scenario())


def test_who_left_is_dropped_before_the_run_and_from_the_gauges() -> None:
    async def scenario(each: Bench) -> None:
        first = await each.hold([row(1)])
        cancelled = each.batcher.enqueue([row(2, 2)] * 3, deadline=FOREVER)
        withdrawn = each.batcher.enqueue([row(3, 3)], deadline=FOREVER)
        stays = each.batcher.enqueue([row(4, 4)], deadline=FOREVER)
        await each.turn()
        cancelled.done.cancel()
        each.batcher.withdraw(withdrawn)
        await each.turn()
        assert (each.batcher.queued_rows, each.batcher.queued_cells) == (1, 2)
        each.model.gate.set()
        with pytest.raises(CallerLeftError):
            await withdrawn.done
        with pytest.raises(asyncio.CancelledError):
            await cancelled.done
        assert (await stays.done).answers == [8]
        await first.done
        assert each.model.batches == [[1], [2]]

    run(scenario)


def test_a_deadline_that_passes_while_waiting_drops_the_work() -> None:
    async def scenario(each: Bench) -> None:
        first = await each.hold([row(1)])
        late = each.batcher.enqueue([row(2)], deadline=each.clock.now + 1)
        patient = each.batcher.enqueue([row(3)], deadline=each.clock.now + 10)
        each.clock.now += 2
        each.model.gate.set()
        with pytest.raises(DeadlineExceededError):
            await late.done
        assert (await patient.done).answers == [3]
        await first.done
        assert each.model.batches == [[1], [1]]

    run(scenario)


def test_a_full_queue_refuses_and_an_empty_one_never() -> None:
    async def scenario(each: Bench) -> None:
        jobs = [await each.hold([row(*[1] * 100)])]  # larger than the bound
        jobs.append(each.batcher.enqueue([row(1)] * 20, deadline=FOREVER))
        for rows in ([row(1)], [row(1)] * 50):
            with pytest.raises(OverloadedError):
                each.batcher.enqueue(rows, deadline=FOREVER)
        jobs.append(each.batcher.enqueue([row(1)] * 50, deadline=FOREVER, accepted=True))
        each.model.gate.set()
        await asyncio.gather(*(job.done for job in jobs))
        assert (await each.batcher.enqueue([row(1)], deadline=FOREVER).done).answers == [1]

    run(scenario, max_queued_cells=10)


def test_while_others_wait_a_request_may_have_half_of_the_room_that_is_left() -> None:
    async def scenario(each: Bench) -> None:
        def come(number: int) -> Job[int]:
            return each.batcher.enqueue([row(1)] * number, deadline=FOREVER)

        jobs = [await each.hold([row(1)]), come(20)]
        for fits in (40, 20, 10):
            with pytest.raises(OverloadedError):
                come(fits + 1)
            jobs.append(come(fits))
        jobs += [come(1) for _ in range(10)]  # the last room goes to requests of one token
        with pytest.raises(OverloadedError):
            come(1)
        each.model.gate.set()
        await asyncio.gather(*(job.done for job in jobs))

    run(scenario, max_queued_cells=100)


def test_a_look_judges_a_large_request_by_the_line_that_the_last_one_went_to() -> None:
    async def scenario(each: Bench) -> None:
        batcher, large = each.batcher, LONG_ROW_TOKENS + 1
        await batcher.enqueue([row(*[1] * large)], deadline=FOREVER).done
        jobs = [await each.hold([row(1)]), batcher.enqueue([row(1)] * 20, deadline=FOREVER)]
        batcher.check(tokens=large, deadline=FOREVER)
        with pytest.raises(OverloadedError):  # those are short rows
            batcher.check(tokens=large - 1, deadline=FOREVER)
        each.model.gate.set()
        await asyncio.gather(*(job.done for job in jobs))
        await batcher.enqueue([row(1)] * large, deadline=FOREVER).done
        jobs = [await each.hold([row(1)]), batcher.enqueue([row(1)] * 20, deadline=FOREVER)]
        with pytest.raises(OverloadedError):
            batcher.check(tokens=large, deadline=FOREVER)
        each.model.gate.set()
        await asyncio.gather(*(job.done for job in jobs))

    run(scenario, max_queued_cells=10)


def test_gauges_are_true_when_scraped_and_fall_to_zero() -> None:
    def scraped(each: Bench) -> dict[str, str]:
        lines = each.metrics.render().decode().splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if line.startswith("ribbon_queue"))

    async def scenario(each: Bench) -> None:
        first = await each.hold([row(1)])
        second = each.batcher.enqueue([row(1, 2, 3)] * 2, deadline=FOREVER)
        each.clock.now += 7
        assert scraped(each) == {
            "ribbon_queue_rows": "2.0",
            "ribbon_queue_cells": "6.0",
            "ribbon_queue_oldest_age_seconds": "7.0",
        }
        each.model.gate.set()
        await asyncio.gather(first.done, second.done)
        assert set(scraped(each).values()) == {"0.0"}

    run(scenario)


def test_a_job_says_where_its_time_went() -> None:
    async def scenario(each: Bench) -> None:
        first = await each.hold([row(1)])
        second = each.batcher.enqueue([row(2)], deadline=FOREVER)
        await each.turn()
        each.clock.now += 3
        each.model.gate.set()
        done = await first.done
        assert (done.queue_seconds, done.model_seconds) == (0, 3)
        assert (await second.done).queue_seconds == 3

    run(scenario)


def test_batches_are_counted() -> None:
    async def scenario(each: Bench) -> None:
        await each.batcher.enqueue([row(1, 1, 1, 1), row(1, 1, 1)], deadline=FOREVER).done
        sample = each.metrics.registry.get_sample_value
        assert sample("ribbon_batch_rows_sum") == 2
        assert sample("ribbon_batch_cells_sum") == 8
        assert sample("ribbon_batch_padding_ratio_sum") == pytest.approx(1 / 8)

    run(scenario)


def test_under_load_a_batch_is_staged_but_never_more_than_one() -> None:
    async def scenario(each: Bench) -> None:
        first = await each.hold([row(1)])
        many = each.batcher.enqueue([row(1, 2)] * 200, deadline=FOREVER)
        await each.turn()
        assert each.batcher.queued_rows == 200  # only a run that ends forms batches
        each.model.gate.set()
        await asyncio.gather(first.done, many.done)
        assert each.model.most_running == 1
        assert sum(map(len, each.model.batches)) == 201

    run(scenario)
