"""Calls of the API without input and output: requests, retries, deadlines and batches.

A call is a generator that yields what is to be done, :class:`Send` or :class:`Wait`, and is sent what came of it. So
everything is written once, and :mod:`ribbon.client` has a loop that does it and one that awaits it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import httpx
import msgspec

from ribbon.answers import Answer, Classification, Doc, FieldProblem, ModelInfo, Models, Problem, Translation
from ribbon.errors import DeadlineExceededError, InvalidRequestError, RibbonError, UnreachableError, error_of
from ribbon.language_answers import Generation, Score
from ribbon.retries import Retries, seconds_of

Result = TypeVar("Result")
Value = TypeVar("Value")

TIMEOUT_HEADER, PRIORITY_HEADER = "X-Request-Timeout-Ms", "X-Priority"
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 120.0  # without a byte of the answer, where there is no deadline
GRACE_SECONDS = 1.0  # for the service to say itself that the deadline has passed
MAX_QUOTED = 200  # characters of an answer that is no problem document
_ITEM = re.compile(r"^(text|prompt)\[(\d+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Request to be sent; the answer, or the error of the connection, is sent to the generator."""

    method: str
    path: str
    content: bytes | None = None
    headers: Mapping[str, str]
    timeout: httpx.Timeout
    is_streamed: bool = False  # whether the caller reads the body of a good answer itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Time to let pass."""

    seconds: float


Outcome = httpx.Response | httpx.TransportError | None
Steps = Generator[Send | Wait, Outcome, Value]


@dataclass(frozen=True, slots=True)
class Task(Generic[Result]):
    """A route, the field that holds its texts, and the type of its results."""

    path: str
    answer: type[Answer[Result]]
    field: str = "text"

    def results_of(self, content: bytes) -> list[Result]:
        """Decode an answer. Raises UnreachableError if it is not one."""
        try:
            return msgspec.json.decode(content, type=self.answer).results
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UnreachableError(f"{self.path}: not an answer of this API ({error})") from error


TAG = Task("/tag", Answer[Doc])
TAG_TOKENS = Task("/tag", Answer[Doc], "tokens")
CLASSIFY = Task("/classify", Answer[Classification])
TRANSLATE = Task("/translate", Answer[Translation])
GENERATE = Task("/generate", Answer[Generation], "prompt")
SCORE = Task("/score", Answer[Score])


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Most texts of one request, and most characters of them all."""

    max_items: int
    max_characters: int

    @classmethod
    def of(cls, models: Sequence[ModelInfo], batch_size: int | None) -> BatchLimits:
        """Return the service's limits, with fewer texts if it is said how many. Without a model there is nothing to
        ask: one text a request."""
        limits = models[0].limits if models else {}
        max_items = limits.get("max_items", 1)
        return cls(min(batch_size or max_items, max_items), limits.get("max_request_length", 1))


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts of one request, and how many came before them."""

    texts: Sequence[str]
    offset: int


