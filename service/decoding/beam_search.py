"""Iteration-level beam search: sentences of any beam size and length share one decoder step after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol

import numpy as np

from service.decoding.length_bucket import LengthBucket, StepResult
from service.decoding.offline import MAX_ROWS, NumberedSearch, decode_all
from service.decoding.search import Hypotheses, Search, StepModel
from service.decoding.sentence_search import T
from service.text.batch import Batch, Ids

# Tokens of the sources in the first bucket; each next one's are twice as long. Most sentences share the first: a run
# and its bookkeeping for each of three buckets costs more than to look at some padding.
SHORTEST = 64
ENCODED_TOGETHER = 8  # sources are padded to a multiple of so many tokens, and those of one multiple share a run
MAX_ENCODED_CELLS = 1024  # of one run


class JoinPolicy(Protocol):
    """Rule by which sentences may join those that are being decoded."""

    def room(self, *, live_rows: int, max_rows: int) -> int:
        """Return how many rows may be added now."""
        ...


@dataclass(frozen=True, slots=True)
class AtEveryStep:
    """Lets sentences join as soon as there is room."""

    def room(self, *, live_rows: int, max_rows: int) -> int:
        return max_rows - live_rows


@dataclass(frozen=True, slots=True)
class WhenEmpty:
    """Lets sentences join once all earlier ones are done: request-level batches, to compare with."""

    def room(self, *, live_rows: int, max_rows: int) -> int:
        return 0 if live_rows else max_rows


class BeamSearch(Generic[T]):
    """Decodes sentences on one thread. A step runs the graph once for each length bucket in use.

    It knows neither threads nor deadlines: the caller of ``step`` admits and drops sentences in between. If ``admit``
    or ``step`` raises, ``clear`` returns the sentences that were harmed and makes the search usable again.
    """

    def __init__(
        self,
        model: StepModel,
        *,
        max_rows: int,
        join_policy: JoinPolicy = AtEveryStep(),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._model = model
        self._max_rows = max_rows
        self._join_policy = join_policy
        self._clock = clock
        self._buckets: dict[int, LengthBucket[T]] = {}  # by length
        self._items: dict[T, None] = {}  # of every sentence that was admitted and has neither answer nor been dropped

    def __len__(self) -> int:
        """Return the number of sentences."""
        return len(self._items)

    @property
    def items(self) -> Collection[T]:
        """Return the item of every sentence."""
        return self._items.keys()

    @property
    def live_rows(self) -> int:
        """Return the number of places of all beams that have not ended."""
        return sum(bucket.wanted_rows for bucket in self._occupied())

    @property
    def room(self) -> int:
        """Return how many more rows there may be now; below 1 if none."""
        return self._join_policy.room(live_rows=self.live_rows, max_rows=self._max_rows)

    def admit(self, items: Sequence[T]) -> float:
        """Encode these sentences, which join from the next step on, even if there is no room. Returns the seconds the
        encoder took."""
        self._items.update(dict.fromkeys(items))
        by_length: dict[int, list[T]] = {}
        for item in items:
            by_length.setdefault(_rounded(len(item.search.ids)), []).append(item)
        return sum(self._encode_all(together, length) for length, together in by_length.items())

    def step(self) -> Iterator[StepResult[T]]:
        """Make one step of each bucket in use, each when its result is asked for."""
        for bucket in self._occupied():
            result = bucket.step()
            for each in result.finished:
                del self._items[each.item]
            yield result

    def drop(self, is_gone: Callable[[T], bool]) -> list[T]:
        """Drop the sentences whose items are gone, and return these items."""
        gone = set(filter(is_gone, self._items))
        if gone:
            for bucket in self._occupied():
                bucket.drop([slot for slot, item in enumerate(bucket.items) if item in gone])
            for item in gone:
                del self._items[item]
        return list(gone)

    def clear(self) -> list[T]:
        """Drop all sentences and return their items."""
        harmed = list(self._items)
        self._items, self._buckets = {}, {}
        return harmed

    def _occupied(self) -> list[LengthBucket[T]]:
        return [bucket for bucket in self._buckets.values() if len(bucket)]

    def _encode_all(self, items: Sequence[T], length: int) -> float:
        at_once = max(1, MAX_ENCODED_CELLS // length)
        parts = (items[first : first + at_once] for first in range(0, len(items), at_once))
        return sum(self._encode(part, length) for part in parts)

    def _encode(self, items: Sequence[T], length: int) -> float:
        batch = _batch([item.search.ids for item in items], length)
        started_at = self._clock()
        encoded = self._model.encode(batch)
        seconds = self._clock() - started_at
        size = _bucket_size(length)
        if size not in self._buckets:
            self._buckets[size] = LengthBucket(self._model, size, clock=self._clock)
        self._buckets[size].admit(items, batch.lengths, encoded)
        return seconds


def search_all(model: StepModel, searches: Sequence[Search], *, max_rows: int = MAX_ROWS) -> list[Hypotheses]:
    """Search on the calling thread and return the hypotheses of each search, in order."""
    strategy: BeamSearch[NumberedSearch[Search]] = BeamSearch(model, max_rows=max_rows)
    return decode_all(strategy, searches)


def _rounded(length: int) -> int:
    """Return the length that a source is padded to. It depends on the source alone, so that other sources of a run do
    not change its results."""
    return -(-length // ENCODED_TOGETHER) * ENCODED_TOGETHER


def _bucket_size(length: int) -> int:
    """Return the smallest bucket size, a power of two from SHORTEST on, that holds the length."""
    return max(SHORTEST, 1 << (length - 1).bit_length())


def _batch(rows: Sequence[Ids], length: int) -> Batch:
    """Pad rows (time,) to one length."""
    ids = np.zeros((len(rows), length), np.int32)
    for target, row in zip(ids, rows, strict=True):
        target[: len(row)] = row
    return Batch(ids=ids, lengths=np.fromiter(map(len, rows), np.int32, len(rows)))
