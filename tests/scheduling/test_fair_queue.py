"""Fairness: nobody starves, whatever the others send."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from service.scheduling.batcher import RowSource
from service.scheduling.fair_queue import TicketHeap, VirtualClock
from service.scheduling.job import Job, Priority, Row, Ticket, offsets
from service.scheduling.scheduler import no_run
from tests.scheduling.test_row_source import job_of

MAX_CELLS = 64
INTERACTIVE, BULK = Priority.INTERACTIVE, Priority.BULK
PRIORITIES = st.sampled_from(list(Priority))
# Requests that come, each after so many batches, as lengths of rows.
COMING = st.lists(
    st.tuples(st.lists(st.integers(1, 40), min_size=1, max_size=12), PRIORITIES, st.integers(0, 2)),
    min_size=1,
    max_size=20,
)


class Service:
    """A queue that is served batch by batch."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.queue: RowSource[int] = RowSource(self.clock, is_long=False, work=no_run)
        self.served: list[Row[int]] = []

    def come(self, lengths: Sequence[int], priority: Priority = INTERACTIVE) -> Job[int]:
        job = job_of(lengths, priority)
        for row in job.rows:
            self.queue.add(row)
        return job

    def serve(self) -> list[Row[int]]:
        batch = self.queue.take(MAX_CELLS, now=0.0)
        self.served += batch
        return batch

    def tokens_of(self, job: Job[int]) -> int:
        return sum(row.length for row in self.served if row.job is job)


def batches_until(service: Service, row: Row[int]) -> int:
    count = 0
    while row.ticket is not None:
        service.serve()
        count += 1
    return count


def test_a_sentence_does_not_wait_for_a_huge_batch() -> None:
    service = Service()
    service.come([16] * 1000)
    service.serve()
    assert batches_until(service, service.come([16]).rows[0]) <= 2


def test_a_flood_of_sentences_does_not_starve_a_huge_batch() -> None:
    service = Service()
    huge = service.come([16] * 500)
    for _ in range(600):
        for _ in range(4):  # as much as a batch holds: all that there is
            service.come([16])
        service.serve()
    # Nine requests wait on average; and the batch has its share, nearly.
    waiting = service.clock.shares
    assert service.tokens_of(huge) >= 600 * MAX_CELLS / waiting / 2
    assert waiting < 600


def test_two_batches_have_equal_shares_whoever_came_first() -> None:
    service = Service()
    first = service.come([16] * 300)
    for _ in range(20):
        service.serve()
    second, before = service.come([8] * 600), service.tokens_of(first)
    for _ in range(40):
        service.serve()
    assert 0.6 <= service.tokens_of(second) / (service.tokens_of(first) - before) <= 1.7


def test_bulk_has_a_quarter_of_the_share_and_all_of_it_when_alone() -> None:
    service = Service()
    bulk = service.come([16] * 400, BULK)
    plain = service.come([16] * 300)
    for _ in range(50):
        service.serve()
    assert 0.15 <= service.tokens_of(bulk) / service.tokens_of(plain) <= 0.4
    while service.serve():
        pass
    assert service.tokens_of(bulk) == 400 * 16


def test_a_bulk_sentence_waits_for_those_that_come_a_little_later() -> None:
    service = Service()
    bulk, plain = service.come([16], BULK), service.come([16])
    assert bulk.rows[0].offset > plain.rows[0].offset == 0
    while service.serve():
        pass
    assert {row.job for row in service.served} == {bulk, plain}


@given(COMING)
def test_the_clock_never_goes_back_and_every_row_comes_out_in_its_requests_order(
    coming: list[tuple[list[int], Priority, int]],
) -> None:
    service, moments = Service(), [0.0]
    jobs = []
    for lengths, priority, batches in coming:
        jobs.append(service.come(lengths, priority))
        for _ in range(batches):
            service.serve()
            moments.append(service.clock.now)
    while service.serve():
        moments.append(service.clock.now)
    assert moments == sorted(moments)
    assert len(service.served) == sum(len(lengths) for lengths, _, _ in coming)
    assert service.clock.shares == 0
    for job in jobs:  # of equal length: those nearest in length may go before
        for length in {row.length for row in job.rows}:
            rows = [row.index for row in service.served if row.job is job and row.length == length]
            assert rows == sorted(rows)


@given(COMING, st.integers(1, 40))
def test_no_row_is_passed_over_by_more_than_stood_before_it(
    coming: list[tuple[list[int], Priority, int]], length: int
) -> None:
    """Those that come later stand before it only until the clock has reached it."""
    service = Service()
    for lengths, priority, batches in coming:
        service.come(lengths, priority)
        for _ in range(batches):
            service.serve()
    row = service.come([length]).rows[0]
    before = service.queue.num_waiting
    count = 0
    while row.ticket is not None:
        service.serve()
        service.come([length])  # and more
        count += 1
    assert count <= before


@given(st.lists(st.integers(1, 100), min_size=1, max_size=30), PRIORITIES)
def test_offsets_rise_and_the_last_ends_when_its_share_says(costs: list[int], priority: Priority) -> None:
    found = list(offsets(costs, priority))
    assert all(before < after or cost == 0 for before, after, cost in zip(found, found[1:], costs, strict=False))
    assert found[-1] + costs[-1] == sum(costs) / priority.share
    if priority is INTERACTIVE:
        assert found == [sum(costs[:ticket]) for ticket in range(len(costs))]


@given(st.lists(st.tuples(st.integers(0, 5000), st.booleans())))
def test_places_come_out_in_order_without_those_that_are_gone(moments: list[tuple[int, bool]]) -> None:
    heap = TicketHeap()
    made: list[Ticket] = [[moment, number, f"{number}"] for number, (moment, _) in enumerate(moments)]
    for ticket in made:
        heap.push(ticket)
    for ticket, (_, goes) in zip(made, moments, strict=True):
        if goes:
            ticket[2] = None
            heap.count_cancelled()
    left = sorted(ticket for ticket in made if ticket[2] is not None)
    assert len(heap) == len(left)
    for ticket in left:
        assert heap.first() is ticket
        ticket[2] = None
        heap.count_cancelled()
    assert (heap.first(), len(heap)) == (None, 0)
