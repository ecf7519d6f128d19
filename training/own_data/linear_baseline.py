"""The baseline of a classifier of one's own: TF-IDF of words and pairs of words under a linear model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.classifier.baselines import Features, LinearSvm, best_linear, texts_of
from training.classifier.config import ClassifierRun
from training.classifier.corpora import HeldOutSets, TextSet
from training.classifier.figures import measure_set
from training.classifier.multi_label import tune_thresholds
from training.corpora.labelled_text import LabelledText

SVM, LOGISTIC = "TF-IDF, linear SVM", "TF-IDF, logistic regression"
STRENGTHS = (0.3, 1.0, 3.0)  # inverses of the SVM's regularisation

Flags = npt.NDArray[np.bool_]  # (text, label)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearBaseline:
    """A trained linear model: its name, and the labels (text, label) that it gives texts."""

    name: str
    decide: Callable[[Sequence[str]], Flags]


def fit_baseline(train: Sequence[LabelledText], sets: HeldOutSets, config: ClassifierRun) -> LinearBaseline:
    """The linear model that is best on dev: a support vector machine, or where a text may have several labels a
    logistic regression of each label with a threshold of its own."""
    return _fit_logistic(train, sets, config) if config.multi_label else _fit_svm(train, sets)


def _fit_svm(train: Sequence[LabelledText], sets: HeldOutSets) -> LinearBaseline:
    (dev,) = sets.dev
    gold = gold_of(dev).argmax(1)
    features = Features(train, min_count=1)
    models = [LinearSvm(train, strength=strength, features=features) for strength in STRENGTHS]
    best = max(models, key=lambda model: (model.labels(texts_of(dev)) == gold).sum())
    rows = np.eye(len(train[0].target), dtype=bool)
    return LinearBaseline(name=SVM, decide=lambda texts: rows[best.labels(texts)])


def _fit_logistic(train: Sequence[LabelledText], sets: HeldOutSets, config: ClassifierRun) -> LinearBaseline:
    (dev,) = sets.dev
    model, _ = best_linear(train, sets.dev, config, config.labels)
    thresholds = tune_thresholds(gold_of(dev), model.scores(texts_of(dev)))
    return LinearBaseline(name=LOGISTIC, decide=lambda texts: model.scores(texts) >= thresholds)


def baseline_figures(
    baseline: LinearBaseline, sets: HeldOutSets, config: ClassifierRun, *, num_texts: int
) -> dict[str, Any]:
    """The figures of the baseline by split, set and system, as the report reads them.

    No calibration error is among them, because what is measured are decisions, not probabilities.
    """
    found: dict[str, Any] = {"train_texts": num_texts}
    halves = np.full(len(config.labels), 0.5)
    for split, parts in sets.by_split().items():
        found[split] = {}
        for part in parts:
            rows = baseline.decide(texts_of(part)).astype(np.float64)
            figures = measure_set(part, rows, config, config.labels, halves).figures
            found[split][part.name] = {baseline.name: {name: v for name, v in figures.items() if name != "ece"}}
    return found


def gold_of(part: TextSet) -> Flags:
    """The right labels (text, label) of a set."""
    return np.array([text.target for text in part.texts]) > 0.5
