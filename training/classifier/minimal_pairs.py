"""Minimal pairs: texts that differ in little and mean the opposite, which a mere count of words does not tell apart."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.text.tokenizer import words_of
from training.evaluation import Accuracy

# The pairs of dev were looked at while a recipe of en-sentiment was made; those of test were written afterwards, blind.
FILES = {split: Path(__file__).with_name(f"minimal_pairs_{split}.toml") for split in ("dev", "test")}
NEGATIVE, POSITIVE = 0, 1

Predict = Callable[[list[str]], Sequence[int]]  # texts to NEGATIVE or POSITIVE, one a text


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimalPair:
    """Two opinions; ``phenomenon`` names what turns one into the other."""

    positive: str
    negative: str
    phenomenon: str

    @property
    def differs_in_order_only(self) -> bool:
        """Tell whether both texts have the same words, so that they are one text to a bag of words."""
        positive, negative = (Counter(words_of(text.lower())) for text in (self.positive, self.negative))
        return positive == negative


@dataclass(frozen=True, slots=True, kw_only=True)
class PairsReport:
    """The share of right answers: ``texts`` counts single texts, the other figures pairs whose two texts must both be
    right."""

    texts: Accuracy
    pairs: Accuracy
    order_only: Accuracy
    by_phenomenon: dict[str, Accuracy]


def read_pairs(split: str) -> list[MinimalPair]:
    """The committed pairs of ``dev`` or ``test``, in the order of the file."""
    table = tomllib.loads(FILES[split].read_text(encoding="utf-8"))
    return [
        MinimalPair(positive=positive, negative=negative, phenomenon=phenomenon)
        for phenomenon, pairs in table.items()
        for positive, negative in pairs
    ]


def score_pairs(predict: Predict, pairs: Sequence[MinimalPair]) -> PairsReport:
    """The figures of a classifier; by chance half the texts are right and a quarter of the pairs."""
    answers = predict([text for pair in pairs for text in (pair.positive, pair.negative)])
    right = [answer == (NEGATIVE if i % 2 else POSITIVE) for i, answer in enumerate(answers)]
    both = [(pair, first and second) for pair, first, second in zip(pairs, right[::2], right[1::2], strict=True)]
    phenomena = dict.fromkeys(pair.phenomenon for pair in pairs)
    return PairsReport(
        texts=_share(right),
        pairs=_share(passed for _, passed in both),
        order_only=_share(passed for pair, passed in both if pair.differs_in_order_only),
        by_phenomenon={name: _share(passed for pair, passed in both if pair.phenomenon == name) for name in phenomena},
    )


def _share(outcomes: Iterable[bool]) -> Accuracy:
    listed = list(outcomes)
    return Accuracy(correct=sum(listed), total=len(listed))
