"""POST /translate: sentences of a text into another language, all at once or streamed one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from service.api.answers import EVENT_STREAM, event_stream
from service.api.context import RequestContext
from service.api.endpoint import Refusal, TaskAnswer, TaskEndpoint
from service.api.schemas import TranslateRequest, TranslateResponse, TranslateResult
from service.api.translate_stream import EFFORT, AdmittedTexts, SentenceStream, ServedTranslator, work_of
from service.api.translations import TranslatedItem, translate_result, with_sources
from service.api.validation import InputItem, check_at_most, read_texts
from service.decoding.search import Hypotheses
from service.errors import CapacityError, InvalidRequestError, ModelFailedError
from service.predictors.translation import LanguagePair, TranslateOptions, match_language
from service.predictors.translator import Translator
from service.scheduling.job import Done
from service.settings import Settings
from service.text.markup.documents import cut_format

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
        stream = SentenceStream.start(await self.admit(data, context), self.services.side_thread)
        return event_stream(stream.events(context))


def _check_weights(items: Sequence[TranslatedItem]) -> None:
    """Raise InvalidRequestError if the attention that was asked for would make too large an answer: it grows with the
    square of a sentence's length."""
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
