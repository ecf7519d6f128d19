"""Results of /translate: sentences joined as they were cut, and attention that sums to 1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from statistics import fmean

import numpy as np
from msgspec import UNSET, UnsetType, structs

from service.api.answers import PARTS, SCORE_DIGITS, apportion
from service.api.schemas import (
    AttentionAnswer,
    HypothesisAnswer,
    SentenceEvent,
    SourceSpan,
    TranslatedSentence,
    TranslateResult,
)
from service.decoding.search import Search
from service.predictors.translation import Attention, EncodedSentence, Translation
from service.predictors.translator import Translator
from service.text.paragraphs import Passage
from service.text.spans import OffsetTable, OffsetUnit, offset_table

CONFIDENCE_DIGITS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TranslatedItem:
    """A text, its sentences, and the table of offsets in the caller's unit."""

    passage: Passage
    sources: Sequence[EncodedSentence]
    table: OffsetTable | None

    @classmethod
    def of(cls, passage: Passage, sources: Sequence[EncodedSentence], unit: OffsetUnit) -> TranslatedItem:
        return cls(passage=passage, sources=sources, table=offset_table(passage.text, unit))

    @property
    def rows(self) -> list[Search]:
        """Searches that are still to be made."""
        return [search for source in self.sources for search in source.searches]

    @property
    def num_tokens(self) -> int:
        return sum(source.num_tokens for source in self.sources)

    @property
    def truncated(self) -> bool:
        return any(source.truncated for source in self.sources)

    def place(self, sentence: int) -> SourceSpan:
        span = self.passage.spans[sentence]
        if self.table is None:
            return SourceSpan(span.start, span.end)
        return SourceSpan(int(self.table[span.start]), int(self.table[span.end]))

    def decode(self, translator: Translator, sentence: int, source: EncodedSentence) -> list[Translation]:
        """Return an answered sentence's translations as they stand in the text, best first, no two alike; at least
        one."""
        found: dict[str, Translation] = {}
        for each in translator.decode(source):
            restored = self._restored(sentence, each)
            found.setdefault(restored.text, restored)
        return list(found.values())

    def _restored(self, sentence: int, translation: Translation) -> Translation:
        attention = translation.attention and replace(
            translation.attention,
            source_tokens=[self.passage.named(sentence, token) for token in translation.attention.source_tokens],
            target_tokens=[self.passage.named(sentence, token) for token in translation.attention.target_tokens],
        )
        return replace(translation, text=self.passage.restored(sentence, translation.text), attention=attention)

    def joined(self, translations: Sequence[Translation]) -> HypothesisAnswer:
        """Return the whole text's translation and the mean score of its sentences."""
        text = self.passage.join([each.text for each in translations])
        score = fmean(each.score for each in translations) if translations else 0.0
        return HypothesisAnswer(text, round(score, SCORE_DIGITS))

    def hypotheses(self, translations: Sequence[Translation]) -> list[HypothesisAnswer] | UnsetType:
        """Return the hypotheses of a text of one sentence; unset for longer texts."""
        return [self.joined([each]) for each in translations] if len(self.sources) == 1 else UNSET


def with_sources(items: Sequence[TranslatedItem], sources: Iterable[EncodedSentence]) -> list[TranslatedItem]:
    """Return the items with these sentences in place of theirs; ``sources`` are those of all items, in order."""
    remaining = iter(sources)
    return [replace(item, sources=list(islice(remaining, len(item.sources)))) for item in items]


def translate_result(item: TranslatedItem, translator: Translator) -> TranslateResult:
    """Make the result of an answered item."""
    found = [item.decode(translator, place, source) for place, source in enumerate(item.sources)]
    best = [translations[0] for translations in found]
    whole = item.joined(best)
    return TranslateResult(
        translation=whole.translation,
        score=whole.score,
        sentences=[_sentence(item, place, *each) for place, each in enumerate(zip(item.sources, best, strict=True))],
        truncated=item.truncated,
        hypotheses=item.hypotheses(found[0]) if found else UNSET,
    )


def _sentence(
    item: TranslatedItem, place: int, source: EncodedSentence, translation: Translation
) -> TranslatedSentence:
    return TranslatedSentence(
        source=item.place(place),
        translation=translation.text,
        score=round(translation.score, SCORE_DIGITS),
        complete=translation.complete,
        confidence=UNSET if translation.confidence is None else round(translation.confidence, CONFIDENCE_DIGITS),
        attention=_attention(translation.attention),
        degraded=source.degraded or UNSET,
    )


def sentence_event(
    item: TranslatedItem,
    source: EncodedSentence,
    translations: Sequence[Translation],
    *,
    number: int,
    sentence: int,
) -> SentenceEvent:
    """Make the event of a finished sentence, ``source``, of the item with this number."""
    return SentenceEvent(
        item=number,
        sentence=sentence,
        truncated=item.sources[sentence].truncated,
        hypotheses=[HypothesisAnswer(each.text, round(each.score, SCORE_DIGITS)) for each in translations],
        **structs.asdict(_sentence(item, sentence, source, translations[0])),
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
