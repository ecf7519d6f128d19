"""Results of /tag and /classify: predictors' rows become sentences, tokens, entities and scores, with offsets in the
unit that was asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Self

import msgspec
from litestar.response.streaming import ASGIStreamingResponse
from msgspec import UNSET

from service.api.context import RequestContext
from service.api.endpoint import Refusal
from service.api.problems import write_failure
from service.api.schemas import (
    ClassifyResult,
    EntityAnswer,
    RefusedEvent,
    SentenceAnswer,
    TagRequest,
    TagResult,
    TokenAnswer,
)
from service.predictors.classifier import ClassifiedRow, TextEncoding
from service.predictors.tagger import TaggedRow
from service.text.pipeline import Encoding, Ids
from service.text.spans import offset_table
from service.text.tokenizer import Sentence

EVENT_STREAM = "text/event-stream"
SCORE_DIGITS = 4
PARTS = 1_000_000  # scores of classes and weights of attention are given in millionths


def event_stream(events: AsyncIterator[bytes]) -> ASGIStreamingResponse:
    """Return the answer that sends these events one by one, through proxies too."""
    return ASGIStreamingResponse(iterator=events, media_type=EVENT_STREAM, headers={"x-accel-buffering": "no"})


def event(name: str, data: msgspec.Struct) -> bytes:
    """Return an event of a stream."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))


def error_event(error: Exception, context: RequestContext) -> bytes:
    """Return the event that ends a stream which has begun: its status is sent, so that all that can be done is to say
    it. Any error but a ServiceError is a bug."""
    return b"event: error\ndata: %b\n\n" % write_failure(error, context).body


def refused_events(refused: Mapping[int, Refusal]) -> Iterator[bytes]:
    """Yield the events of a request's items that have no answer, by place."""
    for place, refusal in refused.items():
        yield event("refused", RefusedEvent(place, refusal.reason, refusal.detail))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaggedItem:
    """A text and its sentences, each with its row for the network."""

    text: str
    encodings: Sequence[Encoding]
    rows: Sequence[Ids]  # of the encodings
    num_tokens: int
    truncated: bool = False

    @classmethod
    def of(cls, text: str, encodings: Sequence[Encoding], *, truncated: bool = False) -> Self:
        rows = [encoding.ids for encoding in encodings]
        return cls(text=text, encodings=encodings, rows=rows, num_tokens=sum(map(len, rows)), truncated=truncated)


def tag_results(items: Sequence[TaggedItem], rows: Sequence[TaggedRow], data: TagRequest) -> list[TagResult]:
    """Make one result per item; ``rows`` are the tagged rows of all items' encodings, in order."""
    remaining = iter(rows)
    return [_result(item, remaining, data) for item in items]


def _result(item: TaggedItem, rows: Iterator[TaggedRow], data: TagRequest) -> TagResult:
    pos, ner, unit = "pos" in data.tasks, "ner" in data.tasks, data.offset_unit
    table = None if unit == "codepoint" else offset_table(item.text, unit)
    sentences: list[SentenceAnswer] = []
    entities: list[EntityAnswer] = []
    absent = repeat(UNSET)
    for encoding, row in zip(item.encodings, rows, strict=False):  # in this order: no row is read for nothing
        sentence = encoding.sentence
        starts, ends = sentence.starts, sentence.ends
        if table is not None:  # another unit than code points
            starts, ends = table[starts].tolist(), table[ends].tolist()
        upos, xpos = (row.upos, row.xpos) if pos else (absent, absent)
        # Columns are zipped by ``map``: a Python loop over tokens would be felt at a million tokens a minute.
        columns = (sentence.words, starts, ends, upos, xpos, row.entity if ner else absent)
        sentences.append(SentenceAnswer(starts[0], ends[-1], list(map(TokenAnswer, *columns))))
        if ner and row.spans:
            entities += _entities(item.text, sentence, starts, ends, row)
    return TagResult(
        sentences,
        entities if ner else UNSET,
        item.truncated if data.truncate else UNSET,
        UNSET if sentences else "no_words",
    )


def _entities(
    text: str, sentence: Sentence, starts: list[int], ends: list[int], row: TaggedRow
) -> Iterator[EntityAnswer]:
    for span in row.spans:
        last = span.end - 1
        yield EntityAnswer(
            text=text[sentence.starts[span.start] : sentence.ends[last]],
            label=span.label,
            start=starts[span.start],
            end=ends[last],
            score=round(float(span.score), SCORE_DIGITS),
        )


def classify_result(item: TextEncoding, row: ClassifiedRow) -> ClassifyResult:
    """Make the result of a text: its label or labels, and the scores of all classes."""
    parts = apportion(row.scores, PARTS) if row.chosen is None else [round(PARTS * score) for score in row.scores]
    scores = [part / PARTS for part in parts]
    return ClassifyResult(
        label=row.label,
        score=max(scores),
        scores=dict(zip(row.labels, scores, strict=True)),
        truncated=item.truncated,
        labels=UNSET if row.chosen is None else list(row.chosen),
        group=row.group,
    )


def apportion(shares: Sequence[float], whole: int) -> list[int]:
    """Round shares that sum to 1 to integers that sum to ``whole`` exactly, the larger share never behind the smaller:
    the API promises that scores sum to 1 as they are written.

    What rounding down leaves over goes to the largest remainders (Hamilton 1792).
    """
    exact = [share * whole for share in shares]
    parts = list(map(int, exact))
    by_remainder = sorted(range(len(parts)), key=lambda i: parts[i] - exact[i])
    for i in by_remainder[: whole - sum(parts)]:
        parts[i] += 1
    return parts