def batches_of(texts: Iterable[str], limits: BatchLimits) -> Iterator[Batch]:
    """Cut texts into batches, reading no further than the one that is yielded and the text after it."""
    batch, length, offset = list[str](), 0, 0
    for text in texts:
        if batch and (len(batch) == limits.max_items or length + len(text) > limits.max_characters):
            yield Batch(batch, offset)
            offset += len(batch)
            batch, length = [], 0
        batch.append(text)
        length += len(text)
        if len(batch) == limits.max_items:  # a text that is there must not wait for the next one
            yield Batch(batch, offset)
            offset += len(batch)
            batch, length = [], 0
    if batch:
        yield Batch(batch, offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Calls of one client; every method returns a generator of steps."""

    retries: Retries
    deadline_seconds: float | None = None

    def models(self) -> Steps[list[ModelInfo]]:
        """Ask which models are served."""
        response = yield from self._ask("GET", "/models", None, {})
        return msgspec.json.decode(response.content, type=Models).models

    def one(self, task: Task[Result], text: str | Sequence[str], options: Mapping[str, Any]) -> Steps[Result]:
        """Ask for the result of one text, or of one sentence's tokens."""
        value = [text] if task.field == "tokens" else _one_text(text)
        response = yield from self._ask("POST", task.path, {task.field: value}, options)
        (result,) = task.results_of(response.content)
        return result

    def batch(self, task: Task[Result], batch: Batch, options: Mapping[str, Any]) -> Steps[list[Result]]:
        """Ask for the results of several texts."""
        try:
            response = yield from self._ask("POST", task.path, {task.field: batch.texts}, options)
        except InvalidRequestError as error:
            raise error_of(_renumbered(error.problem, batch.offset)) from error
        return task.results_of(response.content)

    def stream(self, task: Task[Any], texts: str | Sequence[str], options: Mapping[str, Any]) -> Steps[httpx.Response]:
        """Ask for a stream of events; the response's body is not read."""
        body = {task.field: texts if isinstance(texts, str) else list(texts), "stream": True}
        return (yield from self._ask("POST", task.path, body, options, is_streamed=True))

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        options: Mapping[str, Any],
        *,
        is_streamed: bool = False,
    ) -> Steps[httpx.Response]:
        """Send a request until there is a good answer. Raises RibbonError."""
        fields = dict(options)
        deadline_seconds: float | None = fields.pop("deadline_seconds", self.deadline_seconds)
        priority: str | None = fields.pop("priority", None)
        send = Send(
            method=method,
            path=path,
            content=None if body is None else msgspec.json.encode({**body, **fields}),
            headers={"content-type": "application/json"} | ({PRIORITY_HEADER: priority} if priority else {}),
            timeout=httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS),
            is_streamed=is_streamed,
        )
        ends_at = None if deadline_seconds is None else time.monotonic() + deadline_seconds
        retry = 0
        while True:
            response = yield send if ends_at is None else _due(send, ends_at - time.monotonic())
            if isinstance(response, httpx.Response) and response.is_success:
                return response
            error = _error_of(response, deadline_seconds)
            retry += 1
            seconds = self.retries.wait_before(retry, error)
            if seconds is None or (ends_at is not None and time.monotonic() + seconds >= ends_at):
                raise error
            yield Wait(seconds=seconds)


def _one_text(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(f"one text is a str, not {type(text).__name__}; the methods that end in _all take several")
    return text


def _due(send: Send, seconds: float) -> Send:
    """Return a request with what is left of its deadline."""
    seconds = max(seconds, 0.001)
    return replace(
        send,
        headers={**send.headers, TIMEOUT_HEADER: f"{1000 * seconds:.3f}"},
        timeout=httpx.Timeout(seconds + GRACE_SECONDS, connect=min(seconds, CONNECT_SECONDS)),
    )


def _error_of(outcome: Outcome, deadline_seconds: float | None) -> RibbonError:
    """Return the error of a request that failed."""
    if isinstance(outcome, httpx.Response):
        return error_of(_problem_of(outcome), retry_after_seconds=seconds_of(outcome.headers.get("retry-after")))
    if isinstance(outcome, httpx.ReadTimeout) and deadline_seconds is not None:
        return DeadlineExceededError(
            Problem(
                type="urn:ribbon:problem:deadline_exceeded",
                title="Deadline exceeded",
                status=504,
                detail=f"no answer within {deadline_seconds:g} seconds",
                kind="deadline_exceeded",
                request_id="",
            )
        )
    where = f"{outcome.request.url}: " if outcome is not None else ""
    return UnreachableError(f"{where}no answer ({str(outcome) or type(outcome).__name__})")


def _problem_of(response: httpx.Response) -> Problem:
    """Return the problem document of an answer, or one about an answer that has none, such as a proxy's page."""
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Problem(
            type="about:blank",
            title=response.reason_phrase,
            status=response.status_code,
            detail=response.text[:MAX_QUOTED].strip() or response.reason_phrase,
            kind="no_problem_document",
            request_id=response.headers.get("x-request-id", ""),
        )


def _renumbered(problem: Problem, offset: int) -> Problem:
    """Return a problem whose items are counted from the first text of all batches."""

    def renumber(text: str) -> str:
        return _ITEM.sub(lambda found: f"{found[1]}[{int(found[2]) + offset}]", text)

    errors = [FieldProblem(renumber(each.path), each.message) for each in problem.errors or ()]
    return msgspec.structs.replace(problem, detail=renumber(problem.detail), errors=errors or None)
