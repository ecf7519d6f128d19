"""Figures over the classes of whole texts.

Classes are indices into a list of labels, whose order the figures keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.evaluation import Accuracy, Confusion, Score


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassReport:
    """The confusion matrix of one set of texts, and the figures that follow from it."""

    confusion: Confusion

    @property
    def accuracy(self) -> Accuracy:
        return Accuracy(correct=int(np.trace(self.confusion.counts)), total=int(self.confusion.counts.sum()))

    @property
    def by_label(self) -> dict[str, Score]:
        counts = self.confusion.counts
        return {
            label: Score(correct=int(counts[i, i]), predicted=int(counts[:, i].sum()), support=int(counts[i, :].sum()))
            for i, label in enumerate(self.confusion.labels)
        }

    @property
    def macro_f1(self) -> float:
        """The mean F1 of all labels, each counting the same."""
        scores = self.by_label.values()
        return sum(score.f1 for score in scores) / len(scores)

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.accuracy.as_dict(),
            "macro_f1": self.macro_f1,
            "by_label": {label: score.as_dict() for label, score in self.by_label.items()},
            "confusion": self.confusion.as_dict(),
        }


def evaluate_classes(*, gold: ArrayLike, predicted: ArrayLike, labels: Sequence[str]) -> ClassReport:
    """The figures of one set; ``gold`` and ``predicted`` are indices into ``labels``, one a text.

    Raises ValueError if they differ in number or if there are none.
    """
    gold_ids, predicted_ids = _ids(gold), _ids(predicted)
    if gold_ids.shape != predicted_ids.shape or not gold_ids.size:
        raise ValueError(f"{gold_ids.size} gold classes but {predicted_ids.size} predicted")
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(counts, (gold_ids, predicted_ids), 1)
    return ClassReport(confusion=Confusion(labels=tuple(labels), counts=counts))


def _ids(classes: ArrayLike) -> NDArray[np.int64]:
    return np.asarray(classes, dtype=np.int64)
