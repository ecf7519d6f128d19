"""POST /translate: sentences of a text into another language, all at once or streamed one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, ParamSpec, TypeVar, cast

from service.api.answers import EVENT_STREAM, error_event, event, event_stream, refused_events
from service.api.context import RequestContext
from service.api.endpoint import AdmittedRequest, Refusal, TaskAnswer, TaskEndpoint
from service.api.schemas import DoneEvent, TranslateRequest, TranslateResponse, TranslateResult
from service.api.side_thread import SideThread
from service.api.translations import TranslatedItem, sentence_event, translate_result, with_sources
from service.api.validation import InputItem, check_at_most, read_texts
from service.decoding.decoder import Decoder
from service.decoding.search import Hypotheses
from service.errors import CallerLeftError, CapacityError, InvalidRequestError, ModelFailedError
from service.models.registry import ServedModel
from service.predictors.translation import EncodedSentence, LanguagePair, TranslateOptions, match_language
from service.predictors.translator import Translator
from service.scheduling.job import Done, Job
from service.settings import Settings
from service.text.markup.documents import cut_format

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


class SentenceStream:
    """The sentences of one request on their way through the decoder.

    A sentence whose translation has faults is searched once more in smaller parts. If there is no time for that, or it
    fails, the first result is sent and says so.
    """

    def __init__(self, admitted: AdmittedTexts, side_thread: SideThread) -> None:
        """Queue the sentences of a request. Raises OverloadedError or DeadlineExceededError."""
        self.admitted, self.side_thread = admitted, side_thread
        self._ended = asyncio.Queue[tuple[_Pending, BaseException | None]]()  # answered, or failed with the error
        self._jobs: list[Job[Hypotheses]] = []
        pending = [each for each in self._all_sentences() if each.source.searches]
        self._enqueue(pending)
        self.num_open = len(pending)  # sentences that are not finished

    async def events(self, context: RequestContext) -> AsyncIterator[bytes]:
        """Yield the events, and withdraw the jobs if the caller disconnects, which cancels this generator."""
        try:
            for each in refused_events(self.admitted.refused):
                yield each
            for sentence in self._all_sentences():
                if not sentence.source.searches:  # it has no word to translate
                    yield self._sentence(sentence, sentence.source)
            while self.num_open:
                if (finished := await self._finished(*await self._ended.get())) is not None:
                    self.num_open -= 1
                    yield finished
            self._record(context)
            yield event("done", DoneEvent(self.admitted.served.name))
        except Exception as error:
            yield error_event(error, context)
        finally:
            for job in self._jobs:
                if not job.done.done():
                    context.kind = CallerLeftError.kind
                    self.admitted.served.scheduler.withdraw(job)

    def _enqueue(self, pending: Sequence[_Pending], *, accepted: bool = False) -> None:
        """Queue these sentences' searches. Raises OverloadedError or DeadlineExceededError."""
        rows = [(each, number) for each in pending for number in range(len(each.source.searches))]

        def on_finished(row: int, hypotheses: Hypotheses) -> None:
            sentence, search = rows[row]
            sentence.answers[search] = hypotheses
            if None not in sentence.answers:
                self._ended.put_nowait((sentence, None))

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

    def _end(self, pending: Sequence[_Pending], done: asyncio.Future[Done[Hypotheses]]) -> None:
        """Pass on a job's failure, which then counts as seen, whether or not the stream is still read."""
        error = None if done.cancelled() else done.exception()
        for each in pending if error is not None else ():
            self._ended.put_nowait((each, error))

    async def _finished(self, pending: _Pending, error: BaseException | None) -> bytes | None:
        """Return the event of a sentence that is finished now, or None if it is searched once more. Raises the error
        of a first search."""
        translator = self.admitted.served.predictor
        if error is not None:
            if pending.first is None or isinstance(error, CallerLeftError):
                raise error
            return await self._degraded(pending, pending.first)
        answers = [each for each in pending.answers if each is not None]
        source = await self._on_side_thread(pending, translator.sentence_decoder.answered, pending.source, answers)
        if pending.first is not None:
            source = await self._on_side_thread(pending, translator.sentence_decoder.better, pending.first, source)
        elif (second := await self._on_side_thread(pending, translator.halved, source)) is not None:
            try:
                self._enqueue([replace(pending, source=second, first=source)], accepted=True)
            except CapacityError:
                return await self._degraded(pending, source)
            return None
        return await self._on_side_thread(pending, self._sentence, pending, source)

    async def _on_side_thread(
        self, pending: _Pending, function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """Return ``function(*args)``, computed beside the event loop if the sentence is long."""
        return await self.side_thread(work_of(self.admitted, len(pending.source.text)), function, *args, **kwargs)

    async def _degraded(self, pending: _Pending, first: EncodedSentence) -> bytes:
        """Return the event of a sentence whose second search could not be made."""
        return await self._on_side_thread(pending, self._sentence, pending, replace(first, degraded=True))

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


MAX_WEIGHTS = 2**19  # of attention in all sentences of a request: some 4 MB of JSON


class TranslateEndpoint(TaskEndpoint[TranslateRequest, Translator, TranslatedItem]):
    """Endpoint of translators: one row per sentence that has words."""

    task = "translate"
    path = "/translate"
    summary = "Text in another language"
    description = "Split text into sentences, translate them, and join them again with its line breaks kept."
    request: ClassVar[type[Any]] = TranslateRequest
    response: ClassVar[type[Any]] = TranslateResponse
    answer_description = f"One result per text, in order; with stream, {EVENT_STREAM}: an event per sentence"
    effort = EFFORT

    def find(self, data: TranslateRequest) -> ServedTranslator:
        """Return the model for the language pair: the named one, or the first that serves the pair, the default before
        others. Raises InvalidRequestError if there is none."""
        candidates = self.services.registry.candidates(self.task, data.model)
        served = next((each for each in candidates if each.predictor.pair_for(data.source, data.target)), None)
        if served is None:
            raise _unknown_pair(data, [known for each in candidates for known in each.predictor.pairs])
        check_at_most(data.max_length, served.predictor.max_target_tokens, "max_length", "this model's limit")
        return served

    def cost_factor(self, data: TranslateRequest) -> float:
        return data.beam_size

    def read(self, data: TranslateRequest, limits: Settings) -> list[InputItem]:
        check_at_most(data.num_hypotheses, data.beam_size, "num_hypotheses", "beam_size")
        return read_texts(data.text, limits)

    async def admit(self, data: TranslateRequest, context: RequestContext) -> AdmittedTexts:
        """Check a request and encode its items. Raises the errors that refuse it."""
        admitted = replace(await super().admit(data, context), cost_factor=self.cost_factor(data))
        if data.attention:
            _check_weights(admitted.items)
        return admitted

    def encode(self, item: InputItem, data: TranslateRequest, model: Translator) -> TranslatedItem:
        passage, options = cut_format(item.text, data.format), _options_of(data, model)
        return TranslatedItem.of(passage, [model.encode(each, options) for each in passage.sentences], data.offset_unit)

    async def run(
        self, admitted: AdmittedTexts, context: RequestContext, *, accepted: bool = False
    ) -> tuple[AdmittedTexts, Done[Hypotheses]]:
        """Search all sentences, and search faulty translations once more in smaller parts. If there is no time for
        that, or it fails, the first results are answered and say so."""
        translator, side_thread = admitted.served.predictor, self.services.side_thread
        work = work_of(admitted, admitted.length)
        _, done = await super().run(admitted, context)
        sources = [source for item in admitted.items for source in item.sources]
        found = await side_thread(work, translator.answered_all, sources, done.answers)
        halved = await side_thread(work, translator.halved_all, found)
        again = [halved.get(place, source) for place, source in enumerate(found)]
        second = replace(admitted, items=with_sources(admitted.items, again))
        if second.rows:
            try:
                _, more = await super().run(second, context, accepted=True)
            except (CapacityError, ModelFailedError):
                found = [replace(each, degraded=place in halved) for place, each in enumerate(found)]
            else:
                found = await side_thread(work, translator.better_all, found, halved, more.answers)
                done = done.joined(more)
        return replace(admitted, items=with_sources(admitted.items, found)), done

    def decode(
        self, model: Translator, data: TranslateRequest, items: Sequence[TranslatedItem], answers: Sequence[Hypotheses]
    ) -> list[TranslateResult]:
        return [translate_result(item, model) for item in items]

    def refuse(self, refusal: Refusal, data: TranslateRequest) -> TranslateResult:
        return TranslateResult(None, None, [], truncated=False, reason=refusal.reason, detail=refusal.detail)

    async def answer(self, data: TranslateRequest, context: RequestContext) -> TaskAnswer:
        """Answer at once or with a stream of events. Errors that refuse the request come before the first event."""
        if not data.stream:
            return await super().answer(data, context)
        stream = SentenceStream(await self.admit(data, context), self.services.side_thread)
        return event_stream(stream.events(context))


def _check_weights(items: Sequence[TranslatedItem]) -> None:
    """Raise InvalidRequestError if the attention asked for, which grows with a sentence's square, is too much."""
    weights = sum(source.most_weights for item in items for source in item.sources)
    if weights > MAX_WEIGHTS:
        message = (
            f"the answer could have {weights} weights (target tokens x source tokens of each sentence), the limit is "
            f"{MAX_WEIGHTS}: send less text at once or shorter sentences, or limit max_length"
        )
        raise InvalidRequestError.at("attention", message)


def _options_of(data: TranslateRequest, model: Translator) -> TranslateOptions:
    """Make the translation options of a request in a pair that the model serves."""
    return TranslateOptions(
        pair=model.pair_for(data.source, data.target) or LanguagePair(data.source, data.target),
        beam_size=data.beam_size,
        num_hypotheses=data.num_hypotheses,
        length_penalty=data.length_penalty,
        max_length=data.max_length,
        attention=data.attention,
        truncate=data.truncate,
        localize_numbers=data.localize_numbers,
    )


def _unknown_pair(data: TranslateRequest, known: Sequence[LanguagePair]) -> InvalidRequestError:
    path = "target" if match_language(data.source, {each.source for each in known}) else "source"
    pairs = ", ".join(sorted({str(each) for each in known}))
    message = f"nothing here translates from {data.source!r} to {data.target!r}; known pairs: {pairs}"
    return InvalidRequestError.at(path, message)
