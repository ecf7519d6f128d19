"""Fair queue: rows of requests of any size wait in an order of virtual time.

The clock goes as fast as each request would be served if all that wait shared the service evenly, whatever their number
of rows. This is generalised processor sharing (Parekh & Gallager, "A generalized processor sharing approach to flow
control", 1993): a request is a flow of its own, and its rows are served in the order of the times at which they would
begin then (Greenberg & Madras, "How fair is fair queuing", 1992). A sentence that arrives beside a batch of hundreds
stands before all but the first of them; the batch has its share however many sentences come, because the clock goes on
with every one of them and those that come later stand behind what it has reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any, Generic, TypeVar

from service.scheduling.job import Job, Row, Ticket

MIN_CANCELLED_TO_SWEEP = 64
_ROW = 2

AnyRow = TypeVar("AnyRow", bound=Row[Any])


class VirtualClock:
    """Clock that never goes back, and goes on by the served cost over the shares of all waiting requests."""

    def __init__(self) -> None:
        self.now = 0.0
        self.shares = 0.0  # of all requests that wait
        self.numbers = count()  # of two rows at the same time the first to come is first


@dataclass(slots=True, eq=False)
class TicketHeap:
    """Heap of tickets in which a cancelled one, whose row is None, stays until it comes up."""

    _tickets: list[Ticket] = field(default_factory=list)
    _num_cancelled: int = 0

    def __len__(self) -> int:
        return len(self._tickets) - self._num_cancelled

    def push(self, ticket: Ticket) -> None:
        heappush(self._tickets, ticket)

    def first(self) -> Ticket | None:
        """Return the ticket that stands before all others; None if none waits."""
        tickets = self._tickets
        while tickets and tickets[0][_ROW] is None:
            heappop(tickets)
            self._num_cancelled -= 1
        return tickets[0] if tickets else None

    def count_cancelled(self) -> int:
        """Count a ticket that was cancelled, and return how many are left. When more are cancelled than wait, they are
        swept out."""
        self._num_cancelled += 1
        num_left = len(self._tickets) - self._num_cancelled
        if self._num_cancelled > MIN_CANCELLED_TO_SWEEP and self._num_cancelled > num_left:
            self._tickets = [ticket for ticket in self._tickets if ticket[_ROW] is not None]
            heapify(self._tickets)
            self._num_cancelled = 0
        return num_left


class FairQueue(Generic[AnyRow]):
    """Rows of jobs in the order of virtual time, with the counts that admission needs.

    Queues of one clock share its order. Not thread-safe.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self.num_waiting = 0  # rows
        self.cells = 0  # tokens
        self.cost = 0
        self._clock = clock
        self._order = TicketHeap()
        self._jobs: dict[Job[Any], int] = {}  # rows of each that wait, by arrival

    @property
    def rank(self) -> tuple[float, int] | None:
        """Rank of the first row among all rows of the clock; None if none waits."""
        ticket = self._order.first()
        return None if ticket is None else (ticket[0], ticket[1])

    def add(self, row: AnyRow) -> None:
        """Queue a row of a request that arrives now; the rows of a request come in their order."""
        clock = self._clock
        row.ticket = ticket = [clock.now + row.offset, next(clock.numbers), row]
        self._order.push(ticket)
        self.num_waiting += 1
        self.cells += row.length
        self.cost += row.cost
        waiting = self._jobs.get(row.job, 0)
        if not waiting:
            clock.shares += row.job.priority.share
        self._jobs[row.job] = waiting + 1

    def drop(self, rows: Iterable[AnyRow]) -> None:
        """Drop those of these rows, which were queued here, that still wait."""
        for row in rows:
            if row.ticket is not None:
                self._remove(row)
                self._count_off(row.job)

    def first(self) -> AnyRow | None:
        """Return the row of least virtual time; None if none waits."""
        ticket = self._order.first()
        return None if ticket is None else ticket[_ROW]

    def oldest(self) -> Job[Any] | None:
        """Return the job that arrived first of those with a row waiting."""
        return next(iter(self._jobs), None)

    def _remove(self, row: AnyRow) -> None:
        """Take a row out of the queue; its job counts as waiting until it is served or counted off."""
        ticket = row.ticket
        assert ticket is not None  # noqa: S101  # it waits here
        self.num_waiting -= 1
        self.cells -= row.length
        self.cost -= row.cost
        ticket[_ROW] = row.ticket = None
        self._order.count_cancelled()

    def _serve(self, rows: Sequence[AnyRow]) -> None:
        """Let the clock go on by rows that were removed to be run."""
        # The clock goes on while those that it is shared with still count as waiting.
        self._clock.now += sum([row.cost for row in rows]) / (self._clock.shares or 1.0)
        for row in rows:
            self._count_off(row.job)

    def _count_off(self, job: Job[Any]) -> None:
        waiting = self._jobs[job] - 1
        if waiting:
            self._jobs[job] = waiting
        else:
            del self._jobs[job]
            self._clock.shares -= job.priority.share
