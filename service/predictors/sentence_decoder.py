"""Sentence decoder: hypotheses to translations, with protected items put back, parts joined, and faults found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from service.decoding.search import Floats, Hypotheses, Hypothesis, Search
from service.predictors.confidence import ConfidenceModel, Diagnosis, Features, combine, coverage_penalty, diagnose
from service.predictors.translation import NUM_SPECIAL, Attention, Candidate, EncodedSentence, Segment, Translation
from service.text.casing import Casing, begin_alike, sentence_case
from service.text.clauses import join_clauses
from service.text.placeholders.restoration import Restored, Style, join_parts, restore, written_items
from service.text.subwords import EOS_ID, UNK_ID, Subwords

Searched = Sequence[tuple[Search, Hypothesis]]  # of a sentence's segments that were searched, in order


@dataclass(frozen=True, kw_only=True, eq=False)
class SentenceDecoder:
    """Makes translations of hypotheses. May be called by several threads at once."""

    subwords: Subwords
    tags: frozenset[int]  # ids that ask for a target language
    confidence: ConfidenceModel | None = None
    coverage_weight: float = 0.0  # of the coverage penalty beside a hypothesis' score, when hypotheses are ranked

    def answered(self, source: EncodedSentence, answers: Iterable[Hypotheses]) -> EncodedSentence:
        """Return the sentence with its answers; ``answers`` are those of its searches, in order."""
        if not source.searches:
            return source
        remaining = iter(answers)
        segments = [
            each if each.candidates else replace(each, candidates=self._candidates(source, each, next(remaining)))
            for each in source.segments
        ]
        return replace(source, segments=segments)

    def faulty(self, source: EncodedSentence) -> list[bool]:
        """Return for each segment of an answered sentence whether its best translation loops, omits or was cut."""
        return [self._is_faulty(segment) for segment in source.segments]

    def better(self, first: EncodedSentence, second: EncodedSentence) -> EncodedSentence:
        """Return the answered source of a sentence with the smaller share of faulty segments, by their tokens; of equal
        ones the one with the better score."""
        if first is second:
            return first

        def rank(source: EncodedSentence) -> tuple[float, float]:
            sizes = [len(each.search.ids) if each.search else 0 for each in source.segments]
            share = sum(size for size, is_faulty in zip(sizes, self.faulty(source), strict=True) if is_faulty)
            return share / max(1, sum(sizes)), -_score(_searched(source.segments, _best(source)))

        return min(first, second, key=rank)

    def translations(self, source: EncodedSentence) -> list[Translation]:
        """Return the translations that were asked for of an answered sentence, best first, no two alike; at least
        one."""
        found: dict[str, Translation] = {}
        for candidates in _variants(source):
            text = self._text(source, candidates)
            if text not in found:
                found[text] = self._translation(source, candidates, text, is_best=not found)
            if len(found) == source.options.num_hypotheses:
                break
        return list(found.values())

    def _candidates(self, source: EncodedSentence, segment: Segment, hypotheses: Hypotheses) -> list[Candidate]:
        """Make a segment's candidates. Those whose items needed less repair come first; equal ones rank by score."""
        if segment.search is None:
            raise ValueError("the segment was not searched")
        sources, style = self.subwords.spell(segment.search.ids.tolist()), self._style(source, segment.casing)
        restored: list[tuple[Restored, Hypothesis]] = []
        for each in hypotheses:
            targets, attention = self.subwords.spell(each.ids), each.attention
            found = restore(segment.masked, sources=sources, targets=targets, attention=attention, style=style)
            restored.append((found, each))
        restored.sort(key=lambda pair: (pair[0].num_repairs, *self._rank(pair[1])))
        return [Candidate(text=one.text, hypothesis=each, names=one.names) for one, each in restored]

    def _rank(self, hypothesis: Hypothesis) -> tuple[float, ...]:
        """Return the key by which a hypothesis ranks; empty where the order is that of the search."""
        if not self.coverage_weight:
            return ()
        penalty = coverage_penalty(hypothesis.attention)
        return (not hypothesis.is_complete, -hypothesis.score - self.coverage_weight * penalty)

    def _style(self, source: EncodedSentence, casing: Casing = Casing.SENTENCE) -> Style:
        return Style(
            language=source.options.pair.target,
            alphabet=self.subwords.alphabet,
            casing=casing,
            localizes_numbers=source.options.localize_numbers,
        )

    def _text(self, source: EncodedSentence, candidates: Sequence[Candidate]) -> str:
        return begin_alike(source.text, self._joined(source, candidates), self.subwords.alphabet)

    def _joined(self, source: EncodedSentence, candidates: Sequence[Candidate]) -> str:
        if len(candidates) == 1:
            return candidates[0].text
        text = source.text
        # Only the first part of a title begins one.
        if any(segment.casing is Casing.TITLE for segment in source.segments):
            text = sentence_case(text, Casing.TITLE, lambda word: len(self.subwords.encode(word)))
        parts = [segment.part for segment in source.segments]
        pieces = join_clauses(text, parts, [each.text for each in candidates], language=source.options.pair.target)
        return join_parts(source.text, pieces, self._style(source))

    def _translation(
        self, source: EncodedSentence, candidates: Sequence[Candidate], text: str, *, is_best: bool
    ) -> Translation:
        searched = _searched(source.segments, candidates)
        return Translation(
            text=text,
            score=_score(searched),
            attention=self._attention(source, candidates) if source.options.attention else None,
            confidence=self._confidence(source, searched) if is_best else None,
            complete=all(hypothesis.is_complete for _, hypothesis in searched),
        )

    def _attention(self, source: EncodedSentence, candidates: Sequence[Candidate]) -> Attention:
        """Join the attention of all segments; each looks at itself alone, and so does copied text."""
        blocks = [self._block(source, each, one) for each, one in zip(source.segments, candidates, strict=True)]
        source_tokens = [token for block in blocks for token in block.source_tokens]
        target_tokens = [token for block in blocks for token in block.target_tokens]
        weights = block_diagonal([block.weights for block in blocks])
        return Attention(source_tokens=source_tokens, target_tokens=target_tokens, weights=weights)

    def _block(self, source: EncodedSentence, segment: Segment, candidate: Candidate) -> Attention:
        hypothesis = candidate.hypothesis
        if segment.search is None or hypothesis is None:
            tokens = [candidate.text]
            return Attention(source_tokens=tokens, target_tokens=tokens, weights=np.ones((1, 1), np.float32))
        items = written_items(segment.masked, replace(self._style(source), localizes_numbers=False))
        return Attention(
            source_tokens=self._named(segment.search.ids.tolist(), items),
            target_tokens=self._named(hypothesis.ids, candidate.names),
            weights=hypothesis.attention,
        )

    def _named(self, ids: Sequence[int], items: Sequence[str]) -> list[str]:
        """Return the pieces, each symbol under the name of its item."""
        symbols, remaining = self.subwords.symbol_ids, iter(items)
        names = self.subwords.pieces(ids)
        return [next(remaining) if each in symbols else name for each, name in zip(ids, names, strict=True)]

    def _is_faulty(self, segment: Segment) -> bool:
        searched = _searched([segment], segment.candidates[:1])
        if not searched:
            return False
        search, hypothesis = searched[0]
        return not hypothesis.is_complete or self._diagnosis(search, hypothesis).is_faulty

    def features(self, source: EncodedSentence) -> Features | None:
        """Return the features of the best translation of an answered sentence; None if nothing was searched."""
        return self._features(_searched(source.segments, _best(source)))

    def _features(self, searched: Searched) -> Features | None:
        if not searched:
            return None
        num_tokens = [len(search.ids) - NUM_SPECIAL for search, _ in searched]
        log_probability = sum(each.score * float(_length(each) ** search.length_penalty) for search, each in searched)
        num_rare = sum(np.isin(search.ids, self._rare_ids).sum() for search, _ in searched)
        return Features.of(
            combine([self._diagnosis(*each) for each in searched], num_tokens),
            mean_log_probability=log_probability / max(1, sum(_length(each) for _, each in searched)),
            rare_share=float(num_rare / max(1, sum(num_tokens))),
            source_tokens=sum(num_tokens),
        )

    def _confidence(self, source: EncodedSentence, searched: Searched) -> float | None:
        """Return the confidence; without a word to translate 1, or 0 with letters that the model cannot read."""
        if self.confidence is None:
            return None
        features = self._features(searched)
        if features is None:
            return float(all(each in self.subwords.alphabet for each in source.text if each.isalpha()))
        return self.confidence.confidence(features, target=source.options.pair.target)

    def _diagnosis(self, search: Search, hypothesis: Hypothesis) -> Diagnosis:
        return diagnose(search.ids, hypothesis.ids, hypothesis.attention, ignored=self.tags | {EOS_ID})

    @cached_property
    def _rare_ids(self) -> list[int]:
        """Ids that are unknown, bytes, or single letters inside of a word."""
        pieces = enumerate(self.subwords.pieces(range(len(self.subwords))))
        is_byte = self.subwords.processor.is_byte
        rare = [each for each, piece in pieces if is_byte(each) or (len(piece) == 1 and piece.isalpha())]
        return [UNK_ID, *rare]


