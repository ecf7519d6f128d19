"""Base class of the task endpoints: check, encode, queue and write, whatever the task."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec
from litestar import Request

from service.api.access import AccessPolicy
from service.api.context import RequestContext, context_of, deadline_of, priority_of
from service.api.disconnect import watching_for_disconnect
from service.api.schemas import Reason
from service.api.side_thread import SideThread
from service.api.validation import MAX_REPORTED, InputItem
from service.bundle import Task
from service.errors import DeadlineExceededError, FieldError, InputTooLongError, InvalidRequestError, NoWordsError
from service.models.cards import ModelName
from service.models.limits import Limits
from service.models.registry import ModelRegistry, ServedModel
from service.predictors.predictor import Predictor
from service.scheduling.job import Answer, Done, Job, ModelWork, Priority
from service.tracing.trace import NO_TRACE, Trace

Row = TypeVar("Row")
Row_co = TypeVar("Row_co", covariant=True)


class TaskRequest(Protocol):
    """Fields that every task's request has."""

    @property
    def model(self) -> str | None: ...

    @property
    def strict(self) -> bool: ...


class EncodedItem(Protocol[Row_co]):
    """An encoded item: its rows for the scheduler, and the data that its answer is written from."""

    @property
    def rows(self) -> Sequence[Row_co]: ...

    @property
    def num_tokens(self) -> int:
        """Number of tokens in all rows."""
        ...


Data = TypeVar("Data", bound=TaskRequest)
Model = TypeVar("Model", bound=Predictor[Any, Any])
ItemEncoding = TypeVar("ItemEncoding", bound=EncodedItem[Any])
_encoder = msgspec.json.Encoder()
# Share of a request's cost, estimated from its characters, that is certain enough to refuse it before it is encoded:
# encoding takes longer than all else that the event loop does for it.
ESTIMATED = 0.9
WORTH_A_LOOK = 500  # characters: fewer are encoded in the time that it takes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Services:
    """Services that every endpoint uses to answer requests."""

    registry: ModelRegistry
    limits: Limits
    side_thread: SideThread
    default_timeout_ms: int
    access: AccessPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Reason why one item of a request has no answer."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AdmittedRequest(Generic[Model, ItemEncoding, Row, Answer]):
    """A checked and encoded request, and the model that will answer it."""

    served: ServedModel[Model, Row, Answer]
    items: Sequence[ItemEncoding]
    refused: Mapping[int, Refusal] = field(default_factory=dict)  # the request's other items, by place
    deadline: float
    length: int  # characters of ``items``
    priority: Priority = Priority.INTERACTIVE
    cost_factor: float = 1.0  # cost of a token, relative to one of a row that is run once

    @property
    def rows(self) -> list[Row]:
        """Rows of all items, in order."""
        return [row for item in self.items for row in item.rows]

    @property
    def places(self) -> list[int]:
        """Place of each of ``items`` in the request."""
        return [place for place in range(len(self.items) + len(self.refused)) if place not in self.refused]


class TaskEndpoint(ABC, Generic[Data, Model, ItemEncoding, Row, Answer]):
    """Endpoint of one task; subclasses say how to read a request, encode an item and make results.

    An item that cannot be encoded, because it has no word or is too long, gets a result that says so, and nothing of it
    is queued. A request with ``strict`` is refused for it.
    """

    task: ClassVar[Task]
    response: ClassVar[type[Any]]  # made of the model's name and the results
    effort: ClassVar[int] = 1  # of reading or writing a character, beside that of a tagger

    def __init__(self, services: Services) -> None:
        self.services = services

    @abstractmethod
    def read(self, data: Data, limits: Limits) -> list[InputItem]:
        """Return the request's items. Raises InvalidRequestError naming each that is wrong."""

    @abstractmethod
    def encode(self, item: InputItem, data: Data, model: Model) -> ItemEncoding:
        """Encode one item. Raises NoWordsError or InputTooLongError if it cannot be encoded."""

    @abstractmethod
    def decode(
        self,
        served: ServedModel[Model, Row, Answer],
        data: Data,
        items: Sequence[ItemEncoding],
        answers: Sequence[Answer],
    ) -> list[Any]:
        """Make the result of each item. ``answers`` are those of all items' rows, in order."""

    @abstractmethod
    def refuse(self, refusal: Refusal, data: Data) -> Any:
        """Make the result of an item that cannot be encoded."""

    def find(self, data: Data) -> ServedModel[Model, Row, Answer]:
        """Return the model that will answer. Raises NotReadyError or UnknownModelError."""
        return self.services.registry.find(self.task, data.model)

    def cost_factor(self, data: Data) -> float:
        """Return the cost of a token, relative to one of a row that is run once."""
        return 1.0

    def estimated_cost(self, data: Data, items: Sequence[InputItem], served: ServedModel[Model, Row, Answer]) -> int:
        """Return the tokens that a request costs at least as a rule, before it is encoded."""
        length = sum(item.length for item in items)
        return max(1, int(ESTIMATED * self.cost_factor(data) * served.tokens_per_character.cost_of(length)))

    async def answer(self, data: Data, request: Request[Any, Any, Any]) -> bytes:
        """Check, encode, queue and write, in this order, so that only good rows ever wait."""
        admitted, done = await self.run(await self.admit(data, request), request)
        record(context_of(request), admitted, done)
        answered_at = time.monotonic()
        written = await self.services.side_thread(
            self.effort * admitted.length, self._write, data, admitted, done.answers
        )
        context_of(request).trace.add("write", since=answered_at, until=time.monotonic())
        return written

    async def run(
        self, admitted: AdmittedRequest[Model, ItemEncoding, Row, Answer], request: Request[Any, Any, Any]
    ) -> tuple[AdmittedRequest[Model, ItemEncoding, Row, Answer], Done[Answer]]:
        """Run the rows of a request; return the request as it was answered, and the rows' outcome."""
        return admitted, await run_rows(admitted, request)

    async def admit(
        self, data: Data, request: Request[Any, Any, Any]
    ) -> AdmittedRequest[Model, ItemEncoding, Row, Answer]:
        """Check a request and encode its items. Raises the errors that refuse it."""
        services, context = self.services, context_of(request)
        deadline = deadline_of(request, default_timeout_ms=services.default_timeout_ms)
        priority = priority_of(request)
        served = self.find(data)
        context.model = served.name
        items = self.read(data, services.limits)
        length, cost_factor = sum(item.length for item in items), self.cost_factor(data)
        if length > WORTH_A_LOOK or services.access.is_needed:  # requests that would be refused are not counted
            tokens = self.estimated_cost(data, items, served)
            served.scheduler.check(deadline=deadline, tokens=tokens, priority=priority)
        services.side_thread.check(self.effort * length, deadline=deadline)
        services.access.take(context, len(items))
        began_at = time.monotonic()
        work = self.effort * length
        encoded, refused = await services.side_thread(work, self._encode_all, items, data, served.predictor, deadline)
        context.trace.add("encode", since=began_at, until=time.monotonic())
        return AdmittedRequest(
            served=served,
            items=encoded,
            refused={place: _refusal_of(error) for place, error in refused.items()},
            deadline=deadline,
            priority=priority,
            length=length - sum(items[place].length for place in refused),
            cost_factor=cost_factor,
        )

    def _encode_all(
        self, items: Sequence[InputItem], data: Data, model: Model, deadline: float
    ) -> tuple[list[ItemEncoding], dict[int, InvalidRequestError]]:
        """Encode the items; return them, and by place the errors of those that cannot be encoded. Raises
        InvalidRequestError that names these if the request is strict, and DeadlineExceededError once the deadline has
        passed: long requests wait for their turn here."""
        encoded: list[ItemEncoding] = []
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

    def _write(
        self, data: Data, admitted: AdmittedRequest[Model, ItemEncoding, Row, Answer], answers: Sequence[Answer]
    ) -> bytes:
        results = self.decode(admitted.served, data, admitted.items, answers)
        for place, refusal in admitted.refused.items():  # in order
            results.insert(place, self.refuse(refusal, data))
        return _encoder.encode(self.response(admitted.served.name, results))


