"""Rows back to texts: sentences, tokens and entities with offsets in the unit that was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import numpy.typing as npt
from msgspec import UNSET

from service.api.schemas import EntityAnswer, SentenceAnswer, TagResult, TokenAnswer
from service.predictors.tagger import TaggedRow
from service.text.offsets import OffsetUnit, offset_table
from service.text.pipeline import Encoding
from service.text.sentence import Sentence

Table = npt.NDArray[np.int64] | None
SCORE_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What of a row the caller wants to see, and how offsets are counted."""

    pos: bool
    ner: bool
    unit: OffsetUnit
    truncated: bool = False  # whether to say if an item was cut


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncodedItem:
    """A text and its sentences, each with its row for the network."""

    text: str
    encodings: Sequence[Encoding]
    truncated: bool = False


def tag_results(items: Sequence[EncodedItem], rows: Sequence[TaggedRow], view: View) -> list[TagResult]:
    """``rows`` are those of all items' encodings, in order."""
    remaining = iter(rows)
    return [_result(item, remaining, view) for item in items]


def _result(item: EncodedItem, rows: Iterator[TaggedRow], view: View) -> TagResult:
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
