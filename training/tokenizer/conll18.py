"""The CoNLL 2018 shared task evaluation: tokens, sentences, words and part-of-speech tags from raw text.

Zeman et al. 2018, "CoNLL 2018 Shared Task: Multilingual Parsing from Raw Text to Universal Dependencies". Offsets of
both sides count the same characters, white space removed, so that they compare directly. Tokens and sentences must
agree on both ends. Words agree on both ends too, except where either side has a multiword token (``don't`` = ``do`` +
``n't``): there the words of the whole stretch are aligned by the longest common subsequence of their lower-cased forms.
The code is our own; on EWT dev its counts are those of the official script.

    system = segmentation_of(split_sentences(raw_text(lines)), upos=upos, xpos=xpos)
    print(evaluate(read_gold(lines), system).words.f1)
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from training.tokenizer.conll18_words import Range, Segmentation, Word, raw_text, read_gold, segmentation_of

__all__ = ["Score", "Scores", "align_words", "evaluate", "raw_text", "read_gold", "segmentation_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    gold: int
    system: int
    correct: int

    @property
    def precision(self) -> float:
        return self.correct / self.system if self.system else 0.0

    @property
    def recall(self) -> float:
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.correct / (self.gold + self.system) if self.gold + self.system else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The figures of a system. ``upos`` and ``xpos`` are F1 over aligned words: a word that is not aligned counts as a
    wrong tag."""

    tokens: Score
    sentences: Score
    words: Score
    upos: Score
    xpos: Score


def evaluate(gold: Segmentation, system: Segmentation) -> Scores:
    """Score ``system`` against ``gold``. Raises ValueError, with the place, if their characters differ."""
    _check_same_characters(gold.characters, system.characters)
    pairs = align_words(gold.words, system.words)

    def score(correct: int) -> Score:
        return Score(gold=len(gold.words), system=len(system.words), correct=correct)

    return Scores(
        tokens=_score_ranges(gold.tokens, system.tokens),
        sentences=_score_ranges(gold.sentences, system.sentences),
        words=score(len(pairs)),
        upos=score(sum(pair.gold.upos == pair.system.upos for pair in pairs)),
        xpos=score(sum(pair.gold.xpos == pair.system.xpos for pair in pairs)),
    )


def _check_same_characters(gold: str, system: str) -> None:
    if gold == system:
        return
    pairs = enumerate(zip(gold, system, strict=False))
    place = next((i for i, (one, other) in pairs if one != other), min(len(gold), len(system)))
    one, other = gold[place : place + 20], system[place : place + 20]
    raise ValueError(f"the texts differ at visible character {place}: gold {one!r}, system {other!r}")


def _score_ranges(gold: Sequence[Range], system: Sequence[Range]) -> Score:
    return Score(gold=len(gold), system=len(system), correct=len(set(gold) & set(system)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    gold: Word
    system: Word


def align_words(gold: Sequence[Word], system: Sequence[Word]) -> list[Pair]:
    """Pair up the words that both sides have, in order."""
    pairs: list[Pair] = []
    g = s = 0
    while g < len(gold) and s < len(system):
        one, other = gold[g], system[s]
        if _opens_stretch(one, other) or _opens_stretch(other, one):
            end = max(word.place.end for word in (one, other) if word.is_multiword)
            g_end, s_end = _end_of_stretch(gold, system, g, s, end)
            pairs += _align_by_form(gold[g:g_end], system[s:s_end])
            g, s = g_end, s_end
        elif one.place == other.place and not (one.is_multiword or other.is_multiword):
            pairs.append(Pair(gold=one, system=other))
            g, s = g + 1, s + 1
        elif one.place.start <= other.place.start:
            g += 1
        else:
            s += 1
    return pairs


def _opens_stretch(word: Word, other: Word) -> bool:
    """Tell whether a word begins a multiword token: the other side then has no word left that starts before it."""
    return word.is_multiword and word.place.start <= other.place.start


def _end_of_stretch(gold: Sequence[Word], system: Sequence[Word], g: int, s: int, end: int) -> tuple[int, int]:
    """The places of the first words past ``end``, which grows with every multiword token on the way."""
    while True:
        before = (g, s, end)
        while g < len(gold) and _lies_within(gold[g], end):
            end = max(end, gold[g].place.end if gold[g].is_multiword else end)
            g += 1
        while s < len(system) and _lies_within(system[s], end):
            end = max(end, system[s].place.end if system[s].is_multiword else end)
            s += 1
        if before == (g, s, end):
            return g, s


def _lies_within(word: Word, end: int) -> bool:
    return word.place.start < end if word.is_multiword else word.place.end <= end


def _align_by_form(gold: Sequence[Word], system: Sequence[Word]) -> list[Pair]:
    """Align words by the longest common subsequence of their lower-cased forms."""
    ours, theirs = [word.form.lower() for word in gold], [word.form.lower() for word in system]
    longest = [[0] * (len(system) + 1) for _ in range(len(gold) + 1)]
    for g, s in itertools.product(reversed(range(len(gold))), reversed(range(len(system)))):
        longest[g][s] = 1 + longest[g + 1][s + 1] if ours[g] == theirs[s] else max(longest[g + 1][s], longest[g][s + 1])
    pairs: list[Pair] = []
    g = s = 0
    while g < len(gold) and s < len(system):
        if ours[g] == theirs[s]:
            pairs.append(Pair(gold=gold[g], system=system[s]))
            g, s = g + 1, s + 1
        elif longest[g + 1][s] >= longest[g][s + 1]:
            g += 1
        else:
            s += 1
    return pairs
