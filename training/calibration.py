"""The calibration of a classifier's probabilities: expected calibration error and likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

NUM_BINS = 15  # as Guo et al. 2017 had


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
    """Probabilities compared with the share of right answers (Guo et al. 2017, "On Calibration of Modern Neural
    Networks")."""

    bins: tuple[Bin, ...]
    negative_log_likelihood: float  # nats a text

    @property
    def expected_error(self) -> float:
        """The expected calibration error (ECE): the difference of confidence and accuracy in a bin, averaged over
        texts."""
        total = sum(part.count for part in self.bins)
        return sum(part.count * abs(part.accuracy - part.confidence) for part in self.bins) / total

    def as_dict(self) -> dict[str, Any]:
        return {
            "expected_calibration_error": self.expected_error,
            "negative_log_likelihood": self.negative_log_likelihood,
            "bins": [{name: getattr(part, name) for name in Bin.__slots__} for part in self.bins],
        }


def calibrate(*, gold: ArrayLike, probabilities: ArrayLike, num_bins: int = NUM_BINS) -> Calibration:
    """Measure the calibration of ``probabilities`` (text, label). Raises ValueError if there are no texts."""
    gold_ids = np.asarray(gold, dtype=np.int64)
    rows = np.asarray(probabilities, dtype=np.float64)  # (text, label)
    if rows.ndim != 2 or len(rows) != len(gold_ids) or not len(rows):
        raise ValueError(f"{gold_ids.size} gold classes but probabilities of shape {rows.shape}")
    right = rows.argmax(axis=1) == gold_ids
    likelihood = np.maximum(rows[np.arange(len(rows)), gold_ids], np.finfo(np.float64).tiny)
    return Calibration(
        bins=bins_of(confidence=rows.max(axis=1), right=right, num_bins=num_bins),
        negative_log_likelihood=float(-np.log(likelihood).mean()),
    )


def bins_of(*, confidence: NDArray[np.float64], right: NDArray[np.bool_], num_bins: int) -> tuple[Bin, ...]:
    """Bins of equal width, from the confidence and the correctness of each answer (row,)."""
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
