"""Hypotheses back to texts: sentences joined as they were cut, what was copied put back, attention that sums to 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from msgspec import UNSET, UnsetType

from service.api.answers import PARTS, SCORE_DIGITS, apportion
from service.api.schemas import (
    AttentionAnswer,
    HypothesisAnswer,
    SentenceEvent,
    SourceSpan,
    TranslatedSentence,
    TranslateResult,
)
from service.predictors.translation import Attention, Source, Translation
from service.predictors.translator import Translator
from service.scheduling.search import Hypotheses, Search
from service.text.offsets import OffsetTable, OffsetUnit, offset_table
from service.text.paragraphs import Passage


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TranslatedItem:
    """A text, its sentences, and where offsets into it stand in the caller's unit."""

    passage: Passage
    sources: Sequence[Source]
    table: OffsetTable | None

    @classmethod
    def of(cls, passage: Passage, sources: Sequence[Source], unit: OffsetUnit) -> TranslatedItem:
        return cls(passage=passage, sources=sources, table=offset_table(passage.text, unit))

    @property
    def rows(self) -> list[Search]:
        return [source.search for source in self.sources if source.search is not None]

    @property
    def num_tokens(self) -> int:
        return sum(len(search.ids) for search in self.rows)

    @property
    def truncated(self) -> bool:
        return any(source.truncated for source in self.sources)

    def place(self, sentence: int) -> SourceSpan:
        span = self.passage.spans[sentence]
        if self.table is None:
            return SourceSpan(span.start, span.end)
        return SourceSpan(int(self.table[span.start]), int(self.table[span.end]))

    def joined(self, translations: Sequence[Translation]) -> HypothesisAnswer:
        """The whole text's translation and, over its sentences, the mean score."""
        text = self.passage.join([each.text for each in translations])
        score = fmean(each.score for each in translations) if translations else 0.0
        return HypothesisAnswer(text, round(score, SCORE_DIGITS))

    def hypotheses(self, translations: Sequence[Translation]) -> list[HypothesisAnswer] | UnsetType:
        """Those of a text of one sentence."""
        return [self.joined([each]) for each in translations] if len(self.sources) == 1 else UNSET


def translate_results(
    items: Sequence[TranslatedItem], answers: Sequence[Hypotheses], translator: Translator
) -> list[TranslateResult]:
    """``answers`` are those of all items' rows, in order."""
    remaining = iter(answers)
    return [_result(item, remaining, translator) for item in items]


def _result(item: TranslatedItem, answers: Iterator[Hypotheses], translator: Translator) -> TranslateResult:
    found = [translator.decode(source, next(answers) if source.search else ()) for source in item.sources]
    best = [translations[0] for translations in found]
    whole = item.joined(best)
    return TranslateResult(
        translation=whole.translation,
        score=whole.score,
        sentences=[_sentence(item, place, each) for place, each in enumerate(best)],
        truncated=item.truncated,
        hypotheses=item.hypotheses(found[0]) if found else UNSET,
    )


def _sentence(item: TranslatedItem, place: int, translation: Translation) -> TranslatedSentence:
    return TranslatedSentence(
        source=item.place(place),
        translation=translation.text,
        score=round(translation.score, SCORE_DIGITS),
        attention=_attention(translation.attention),
    )


def sentence_event(
    items: Sequence[TranslatedItem], place: tuple[int, int], translations: Sequence[Translation]
) -> SentenceEvent:
    """One sentence of one item, as soon as it is finished."""
    item, sentence = items[place[0]], place[1]
    best = _sentence(item, sentence, translations[0])
    return SentenceEvent(
        item=place[0],
        sentence=sentence,
        source=best.source,
        translation=best.translation,
        score=best.score,
        truncated=item.sources[sentence].truncated,
        hypotheses=[HypothesisAnswer(each.text, round(each.score, SCORE_DIGITS)) for each in translations],
        attention=best.attention,
    )


def _attention(attention: Attention | None) -> AttentionAnswer | UnsetType:
    if attention is None:
        return UNSET
    weights = attention.weights.astype(np.float64)
    weights /= weights.sum(axis=1, keepdims=True)  # float32 leaves a few 1e-7
    return AttentionAnswer(
        source_tokens=list(attention.source_tokens),
        target_tokens=list(attention.target_tokens),
        weights=[[part / PARTS for part in apportion(row, PARTS)] for row in weights.tolist()],
    )
