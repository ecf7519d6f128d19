"""Figures of a classifier on sets of texts, by label and by source, and the calibration of its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from training.calibration import Calibration, calibrate
from training.classifier.classification import ClassReport, evaluate_classes
from training.classifier.config import ClassifierRun
from training.classifier.corpora import TextSet
from training.classifier.multi_label import evaluate_labels, tune_thresholds
from training.corpora.labelled_text import LabelledText
from training.evaluation import Confusion, Score

TINY = 1e-12  # of a probability, so that it has a logarithm
BOTH = "accuracy and likelihood"  # in few texts many epochs are right equally often
Scores = npt.NDArray[np.floating]  # (text, label) probabilities


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SetFigures:
    """The figures of a classifier on one set of texts; shares are between 0 and 1."""

    name: str
    num_texts: int
    figures: dict[str, float]  # accuracy or micro_f1, macro_f1, "f1 LABEL", ece
    by_label: dict[str, Score]
    by_source: dict[str, dict[str, float]] = field(default_factory=dict)  # macro_f1 and ece
    likelihood: float = 0.0  # geometric mean of the right labels' probabilities
    calibration: Calibration | None = None  # of the likeliest label; none where a text has several labels
    confusion: Confusion | None = None


def measure_set(
    part: TextSet, scores: Scores, config: ClassifierRun, labels: Sequence[str], thresholds: npt.ArrayLike | None = None
) -> SetFigures:
    """The figures of a set, from probabilities (text, label).

    ``thresholds`` (label,) decide in a multi-label task; without them the best ones on the set itself are taken.
    """
    if config.multi_label:
        flags = np.array([text.target for text in part.texts]) > 0.5
        chosen = tune_thresholds(flags, scores) if thresholds is None else np.asarray(thresholds)
        found = evaluate_labels(flags, scores >= chosen, labels)
        return SetFigures(
            name=part.name,
            num_texts=len(scores),
            figures={"macro_f1": found.macro_f1, "micro_f1": found.micro.f1},
            by_label=found.by_label,
        )
    gold = np.array([text.label for text in part.texts])
    report = evaluate_classes(gold=gold, predicted=scores.argmax(1), labels=labels)
    calibration = calibrate(gold=gold, probabilities=scores)
    figures = {"accuracy": report.accuracy.value, "macro_f1": report.macro_f1}
    if config.figure.startswith("f1 "):
        figures[config.figure] = report.by_label[config.figure.removeprefix("f1 ")].f1
    return SetFigures(
        name=part.name,
        num_texts=len(scores),
        figures=figures | {"ece": calibration.expected_error},
        by_label=report.by_label,
        by_source=figures_by_source(part.texts, scores, labels),
        likelihood=float(np.exp(np.log(np.maximum(scores[np.arange(len(gold)), gold], TINY)).mean())),
        calibration=calibration,
        confusion=report.confusion,
    )


def figures_by_source(
    texts: Sequence[LabelledText], scores: Scores, labels: Sequence[str]
) -> dict[str, dict[str, float]]:
    """The macro F1 of each source, over the labels that occur in it, and its calibration error; empty if there is one
    source only."""
    sources = sorted({text.source for text in texts})
    if len(sources) < 2:
        return {}
    gold = np.array([text.label for text in texts])
    figures = {}
    for source in sources:
        chosen = np.array([text.source == source for text in texts])
        report = evaluate_classes(gold=gold[chosen], predicted=scores[chosen].argmax(1), labels=labels)
        error = calibrate(gold=gold[chosen], probabilities=scores[chosen]).expected_error
        figures[source] = {"macro_f1": f1_of_present(report), "ece": error}
    return figures


def f1_of_present(report: ClassReport) -> float:
    """The mean F1 of the labels that occur in the gold standard."""
    found = [score.f1 for score in report.by_label.values() if score.support]
    return sum(found) / len(found)


def percent(sets: Sequence[SetFigures]) -> dict[str, float]:
    """The figures as a manifest has them: in percent, by set and figure."""
    return {
        f"{part.name.replace('/', '_')}_{name.replace(' ', '_')}": round(100 * value, 2)
        for part in sets
        for name, value in part.figures.items()
    }


def dev_figures(sets: Sequence[SetFigures], config: ClassifierRun) -> dict[str, float]:
    """The figures of dev sets in percent, and ``score``: the mean of the figure that the configuration names.

    Raises ValueError if a set does not have that figure.
    """
    if config.figure == BOTH:
        mean = float(np.mean([part.figures["accuracy"] + part.likelihood for part in sets])) / 2
        return {"score": 100 * mean, **percent(sets)}
    if missing := [part.name for part in sets if config.figure not in part.figures]:
        raise ValueError(f"figure {config.figure!r}: not accuracy, macro_f1 or f1 LABEL of {', '.join(missing)}")
    return {"score": 100 * float(np.mean([part.figures[config.figure] for part in sets])), **percent(sets)}
