"""Decode queue: sentences that wait to be decoded, queued on the event loop and taken by decoding threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from service.decoding.sampling import NewTokens
from service.scheduling.job import Job, Row
from service.scheduling.virtual_time import BacklogHistogram, FairQueue, VirtualClock, cancel

OnFinished = Callable[[int, Any], None]  # the sentence's place in its job, and its answer
OnProgress = Callable[[int, NewTokens], None]  # the prompt's place in its job, and what is new of one of its samples


@dataclass(slots=True, kw_only=True, eq=False)
class PendingSentence:
    """A sentence of a job on its way through the decoder."""

    row: Row[Any]
    search: Any  # a DecodeSearch, of the kind that the strategy decodes
    on_finished: OnFinished | None
    on_progress: OnProgress | None = None
    started_at: float = 0.0  # when it was taken

    @property
    def is_open(self) -> bool:
        """Whether the answer is still wanted."""
        return self.row.job.is_open

    def is_late(self, now: float) -> bool:
        return self.row.job.deadline <= now

    @property
    def row_steps(self) -> int:
        """Estimated rows of decoder steps that the sentence takes."""
        row_steps: int = self.search.row_steps
        return row_steps


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AdmittedSentences:
    """Sentences that left the queue at one time."""

    admitted: Sequence[PendingSentence]
    late: Sequence[PendingSentence]  # whose deadline has passed


class DecodeQueue:
    """Queue of sentences by virtual time, in row steps; its counts may be read from any thread.

    A sentence that is too wide for the room there is holds up those behind it, so that its turn comes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clock = VirtualClock()
        self._fair_queue: FairQueue[PendingSentence] = FairQueue()
        self._backlog = BacklogHistogram()
        self._jobs: dict[Job[Any], int] = {}  # sentences of each that wait, by arrival
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
        """Sum of the shares of all requests that wait."""
        return self._clock.shares

    def row_steps_before(self, offset: float) -> int:
        """Return the row steps that stand before a sentence with this offset in virtual time."""
        with self._lock:
            return self._backlog.before(self._clock.now + offset)

    def push(self, sentences: Iterable[PendingSentence]) -> None:
        with self._lock:
            for each in sentences:
                each.row.ticket = ticket = self._clock.ticket(each.row.offset, each)
                self._fair_queue.push(ticket)
                self._backlog.add(ticket, each.row_steps)
                self._count(each, 1)

    def drop(self, sentences: Iterable[PendingSentence]) -> None:
        """Drop those of these sentences that still wait."""
        with self._lock:
            for each in sentences:
                if each.row.ticket is not None:
                    self._remove(each)

    def oldest(self) -> Job[Any] | None:
        """Return the job that arrived first of those with a sentence waiting."""
        with self._lock:
            return next(iter(self._jobs), None)

    def take(self, *, room: int, share: int, is_empty: bool, now: float) -> AdmittedSentences:
        """Take the next sentences until ``share`` rows are reached, within ``room`` rows; at least one if the worker
        ``is_empty``."""
        admitted: list[PendingSentence] = []
        late: list[PendingSentence] = []
        with self._lock:
            while (first := self._fair_queue.first()) is not None:
                width = first.search.num_rows
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
        return AdmittedSentences(admitted=admitted, late=late)

    def _remove(self, each: PendingSentence) -> None:
        ticket = each.row.ticket
        assert ticket is not None  # noqa: S101  # it waits here
        self._backlog.remove(ticket, each.row_steps)
        cancel(ticket)
        each.row.ticket = None
        self._fair_queue.count_cancelled()
        self._count(each, -1)

    def _count(self, each: PendingSentence, sign: int) -> None:
        self._num_waiting += sign
        self.cells += sign * each.row.length
        self.rows += sign * each.search.num_rows
        job = each.row.job
        if job not in self._jobs:
            self._jobs[job] = 0
            self._clock.joined(job.priority)
        self._jobs[job] += sign
        if not self._jobs[job]:
            del self._jobs[job]
            self._clock.left(job.priority)
