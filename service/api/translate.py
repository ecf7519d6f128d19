"""POST /translate: sentences of a text into another language, at once or one by one as they are finished."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any, cast

import msgspec
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody
from litestar.response import Stream

from service.api.catalogue import Served
from service.api.desk import Admitted, Desk, note
from service.api.exchange import exchange_of
from service.api.inputs import Item, Limits, read_texts
from service.api.problems import PROBLEMS, problem_of
from service.api.schemas import DoneEvent, TranslateRequest, TranslateResponse
from service.api.translations import TranslatedItem, sentence_event, translate_results
from service.api.written import WrittenJson
from service.errors import CallerLeftError, FieldError, InvalidRequestError
from service.predictors.translation import Pair, Wish
from service.predictors.translator import Translator
from service.scheduling.decoder import Decoder
from service.scheduling.job import Done, Job
from service.scheduling.search import Hypotheses, Search
from service.text.paragraphs import cut

ServedTranslator = Served[Translator, Search, Hypotheses]
AdmittedTexts = Admitted[Translator, TranslatedItem, Search, Hypotheses]
Finished = asyncio.Queue[tuple[int, Hypotheses] | None]  # None at the end
EVENT_STREAM = "text/event-stream"
ANSWER = ResponseSpec(
    TranslateResponse,
    description=f"One result per text, in order; with stream, {EVENT_STREAM}: an event per sentence",
    generate_examples=False,
)


class TranslateDesk(Desk[TranslateRequest, Translator, TranslatedItem, Search, Hypotheses]):
    """A row a sentence that has words."""

    task = "translate"

    def find(self, data: TranslateRequest) -> ServedTranslator:
        """The model for the pair: the named one, or the first of those that serve it, the default before the others.
        Raises InvalidRequestError if there is none."""
        candidates = self.means.catalogue.candidates(self.task, data.model)
        pair = Pair(data.source, data.target)
        served = next((each for each in candidates if pair in each.predictor.pairs), None)
        if served is None:
            raise _unknown_pair(pair, [known for each in candidates for known in each.predictor.pairs])
        _check_at_most(data.max_length, served.predictor.max_target_tokens, "max_length", "this model's limit")
        return served

    def weigh(self, data: TranslateRequest) -> float:
        return data.beam_size

    def read(self, data: TranslateRequest, limits: Limits) -> list[Item]:
        _check_at_most(data.num_hypotheses, data.beam_size, "num_hypotheses", "beam_size")
        return read_texts(data.text, limits)

    def encode(self, item: Item, data: TranslateRequest, model: Translator) -> TranslatedItem:
        passage, wish = cut(item.text), _wish(data)
        return TranslatedItem.of(passage, [model.encode(each, wish) for each in passage.sentences], data.offset_unit)

    def respond(
        self,
        served: ServedTranslator,
        data: TranslateRequest,
        items: Sequence[TranslatedItem],
        answers: Sequence[Hypotheses],
    ) -> TranslateResponse:
        return TranslateResponse(served.name, translate_results(items, answers, served.predictor))

    async def stream(self, data: TranslateRequest, request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
        """Events. What is refused at the door is refused here, before the first one."""
        admitted = await self.admit(data, request)
        finished: Finished = asyncio.Queue()
        decoder = cast("Decoder", admitted.served.scheduler)
        job = decoder.enqueue(
            admitted.rows,
            deadline=admitted.deadline,
            priority=admitted.priority,
            tell=lambda place, answer: finished.put_nowait((place, answer)),
        )
        admitted.served.density.learn(length=admitted.length, cost=job.cost / admitted.weight)
        job.done.add_done_callback(partial(_end, finished))
        return sentence_events(admitted, job, finished, request)


@post(
    "/translate",
    status_code=200,
    summary="Text in another language",
    responses={200: ANSWER, **PROBLEMS},
)
async def translate(
    data: JSONBody[TranslateRequest], request: Request[Any, Any, Any], translate_desk: NamedDependency[TranslateDesk]
) -> Response[Any]:
    """Split text into sentences, translate them, and join them again with its line breaks kept."""
    if data.stream:
        return Stream(await translate_desk.stream(data, request), media_type=EVENT_STREAM, headers=_UNBUFFERED)
    return WrittenJson(await translate_desk.answer(data, request))


_UNBUFFERED = {"x-accel-buffering": "no"}  # proxies pass events on as they come


async def sentence_events(
    admitted: AdmittedTexts,
    job: Job[Hypotheses],
    finished: Finished,
    request: Request[Any, Any, Any],
) -> AsyncIterator[bytes]:
    """Ends the job if the caller leaves, which cancels this."""
    try:
        for place in _places(admitted.items, searched=False):
            yield _sentence(admitted, place, ())
        places = list(_places(admitted.items, searched=True))
        while (told := await finished.get()) is not None:
            yield _sentence(admitted, places[told[0]], told[1])
        note(exchange_of(request), admitted, job.done.result())
        yield _event("done", DoneEvent(admitted.served.name))
    except Exception as error:  # the status is sent: all that can be done is to say it
        yield _event("error", problem_of(request, error))
    finally:
        if not job.done.done():
            exchange_of(request).kind = CallerLeftError.kind
            admitted.served.scheduler.withdraw(job)


def _end(finished: Finished, done: asyncio.Future[Done[Hypotheses]]) -> None:
    """Nothing more will come. A failure counts as seen, whether or not anybody still reads the stream."""
    if not done.cancelled():
        done.exception()
    finished.put_nowait(None)


def _wish(data: TranslateRequest) -> Wish:
    return Wish(
        pair=Pair(data.source, data.target),
        beam_size=data.beam_size,
        num_hypotheses=data.num_hypotheses,
        length_penalty=data.length_penalty,
        max_length=data.max_length,
        attention=data.attention,
        truncate=data.truncate,
    )


def _places(items: Sequence[TranslatedItem], *, searched: bool) -> list[tuple[int, int]]:
    """Item and sentence of those that are searched, or of the others."""
    return [
        (number, sentence)
        for number, item in enumerate(items)
        for sentence, source in enumerate(item.sources)
        if (source.search is not None) is searched
    ]


def _sentence(admitted: AdmittedTexts, place: tuple[int, int], hypotheses: Hypotheses) -> bytes:
    source = admitted.items[place[0]].sources[place[1]]
    translations = admitted.served.predictor.decode(source, hypotheses)
    return _event("sentence", sentence_event(admitted.items, place, translations))


def _event(name: str, data: msgspec.Struct) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))


def _unknown_pair(pair: Pair, known: Sequence[Pair]) -> InvalidRequestError:
    path = "target" if pair.source in {each.source for each in known} else "source"
    pairs = ", ".join(sorted({str(each) for each in known}))
    message = f"nothing here translates from {pair.source!r} to {pair.target!r}; known pairs: {pairs}"
    return InvalidRequestError(f"{path}: {message}", errors=[FieldError(path=path, message=message)])


def _check_at_most(value: int | None, most: int, path: str, limit: str) -> None:
    if value is not None and value > most:
        message = f"is {value}, more than {limit} of {most}"
        raise InvalidRequestError(f"{path} {message}", errors=[FieldError(path=path, message=message)])
