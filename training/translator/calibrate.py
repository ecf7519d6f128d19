"""Fit a translator's confidence: the probability that a sentence's translation is good, from the features of a search.

A row is a sentence: ``{"target": "es", "chrf": 61.3, "features": {"coverage": 0.93, ...}}``, with the chrF (Popović
2015) of its translation against a human one. :mod:`training.translator.evaluate_confidence` makes them. Some rows fit
the confidence, others (dev rows) choose the threshold and measure the reliability. Publishing writes the result into
the manifest, under ``confidence``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.calibration import Calibration, bins_of
from training.report import table

GOOD_CHRF = 50.0
PRECISION = 0.9
FEWEST_ABOVE = 20  # dev sentences above a threshold, for its precision to mean something
NUM_BINS = 10
NEVER = 1.0  # the threshold where no lower one is precise enough
DIGITS = 6

Values = NDArray[np.float64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Translated sentences as parallel columns."""

    features: tuple[str, ...]
    values: Values  # (row, feature)
    chrf: Values  # (row,)
    targets: tuple[str, ...]  # the language of each

    def of_target(self, target: str) -> Rows:
        """The rows of one target language."""
        return self.at([place for place, each in enumerate(self.targets) if each == target])

    def at(self, places: Sequence[int]) -> Rows:
        """The rows at these places."""
        places = list(places)
        return Rows(
            features=self.features,
            values=self.values[places],
            chrf=self.chrf[places],
            targets=tuple(self.targets[place] for place in places),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """The reliability of confidences on rows that they were not fitted on."""

    sentences: int
    good_share: float
    calibration: Calibration
    ranking: float  # ROC AUC: share of pairs of a good and a bad sentence where the good one has the higher confidence
    precision: float  # share that is good of those at or above the threshold; 1 if there are none
    above_share: float  # share of all that is at or above the threshold


def rows_of(content: Sequence[Mapping[str, Any]]) -> Rows:
    """The rows as columns. Raises ValueError if there are none, or if they differ in their features."""
    if not content:
        raise ValueError("no rows")
    names = tuple(sorted(content[0]["features"]))
    if any(tuple(sorted(row["features"])) != names for row in content):
        raise ValueError("the rows differ in their features")
    return Rows(
        features=names,
        values=np.array([[row["features"][name] for name in names] for row in content], np.float64),
        chrf=np.array([row["chrf"] for row in content], np.float64),
        targets=tuple(row["target"] for row in content),
    )


def fit_confidence(rows: Rows, *, good_chrf: float = GOOD_CHRF, strength: float = 1.0) -> dict[str, Any]:
    """The weights of a logistic regression in the form of a manifest.

    Features are normalised to mean 0 and deviation 1; each target language has a bias beside the common one;
    ``strength`` is the inverse of the L2 regularisation. Raises ValueError if all rows are good or none is. Features
    that are the same in all rows have no weight.
    """
    from sklearn.linear_model import LogisticRegression

    good = rows.chrf >= good_chrf
    if good.all() or not good.any():
        raise ValueError(f"all {len(good)} rows are of one kind")
    offsets, scales = rows.values.mean(axis=0), rows.values.std(axis=0)
    varied = np.flatnonzero(np.ptp(rows.values, axis=0) > 0)
    languages = sorted(set(rows.targets))
    is_language = np.array([[target == language for language in languages] for target in rows.targets], np.float64)
    inputs = np.hstack([(rows.values - offsets)[:, varied] / scales[varied], is_language])
    model = LogisticRegression(C=strength, max_iter=1000).fit(inputs, good)
    weights = [round(float(each), DIGITS) for each in model.coef_[0]]
    return {
        "what": f"that the chrF of a sentence against a human translation is {good_chrf:g} or more",
        "weights": [
            {
                "feature": rows.features[place],
                "weight": weight,
                "offset": round(float(offsets[place]), DIGITS),
                "scale": float(f"{scales[place]:.{DIGITS}g}"),
            }
            for place, weight in zip(varied, weights, strict=False)
        ],
        "bias": round(float(model.intercept_[0]), DIGITS),
        "target_biases": dict(zip(languages, weights[len(varied) :], strict=True)),
        "threshold": NEVER,
    }


def confidences_of(content: Mapping[str, Any], rows: Rows) -> Values:
    """The confidences (row,) of rows by a manifest's ``confidence``. Raises KeyError on a feature that they lack."""
    logits = np.array([content["bias"] + content["target_biases"].get(target, 0.0) for target in rows.targets])
    places = {name: place for place, name in enumerate(rows.features)}
    for each in content["weights"]:
        column = rows.values[:, places[each["feature"]]]
        logits += each["weight"] * (column - each["offset"]) / each["scale"]
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -40, 40))))