def block_diagonal(blocks: Sequence[Floats]) -> Floats:
    """Return the matrix with these matrices along its diagonal, and 0 elsewhere."""
    whole = np.zeros((sum(len(block) for block in blocks), sum(block.shape[1] for block in blocks)), np.float32)
    row = column = 0
    for block in blocks:
        whole[row : row + len(block), column : column + block.shape[1]] = block
        row, column = row + len(block), column + block.shape[1]
    return whole


def _best(source: EncodedSentence) -> list[Candidate]:
    return [segment.candidates[0] for segment in source.segments]


def _variants(source: EncodedSentence) -> Iterator[list[Candidate]]:
    """Yield a candidate for each segment: the best ones, then the best ones but for one, by the sentence's score."""
    best = _best(source)
    yield best
    others = [(place, each) for place, segment in enumerate(source.segments) for each in segment.candidates[1:]]
    if len(best) > 1:
        total, length = map(sum, zip(*map(_weighted, best), strict=True))
        others.sort(key=lambda other: -_score_with(total, length, best[other[0]], other[1]))
    for place, each in others:
        yield [*best[:place], each, *best[place + 1 :]]


def _score_with(total: float, length: float, best: Candidate, other: Candidate) -> float:
    """Return the score of a sentence with another candidate in the place of a best one."""
    (best_total, best_length), (other_total, other_length) = _weighted(best), _weighted(other)
    return (total - best_total + other_total) / max(1, length - best_length + other_length)


def _weighted(candidate: Candidate) -> tuple[float, int]:
    """Return the score times the length, and the length."""
    if candidate.hypothesis is None:
        return 0.0, 0
    length = _length(candidate.hypothesis)
    return candidate.hypothesis.score * length, length


def _searched(segments: Sequence[Segment], candidates: Sequence[Candidate]) -> Searched:
    return [
        (segment.search, candidate.hypothesis)
        for segment, candidate in zip(segments, candidates, strict=True)
        if segment.search is not None and candidate.hypothesis is not None
    ]


def _length(hypothesis: Hypothesis) -> int:
    """Return the length that a score is divided by: the tokens and the end, if there is one."""
    return len(hypothesis.ids) + hypothesis.is_complete


def _score(searched: Searched) -> float:
    """Return the mean score of the target tokens; 0 where nothing was searched."""
    if len(searched) == 1:
        return searched[0][1].score
    lengths = [_length(hypothesis) for _, hypothesis in searched]
    total = sum(hypothesis.score * length for (_, hypothesis), length in zip(searched, lengths, strict=True))
    return total / max(1, sum(lengths))
