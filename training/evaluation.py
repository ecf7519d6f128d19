"""Figures over gold and predicted answers: accuracy, precision and recall, exact spans, confusion.

All are pure functions of lists, whether a network or a baseline made the predictions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labelled = tuple[str, int, int]  # (label, start, end), token indices, end exclusive


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """The number of right answers among all."""

    correct: int
    total: int

    @property
    def value(self) -> float:
        """The accuracy between 0 and 1; 0 if there were no answers."""
        return self.correct / self.total if self.total else 0.0

    def as_dict(self) -> dict[str, Any]:
        return {"accuracy": self.value, "correct": self.correct, "total": self.total}


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Precision, recall and F1 of one label, from its counts."""

    correct: int
    predicted: int
    support: int  # in the gold standard

    @property
    def precision(self) -> float:
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        return self.correct / self.support if self.support else 0.0

    @property
    def f1(self) -> float:
        both = self.predicted + self.support
        return 2 * self.correct / both if both else 0.0

    def as_dict(self) -> dict[str, Any]:
        figures = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return figures | {"correct": self.correct, "predicted": self.predicted, "support": self.support}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Confusion:
    """A confusion matrix: the number of times that each gold label was predicted as each label."""

    labels: tuple[str, ...]
    counts: NDArray[np.int64]  # (gold label, predicted label)

    def as_dict(self) -> dict[str, Any]:
        return {"labels": list(self.labels), "counts": self.counts.tolist()}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TagReport:
    """The figures of one layer of tags, one tag a word. Known words are the words of the training data."""

    overall: Accuracy
    known: Accuracy
    unknown: Accuracy
    by_tag: dict[str, Score]
    confusion: Confusion

    def as_dict(self) -> dict[str, Any]:
        return {
            "overall": self.overall.as_dict(),
            "known_words": self.known.as_dict(),
            "unknown_words": self.unknown.as_dict(),
            "by_tag": {tag: score.as_dict() for tag, score in self.by_tag.items()},
            "confusion": self.confusion.as_dict(),
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpanReport:
    """The figures of labelled spans. A span is right only if label, start and end are all right (CoNLL-2003)."""

    micro: Score
    by_label: dict[str, Score]

    def as_dict(self) -> dict[str, Any]:
        return {
            "micro": self.micro.as_dict(),
            "by_label": {label: score.as_dict() for label, score in self.by_label.items()},
        }


def evaluate_tags(
    *,
    words: Sequence[Sequence[str]],
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    known_words: Collection[str],
) -> TagReport:
    """All figures of one layer. Each argument holds one sequence a sentence, of the same lengths.

    ``known_words`` should be a set: every word is looked up in it.
    """
    _check_aligned(words, gold)
    gold_tags, predicted_tags = _flatten(gold, predicted)
    right = np.fromiter(map(str.__eq__, gold_tags, predicted_tags), dtype=bool, count=len(gold_tags))
    known = np.fromiter((word in known_words for row in words for word in row), dtype=bool, count=len(gold_tags))
    return TagReport(
        overall=_accuracy(right),
        known=_accuracy(right[known]),
        unknown=_accuracy(right[~known]),
        by_tag=_scores(gold_tags, predicted_tags),
        confusion=_confusion(gold_tags, predicted_tags),
    )


def evaluate_spans(*, gold: Sequence[Iterable[Labelled]], predicted: Sequence[Iterable[Labelled]]) -> SpanReport:
    """Exact-match figures; each argument holds the spans of every sentence, in the same order."""
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold sentences but {len(predicted)} predicted")
    support: Counter[str] = Counter()
    proposed: Counter[str] = Counter()
    correct: Counter[str] = Counter()
    for gold_row, predicted_row in zip(gold, predicted, strict=True):
        gold_spans, predicted_spans = set(gold_row), set(predicted_row)
        support.update(label for label, _, _ in gold_spans)
        proposed.update(label for label, _, _ in predicted_spans)
        correct.update(label for label, _, _ in gold_spans & predicted_spans)
    return SpanReport(
        micro=Score(correct=correct.total(), predicted=proposed.total(), support=support.total()),
        by_label=_by_label(correct, proposed, support),
    )


def confuse(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Confusion:
    """The confusion matrix of tags, labels in alphabetical order."""
    return _confusion(*_flatten(gold, predicted))


def confuse_entities(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Confusion:
    """The confusion matrix of span tags, word by word, without their ``B-``, ``I-``, ``E-``, ``S-``."""
    labels = [[[_label_of(tag) for tag in row] for row in rows] for rows in (gold, predicted)]
    return confuse(*labels)


def _label_of(tag: str) -> str:
    return tag.partition("-")[2] or tag


def _check_aligned(left: Sequence[Sequence[str]], right: Sequence[Sequence[str]]) -> None:
    if [len(row) for row in left] != [len(row) for row in right]:
        raise ValueError("words, gold and predicted tags differ in length")


def _flatten(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> tuple[list[str], list[str]]:
    _check_aligned(gold, predicted)
    return [tag for row in gold for tag in row], [tag for row in predicted for tag in row]


def _accuracy(right: NDArray[np.bool_]) -> Accuracy:
    return Accuracy(correct=int(right.sum()), total=int(right.size))


def _scores(gold: list[str], predicted: list[str]) -> dict[str, Score]:
    correct = Counter(a for a, b in zip(gold, predicted, strict=True) if a == b)
    return _by_label(correct, Counter(predicted), Counter(gold))


def _by_label(correct: Counter[str], predicted: Counter[str], support: Counter[str]) -> dict[str, Score]:
    return {
        label: Score(correct=correct[label], predicted=predicted[label], support=support[label])
        for label in sorted(set(predicted) | set(support))
    }


def _confusion(gold: list[str], predicted: list[str]) -> Confusion:
    labels = tuple(sorted(set(gold) | set(predicted)))
    index = {label: i for i, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(counts, ([index[tag] for tag in gold], [index[tag] for tag in predicted]), 1)
    return Confusion(labels=labels, counts=counts)
