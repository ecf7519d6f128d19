"""One request's rows on their way through the scheduler: a countdown and a place for each answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Generic, TypeVar

from service.errors import ServiceError
from service.text.batch import Ids

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Generic[Answer]):
    """One answer per submitted row, in order, and where the time went."""

    answers: Sequence[Answer]
    queue_seconds: float = 0.0  # until its first row began to run
    model_seconds: float = 0.0  # from then until its last row was answered


@dataclass(slots=True, eq=False)
class Row(Generic[Answer]):
    """One row of a job while it waits and runs."""

    job: Job[Answer]
    index: int
    ids: Ids  # (time, ...)
    length: int


@dataclass(slots=True, kw_only=True, eq=False)
class Job(Generic[Answer]):
    """Rows that are answered together. Lives on the event loop's thread alone."""

    ids: Sequence[Ids]
    done: asyncio.Future[Done[Answer]]
    submitted_at: float
    deadline: float
    rows: list[Row[Answer]] = field(init=False)
    answers: list[Answer | None] = field(init=False)
    remaining: int = field(init=False)
    started_at: float = field(init=False, default=inf)

    def __post_init__(self) -> None:
        self.rows = [Row(self, index, ids, len(ids)) for index, ids in enumerate(self.ids)]
        self.remaining = len(self.rows)
        self.answers = [None] * self.remaining

    @property
    def is_open(self) -> bool:
        """Somebody still wants the answer."""
        return not self.done.done()

    def fail(self, error: ServiceError) -> None:
        if self.is_open:
            self.done.set_exception(error)

    def put(self, index: int, answer: Answer, *, started_at: float, finished_at: float) -> None:
        """Place one row's answer from a run; the last one finishes the job."""
        self.answers[index] = answer
        self.started_at = min(self.started_at, started_at)
        self.remaining -= 1
        if self.remaining == 0 and self.is_open:
            self.done.set_result(self._finished(finished_at))

    def _finished(self, at: float) -> Done[Answer]:
        return Done(
            answers=self.answers,  # type: ignore[arg-type]  # every place is filled
            queue_seconds=self.started_at - self.submitted_at,
            model_seconds=at - self.started_at,
        )
