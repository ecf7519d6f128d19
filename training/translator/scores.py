"""BLEU and chrF by sacreBLEU (Post 2018), over a set of sentences, by length of the source, and of one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import sacrebleu

EDGES = (1, 6, 11, 16, 21, 26, 31, 41, 1000)  # words of a source
FEWEST = 15  # sentences of a length; figures of fewer say little


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """BLEU (cased, detokenised, tokenizer 13a) and chrF of a number of sentences with one reference each."""

    sentences: int
    bleu: float
    chrf: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthScore:
    """The score of sentences whose sources have ``low`` to ``high`` words."""

    low: int
    high: int
    score: Score


def score_of(translations: Sequence[str], references: Sequence[str]) -> Score:
    """Return the score of translations, as a corpus."""
    return Score(
        sentences=len(translations),
        bleu=round(sacrebleu.corpus_bleu(list(translations), [list(references)]).score, 2),
        chrf=chrf_of(translations, references),
    )


def chrf_of(translations: Sequence[str], references: Sequence[str]) -> float:
    """Return the chrF of translations, as a corpus."""
    return round(sacrebleu.corpus_chrf(list(translations), [list(references)]).score, 2)


def sentence_chrf(translation: str, reference: str) -> float:
    """Return the chrF of one translation."""
    return round(float(sacrebleu.sentence_chrf(translation, [reference]).score), 2)


def signature() -> str:
    """Return the settings of BLEU and chrF in sacreBLEU's notation."""
    bleu, chrf = sacrebleu.BLEU(), sacrebleu.CHRF()
    bleu.corpus_score(["a"], [["a"]])
    chrf.corpus_score(["a"], [["a"]])
    return f"{bleu.get_signature()}; {chrf.get_signature()}"


def scores_by_length(
    sources: Sequence[str], translations: Sequence[str], references: Sequence[str]
) -> list[LengthScore]:
    """Return the scores of sentences of about one length, for lengths of which there are enough."""
    lengths = [len(source.split()) for source in sources]
    found = []
    for low, end in pairwise(EDGES):
        places = [place for place, length in enumerate(lengths) if low <= length < end]
        if len(places) >= FEWEST:
            score = score_of([translations[i] for i in places], [references[i] for i in places])
            found.append(LengthScore(low=low, high=max(lengths[i] for i in places), score=score))
    return found
