"""Sentences that wait to be decoded: let in on the event loop, taken by the threads that decode."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from service.scheduling.job import Row
from service.scheduling.search import Hypotheses, Search

Tell = Callable[[int, Hypotheses], None]  # the sentence's place in its job, and its answer


@dataclass(slots=True, kw_only=True, eq=False)
class Sought:
    """One sentence of a job on its way through the decoder."""

    row: Row[Hypotheses]
    search: Search
    tell: Tell | None
    started_at: float = 0.0  # when it was taken

    @property
    def is_open(self) -> bool:
        """Somebody still wants the answer."""
        return self.row.job.is_open

    def is_late(self, now: float) -> bool:
        return self.row.job.deadline <= now

    @property
    def row_steps(self) -> int:
        """About how many rows of decoder steps it takes: a translation is about as long as its source."""
        return self.row.length * self.search.beam_size


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TakenIn:
    """What left the queue."""

    admitted: Sequence[Sought]
    late: Sequence[Sought]  # whose deadline has passed


class Waiting:
    """First come, first served: one that is too wide for the room there is holds up those behind it, so that its turn
    comes. Its counts may be read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sentences: OrderedDict[Sought, None] = OrderedDict()  # as an ordered set: any one is removed at once
        self.cells = 0  # source tokens
        self.rows = 0  # places of all beams
        self.row_steps = 0

    def __len__(self) -> int:
        return len(self._sentences)

    def push(self, sentences: Iterable[Sought]) -> None:
        with self._lock:
            for each in sentences:
                self._sentences[each] = None
                self._count(each, 1)

    def drop(self, sentences: Iterable[Sought]) -> None:
        """Forget those of them that still wait."""
        with self._lock:
            for each in sentences:
                if each in self._sentences:
                    self._remove(each)

    def oldest(self) -> Sought | None:
        """The first to have come of those that wait."""
        with self._lock:
            return next(iter(self._sentences), None)

    def take(self, *, room: int, share: int, is_empty: bool, now: float) -> TakenIn:
        """Those who come next, until ``share`` rows are reached and within ``room`` rows; where the table ``is_empty``
        one at least."""
        admitted: list[Sought] = []
        late: list[Sought] = []
        with self._lock:
            while (first := next(iter(self._sentences), None)) is not None:
                width = first.search.beam_size
                if not first.is_open:
                    self._remove(first)
                elif first.is_late(now):
                    self._remove(first)
                    late.append(first)
                elif (share > 0 and width <= room) or (is_empty and not admitted):
                    self._remove(first)
                    admitted.append(first)
                    room, share = room - width, share - width
                else:
                    break
        return TakenIn(admitted=admitted, late=late)

    def _remove(self, each: Sought) -> None:
        del self._sentences[each]
        self._count(each, -1)

    def _count(self, each: Sought, sign: int) -> None:
        self.cells += sign * each.row.length
        self.rows += sign * each.search.beam_size
        self.row_steps += sign * each.row_steps
