"""Whose turn it is among requests of any size: a clock that goes as fast as each request would be served if all that
wait shared the service evenly, whatever their number of rows.

Generalised processor sharing (Parekh & Gallager, "A generalized processor sharing approach to flow control", 1993):
a request is a flow of its own, and its rows are served in the order of the times at which they would begin then
(Greenberg & Madras, "How fair is fair queuing", 1992). A sentence that comes beside a batch of hundreds stands before
all but the first of them; the batch has its share however many sentences come, because the clock goes on with every
one of them and those that come later stand behind what it has reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any, Generic, TypeVar

BULK_SHARE = 0.25  # of an interactive request's; a power of two, so that sums of shares are exact
MIN_GONE_TO_SWEEP = 64
BUCKET_TOKENS = 128  # the grain in which what stands before a moment is known

Who = TypeVar("Who")
# [virtual time, number, who]: a list because ``who`` becomes None once it is gone, which frees what it held at once.
Place = list[Any]
_TIME, _WHO = 0, 2


class Priority(Enum):
    """How much of the service a request has while others wait: its share, an ordinary one being 1."""

    INTERACTIVE = "interactive"
    BULK = "bulk"

    @property
    def share(self) -> float:
        return BULK_SHARE if self is Priority.BULK else 1.0


class VirtualClock:
    """Never goes back, and goes on by what was served over the shares of all requests that wait."""

    def __init__(self) -> None:
        self.now = 0.0
        self.shares = 0.0  # of all that wait
        self._numbers = count()

    def place(self, offset: float, who: object) -> Place:
        """Where one stands who comes now. Of two at the same time the first to come is first."""
        return [self.now + offset, next(self._numbers), who]

    def joined(self, priority: Priority) -> None:
        """A request waits that did not."""
        self.shares += priority.share

    def left(self, priority: Priority) -> None:
        """Nothing of a request waits any more."""
        self.shares -= priority.share

    def serve(self, cost: float) -> None:
        """So much was begun, of requests that still count as waiting."""
        self.now += cost / (self.shares or 1.0)


def offsets(costs: Iterable[int], priority: Priority) -> Iterator[float]:
    """How long after its request's coming each of its rows should begin, at the latest, if the request has just its
    share: for an ordinary one the costs of those before it. A bulk request's time runs 1 / BULK_SHARE times as fast."""
    speed, total = 1 / priority.share, 0.0
    for cost in costs:
        total += speed * cost
        yield total - cost


class Places(Generic[Who]):
    """Those who wait by their virtual time: a heap in which who is gone stays, nameless, until it comes up."""

    __slots__ = ("_heap", "_num_gone")

    def __init__(self) -> None:
        self._heap: list[Place] = []
        self._num_gone = 0

    def __len__(self) -> int:
        return len(self._heap) - self._num_gone

    def push(self, place: Place) -> None:
        heappush(self._heap, place)

    def first(self) -> Who | None:
        """Who stands before all others; None if nobody waits."""
        heap = self._heap
        while heap and heap[0][_WHO] is None:
            heappop(heap)
            self._num_gone -= 1
        return heap[0][_WHO] if heap else None

    def rank(self) -> tuple[float, int] | None:
        """The place of the first one: to be compared with others' of the same clock."""
        if self.first() is None:
            return None
        time, number, _ = self._heap[0]
        return time, number

    def count_gone(self) -> None:
        """One of those here has given up its place. When more are gone than wait they are swept out."""
        self._num_gone += 1
        if self._num_gone > max(MIN_GONE_TO_SWEEP, len(self)):
            self._heap = [place for place in self._heap if place[_WHO] is not None]
            heapify(self._heap)
            self._num_gone = 0


def vacate(place: Place) -> None:
    """Give up a place; each heap that holds it must be told."""
    place[_WHO] = None


class Backlog:
    """How much stands before any moment of virtual time, in buckets: a sum of some dozens at most."""

    __slots__ = ("_buckets", "total")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.total = 0

    def add(self, place: Place, cost: int) -> None:
        bucket = _bucket(place[_TIME])
        self._buckets[bucket] = self._buckets.get(bucket, 0) + cost
        self.total += cost

    def remove(self, place: Place, cost: int) -> None:
        bucket = _bucket(place[_TIME])
        self.total -= cost
        left = self._buckets[bucket] - cost
        if left:
            self._buckets[bucket] = left
        else:
            del self._buckets[bucket]

    def before(self, time: float) -> int:
        """What stands before a moment, or so little after it that it shares its bucket."""
        if not self.total:
            return 0
        last = _bucket(time)
        return sum(cost for bucket, cost in self._buckets.items() if bucket <= last)


def _bucket(time: float) -> int:
    return int(time) // BUCKET_TOKENS
