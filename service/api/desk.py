"""Where requests are answered, whatever their task: check, encode, queue, write."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec
from litestar import Request

from service.api.catalogue import Catalogue, Served
from service.api.departure import watching
from service.api.exchange import Exchange, deadline_of, exchange_of, priority_of
from service.api.gate import Gate
from service.api.inputs import MAX_REPORTED, Item, Limits
from service.api.offload import Offload
from service.api.schemas import ModelName, Reason
from service.bundle import Task
from service.errors import DeadlineExceededError, FieldError, InputTooLongError, InvalidRequestError, NoWordsError
from service.predictors.predictor import Predictor
from service.scheduling.job import Answer, Done, Job, Work
from service.scheduling.virtual_time import Priority
from service.tracing.trace import NO_TRACE, Trace

Row = TypeVar("Row")
Row_co = TypeVar("Row_co", covariant=True)


class TaskRequest(Protocol):
    """What every task's request has."""

    @property
    def model(self) -> str | None: ...

    @property
    def strict(self) -> bool: ...


class EncodedItem(Protocol[Row_co]):
    """One item's rows for the scheduler, and whatever its answer is written from."""

    @property
    def rows(self) -> Sequence[Row_co]: ...

    @property
    def num_tokens(self) -> int:
        """Of all its rows."""
        ...


Data = TypeVar("Data", bound=TaskRequest)
Model = TypeVar("Model", bound=Predictor[Any, Any])
Encoded = TypeVar("Encoded", bound=EncodedItem[Any])
_encoder = msgspec.json.Encoder()
# Of what a request probably costs, judged by its characters, so much is certain enough to refuse it for before it is
# encoded, which takes longer than all else that the event loop does for it.
ESTIMATED = 0.9
WORTH_A_LOOK = 500  # characters: fewer are encoded in the time that it takes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Means:
    """What answering needs besides the request."""

    catalogue: Catalogue
    limits: Limits
    offload: Offload
    default_timeout_ms: int
    gate: Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why one item of a request has no answer."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Admitted(Generic[Model, Encoded, Row, Answer]):
    """A request that is good, and the model that will answer it."""

    served: Served[Model, Row, Answer]
    items: Sequence[Encoded]
    refused: Mapping[int, Refusal] = field(default_factory=dict)  # the request's other items, by place
    deadline: float
    length: int  # characters of ``items``
    priority: Priority = Priority.INTERACTIVE
    weight: float = 1.0  # what a token costs, beside one of a row that is run once

    @property
    def rows(self) -> list[Row]:
        """Of all items, in order."""
        return [row for item in self.items for row in item.rows]

    @property
    def places(self) -> list[int]:
        """The place of each of ``items`` in the request."""
        return [place for place in range(len(self.items) + len(self.refused)) if place not in self.refused]


class Desk(ABC, Generic[Data, Model, Encoded, Row, Answer]):
    """One task's. What is special about the task is three steps: what to read, how to encode it, what results to give.

    An item that cannot be encoded, because it has no word or is too long, gets a result that says so, and nothing of it
    is queued. A request with ``strict`` is refused for it.
    """

    task: ClassVar[Task]
    response: ClassVar[type[Any]]  # made of the model's name and the results
    effort: ClassVar[int] = 1  # of reading or writing a character, beside that of a tagger

    def __init__(self, means: Means) -> None:
        self.means = means

    @abstractmethod
    def read(self, data: Data, limits: Limits) -> list[Item]:
        """The request's items. Raises InvalidRequestError naming each that is wrong."""

    @abstractmethod
    def encode(self, item: Item, data: Data, model: Model) -> Encoded:
        """Raises NoWordsError or InputTooLongError if it cannot be encoded."""

    @abstractmethod
    def decode(
        self, served: Served[Model, Row, Answer], data: Data, items: Sequence[Encoded], answers: Sequence[Answer]
    ) -> list[Any]:
        """The result of each item. ``answers`` are those of all items' rows, in order."""

    @abstractmethod
    def refuse(self, refusal: Refusal, data: Data) -> Any:
        """The result of an item that cannot be encoded."""

    def find(self, data: Data) -> Served[Model, Row, Answer]:
        """The model that will answer. Raises NotReadyError or UnknownModelError."""
        return self.means.catalogue.find(self.task, data.model)

    def weigh(self, data: Data) -> float:
        """What a token costs, beside one of a row that is run once."""
        return 1.0

    async def answer(self, data: Data, request: Request[Any, Any, Any]) -> bytes:
        """Check, encode, queue, write: in this order, so that only good rows ever wait."""
        admitted, done = await self.run(await self.admit(data, request), request)
        note(exchange_of(request), admitted, done)
        answered_at = time.monotonic()
        written = await self.means.offload(self.effort * admitted.length, self._write, data, admitted, done.answers)
        exchange_of(request).trace.add("write", since=answered_at, until=time.monotonic())
        return written

    async def run(
        self, admitted: Admitted[Model, Encoded, Row, Answer], request: Request[Any, Any, Any]
    ) -> tuple[Admitted[Model, Encoded, Row, Answer], Done[Answer]]:
        """What is answered, and what its rows became."""
        return admitted, await run_rows(admitted, request)

    async def admit(self, data: Data, request: Request[Any, Any, Any]) -> Admitted[Model, Encoded, Row, Answer]:
        """Check and encode."""
        means, exchange = self.means, exchange_of(request)
        deadline = deadline_of(request, default_timeout_ms=means.default_timeout_ms)
        priority = priority_of(request)
        served = self.find(data)
        exchange.model = served.name
        items = self.read(data, means.limits)
        length, weight = sum(item.length for item in items), self.weigh(data)
        if length > WORTH_A_LOOK or means.gate.is_needed:  # what would not be taken is not counted
            tokens = max(1, int(ESTIMATED * weight * served.density.cost_of(length)))
            served.scheduler.check(deadline=deadline, tokens=tokens, priority=priority)
        means.offload.check(self.effort * length, deadline=deadline)
        means.gate.take(exchange, len(items))
        began_at = time.monotonic()
        work = self.effort * length
        encoded, refused = await means.offload(work, self._encode_all, items, data, served.predictor, deadline)
        exchange.trace.add("encode", since=began_at, until=time.monotonic())
        return Admitted(
            served=served,
            items=encoded,
            refused={place: _refusal_of(error) for place, error in refused.items()},
            deadline=deadline,
            priority=priority,
            length=length - sum(items[place].length for place in refused),
            weight=weight,
        )

    def _encode_all(
        self, items: Sequence[Item], data: Data, model: Model, deadline: float
    ) -> tuple[list[Encoded], dict[int, InvalidRequestError]]:
        """The items, and by place what is wrong with the others. Raises InvalidRequestError that names these if the
        request is strict, and DeadlineExceededError as soon as it has passed: long requests wait for their turn here.
        """
        encoded: list[Encoded] = []
        refused: dict[int, InvalidRequestError] = {}
        for place, item in enumerate(items):
            if time.monotonic() >= deadline:
                raise DeadlineExceededError("the deadline passed before the work could be queued")
            try:
                encoded.append(self.encode(item, data, model))
            except (NoWordsError, InputTooLongError) as error:
                refused[place] = error.with_traceback(None)  # which holds this list
        if refused and data.strict:
            raise _error_of([(items[place], error) for place, error in refused.items()][:MAX_REPORTED])
        return encoded, refused

    def _write(self, data: Data, admitted: Admitted[Model, Encoded, Row, Answer], answers: Sequence[Answer]) -> bytes:
        results = self.decode(admitted.served, data, admitted.items, answers)
        for place, refusal in admitted.refused.items():  # in order
            results.insert(place, self.refuse(refusal, data))
        return _encoder.encode(self.response(admitted.served.name, results))


