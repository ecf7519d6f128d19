"""Base class of the task endpoints: check, encode, queue and write, whatever the task."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar, cast

import msgspec
from litestar.response.streaming import ASGIStreamingResponse

from service.api.access import AccessPolicy
from service.api.body import BodyReader
from service.api.context import (
    PRIORITY,
    TIMEOUT,
    RequestContext,
    priority_of,
    timeout_of,
    trace_work,
    watching_for_disconnect,
)
from service.api.schemas import Reason
from service.api.side_thread import LONG_TEXT, SideThread
from service.api.validation import InputItem
from service.bundle import Task
from service.errors import DeadlineExceededError, FieldError, InputTooLongError, InvalidRequestError, NoWordsError
from service.models.registry import ModelName, ModelRegistry, ServedModel
from service.predictors.predictor import Predictor
from service.scheduling.job import Done, Priority
from service.settings import Settings
from service.telemetry import NO_TRACE


class TaskRequest(Protocol):
    """Fields that every task's request has."""

    @property
    def model(self) -> str | None: ...

    @property
    def strict(self) -> bool: ...


class EncodedItem(Protocol):
    """An encoded item: its rows for the scheduler, and the data that its answer is written from."""

    @property
    def rows(self) -> Sequence[Any]: ...

    @property
    def num_tokens(self) -> int: ...  # in all rows


Data = TypeVar("Data", bound=TaskRequest)
Model = TypeVar("Model", bound=Predictor[Any, Any])
ItemEncoding = TypeVar("ItemEncoding", bound=EncodedItem)
_encoder = msgspec.json.Encoder()
CHARACTERS_PER_TOKEN = 8  # at most, as a rule: more than this is certain enough to refuse before it is encoded
WORTH_A_CHECK = 500  # characters: fewer are encoded in the time that it takes


class WholeAnswer(NamedTuple):
    """Body of an answer that is sent at once, and its media type."""

    body: bytes
    media_type: str


TaskAnswer = WholeAnswer | ASGIStreamingResponse


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Services:
    """Services that every endpoint uses to answer requests."""

    registry: ModelRegistry
    reader: BodyReader
    settings: Settings
    side_thread: SideThread
    access: AccessPolicy | None  # None where everybody may send as much as they like


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Reason why one item of a request has no answer."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AdmittedRequest(Generic[Model, ItemEncoding]):
    """A checked and encoded request, and the model that will answer it."""

    served: ServedModel[Model]
    items: Sequence[ItemEncoding]
    refused: Mapping[int, Refusal] = field(default_factory=dict)  # the request's other items, by place
    deadline: float
    length: int  # characters of ``items``
    priority: Priority = Priority.INTERACTIVE
    cost_factor: float = 1.0  # cost of a token, relative to one of a row that is run once

    @property
    def rows(self) -> list[Any]:
        """Rows of all items, in order."""
        return [row for item in self.items for row in item.rows]

    @property
    def places(self) -> list[int]:
        """Place of each of ``items`` in the request."""
        return [place for place in range(len(self.items) + len(self.refused)) if place not in self.refused]

    def record(self, context: RequestContext, done: Done[Any]) -> None:
        """Record what was done for the request in its context, for headers, metrics, log and trace."""
        context.items = len(self.items) + len(self.refused)
        context.tokens = sum([item.num_tokens for item in self.items])
        context.queue_seconds, context.model_seconds = done.queue_seconds, done.model_seconds
        if context.trace is not NO_TRACE:
            trace_work(context.trace, self.served.full_name, done)


