"""POST /tag: parts of speech and entities."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from service.api.answers import EncodedItem, View, tag_results
from service.api.catalogue import Catalogue, ServedTagger
from service.api.departure import watching
from service.api.exchange import deadline_of, exchange_of
from service.api.inputs import Item, Limits, read_items
from service.api.offload import Offload
from service.api.problems import PROBLEMS
from service.api.schemas import ModelName, TagRequest, TagResponse
from service.errors import DeadlineExceededError, FieldError, InputTooLongError
from service.predictors.tagger import TaggedRow, Tagger
from service.scheduling.job import Done
from service.text.tokenizer import join_words, split_sentences

ANSWER = ResponseSpec(TagResponse, description="One result per text, in order", generate_examples=False)
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TagDesk:
    """What answering needs besides the request."""

    catalogue: Catalogue
    limits: Limits
    offload: Offload
    default_timeout_ms: int

    async def answer(self, data: TagRequest, request: Request[Any, Any, Any]) -> bytes:
        """Check, encode, queue, write: in this order, so that only good rows ever wait."""
        exchange = exchange_of(request)
        deadline = deadline_of(request, default_timeout_ms=self.default_timeout_ms)
        served = self.catalogue.tagger(data.model)
        items = read_items(text=data.text, tokens=data.tokens, limits=self.limits)
        served.batcher.check(deadline=deadline)
        length = sum(item.length for item in items)
        encoded = await self.offload(length, encode_items, items, served.tagger, deadline, data.truncate)
        done = await run_rows(served, encoded, deadline=deadline, request=request)
        exchange.items = len(items)
        exchange.queue_seconds, exchange.model_seconds = done.queue_seconds, done.model_seconds
        exchange.tokens = sum(len(encoding.ids) for item in encoded for encoding in item.encodings)
        view = View(
            pos="pos" in data.tasks,
            ner="ner" in data.tasks,
            unit=data.offset_unit,
            truncated=data.truncate,
        )
        return await self.offload(length, write_answer, served.name, encoded, done.answers, view)


@post(
    "/tag",
    status_code=200,
    summary="Parts of speech and entities",
    responses={200: ANSWER, **PROBLEMS},
)
async def tag(
    data: JSONBody[TagRequest], request: Request[Any, Any, Any], tag_desk: NamedDependency[TagDesk]
) -> Response[bytes]:
    """Split text into sentences and tokens and say what each one is."""
    return Response(await tag_desk.answer(data, request), media_type=MediaType.JSON)


async def run_rows(
    served: ServedTagger, items: Sequence[EncodedItem], *, deadline: float, request: Request[Any, Any, Any]
) -> Done[TaggedRow]:
    """Every sentence's answer, in order; given up as soon as the caller leaves."""
    rows = [encoding.ids for item in items for encoding in item.encodings]
    job = served.batcher.enqueue(rows, deadline=deadline)
    with watching(request.receive, lambda: served.batcher.withdraw(job)):
        return await job.done


def encode_items(items: Sequence[Item], tagger: Tagger, deadline: float, truncate: bool = False) -> list[EncodedItem]:
    """Text to rows. Raises InputTooLongError naming the item, and DeadlineExceededError as soon as it has passed:
    long requests wait for their turn here."""
    return [_encode_item(item, tagger, truncate) for item in _until(deadline, items)]


def _until(deadline: float, items: Sequence[Item]) -> Iterator[Item]:
    for item in items:
        if time.monotonic() >= deadline:
            raise DeadlineExceededError("the deadline passed before the work could be queued")
        yield item


def _encode_item(item: Item, tagger: Tagger, truncate: bool) -> EncodedItem:
    if item.tokens is None:
        text, sentences = item.text, split_sentences(item.text)
    elif item.tokens:
        text, sentence = join_words(item.tokens)
        sentences = [sentence]
    else:
        text, sentences = "", []
    kept = [tagger.shorten(sentence) for sentence in sentences] if truncate else sentences
    try:
        encodings = [tagger.encode(sentence) for sentence in kept]
        return EncodedItem(text=text, encodings=encodings, truncated=kept != sentences)
    except InputTooLongError as error:
        problem = FieldError(path=item.path, message=error.detail)
        raise InputTooLongError(f"{item.path}: {error.detail}", errors=[problem]) from error


def write_answer(model: ModelName, items: Sequence[EncodedItem], rows: Sequence[TaggedRow], view: View) -> bytes:
    return _encoder.encode(TagResponse(model, tag_results(items, rows, view)))
