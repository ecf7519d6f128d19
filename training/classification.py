"""Figures over the classes of whole texts: right or wrong, and how far a probability can be believed.

Classes are indices into a list of labels, whose order the figures keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.evaluation import Accuracy, Confusion, Score

NUM_BINS = 15  # as Guo et al. 2017 had


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassReport:
    """What a system got right on one set of texts."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The texts whose best class had a probability in ``(low, high]``."""

    low: float
    high: float
    count: int
    confidence: float  # mean probability of the best class; 0 in an empty bin
    accuracy: float  # share of them that were right; 0 in an empty bin


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Probabilities beside what came true (Guo et al. 2017, "On Calibration of Modern Neural Networks")."""

    bins: tuple[Bin, ...]
    negative_log_likelihood: float  # nats a text

    @property
    def expected_error(self) -> float:
        """ECE: by how much confidence and accuracy differ in a bin, averaged over texts."""
        total = sum(part.count for part in self.bins)
        return sum(part.count * abs(part.accuracy - part.confidence) for part in self.bins) / total

    def as_dict(self) -> dict[str, Any]:
        return {
            "expected_calibration_error": self.expected_error,
            "negative_log_likelihood": self.negative_log_likelihood,
            "bins": [{name: getattr(part, name) for name in Bin.__slots__} for part in self.bins],
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


def calibrate(*, gold: ArrayLike, probabilities: ArrayLike, num_bins: int = NUM_BINS) -> Calibration:
    """How well ``probabilities`` (text, label) told how often they would be right. Raises ValueError on no texts."""
    gold_ids = _ids(gold)
    rows = np.asarray(probabilities, dtype=np.float64)  # (text, label)
    if rows.ndim != 2 or len(rows) != len(gold_ids) or not len(rows):
        raise ValueError(f"{gold_ids.size} gold classes but probabilities of shape {rows.shape}")
    right = rows.argmax(axis=1) == gold_ids
    likelihood = np.maximum(rows[np.arange(len(rows)), gold_ids], np.finfo(np.float64).tiny)
    return Calibration(
        bins=_bins(confidence=rows.max(axis=1), right=right, num_bins=num_bins),
        negative_log_likelihood=float(-np.log(likelihood).mean()),
    )


def _bins(*, confidence: NDArray[np.float64], right: NDArray[np.bool_], num_bins: int) -> tuple[Bin, ...]:
    places = np.clip(np.ceil(confidence * num_bins).astype(np.int64) - 1, 0, num_bins - 1)
    counts = np.bincount(places, minlength=num_bins)
    shares = np.maximum(counts, 1)
    confidences = np.bincount(places, weights=confidence, minlength=num_bins) / shares
    accuracies = np.bincount(places, weights=right, minlength=num_bins) / shares
    return tuple(
        Bin(
            low=i / num_bins,
            high=(i + 1) / num_bins,
            count=int(counts[i]),
            confidence=float(confidences[i]),
            accuracy=float(accuracies[i]),
        )
        for i in range(num_bins)
    )


def _ids(classes: ArrayLike) -> NDArray[np.int64]:
    return np.asarray(classes, dtype=np.int64)
