"""Sentences that wait to be decoded: let in on the event loop, taken by the threads that decode."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from service.scheduling.job import Job, Row
from service.scheduling.search import Hypotheses, Search
from service.scheduling.virtual_time import Backlog, Places, VirtualClock, vacate

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
        return row_steps_of(self.search)


def row_steps_of(search: Search) -> int:
    """What a sentence costs, before it is known."""
    return len(search.ids) * search.beam_size


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TakenIn:
    """What left the queue."""

    admitted: Sequence[Sought]
    late: Sequence[Sought]  # whose deadline has passed


class Waiting:
    """By virtual time, in row steps: one that is too wide for the room there is holds up those behind it, so that its
    turn comes. Its counts may be read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clock = VirtualClock()
        self._places: Places[Sought] = Places()
        self._backlog = Backlog()
        self._jobs: dict[Job[Hypotheses], int] = {}  # sentences of each that wait, by arrival
        self._num_waiting = 0  # not counted in the places: in the midst of a change their count is none
        self.cells = 0  # source tokens
        self.rows = 0  # places of all beams

    def __len__(self) -> int:
        return self._num_waiting

    @property
    def row_steps(self) -> int:
        return self._backlog.total

    @property
    def shares(self) -> float:
        """Of all requests that wait."""
        return self._clock.shares

    def row_steps_before(self, offset: float) -> int:
        """Of what stands before one that comes now, so much later by virtual time."""
        with self._lock:
            return self._backlog.before(self._clock.now + offset)

    def push(self, sentences: Iterable[Sought]) -> None:
        with self._lock:
            for each in sentences:
                each.row.place = place = self._clock.place(each.row.offset, each)
                self._places.push(place)
                self._backlog.add(place, each.row_steps)
                self._count(each, 1)

    def drop(self, sentences: Iterable[Sought]) -> None:
        """Forget those of them that still wait."""
        with self._lock:
            for each in sentences:
                if each.row.place is not None:
                    self._remove(each)

    def oldest(self) -> Job[Hypotheses] | None:
        """Of the requests that have a sentence waiting the first to have come."""
        with self._lock:
            return next(iter(self._jobs), None)

    def take(self, *, room: int, share: int, is_empty: bool, now: float) -> TakenIn:
        """Those who come next, until ``share`` rows are reached and within ``room`` rows; where the table ``is_empty``
        one at least."""
        admitted: list[Sought] = []
        late: list[Sought] = []
        with self._lock:
            while (first := self._places.first()) is not None:
                width = first.search.beam_size
                if not first.is_open:
                    self._remove(first)
                elif first.is_late(now):
                    self._remove(first)
                    late.append(first)
                elif (share > 0 and width <= room) or (is_empty and not admitted):
                    self._clock.serve(first.row_steps)
                    self._remove(first)
                    admitted.append(first)
                    room, share = room - width, share - width
                else:
                    break
        return TakenIn(admitted=admitted, late=late)

    def _remove(self, each: Sought) -> None:
        place = each.row.place
        assert place is not None  # noqa: S101  # it waits here
        self._backlog.remove(place, each.row_steps)
        vacate(place)
        each.row.place = None
        self._places.count_gone()
        self._count(each, -1)

    def _count(self, each: Sought, sign: int) -> None:
        self._num_waiting += sign
        self.cells += sign * each.row.length
        self.rows += sign * each.search.beam_size
        job = each.row.job
        if job not in self._jobs:
            self._jobs[job] = 0
            self._clock.joined(job.priority)
        self._jobs[job] += sign
        if not self._jobs[job]:
            del self._jobs[job]
            self._clock.left(job.priority)
