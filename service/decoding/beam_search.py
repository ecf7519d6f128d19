"""Iteration-level beam search: sentences of any beam size and length share one decoder step after another."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence, Set

from service.decoding.length_bucket import LengthBucket
from service.decoding.search import Hypotheses, Search, StepModel
from service.decoding.strategy import MAX_ROWS, DecodeStrategy, NumberedSearch, StepResult, T, decode_all
from service.text.batch import pad

# Tokens of the sources in the first bucket; each next one's are twice as long. Most sentences share the first: a run
# and its bookkeeping for each of three buckets costs more than to look at some padding.
SHORTEST = 64
ENCODED_TOGETHER = 8  # sources are padded to a multiple of so many tokens, and those of one multiple share a run
# Sources and tokens of one run of the encoder. More at once are no faster for each, but take memory: of each source
# the columns of its shortlist.
MAX_ENCODED_SOURCES, MAX_ENCODED_CELLS = 8, 1024


class BeamSearch(DecodeStrategy[T]):
    """Decodes sentences with the step graph, run once a step for each length bucket in use."""

    def __init__(self, model: StepModel, *, max_rows: int) -> None:
        super().__init__(max_rows=max_rows)
        self._model = model
        self._buckets: dict[int, LengthBucket[T]] = {}  # by length

    @property
    def live_rows(self) -> int:
        """Number of places of all beams that have not ended."""
        return sum(bucket.wanted_rows for bucket in self._occupied())

    def admit(self, items: Sequence[T]) -> float:
        """Encode these sentences, which join from the next step on. Returns the seconds the encoder took."""
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

    def _drop(self, gone: Set[T]) -> None:
        for bucket in self._occupied():
            bucket.drop([slot for slot, item in enumerate(bucket.items) if item in gone])

    def _clear(self) -> None:
        self._buckets = {}

    def _occupied(self) -> list[LengthBucket[T]]:
        return [bucket for bucket in self._buckets.values() if len(bucket)]

    def _encode_all(self, items: Sequence[T], length: int) -> float:
        at_once = encoded_at_once(length)
        parts = (items[first : first + at_once] for first in range(0, len(items), at_once))
        return sum(self._encode(part, length) for part in parts)

    def _encode(self, items: Sequence[T], length: int) -> float:
        batch = pad([item.search.ids for item in items], length=length)
        started_at = time.perf_counter()
        encoded = self._model.encode(batch)
        seconds = time.perf_counter() - started_at
        size = max(SHORTEST, 1 << (length - 1).bit_length())
        if size not in self._buckets:
            self._buckets[size] = LengthBucket(self._model, size)
        self._buckets[size].admit(items, batch.lengths, encoded)
        return seconds


def search_all(model: StepModel, searches: Sequence[Search], *, max_rows: int = MAX_ROWS) -> list[Hypotheses]:
    """Search on the calling thread and return the hypotheses of each search, in order."""
    return decode_all(BeamSearch[NumberedSearch](model, max_rows=max_rows), searches)


def encoded_at_once(length: int) -> int:
    """Return the most sources of a length that one run of the encoder may have."""
    return max(1, min(MAX_ENCODED_SOURCES, MAX_ENCODED_CELLS // length))


def _rounded(length: int) -> int:
    """Return the length that a source is padded to. It depends on the source alone, so that other sources of a run do
    not change its results."""
    return -(-length // ENCODED_TOGETHER) * ENCODED_TOGETHER
