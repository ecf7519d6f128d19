"""Job: one request's rows on their way through the scheduler, counted down as they are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from service.errors import DeadlineExceededError, ServiceError
from service.scheduling.prediction import Prediction
from service.scheduling.virtual_time import Priority, Ticket, offsets
from service.text.batch import Ids

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """Work that a model did for a job: one run of its batch, or the decoding of a sentence."""

    stage: Literal["model", "decode"]
    began_at: float
    ended_at: float
    sizes: Mapping[str, float]

    def joined(self, other: Work) -> Work:
        """Merge two pieces of work into one that spans and sums both."""
        return Work(
            stage=self.stage,
            began_at=min(self.began_at, other.began_at),
            ended_at=max(self.ended_at, other.ended_at),
            sizes={name: size + other.sizes[name] for name, size in self.sizes.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Generic[Answer]):
    """Answers to all submitted rows, in order, and the time they took."""

    answers: Sequence[Answer]
    queue_seconds: float = 0.0  # until its first row began to run
    model_seconds: float = 0.0  # from then until its last row was answered
    work: Sequence[Work] = ()  # as it ended

    def joined(self, more: Done[Answer]) -> Done[Answer]:
        """Append later rows of the same request; the time between counts as the model's. Both have work."""
        ended_at = max(each.ended_at for each in more.work)
        began_at = min(each.began_at for each in self.work)
        return Done(
            answers=[*self.answers, *more.answers],
            queue_seconds=self.queue_seconds,
            model_seconds=max(self.model_seconds, ended_at - began_at),
            work=[*self.work, *more.work],
        )


@dataclass(slots=True, eq=False)
class Row(Generic[Answer]):
    """A row of a job while it waits and runs."""

    job: Job[Answer]
    index: int
    ids: Ids  # (time, ...)
    length: int
    offset: float  # of its virtual time to that at which its job came
    ticket: Ticket | None = None  # while it waits


@dataclass(slots=True, kw_only=True, eq=False)
class Job(Generic[Answer]):
    """Rows that are answered together. It belongs to the event loop's thread alone."""

    ids: Sequence[Ids]
    done: asyncio.Future[Done[Answer]]
    submitted_at: float
    deadline: float
    priority: Priority = Priority.INTERACTIVE
    costs: Sequence[int] = ()  # of each row, in its scheduler's unit; tokens if empty
    prediction: Prediction | None = None
    rows: list[Row[Answer]] = field(init=False)
    answers: list[Answer | None] = field(init=False)
    remaining: int = field(init=False)
    work: list[Work] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        lengths = list(map(len, self.ids))
        fair_queue = zip(self.ids, lengths, offsets(self.costs or lengths, self.priority), strict=True)
        self.rows = [Row(self, index, *each) for index, each in enumerate(fair_queue)]
        self.remaining = len(self.rows)
        self.answers = [None] * self.remaining

    @property
    def cost(self) -> int:
        """Sum of the costs of all rows."""
        return sum(self.costs or map(len, self.ids))

    @property
    def is_open(self) -> bool:
        """Whether the answer is still wanted."""
        return not self.done.done()

    def fail(self, error: ServiceError) -> None:
        if self.is_open:
            self.done.set_exception(error)

    def put(self, index: int, answer: Answer, work: Work) -> None:
        """Store one row's answer, and the work that made it; the last one finishes the job."""
        self.answers[index] = answer
        if not self.work or self.work[-1] is not work:
            self.work.append(work)
        self.remaining -= 1
        if self.remaining == 0 and self.is_open:
            self.done.set_result(self._finished(work.ended_at))

    def settle(self, now: float) -> None:
        """Compare the time of a job that is over with its prediction. Jobs that were cancelled or failed say nothing,
        those that were late do."""
        if self.prediction is None or self.done.cancelled():
            return
        if self.done.exception() is None or isinstance(self.done.exception(), DeadlineExceededError):
            self.prediction.settle(now - self.submitted_at)

    def _finished(self, at: float) -> Done[Answer]:
        began_at = min(each.began_at for each in self.work)
        return Done(
            answers=self.answers,  # type: ignore[arg-type]  # every place is filled
            queue_seconds=began_at - self.submitted_at,
            model_seconds=at - began_at,
            work=self.work,
        )
