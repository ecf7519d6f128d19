"""Job: one request's rows on their way through the scheduler, counted down as they are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, Literal, TypeVar

from service.errors import ServiceError
from service.text.pipeline import Ids

Answer = TypeVar("Answer")
# [virtual time, number, row]: a list because the row becomes None when it leaves its queue, which frees it at once.
Ticket = list[Any]

BULK_SHARE = 0.25  # of an interactive request's; a power of two, so that sums of shares are exact


class Priority(Enum):
    """Priority of a request; its share of the service while others wait is 1 for an ordinary one."""

    INTERACTIVE = "interactive"
    BULK = "bulk"

    def __init__(self, name: str) -> None:
        self.share = BULK_SHARE if name == "bulk" else 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelWork:
    """Work that a model did for a job: one run of its batch, or the decoding of a sentence."""

    stage: Literal["model", "decode"]
    began_at: float
    ended_at: float
    sizes: Mapping[str, float]

    def joined(self, other: ModelWork) -> ModelWork:
        """Merge two pieces of work into one that spans and sums both."""
        return ModelWork(
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
    work: Sequence[ModelWork] = ()  # as it ended

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
    cost: int  # in the unit that its scheduler's virtual time counts
    offset: float  # of its virtual time to that at which its job arrived
    ticket: Ticket | None = None  # while it waits


@dataclass(slots=True, kw_only=True, eq=False)
class Job(Generic[Answer]):
    """Rows that are answered together. It belongs to the event loop's thread alone."""

    done: asyncio.Future[Done[Answer]] = field(default_factory=asyncio.Future)  # of the running event loop
    submitted_at: float
    deadline: float
    priority: Priority = Priority.INTERACTIVE
    rows: Sequence[Row[Answer]] = ()  # until the job is over
    remaining: int = 0  # rows without an answer
    answers: list[Answer | None] = field(default_factory=list)
    work: list[ModelWork] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether the answer is still wanted."""
        return not self.done.done()

    def fail(self, error: ServiceError) -> None:
        if not self.done.done():
            self.done.set_exception(error)

    def put(self, index: int, answer: Answer, work: ModelWork) -> None:
        """Store one row's answer, and the work that made it; the last one finishes the job."""
        self.answers[index] = answer
        if not self.work or self.work[-1] is not work:
            self.work.append(work)
        self.remaining -= 1
        if self.remaining == 0 and not self.done.done():
            began_at = work.began_at if len(self.work) == 1 else min([each.began_at for each in self.work])
            self.done.set_result(
                Done(
                    answers=self.answers,  # type: ignore[arg-type]  # every place is filled
                    queue_seconds=began_at - self.submitted_at,
                    model_seconds=work.ended_at - began_at,
                    work=self.work,
                )
            )


def offsets(costs: Iterable[int], priority: Priority) -> Iterator[float]:
    """Yield how long after its request's arrival each row should begin if the request has just its share: for an
    ordinary one, the costs of the rows before it. A bulk request's time runs 1 / BULK_SHARE times as fast."""
    speed, total = 1 / priority.share, 0.0
    for cost in costs:
        total += speed * cost
        yield total - cost
