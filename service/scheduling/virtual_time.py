"""Virtual time: a fair order of requests of any size.

The clock goes as fast as each request would be served if all that wait shared the service evenly, whatever their number
of rows. This is generalised processor sharing (Parekh & Gallager, "A generalized processor sharing approach to flow
control", 1993): a request is a flow of its own, and its rows are served in the order of the times at which they would
begin then (Greenberg & Madras, "How fair is fair queuing", 1992). A sentence that arrives beside a batch of hundreds
stands before all but the first of them; the batch has its share however many sentences come, because the clock goes on
with every one of them and those that come later stand behind what it has reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any, Generic, TypeVar

BULK_SHARE = 0.25  # of an interactive request's; a power of two, so that sums of shares are exact
MIN_CANCELLED_TO_SWEEP = 64
BUCKET_TOKENS = 128  # size of a histogram's bins

Who = TypeVar("Who")
# [virtual time, number, item]: a list because the item becomes None when it is cancelled, which frees it at once.
Ticket = list[Any]
_TIME, _WHO = 0, 2


class Priority(Enum):
    """Priority of a request; its share of the service while others wait is 1 for an ordinary one."""

    INTERACTIVE = "interactive"
    BULK = "bulk"

    @property
    def share(self) -> float:
        return BULK_SHARE if self is Priority.BULK else 1.0


class VirtualClock:
    """Clock that never goes back, and goes on by the served cost over the shares of all waiting requests."""

    def __init__(self) -> None:
        self.now = 0.0
        self.shares = 0.0  # of all that wait
        self._numbers = count()

    def ticket(self, offset: float, who: object) -> Ticket:
        """Make the ticket of an item that arrives now. Of two at the same time the first to come is first."""
        return [self.now + offset, next(self._numbers), who]

    def joined(self, priority: Priority) -> None:
        """Count a request that begins to wait."""
        self.shares += priority.share

    def left(self, priority: Priority) -> None:
        """Count off a request of which nothing waits any more."""
        self.shares -= priority.share

    def serve(self, cost: float) -> None:
        """Go on by the cost of rows that were begun; their requests still count as waiting."""
        self.now += cost / (self.shares or 1.0)


def offsets(costs: Iterable[int], priority: Priority) -> Iterator[float]:
    """Yield how long after its request's arrival each row should begin if the request has just its share: for an
    ordinary one, the costs of the rows before it. A bulk request's time runs 1 / BULK_SHARE times as fast."""
    speed, total = 1 / priority.share, 0.0
    for cost in costs:
        total += speed * cost
        yield total - cost


class FairQueue(Generic[Who]):
    """Items that wait, by virtual time: a heap in which a cancelled ticket stays, empty, until it comes up."""

    __slots__ = ("_heap", "_num_cancelled")

    def __init__(self) -> None:
        self._heap: list[Ticket] = []
        self._num_cancelled = 0

    def __len__(self) -> int:
        return len(self._heap) - self._num_cancelled

    def push(self, ticket: Ticket) -> None:
        heappush(self._heap, ticket)

    def first(self) -> Who | None:
        """Return the item that stands before all others; None if none waits."""
        heap = self._heap
        while heap and heap[0][_WHO] is None:
            heappop(heap)
            self._num_cancelled -= 1
        return heap[0][_WHO] if heap else None

    def rank(self) -> tuple[float, int] | None:
        """Return the time and number of the first ticket, to compare with other queues of the same clock."""
        if self.first() is None:
            return None
        time, number, _ = self._heap[0]
        return time, number

    def count_cancelled(self) -> None:
        """Count a ticket of this queue that was cancelled. When more are cancelled than wait, they are swept out."""
        self._num_cancelled += 1
        if self._num_cancelled > max(MIN_CANCELLED_TO_SWEEP, len(self)):
            self._heap = [ticket for ticket in self._heap if ticket[_WHO] is not None]
            heapify(self._heap)
            self._num_cancelled = 0


def cancel(ticket: Ticket) -> None:
    """Cancel a ticket; each queue that holds it must be told by ``count_cancelled``."""
    ticket[_WHO] = None


class BacklogHistogram:
    """Cost that stands before any moment of virtual time, in a few dozen bins at most."""

    __slots__ = ("_buckets", "total")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.total = 0

    def add(self, ticket: Ticket, cost: int) -> None:
        bucket = _bucket(ticket[_TIME])
        self._buckets[bucket] = self._buckets.get(bucket, 0) + cost
        self.total += cost

    def remove(self, ticket: Ticket, cost: int) -> None:
        bucket = _bucket(ticket[_TIME])
        self.total -= cost
        left = self._buckets[bucket] - cost
        if left:
            self._buckets[bucket] = left
        else:
            del self._buckets[bucket]

    def before(self, time: float) -> int:
        """Return the cost before a moment, rounded up to its bin."""
        if not self.total:
            return 0
        last = _bucket(time)
        return sum(cost for bucket, cost in self._buckets.items() if bucket <= last)


def _bucket(time: float) -> int:
    return int(time) // BUCKET_TOKENS
