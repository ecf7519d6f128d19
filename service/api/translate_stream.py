"""Events of POST /translate with ``stream``: every sentence as soon as it is finished."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ParamSpec, Self, TypeVar, cast

from service.api.answers import error_event, event, refused_events
from service.api.context import RequestContext
from service.api.endpoint import AdmittedRequest
from service.api.schemas import DoneEvent
from service.api.side_thread import SideThread
from service.api.translations import TranslatedItem, sentence_event
from service.decoding.decoder import Decoder
from service.decoding.search import Hypotheses
from service.errors import CallerLeftError, CapacityError
from service.models.registry import ServedModel
from service.predictors.translation import EncodedSentence
from service.predictors.translator import Translator
from service.scheduling.job import Done, Job

ServedTranslator = ServedModel[Translator]
AdmittedTexts = AdmittedRequest[Translator, TranslatedItem]
EFFORT = 4  # of cutting, encoding or restoring a character, beside tagging it

Given = ParamSpec("Given")
Result = TypeVar("Result")


def work_of(admitted: AdmittedTexts, length: int) -> int:
    """Return the work of making translations from hypotheses of so many characters, in characters that are tagged in
    the same time. Each hypothesis of a beam may have to be restored."""
    return int(EFFORT * admitted.cost_factor * length)


@dataclass(slots=True, kw_only=True, eq=False)
class _Pending:
    """A sentence that is being searched."""

    item: TranslatedItem
    place: int  # of the item in the request
    sentence: int
    source: EncodedSentence
    first: EncodedSentence | None = None  # what was found first, if this is the second search
    answers: list[Hypotheses | None] = field(init=False)

    def __post_init__(self) -> None:
        self.answers = [None] * len(self.source.searches)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    """Result of one search of a sentence."""

    pending: _Pending
    search: int
    hypotheses: Hypotheses


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Failed:
    """Failure of these sentences' searches."""

    pending: Sequence[_Pending]
    error: BaseException


@dataclass(slots=True, kw_only=True, eq=False)
class SentenceStream:
    """The sentences of one request on their way through the decoder.

    A sentence whose translation has faults is searched once more in smaller parts. If there is no time for that, or it
    fails, the first result is sent and says so.
    """

    admitted: AdmittedTexts
    side_thread: SideThread
    num_open: int = 0  # sentences that are not finished
    _ended: asyncio.Queue[_Found | _Failed] = field(default_factory=asyncio.Queue)
    _jobs: list[Job[Hypotheses]] = field(default_factory=list)

    @classmethod
    def start(cls, admitted: AdmittedTexts, side_thread: SideThread) -> Self:
        """Queue the sentences of a request. Raises OverloadedError or DeadlineExceededError."""
        stream = cls(admitted=admitted, side_thread=side_thread)
        pending = [each for each in stream._all_sentences() if each.source.searches]
        stream._enqueue(pending)
        stream.num_open = len(pending)
        return stream

    async def events(self, context: RequestContext) -> AsyncIterator[bytes]:
        """Yield the events, and withdraw the jobs if the caller disconnects, which cancels this generator."""
        try:
            for each in refused_events(self.admitted.refused):
                yield each
            for sentence in self._all_sentences():
                if not sentence.source.searches:  # it has no word to translate
                    yield self._sentence(sentence, sentence.source)
            while self.num_open:
                async for each in self._finished(await self._ended.get()):
                    self.num_open -= 1
                    yield each
            self._record(context)
            yield event("done", DoneEvent(self.admitted.served.name))
        except Exception as error:
            yield error_event(error, context)
        finally:
            for job in self._jobs:
                if not job.done.done():
                    context.kind = CallerLeftError.kind
                    self.admitted.served.scheduler.withdraw(job)

    def _enqueue(self, pending: Sequence[_Pending], *, accepted: bool = False) -> Job[Hypotheses]:
        """Queue these sentences' searches. Raises OverloadedError or DeadlineExceededError."""
        rows = [(each, number) for each in pending for number in range(len(each.source.searches))]

        def on_finished(row: int, hypotheses: Hypotheses) -> None:
            sentence, search = rows[row]
            self._ended.put_nowait(_Found(pending=sentence, search=search, hypotheses=hypotheses))

        decoder = cast("Decoder", self.admitted.served.scheduler)
        job = decoder.enqueue(
            [search for each in pending for search in each.source.searches],
            deadline=self.admitted.deadline,
            priority=self.admitted.priority,
            accepted=accepted,
            on_finished=on_finished,
        )
        job.done.add_done_callback(partial(self._end, pending))
        self._jobs.append(job)
        return job

    def _end(self, pending: Sequence[_Pending], done: asyncio.Future[Done[Hypotheses]]) -> None:
        """Pass on a job's failure, which then counts as seen, whether or not the stream is still read."""
        error = None if done.cancelled() else done.exception()
        if error is not None:
            self._ended.put_nowait(_Failed(pending=pending, error=error))

    async def _finished(self, ended: _Found | _Failed) -> AsyncIterator[bytes]:
        """Yield the events of sentences that are finished now. Raises what the first searches of a sentence raised."""
        if isinstance(ended, _Failed):
            for pending in ended.pending:
                if pending.first is None or isinstance(ended.error, CallerLeftError):
                    raise ended.error
                yield await self._degraded(pending, pending.first)
            return
        pending, translator = ended.pending, self.admitted.served.predictor
        pending.answers[ended.search] = ended.hypotheses
        answers = [each for each in pending.answers if each is not None]
        if len(answers) == len(pending.answers):
            source = await self._on_side_thread(pending, translator.sentence_decoder.answered, pending.source, answers)
            if pending.first is not None:
                source = await self._on_side_thread(pending, translator.sentence_decoder.better, pending.first, source)
            elif (second := await self._on_side_thread(pending, translator.halved, source)) is not None:
                if not self._is_searched_again(pending, source, second):
                    yield await self._degraded(pending, source)
                return
            yield await self._on_side_thread(pending, self._sentence, pending, source)

    async def _on_side_thread(
        self, pending: _Pending, function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """Return ``function(*args)``, computed beside the event loop if the sentence is long."""
        return await self.side_thread(work_of(self.admitted, len(pending.source.text)), function, *args, **kwargs)

    async def _degraded(self, pending: _Pending, first: EncodedSentence) -> bytes:
        """Return the event of a sentence whose second search could not be made."""
        return await self._on_side_thread(pending, self._sentence, pending, replace(first, degraded=True))

    def _is_searched_again(self, pending: _Pending, first: EncodedSentence, second: EncodedSentence) -> bool:
        """Search the sentence in smaller parts if there is time; whether it is searched again."""
        try:
            self._enqueue([replace(pending, source=second, first=first)], accepted=True)
        except CapacityError:
            return False
        return True

    def _all_sentences(self) -> Iterator[_Pending]:
        for place, item in zip(self.admitted.places, self.admitted.items, strict=True):
            for sentence, source in enumerate(item.sources):
                yield _Pending(item=item, place=place, sentence=sentence, source=source)

    def _sentence(self, pending: _Pending, source: EncodedSentence) -> bytes:
        item, sentence = pending.item, pending.sentence
        translations = item.decode(self.admitted.served.predictor, sentence, source)
        return event("sentence", sentence_event(item, source, translations, number=pending.place, sentence=sentence))

    def _record(self, context: RequestContext) -> None:
        """Record the outcome of all searches, except those that failed."""
        done = self._jobs[0].done.result()
        for job in self._jobs[1:]:
            if job.done.done() and job.done.exception() is None:
                done = done.joined(job.done.result())
        self.admitted.record(context, done)