def threshold_for(confidences: Values, good: Truths, *, precision: float = PRECISION) -> float:
    """The lowest confidence at or above which at least this share is good; NEVER if none has FEWEST_ABOVE rows at or
    above it."""
    order = np.argsort(-confidences, kind="stable")
    shares = np.cumsum(good[order]) / np.arange(1, len(order) + 1)
    is_last = np.append(np.diff(confidences[order]) < 0, True)  # of equal confidences: all or none is above
    places = np.flatnonzero((shares >= precision) & is_last)
    places = places[places + 1 >= FEWEST_ABOVE]
    return float(confidences[order][places[-1]]) if places.size else NEVER


def reliability_of(confidences: Values, good: Truths, *, threshold: float) -> Reliability:
    """The reliability of confidences (row,), compared with the rows that are good."""
    above = confidences >= threshold
    likelihood = np.where(good, confidences, 1 - confidences)
    return Reliability(
        sentences=len(good),
        good_share=float(good.mean()),
        calibration=Calibration(
            bins=bins_of(confidence=confidences, right=good, num_bins=NUM_BINS),
            negative_log_likelihood=float(-np.log(np.maximum(likelihood, 1e-12)).mean()),
        ),
        ranking=_ranking(confidences, good),
        precision=float(good[above].mean()) if above.any() else 1.0,
        above_share=float(above.mean()),
    )


def calibrate(
    rows: Rows,
    dev: Rows,
    *,
    good_chrf: float = GOOD_CHRF,
    precision: float = PRECISION,
    measured_on: Sequence[str] = (),
) -> tuple[dict[str, Any], dict[str, Reliability]]:
    """The ``confidence`` of a manifest, and its reliability on dev rows: of all, and of each target language."""
    content = fit_confidence(rows, good_chrf=good_chrf)
    confidences, good = confidences_of(content, dev), dev.chrf >= good_chrf
    content |= {"threshold": threshold_for(confidences, good, precision=precision), "measured_on": list(measured_on)}
    parts = {"all": dev} | {target: dev.of_target(target) for target in sorted(set(dev.targets))}
    figures = {
        name: reliability_of(
            confidences_of(content, part), part.chrf >= good_chrf, threshold=float(content["threshold"])
        )
        for name, part in parts.items()
    }
    return content, figures


def report(figures: Mapping[str, Reliability]) -> str:
    """The reliability, and the bins of all rows, as tables in Markdown."""
    rows = [
        [
            name,
            str(each.sentences),
            f"{100 * each.good_share:.1f}",
            f"{100 * each.calibration.expected_error:.2f}",
            f"{100 * each.ranking:.1f}",
            f"{100 * each.precision:.1f}",
            f"{100 * each.above_share:.1f}",
        ]
        for name, each in figures.items()
    ]
    header = ["target", "sentences", "good %", "ECE %", "AUC %", "good above the threshold %", "above it %"]
    bins = [
        [f"{part.low:.1f} to {part.high:.1f}", str(part.count), f"{part.confidence:.3f}", f"{part.accuracy:.3f}"]
        for part in figures["all"].calibration.bins
    ]
    return "\n".join([*table(header, rows), *table(["confidence", "sentences", "mean", "good"], bins)])


def _ranking(confidences: Values, good: Truths) -> float:
    """The area under the ROC curve; 0.5 if all rows are of one kind."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(good, confidences)) if 0 < good.sum() < len(good) else 0.5