async def run_rows(admitted: Admitted[Any, Any, Any, Answer], request: Request[Any, Any, Any]) -> Done[Answer]:
    """Every row's answer, in order; given up as soon as the caller leaves."""
    job = _enqueue(admitted)
    admitted.served.density.learn(length=admitted.length, cost=job.cost / admitted.weight)
    return await _finished(admitted, job, request)


async def run_more_rows(admitted: Admitted[Any, Any, Any, Answer], request: Request[Any, Any, Any]) -> Done[Answer]:
    """The same for rows of a text that others came of before: how many they are says nothing about its length."""
    return await _finished(admitted, _enqueue(admitted), request)


def _enqueue(admitted: Admitted[Any, Any, Any, Answer]) -> Job[Answer]:
    return admitted.served.scheduler.enqueue(admitted.rows, deadline=admitted.deadline, priority=admitted.priority)


async def _finished(
    admitted: Admitted[Any, Any, Any, Answer], job: Job[Answer], request: Request[Any, Any, Any]
) -> Done[Answer]:
    with watching(request.receive, lambda: admitted.served.scheduler.withdraw(job)):
        return await job.done


def _refusal_of(error: InvalidRequestError) -> Refusal:
    return Refusal(reason="no_words" if isinstance(error, NoWordsError) else "input_too_long", detail=error.detail)


def _error_of(refused: Sequence[tuple[Item, InvalidRequestError]]) -> InvalidRequestError:
    """An error of the first one's kind that names them all."""
    errors = [FieldError(path=item.path, message=error.detail) for item, error in refused]
    kind = type(refused[0][1])
    return kind(f"{errors[0].path}: {errors[0].message}", errors=errors)


def note(exchange: Exchange, admitted: Admitted[Any, Any, Any, Any], done: Done[Any]) -> None:
    """For the headers, the metrics, the log and the trace."""
    exchange.items = len(admitted.items) + len(admitted.refused)
    exchange.tokens = sum(item.num_tokens for item in admitted.items)
    exchange.queue_seconds, exchange.model_seconds = done.queue_seconds, done.model_seconds
    if exchange.trace is not NO_TRACE:
        trace_work(exchange.trace, admitted.served.name, done)


def trace_work(trace: Trace, model: ModelName, done: Done[Any]) -> None:
    """From the queue to the last row's answer."""
    if done.work:
        began_at = min(each.began_at for each in done.work)
        trace.add("queue", since=began_at - done.queue_seconds, until=began_at)
    for each in spans_of(done.work):
        name = f"{model.name}@{model.version}"
        trace.add(each.stage, since=each.began_at, until=each.ended_at, model=name, **each.sizes)


def spans_of(work: Sequence[Work]) -> list[Work]:
    """Each run of a batch, and all that was decoded as one: there may be hundreds of sentences."""
    runs = [each for each in work if each.stage == "model"]
    decoded = [each for each in work if each.stage == "decode"]
    return [*runs, reduce(Work.joined, decoded)] if decoded else runs
