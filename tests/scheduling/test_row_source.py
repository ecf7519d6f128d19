"""Packing: what waits comes out in batches that are small enough, alike, and fair."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.scheduling.batcher import RowSource
from service.scheduling.fair_queue import VirtualClock
from service.scheduling.job import Job, Priority, Row, offsets
from service.scheduling.scheduler import no_run

LENGTHS = st.lists(st.lists(st.integers(1, 60), min_size=1, max_size=8), min_size=1, max_size=20)
MAX_CELLS = st.integers(1, 300)


def job_of(lengths: Sequence[int], priority: Priority = Priority.INTERACTIVE) -> Job[int]:
    ids = [np.ones(length, np.int32) for length in lengths]
    loop = asyncio.new_event_loop()
    try:
        job: Job[int] = Job(done=loop.create_future(), submitted_at=0.0, deadline=1.0, priority=priority)
    finally:
        loop.close()
    each_row = enumerate(zip(ids, lengths, offsets(lengths, priority), strict=True))
    rows = [Row(job, index, row, length, length, offset) for index, (row, length, offset) in each_row]
    job.rows, job.remaining, job.answers = rows, len(rows), [None] * len(rows)
    return job


def cells_of(rows: Sequence[Row[int]]) -> int:
    return len(rows) * max(row.length for row in rows)


def filled(jobs: Sequence[Sequence[int]]) -> tuple[RowSource[int], list[Job[int]]]:
    queue: RowSource[int] = RowSource(VirtualClock(), is_long=False, work=no_run)
    made = [job_of(lengths) for lengths in jobs]
    for job in made:
        for row in job.rows:
            queue.add(row)
    return queue, made


@given(LENGTHS, MAX_CELLS)
def test_every_row_comes_out_once_in_batches_within_the_limit(jobs: list[list[int]], max_cells: int) -> None:
    queue, made = filled(jobs)
    seen: list[Row[int]] = []
    while batch := queue.take(max_cells, now=0.0):
        assert len(batch) == 1 or cells_of(batch) <= max_cells
        seen += batch
    assert len(seen) == len(set(seen)) == sum(map(len, jobs))
    assert set(seen) == {row for job in made for row in job.rows}
    assert (queue.num_waiting, queue.cells, queue.oldest()) == (0, 0, None)


@given(LENGTHS, MAX_CELLS)
def test_every_batch_begins_with_the_least_virtual_time(jobs: list[list[int]], max_cells: int) -> None:
    queue, made = filled(jobs)
    waiting = sorted((row for job in made for row in job.rows), key=lambda row: row.offset)  # it is stable
    while batch := queue.take(max_cells, now=0.0):
        assert batch[0] is waiting[0]
        waiting = [row for row in waiting if row not in set(batch)]


@given(LENGTHS, MAX_CELLS, st.data())
def test_dropped_jobs_are_gone_and_the_counts_are_true(
    jobs: list[list[int]], max_cells: int, data: st.DataObject
) -> None:
    queue, made = filled(jobs)
    taken = set(queue.take(max_cells, now=0.0))
    dropped = data.draw(st.sets(st.sampled_from(range(len(made)))))
    for index in dropped:
        queue.drop(made[index].rows)
        queue.drop(made[index].rows)  # twice is once
    left = [row for i, job in enumerate(made) if i not in dropped for row in job.rows if row not in taken]
    assert (queue.num_waiting, queue.cells) == (len(left), sum(row.length for row in left))
    assert queue.oldest() is (left[0].job if left else None)
    assert queue.cost == queue.cells
    rest: list[Row[int]] = []
    while batch := queue.take(max_cells, now=0.0):
        rest += batch
    assert set(rest) == set(left)


def lengths_of(rows: Sequence[Row[int]]) -> list[int]:
    return sorted(row.length for row in rows)


def test_a_long_row_among_short_ones_runs_apart() -> None:
    queue, _ = filled([[16] * 31 + [128]])
    assert lengths_of(queue.take(4096, now=0.0)) == [16] * 31
    assert lengths_of(queue.take(4096, now=0.0)) == [128]


def test_the_nearest_in_length_come_first() -> None:
    queue, _ = filled([[20, 40, 22, 19, 5, 21]])
    assert lengths_of(queue.take(4 * 22, now=0.0)) == [19, 20, 21, 22]


def test_a_few_rows_share_a_run_even_if_they_differ() -> None:
    queue, _ = filled([[10, 18]])
    assert lengths_of(queue.take(100, now=0.0)) == [10, 18]


def test_of_one_length_each_request_has_its_first_before_any_its_second() -> None:
    queue, made = filled([[7, 7], [7, 7]])
    assert queue.take(21, now=0.0) == [made[0].rows[0], made[1].rows[0], made[0].rows[1]]


@pytest.mark.parametrize(("now", "is_run"), [(0.0, True), (0.4, True), (0.6, False)])
def test_a_row_that_has_waited_and_would_be_late_is_dropped(now: float, is_run: bool) -> None:
    queue, [job] = filled([[10]])  # due at 1.0
    queue.throughput.learn(tokens=10, seconds=1.0)
    assert queue.take(100, now=now) == (list(job.rows) if is_run else [])
    assert job.is_open == is_run


def test_rows_that_are_too_late_take_no_time_from_those_that_are_not() -> None:
    queue, jobs = filled([[10]] * 7)  # due at 1.0
    queue.throughput.learn(tokens=10, seconds=0.1)
    for job in jobs[1:]:
        job.deadline = 0.5
    assert queue.take(100, now=0.8) == list(jobs[0].rows)
    assert [job.is_open for job in jobs] == [True] + [False] * 6
