"""Iteration-level decoding: sentences of any beam and length go through one step after another together."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol

import numpy as np

from service.scheduling.bucket import Bucket, Run
from service.scheduling.search import StepModel
from service.scheduling.sentence import T
from service.text.batch import Batch, Ids

# Tokens of the sources in the first bucket; each next one's are twice as long. Most sentences share the first: a run
# and its bookkeeping for each of three buckets costs more than to look at some padding.
SHORTEST = 64
ENCODED_TOGETHER = 8  # sources are padded to a multiple of so many tokens, and those of one multiple share a run
MAX_ENCODED_CELLS = 1024  # of one run


class Admission(Protocol):
    """When sentences may join those that are being decoded."""

    def room(self, *, live_rows: int, max_rows: int) -> int:
        """How many rows may be added now."""
        ...


@dataclass(frozen=True, slots=True)
class AtEveryStep:
    """As soon as there is room."""

    def room(self, *, live_rows: int, max_rows: int) -> int:
        return max_rows - live_rows


@dataclass(frozen=True, slots=True)
class WhenEmpty:
    """Once all before them are done: batches of whole requests, to compare with."""

    def room(self, *, live_rows: int, max_rows: int) -> int:
        return 0 if live_rows else max_rows


class Beams(Generic[T]):
    """The sentences being decoded on one thread. A step runs the graph once for each bucket in use.

    Knows neither threads nor deadlines: who calls ``step`` admits and drops in between. If ``admit`` or ``step``
    raises, ``clear`` says who was harmed and makes it usable again.
    """

    def __init__(
        self,
        model: StepModel,
        *,
        max_rows: int,
        admission: Admission = AtEveryStep(),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._model = model
        self._max_rows = max_rows
        self._admission = admission
        self._clock = clock
        self._buckets: dict[int, Bucket[T]] = {}  # by length
        self._tickets: dict[T, None] = {}  # of every sentence that was admitted and has neither answer nor been dropped

    def __len__(self) -> int:
        """Sentences."""
        return len(self._tickets)

    @property
    def tickets(self) -> Collection[T]:
        """Of every sentence."""
        return self._tickets.keys()

    @property
    def live_rows(self) -> int:
        """Places of all beams that have not ended."""
        return sum(bucket.wanted_rows for bucket in self._occupied())

    @property
    def room(self) -> int:
        """How many more there may be now; below 1 if none."""
        return self._admission.room(live_rows=self.live_rows, max_rows=self._max_rows)

    def admit(self, tickets: Sequence[T]) -> float:
        """These sentences go along from the next step, even if there is no room. The seconds the encoder took."""
        self._tickets.update(dict.fromkeys(tickets))
        by_length: dict[int, list[T]] = {}
        for ticket in tickets:
            by_length.setdefault(_rounded(len(ticket.search.ids)), []).append(ticket)
        return sum(self._encode_all(together, length) for length, together in by_length.items())

    def step(self) -> Iterator[Run[T]]:
        """Each bucket in use makes one step when its run is asked for."""
        for bucket in self._occupied():
            run = bucket.step()
            for each in run.finished:
                del self._tickets[each.ticket]
            yield run

    def drop(self, is_gone: Callable[[T], bool]) -> list[T]:
        """Forget the sentences whose tickets are gone."""
        gone = set(filter(is_gone, self._tickets))
        if gone:
            for bucket in self._occupied():
                bucket.drop([slot for slot, ticket in enumerate(bucket.tickets) if ticket in gone])
            for ticket in gone:
                del self._tickets[ticket]
        return list(gone)

    def clear(self) -> list[T]:
        """Forget everything."""
        harmed = list(self._tickets)
        self._tickets, self._buckets = {}, {}
        return harmed

    def _occupied(self) -> list[Bucket[T]]:
        return [bucket for bucket in self._buckets.values() if len(bucket)]

    def _encode_all(self, tickets: Sequence[T], length: int) -> float:
        at_once = max(1, MAX_ENCODED_CELLS // length)
        parts = (tickets[first : first + at_once] for first in range(0, len(tickets), at_once))
        return sum(self._encode(part, length) for part in parts)

    def _encode(self, tickets: Sequence[T], length: int) -> float:
        batch = _batch([ticket.search.ids for ticket in tickets], length)
        started_at = self._clock()
        encoded = self._model.encode(batch)
        seconds = self._clock() - started_at
        size = _bucket_size(length)
        if size not in self._buckets:
            self._buckets[size] = Bucket(self._model, size, clock=self._clock)
        self._buckets[size].admit(tickets, batch.lengths, encoded)
        return seconds


def _rounded(length: int) -> int:
    """What a source is padded to: its own matter, whatever it shares its run with, and so is what comes of it."""
    return -(-length // ENCODED_TOGETHER) * ENCODED_TOGETHER


def _bucket_size(length: int) -> int:
    """The power of two that holds it, from SHORTEST on."""
    return max(SHORTEST, 1 << (length - 1).bit_length())


def _batch(rows: Sequence[Ids], length: int) -> Batch:
    """Rows (time,) padded to one length."""
    ids = np.zeros((len(rows), length), np.int32)
    for target, row in zip(ids, rows, strict=True):
        target[: len(row)] = row
    return Batch(ids=ids, lengths=np.fromiter(map(len, rows), np.int32, len(rows)))
