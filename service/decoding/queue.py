"""Decode queue: sentences that wait to be decoded, queued on the event loop and taken by decoding threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from service.decoding.sampling import NewTokens
from service.decoding.strategy import DecodeSearch
from service.scheduling.fair_queue import FairQueue, VirtualClock
from service.scheduling.job import Job, Row, offsets
from service.scheduling.scheduler import SHARE_OF_DEADLINE

OnFinished = Callable[[int, Any], None]  # the sentence's place in its job, and its answer
OnProgress = Callable[[int, NewTokens], None]  # the prompt's place in its job, and what is new of one of its samples


@dataclass(slots=True, kw_only=True, eq=False)
class PendingSentence(Row[Any]):
    """A sentence of a job on its way through the decoder. Its cost is the estimated rows of decoder steps that it
    takes."""

    search: Any  # a DecodeSearch, of the kind that the strategy decodes
    on_finished: OnFinished | None = None
    on_progress: OnProgress | None = None
    started_at: float = 0.0  # when it was taken

    def is_late(self, now: float) -> bool:
        return self.job.deadline <= now


def pending_sentences(
    job: Job[Any],
    searches: Sequence[DecodeSearch],
    on_finished: OnFinished | None = None,
    on_progress: OnProgress | None = None,
) -> list[PendingSentence]:
    """Make the rows of a job that these searches answer."""
    starts = offsets([search.row_steps for search in searches], job.priority)
    return [
        PendingSentence(
            *(job, index, search.ids, len(search.ids), search.row_steps, offset),
            search=search,
            on_finished=on_finished,
            on_progress=on_progress,
        )
        for index, (search, offset) in enumerate(zip(searches, starts, strict=True))
    ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AdmittedSentences:
    """Sentences that left the queue at one time."""

    admitted: Sequence[PendingSentence]
    late: Sequence[PendingSentence]  # whose deadline has passed


class DecodeQueue(FairQueue[PendingSentence]):
    """Queue of sentences by virtual time, in row steps; its counts may be read from any thread.

    A sentence that is too wide for the room there is holds up those behind it, so that its turn comes.
    """

    def __init__(self) -> None:
        super().__init__(VirtualClock())
        self.rows = 0  # places of all beams
        self._lock = threading.Lock()

    def row_steps_before(self, offset: float, share: float) -> float:
        """Return the row steps that are made at most before the sentence with this offset begins, of a request that
        arrives now with this share: the first sentences of all that wait, with a reserve, and then the shares of all,
        its own too. It is 0 if nothing waits."""
        rows, shares = self.num_waiting, self._clock.shares
        if not rows:
            return 0.0
        return self.cost * min(1.0, shares / rows) / SHARE_OF_DEADLINE + offset * (shares + share)

    def push(self, rows: Iterable[PendingSentence]) -> None:
        """Queue the sentences of requests that arrive now, in the order of each request."""
        with self._lock:
            for row in rows:
                self.add(row)

    def drop(self, rows: Iterable[PendingSentence]) -> None:
        """Drop those of these sentences that still wait."""
        with self._lock:
            super().drop(rows)

    def oldest(self) -> Job[Any] | None:
        """Return the job that arrived first of those with a sentence waiting."""
        with self._lock:
            return super().oldest()

    def take(self, *, room: int, share: int, is_empty: bool, now: float) -> AdmittedSentences:
        """Take the next sentences until ``share`` rows are reached, within ``room`` rows; at least one if the worker
        ``is_empty``."""
        admitted: list[PendingSentence] = []
        late: list[PendingSentence] = []
        with self._lock:
            while (first := self.first()) is not None:
                width = first.search.num_rows
                if not first.job.is_open:
                    super().drop([first])
                elif first.is_late(now):
                    super().drop([first])
                    late.append(first)
                elif (share > 0 and width <= room) or (is_empty and not admitted):
                    self._remove(first)
                    self._serve([first])
                    admitted.append(first)
                    room, share = room - width, share - width
                else:
                    break
        return AdmittedSentences(admitted=admitted, late=late)

    def add(self, row: PendingSentence) -> None:
        """Queue a sentence; the caller holds the lock."""
        super().add(row)
        self.rows += row.search.num_rows

    def _remove(self, row: PendingSentence) -> None:
        super()._remove(row)
        self.rows -= row.search.num_rows
