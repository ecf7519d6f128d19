"""Figures and thresholds of classifiers that give a text several labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.evaluation import Score

Flags = npt.NDArray[np.bool_]  # (text, label)
THRESHOLDS = np.arange(5, 96) / 100


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiLabelReport:
    """Precision, recall and F1 of each label and of all labels together."""

    by_label: dict[str, Score]

    @property
    def macro_f1(self) -> float:
        """The mean F1 of all labels, each counting the same."""
        return sum(score.f1 for score in self.by_label.values()) / len(self.by_label)

    @property
    def micro(self) -> Score:
        """The score of all decisions together."""
        scores = list(self.by_label.values())
        return Score(
            correct=sum(score.correct for score in scores),
            predicted=sum(score.predicted for score in scores),
            support=sum(score.support for score in scores),
        )


def evaluate_labels(gold: Flags, predicted: Flags, labels: Sequence[str]) -> MultiLabelReport:
    """The figures of decisions (text, label). Raises ValueError if the shapes differ or there is no text."""
    if gold.shape != predicted.shape or not len(gold) or gold.shape[1] != len(labels):
        raise ValueError(f"gold labels {gold.shape}, predicted {predicted.shape}, {len(labels)} labels")
    counts = zip(labels, (gold & predicted).sum(0), predicted.sum(0), gold.sum(0), strict=True)
    return MultiLabelReport(
        by_label={label: Score(correct=int(c), predicted=int(p), support=int(s)) for label, c, p, s in counts}
    )


def tune_thresholds(gold: Flags, probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The threshold (label,) of each label with the best F1 on these texts (Lewis 1995: thresholds per class)."""
    chosen = probabilities[None] >= THRESHOLDS[:, None, None]  # (threshold, text, label)
    correct = (chosen & gold[None]).sum(1)
    f1 = 2 * correct / np.maximum(chosen.sum(1) + gold.sum(0)[None], 1)  # (threshold, label)
    # The middle one of equally good thresholds depends least on these texts.
    best = [np.flatnonzero(column) for column in (f1 >= f1.max(0)[None] - 1e-12).T]
    return THRESHOLDS[[places[len(places) // 2] for places in best]]


def fit_shared_temperature(gold: Flags, logits: npt.NDArray[np.floating]) -> float:
    """The temperature under which the labels (text, label) are likeliest, each label judged by its sigmoid."""

    def loss(temperature: float) -> float:
        scaled = logits.astype(np.float64) / temperature
        return float((np.logaddexp(0, scaled) - scaled * gold).mean())

    return float(min(np.geomspace(0.3, 3.0, 100), key=loss))
