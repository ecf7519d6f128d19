"""Rows back to texts: sentences, tokens and entities with offsets in the unit that was asked for; classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import numpy.typing as npt
from msgspec import UNSET

from service.api.schemas import ClassifyResult, EntityAnswer, SentenceAnswer, TagResult, TokenAnswer
from service.predictors.classifier import ClassifiedRow, TextEncoding
from service.predictors.tagger import TaggedRow
from service.text.batch import Ids
from service.text.offsets import OffsetUnit, offset_table
from service.text.pipeline import Encoding
from service.text.sentence import Sentence

Table = npt.NDArray[np.int64] | None
SCORE_DIGITS = 4
PARTS = 1_000_000  # a class's score is told in parts of a million


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What of a row the caller wants to see, and how offsets are counted."""

    pos: bool
    ner: bool
    unit: OffsetUnit
    truncated: bool = False  # whether to say if an item was cut


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaggedItem:
    """A text and its sentences, each with its row for the network."""

    text: str
    encodings: Sequence[Encoding]
    truncated: bool = False

    @property
    def rows(self) -> list[Ids]:
        return [encoding.ids for encoding in self.encodings]

    @property
    def num_tokens(self) -> int:
        return sum(len(encoding.ids) for encoding in self.encodings)


def tag_results(items: Sequence[TaggedItem], rows: Sequence[TaggedRow], view: View) -> list[TagResult]:
    """``rows`` are those of all items' encodings, in order."""
    remaining = iter(rows)
    return [_result(item, remaining, view) for item in items]


def _result(item: TaggedItem, rows: Iterator[TaggedRow], view: View) -> TagResult:
    table = offset_table(item.text, view.unit)
    sentences: list[SentenceAnswer] = []
    entities: list[EntityAnswer] = []
    for encoding, row in zip(item.encodings, rows, strict=False):  # in this order: no row is read for nothing
        starts, ends = _counted(encoding.sentence, table)
        sentences.append(_sentence(encoding.sentence.words, starts, ends, row, view))
        if view.ner and row.spans:
            entities += _entities(item.text, encoding.sentence, starts, ends, row)
    return TagResult(
        sentences,
        entities if view.ner else UNSET,
        item.truncated if view.truncated else UNSET,
        UNSET if sentences else "no_words",
    )


def _counted(sentence: Sentence, table: Table) -> tuple[list[int], list[int]]:
    """The tokens' starts and ends in the caller's unit."""
    if table is None:
        return sentence.starts, sentence.ends
    return table[sentence.starts].tolist(), table[sentence.ends].tolist()


def _sentence(words: Sequence[str], starts: list[int], ends: list[int], row: TaggedRow, view: View) -> SentenceAnswer:
    """Columns zipped by ``map``: at a million tokens a minute, a Python loop over tokens would be felt."""
    absent = repeat(UNSET)
    upos, xpos = (row.upos, row.xpos) if view.pos else (absent, absent)
    entity = row.entity if view.ner else absent
    return SentenceAnswer(starts[0], ends[-1], list(map(TokenAnswer, words, starts, ends, upos, xpos, entity)))


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
    """Its label, or labels, and the scores of all classes."""
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
    """``whole`` in integers as near to these shares of it as can be, the larger never behind the smaller.

    Shares sum to 1, the answer to ``whole`` exactly: what rounding down leaves goes to the largest remainders
    (Hamilton 1792).
    """
    exact = [share * whole for share in shares]
    parts = list(map(int, exact))
    by_remainder = sorted(range(len(parts)), key=lambda i: parts[i] - exact[i])
    for i in by_remainder[: whole - sum(parts)]:
        parts[i] += 1
    return parts
