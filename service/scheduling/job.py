"""One request's rows on their way through the scheduler: a countdown and a place for each answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from service.errors import DeadlineExceededError, ServiceError
from service.scheduling.prediction import Promise
from service.scheduling.virtual_time import Place, Priority, offsets
from service.text.batch import Ids

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """What a model did for a job: one run of its batch, or all of a translation."""

    stage: Literal["model", "decode"]
    began_at: float
    ended_at: float
    sizes: Mapping[str, float]

    def joined(self, other: Work) -> Work:
        """One stretch of both, as large as they are together."""
        return Work(
            stage=self.stage,
            began_at=min(self.began_at, other.began_at),
            ended_at=max(self.ended_at, other.ended_at),
            sizes={name: size + other.sizes[name] for name, size in self.sizes.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Generic[Answer]):
    """One answer per submitted row, in order, and where the time went."""

    answers: Sequence[Answer]
    queue_seconds: float = 0.0  # until its first row began to run
    model_seconds: float = 0.0  # from then until its last row was answered
    work: Sequence[Work] = ()  # as it ended

    def joined(self, more: Done[Answer]) -> Done[Answer]:
        """What became of the same request's rows and of more of them, which came later; the time between counts as the
        model's. Both have work."""
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
    """One row of a job while it waits and runs."""

    job: Job[Answer]
    index: int
    ids: Ids  # (time, ...)
    length: int
    offset: float  # of its virtual time to that at which its job came
    place: Place | None = None  # while it waits


@dataclass(slots=True, kw_only=True, eq=False)
class Job(Generic[Answer]):
    """Rows that are answered together. Lives on the event loop's thread alone."""

    ids: Sequence[Ids]
    done: asyncio.Future[Done[Answer]]
    submitted_at: float
    deadline: float
    priority: Priority = Priority.INTERACTIVE
    costs: Sequence[int] = ()  # of each row, in what its scheduler counts; none: tokens
    promise: Promise | None = None
    rows: list[Row[Answer]] = field(init=False)
    answers: list[Answer | None] = field(init=False)
    remaining: int = field(init=False)
    work: list[Work] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        lengths = list(map(len, self.ids))
        places = zip(self.ids, lengths, offsets(self.costs or lengths, self.priority), strict=True)
        self.rows = [Row(self, index, *each) for index, each in enumerate(places)]
        self.remaining = len(self.rows)
        self.answers = [None] * self.remaining

    @property
    def cost(self) -> int:
        """Of all its rows."""
        return sum(self.costs or map(len, self.ids))

    @property
    def is_open(self) -> bool:
        """Somebody still wants the answer."""
        return not self.done.done()

    def fail(self, error: ServiceError) -> None:
        if self.is_open:
            self.done.set_exception(error)

    def put(self, index: int, answer: Answer, work: Work) -> None:
        """Place one row's answer, which came of this work; the last one finishes the job."""
        self.answers[index] = answer
        if not self.work or self.work[-1] is not work:
            self.work.append(work)
        self.remaining -= 1
        if self.remaining == 0 and self.is_open:
            self.done.set_result(self._finished(work.ended_at))

    def settle(self, now: float) -> None:
        """It is over: compare what was predicted. Who left or failed says nothing, who was too late does."""
        if self.promise is None or self.done.cancelled():
            return
        if self.done.exception() is None or isinstance(self.done.exception(), DeadlineExceededError):
            self.promise.settle(now - self.submitted_at)

    def _finished(self, at: float) -> Done[Answer]:
        began_at = min(each.began_at for each in self.work)
        return Done(
            answers=self.answers,  # type: ignore[arg-type]  # every place is filled
            queue_seconds=began_at - self.submitted_at,
            model_seconds=at - began_at,
            work=self.work,
        )
