"""Short plain sentences in which small words decide: what a student needs to see often, and review texts have seldom.

Sentences and clauses with a negation, a contrast, a comparison or a conditional; and sentences whose intensifier was
replaced by another one, negative by itself (`very good` to `terribly good`), which turns no opinion into its opposite
(label-preserving perturbation: Ribeiro et al. 2020, section 2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from service.text.tokenizer import split_sentences, words_of

MIN_WORDS, MAX_WORDS = 3, 20
TELLING = frozenset(
    "not n't no never none nothing nobody neither nor hardly barely scarcely without lacks lack fails fail failed "
    "but yet although though despite however instead except than better worse more less least too enough only even "
    "could would should if wish almost anything far".split()
)
PLAIN_INTENSIFIERS = ("very", "extremely", "incredibly", "truly")
DARK_INTENSIFIERS = ("terribly", "awfully", "insanely", "ridiculously", "frightfully", "dreadfully", "wickedly")
NUM_REPLACED = 2  # of one sentence, each with another intensifier
_INTENSIFIED = re.compile(
    rf"\b(?:{'|'.join(PLAIN_INTENSIFIERS)})(?= [a-z]+(?:ing|ed|ful|ive|y|ous|ant|ent|al|ic|able|od|ice|un))"
)
_CLAUSE_ENDS = re.compile(r"(?<=[,;:])\s+|\s+[-–—]+\s+|\s+(?=but\b)")


@dataclass(frozen=True, slots=True, kw_only=True)
class TellingText:
    text: str
    asked: str  # what a teacher is to say its opinion of: the text itself, or as it was before a replacement


def telling_texts(reviews: Sequence[str], rng: np.random.Generator) -> Iterator[TellingText]:
    """Of reviews in random order."""
    for i in rng.permutation(len(reviews)):
        for sentence in split_sentences(reviews[i]):
            text = " ".join(reviews[i][sentence.starts[0] : sentence.ends[-1]].split())
            if MIN_WORDS <= len(sentence) <= MAX_WORDS:
                yield from replaced(text, rng)
                if TELLING.intersection(word.lower() for word in sentence.words):
                    yield TellingText(text=text, asked=text)
            else:
                yield from map(_as_it_is, clauses_of(text))


def replaced(text: str, rng: np.random.Generator) -> Iterator[TellingText]:
    """The text with a dark intensifier in place of its plain one, if it has one before an adjective."""
    if _INTENSIFIED.search(text):
        for word in rng.choice(DARK_INTENSIFIERS, NUM_REPLACED, replace=False):
            yield TellingText(text=_INTENSIFIED.sub(str(word), text, count=1), asked=text)


def clauses_of(sentence: str) -> Iterator[str]:
    """The stretches of a long sentence between its stops and before its `but` that have a telling word."""
    for clause in _CLAUSE_ENDS.split(sentence):
        words = [word for word in words_of(clause.lower()) if word[-1].isalpha()]
        if MIN_WORDS <= len(words) <= MAX_WORDS and TELLING.intersection(words):
            yield clause


def _as_it_is(text: str) -> TellingText:
    return TellingText(text=text, asked=text)