async def run_rows(admitted: AdmittedRequest[Any, Any, Any, Answer], request: Request[Any, Any, Any]) -> Done[Answer]:
    """Run all rows and return their answers, in order; withdraws them if the caller disconnects."""
    job = _enqueue(admitted)
    admitted.served.tokens_per_character.learn(length=admitted.length, cost=job.cost / admitted.cost_factor)
    return await _finished(admitted, job, request)


async def run_more_rows(
    admitted: AdmittedRequest[Any, Any, Any, Answer], request: Request[Any, Any, Any]
) -> Done[Answer]:
    """Run further rows of a text that has been run before. Nothing is learned from them: their number says nothing
    about the text's length."""
    return await _finished(admitted, _enqueue(admitted, accepted=True), request)


def _enqueue(admitted: AdmittedRequest[Any, Any, Any, Answer], *, accepted: bool = False) -> Job[Answer]:
    return admitted.served.scheduler.enqueue(
        admitted.rows, deadline=admitted.deadline, priority=admitted.priority, accepted=accepted
    )


async def _finished(
    admitted: AdmittedRequest[Any, Any, Any, Answer], job: Job[Answer], request: Request[Any, Any, Any]
) -> Done[Answer]:
    with watching_for_disconnect(request.receive, lambda: admitted.served.scheduler.withdraw(job)):
        return await job.done


def _refusal_of(error: InvalidRequestError) -> Refusal:
    return Refusal(reason="no_words" if isinstance(error, NoWordsError) else "input_too_long", detail=error.detail)


def _error_of(refused: Sequence[tuple[InputItem, InvalidRequestError]]) -> InvalidRequestError:
    """Make one error of the first error's class that names all refused items."""
    errors = [FieldError(path=item.path, message=error.detail) for item, error in refused]
    kind = type(refused[0][1])
    return kind(f"{errors[0].path}: {errors[0].message}", errors=errors)


def record(context: RequestContext, admitted: AdmittedRequest[Any, Any, Any, Any], done: Done[Any]) -> None:
    """Record what was done for a request in its context, for headers, metrics, log and trace."""
    context.items = len(admitted.items) + len(admitted.refused)
    context.tokens = sum(item.num_tokens for item in admitted.items)
    context.queue_seconds, context.model_seconds = done.queue_seconds, done.model_seconds
    if context.trace is not NO_TRACE:
        trace_work(context.trace, admitted.served.name, done)


def trace_work(trace: Trace, model: ModelName, done: Done[Any]) -> None:
    """Add the queue's and the model's time to the trace."""
    if done.work:
        began_at = min(each.began_at for each in done.work)
        trace.add("queue", since=began_at - done.queue_seconds, until=began_at)
    for each in merged_work(done.work):
        name = f"{model.name}@{model.version}"
        trace.add(each.stage, since=each.began_at, until=each.ended_at, model=name, **each.sizes)


def merged_work(work: Sequence[ModelWork]) -> list[ModelWork]:
    """Return each run of a batch, and all decoded sentences merged into one: there may be hundreds."""
    runs = [each for each in work if each.stage == "model"]
    decoded = [each for each in work if each.stage == "decode"]
    return [*runs, reduce(ModelWork.joined, decoded)] if decoded else runs
