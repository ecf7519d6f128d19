"""Client of a running service, for plain code; :mod:`ribbon.async_client` has the one for asyncio."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Self, TypeVar, Unpack

import httpx

from ribbon.answers import Classification, Doc, ModelInfo, RefusedEvent, SentenceEvent, Translation
from ribbon.calls import (
    CLASSIFY,
    GENERATE,
    SCORE,
    TAG,
    TAG_TOKENS,
    TRANSLATE,
    BatchLimits,
    Calls,
    Outcome,
    Send,
    Steps,
    Task,
    Wait,
    batches_of,
)
from ribbon.connection import DEFAULT_RETRIES, DEFAULT_URL, address_of, headers_of, request_of, several
from ribbon.errors import UnreachableError
from ribbon.events import GENERATE_EVENTS, TRANSLATE_EVENTS, EventReader
from ribbon.language_answers import Generation, SampleEvent, Score, TokenEvent
from ribbon.options import ClassifyOptions, GenerateOptions, ScoreOptions, TagOptions, TranslateOptions
from ribbon.retries import Retries

Result = TypeVar("Result")
Value = TypeVar("Value")
Event = TypeVar("Event")


class Client:
    """A client of the service at ``url``; ``with Client() as client`` closes its connections.

    ``api_key`` is sent with every request. ``deadline_seconds`` is the time of each request, retries included; without
    one the service's default holds. ``batch_size`` is the most texts of one request, by default as many as the service
    takes. Methods raise RibbonError: see :mod:`ribbon.errors`. Several threads may share a client.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        deadline_seconds: float | None = None,
        retries: Retries = DEFAULT_RETRIES,
        batch_size: int | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(base_url=address_of(url), headers=headers_of(api_key), transport=transport)
        self._calls = Calls(retries=retries, deadline_seconds=deadline_seconds)
        self._batch_size = batch_size
        self._limits: BatchLimits | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def models(self) -> list[ModelInfo]:
        """Return the models that are served, by name and the highest version of each first."""
        return self._run(self._calls.models())

    def tag(self, text: str, **options: Unpack[TagOptions]) -> Doc:
        """Return the sentences, tokens and entities of a text."""
        return self._run(self._calls.one(TAG, text, options))

    def tag_all(self, texts: Iterable[str], **options: Unpack[TagOptions]) -> Iterator[Doc]:
        """Yield the result of each text, in order. Texts are read and sent in batches, however many there are."""
        return self._all(TAG, texts, options)

    def tag_tokens(self, tokens: Sequence[str], **options: Unpack[TagOptions]) -> Doc:
        """Return the tags of a sentence that is tokenised already; offsets index its tokens joined by spaces."""
        return self._run(self._calls.one(TAG_TOKENS, tokens, options))

    def classify(self, text: str, **options: Unpack[ClassifyOptions]) -> Classification:
        """Return the class of a text and the scores of all classes."""
        return self._run(self._calls.one(CLASSIFY, text, options))

    def classify_all(self, texts: Iterable[str], **options: Unpack[ClassifyOptions]) -> Iterator[Classification]:
        """Yield the result of each text, in order."""
        return self._all(CLASSIFY, texts, options)

    def translate(self, text: str, **options: Unpack[TranslateOptions]) -> Translation:
        """Return the translation of a text into the language ``target``."""
        return self._run(self._calls.one(TRANSLATE, text, options))

    def translate_all(self, texts: Iterable[str], **options: Unpack[TranslateOptions]) -> Iterator[Translation]:
        """Yield the result of each text, in order."""
        return self._all(TRANSLATE, texts, options)

    def translate_stream(
        self, text: str | Sequence[str], **options: Unpack[TranslateOptions]
    ) -> Iterator[SentenceEvent | RefusedEvent]:
        """Yield each sentence of a text, or of several, as soon as it is translated. Leaving the loop ends the work."""
        return self._stream(partial(self._calls.stream, TRANSLATE, text, options), TRANSLATE_EVENTS)

    def generate(self, prompt: str, **options: Unpack[GenerateOptions]) -> Generation:
        """Return continuations of a prompt."""
        return self._run(self._calls.one(GENERATE, prompt, options))

    def generate_all(self, prompts: Iterable[str], **options: Unpack[GenerateOptions]) -> Iterator[Generation]:
        """Yield the result of each prompt, in order."""
        return self._all(GENERATE, prompts, options)

    def generate_stream(
        self, prompt: str | Sequence[str], **options: Unpack[GenerateOptions]
    ) -> Iterator[TokenEvent | SampleEvent | RefusedEvent]:
        """Yield each token of a continuation as soon as it is certain. Leaving the loop ends the work."""
        return self._stream(partial(self._calls.stream, GENERATE, prompt, options), GENERATE_EVENTS)

    def score(self, text: str, **options: Unpack[ScoreOptions]) -> Score:
        """Return how likely a text is, or each of ``choices`` for its gap ``___``."""
        return self._run(self._calls.one(SCORE, text, options))

    def score_all(self, texts: Iterable[str], **options: Unpack[ScoreOptions]) -> Iterator[Score]:
        """Yield the result of each text, in order."""
        return self._all(SCORE, texts, options)

    def _run(self, steps: Steps[Value]) -> Value:
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                value: Value = end.value
                return value
            outcome = self._do(step)

    def _do(self, step: Send | Wait) -> Outcome:
        if isinstance(step, Wait):
            time.sleep(step.seconds)
            return None
        try:
            response = self._http.send(request_of(self._http, step), stream=True)
            if not (step.is_streamed and response.is_success):
                response.read()
        except httpx.TransportError as error:
            return error
        return response

    def _all(self, task: Task[Result], texts: Iterable[str], options: Mapping[str, Any]) -> Iterator[Result]:
        if self._limits is None:
            self._limits = BatchLimits.of(self.models(), self._batch_size)
        for batch in batches_of(several(texts), self._limits):
            yield from self._run(self._calls.batch(task, batch, options))

    def _stream(self, ask: Callable[[], Steps[httpx.Response]], types: Mapping[str, type[Event]]) -> Iterator[Event]:
        reader, response = EventReader(types), self._run(ask())
        try:
            for content in response.iter_bytes():
                yield from reader.feed(content)
        except httpx.TransportError as error:
            raise UnreachableError(f"the stream broke off: {error}") from error
        finally:
            response.close()
        reader.check_done()