class TaskEndpoint(ABC, Generic[Data, Model, ItemEncoding]):
    """Endpoint of one task; subclasses say how to read a request, encode an item and make results.

    An item that cannot be encoded, because it has no word or is too long, gets a result that says so, and nothing of it
    is queued. A request with ``strict`` is refused for it.
    """

    task: ClassVar[Task]
    path: ClassVar[str]
    summary: ClassVar[str]
    description: ClassVar[str]
    request: ClassVar[type[Any]]
    response: ClassVar[type[Any]]  # made of the model's name and the results
    answer_description: ClassVar[str] = "One result per text, in order"
    effort: ClassVar[int] = 1  # of reading or writing a character, beside that of a tagger

    def __init__(self, services: Services) -> None:
        self.services = services

    @abstractmethod
    def read(self, data: Data, limits: Settings) -> list[InputItem]:
        """Return the request's items. Raises InvalidRequestError naming each that is wrong."""

    @abstractmethod
    def encode(self, item: InputItem, data: Data, model: Model) -> ItemEncoding:
        """Encode one item. Raises NoWordsError or InputTooLongError if it cannot be encoded."""

    @abstractmethod
    def decode(self, model: Model, data: Data, items: Sequence[ItemEncoding], answers: Sequence[Any]) -> list[Any]:
        """Make the result of each item. ``answers`` are those of all items' rows, in order."""

    @abstractmethod
    def refuse(self, refusal: Refusal, data: Data) -> Any:
        """Make the result of an item that cannot be encoded."""

    def write(self, data: Data, model: ModelName, results: Sequence[Any]) -> WholeAnswer:
        """Write the answer."""
        return WholeAnswer(_encoder.encode(self.response(model, results)), "application/json")

    def find(self, data: Data) -> ServedModel[Model]:
        """Return the model that will answer. Raises NotReadyError or UnknownModelError."""
        return self.services.registry.find(self.task, data.model)

    def cost_factor(self, data: Data) -> float:
        """Return the cost of a token, relative to one of a row that is run once."""
        return 1.0

    def work(self, data: Data, length: int) -> int:
        """Return what reading so many characters costs, in characters of a tagger's text."""
        return self.effort * length

    def answer_work(self, data: Data, admitted: AdmittedRequest[Model, ItemEncoding]) -> int:
        """Return what writing the answer costs, likewise."""
        return self.work(data, admitted.length)

    def estimated_cost(self, data: Data, items: Sequence[InputItem], served: ServedModel[Model]) -> int:
        """Return the tokens that a request costs at least as a rule, before it is encoded."""
        length = sum([item.length for item in items])
        return max(1, int(self.cost_factor(data) * length / CHARACTERS_PER_TOKEN))

    async def read_body(self, context: RequestContext) -> Data:
        """Read a request's body. Raises what ``BodyReader.read_json`` does."""
        return cast("Data", await self.services.reader.read_json(context, self.request))

    async def answer(self, data: Data, context: RequestContext) -> TaskAnswer:
        """Check, encode, queue and write, in this order, so that only good rows ever wait."""
        admitted, done = await self.run(await self.admit(data, context), context)
        work = self.answer_work(data, admitted)
        admitted.record(context, done)
        answered_at = time.monotonic()
        if work <= LONG_TEXT:
            written = self._write(data, admitted, done.answers)
        else:
            written = await self.services.side_thread(work, self._write, data, admitted, done.answers)
        if context.trace is not NO_TRACE:
            context.trace.add("write", since=answered_at, until=time.monotonic())
        return written

    async def run(
        self, admitted: AdmittedRequest[Model, ItemEncoding], context: RequestContext, *, accepted: bool = False
    ) -> tuple[AdmittedRequest[Model, ItemEncoding], Done[Any]]:
        """Run the rows of a request, or further rows of one that was ``accepted`` before; return the request as it was
        answered, and the rows' outcome. They are withdrawn if the caller disconnects."""
        scheduler = admitted.served.scheduler
        job = scheduler.enqueue(
            admitted.rows, deadline=admitted.deadline, priority=admitted.priority, accepted=accepted
        )
        connection = context.connection
        if connection is None:
            with watching_for_disconnect(context.receive, lambda: scheduler.withdraw(job)):
                return admitted, await job.done
        connection.watch(lambda: scheduler.withdraw(job))
        try:
            return admitted, await job.done
        finally:
            connection.on_left = None

    async def admit(self, data: Data, context: RequestContext) -> AdmittedRequest[Model, ItemEncoding]:
        """Check a request and encode its items. Raises the errors that refuse it."""
        services, headers = self.services, context.headers
        priority = priority_of(headers) if PRIORITY in headers else Priority.INTERACTIVE
        default_ms = services.settings.default_timeout_ms
        timeout = timeout_of(headers, default_timeout_ms=default_ms) if TIMEOUT in headers else default_ms / 1000
        deadline = context.started_at + timeout
        served = self.find(data)
        context.model = served.name
        items = self.read(data, services.settings)
        length = sum([item.length for item in items])
        if length > WORTH_A_CHECK or services.access is not None:  # requests that would be refused are not counted
            tokens = self.estimated_cost(data, items, served)
            served.scheduler.check(deadline=deadline, tokens=tokens, priority=priority)
        work = self.work(data, length)
        if work > LONG_TEXT:
            services.side_thread.check(work)
        if services.access is not None:
            services.access.take(context, len(items))
        began_at = time.monotonic()
        if work <= LONG_TEXT:
            encoded, refused = self._encode_all(items, data, served.predictor, deadline)
        else:
            encoded, refused = await services.side_thread(
                work, self._encode_all, items, data, served.predictor, deadline
            )
        if context.trace is not NO_TRACE:
            context.trace.add("encode", since=began_at, until=time.monotonic())
        return AdmittedRequest(
            served=served,
            items=encoded,
            refused={place: _refusal_of(error) for place, error in refused.items()},
            deadline=deadline,
            priority=priority,
            length=length - sum([items[place].length for place in refused]),
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
            named = [FieldError(path=items[place].path, message=error.detail) for place, error in refused.items()]
            raise type(next(iter(refused.values()))).of(named)
        return encoded, refused

    def _write(self, data: Data, admitted: AdmittedRequest[Model, ItemEncoding], answers: Sequence[Any]) -> WholeAnswer:
        results = self.decode(admitted.served.predictor, data, admitted.items, answers)
        for place, refusal in admitted.refused.items():  # in order
            results.insert(place, self.refuse(refusal, data))
        return self.write(data, admitted.served.name, results)


def _refusal_of(error: InvalidRequestError) -> Refusal:
    return Refusal(reason="no_words" if isinstance(error, NoWordsError) else "input_too_long", detail=error.detail)
