"""Client of a running service, for asyncio: the calls of :mod:`ribbon.client`, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
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


class AsyncClient:
    """A client like :class:`ribbon.Client` for asyncio: methods are awaited, or read by ``async for``."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        deadline_seconds: float | None = None,
        retries: Retries = DEFAULT_RETRIES,
        batch_size: int | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(base_url=address_of(url), headers=headers_of(api_key), transport=transport)
        self._calls = Calls(retries=retries, deadline_seconds=deadline_seconds)
        self._batch_size = batch_size
        self._limits: BatchLimits | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def models(self) -> list[ModelInfo]:
        """Return the models that are served."""
        return await self._run(self._calls.models())

    async def tag(self, text: str, **options: Unpack[TagOptions]) -> Doc:
        """Return the sentences, tokens and entities of a text."""
        return await self._run(self._calls.one(TAG, text, options))

    def tag_all(self, texts: Iterable[str], **options: Unpack[TagOptions]) -> AsyncIterator[Doc]:
        """Yield the result of each text, in order."""
        return self._all(TAG, texts, options)

    async def tag_tokens(self, tokens: Sequence[str], **options: Unpack[TagOptions]) -> Doc:
        """Return the tags of a sentence that is tokenised already."""
        return await self._run(self._calls.one(TAG_TOKENS, tokens, options))

    async def classify(self, text: str, **options: Unpack[ClassifyOptions]) -> Classification:
        """Return the class of a text and the scores of all classes."""
        return await self._run(self._calls.one(CLASSIFY, text, options))

    def classify_all(self, texts: Iterable[str], **options: Unpack[ClassifyOptions]) -> AsyncIterator[Classification]:
        """Yield the result of each text, in order."""
        return self._all(CLASSIFY, texts, options)

    async def translate(self, text: str, **options: Unpack[TranslateOptions]) -> Translation:
        """Return the translation of a text into the language ``target``."""
        return await self._run(self._calls.one(TRANSLATE, text, options))

    def translate_all(self, texts: Iterable[str], **options: Unpack[TranslateOptions]) -> AsyncIterator[Translation]:
        """Yield the result of each text, in order."""
        return self._all(TRANSLATE, texts, options)

    def translate_stream(
        self, text: str | Sequence[str], **options: Unpack[TranslateOptions]
    ) -> AsyncIterator[SentenceEvent | RefusedEvent]:
        """Yield each sentence of a text, or of several, as soon as it is translated."""
        return self._stream(partial(self._calls.stream, TRANSLATE, text, options), TRANSLATE_EVENTS)

    async def generate(self, prompt: str, **options: Unpack[GenerateOptions]) -> Generation:
        """Return continuations of a prompt."""
        return await self._run(self._calls.one(GENERATE, prompt, options))

    def generate_all(self, prompts: Iterable[str], **options: Unpack[GenerateOptions]) -> AsyncIterator[Generation]:
        """Yield the result of each prompt, in order."""
        return self._all(GENERATE, prompts, options)

    def generate_stream(
        self, prompt: str | Sequence[str], **options: Unpack[GenerateOptions]
    ) -> AsyncIterator[TokenEvent | SampleEvent | RefusedEvent]:
        """Yield each token of a continuation as soon as it is certain."""
        return self._stream(partial(self._calls.stream, GENERATE, prompt, options), GENERATE_EVENTS)

    async def score(self, text: str, **options: Unpack[ScoreOptions]) -> Score:
        """Return how likely a text is, or each of ``choices`` for its gap ``___``."""
        return await self._run(self._calls.one(SCORE, text, options))

    def score_all(self, texts: Iterable[str], **options: Unpack[ScoreOptions]) -> AsyncIterator[Score]:
        """Yield the result of each text, in order."""
        return self._all(SCORE, texts, options)

    async def _run(self, steps: Steps[Value]) -> Value:
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                value: Value = end.value
                return value
            outcome = await self._do(step)

    async def _do(self, step: Send | Wait) -> Outcome:
        if isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
            return None
        try:
            response = await self._http.send(request_of(self._http, step), stream=True)
            if not (step.is_streamed and response.is_success):
                await response.aread()
        except httpx.TransportError as error:
            return error
        return response

    async def _all(self, task: Task[Result], texts: Iterable[str], options: Mapping[str, Any]) -> AsyncIterator[Result]:
        if self._limits is None:
            self._limits = BatchLimits.of(await self.models(), self._batch_size)
        for batch in batches_of(several(texts), self._limits):
            for result in await self._run(self._calls.batch(task, batch, options)):
                yield result

    async def _stream(
        self, ask: Callable[[], Steps[httpx.Response]], types: Mapping[str, type[Event]]
    ) -> AsyncIterator[Event]:
        reader, response = EventReader(types), await self._run(ask())
        try:
            async for content in response.aiter_bytes():
                for event in reader.feed(content):
                    yield event
        except httpx.TransportError as error:
            raise UnreachableError(f"the stream broke off: {error}") from error
        finally:
            await response.aclose()
        reader.check_done()
