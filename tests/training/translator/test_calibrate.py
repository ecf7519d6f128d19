"""Confidence is fitted on rows whose truth is known, and the service reads what the fit writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from service.predictors.confidence import ConfidenceModel, Features
from training.translator.calibrate import (
    NEVER,
    calibrate,
    confidences_of,
    fit_confidence,
    reliability_of,
    report,
    rows_of,
    threshold_for,
)

PLAIN = Features(
    mean_log_probability=-0.4,
    coverage=0.9,
    uncovered_share=0.1,
    longest_gap=0.7,
    rare_share=0.0,
    source_length=2.5,
    length_deviation=0.2,
    repeated=0.0,
    stalled=0.0,
)


def drawn(seed: int, *, size: int = 4000) -> list[dict[str, Any]]:
    """Sentences whose chance to be good rises with the log-probability and the coverage, and is lower in German."""
    random = np.random.default_rng(seed)
    content = []
    for _ in range(size):
        target = str(random.choice(["de", "es"]))
        score, coverage = -random.gamma(2.0, 0.25), random.beta(8, 2)
        logit = 3 + 4 * score + 3 * (coverage - 0.8) - (1.0 if target == "de" else 0.0)
        is_good = random.random() < 1 / (1 + np.exp(-logit))
        features = asdict(PLAIN) | {"mean_log_probability": float(score), "coverage": float(coverage)}
        content.append({"target": target, "chrf": 70.0 if is_good else 30.0, "features": features})
    return content


def test_what_was_drawn_is_found_again_and_is_reliable() -> None:
    content, figures = calibrate(rows_of(drawn(1)), rows_of(drawn(2)), measured_on=["drawn"])
    weights = {each["feature"]: each["weight"] / each["scale"] for each in content["weights"]}
    assert weights == {"mean_log_probability": pytest.approx(4, rel=0.15), "coverage": pytest.approx(3, rel=0.5)}
    assert content["target_biases"]["es"] - content["target_biases"]["de"] == pytest.approx(1, abs=0.25)
    assert figures["all"].calibration.expected_error < 0.03
    assert figures["all"].precision >= 0.9
    assert 0.1 < figures["all"].above_share < 0.9
    assert set(figures) == {"all", "de", "es"}
    assert figures["es"].good_share > figures["de"].good_share
    assert all(each.ranking > 0.7 for each in figures.values())


def test_the_service_reads_it_and_computes_the_same() -> None:
    rows = rows_of(drawn(1, size=500))
    content, _ = calibrate(rows, rows, measured_on=["drawn"])
    model = ConfidenceModel.read(json.loads(json.dumps(content)))
    assert model.measured_on == ("drawn",)
    assert "chrF" in model.what
    for place, expected in enumerate(confidences_of(content, rows)[:50]):
        features = Features(**dict(zip(rows.features, rows.values[place].tolist(), strict=True)))
        assert model.confidence(features, target=rows.targets[place]) == pytest.approx(expected)


def test_a_threshold_is_the_lowest_that_is_precise_enough() -> None:
    confidences = np.linspace(0.01, 1, 100)
    good = np.arange(100) >= 40
    good[60] = False
    threshold = threshold_for(confidences, good, precision=0.9)
    above = good[confidences >= threshold]
    assert above.mean() >= 0.9
    assert good[confidences >= threshold - 0.011].mean() < 0.9
    assert threshold_for(confidences, ~good, precision=0.9) == NEVER
    assert threshold_for(np.full(100, 0.5), np.arange(100) >= 40) == NEVER
    assert threshold_for(np.full(100, 0.5), np.arange(100) >= 5) == 0.5


def test_a_few_sentences_make_no_threshold() -> None:
    assert threshold_for(np.linspace(0, 1, 100), np.arange(100) >= 90) == NEVER


def test_reliability_beside_the_truth() -> None:
    good = np.array([True, True, False, False])
    found = reliability_of(np.array([0.95, 0.95, 0.05, 0.05]), good, threshold=0.5)
    assert found.calibration.expected_error == pytest.approx(0.05)
    assert (found.ranking, found.precision, found.above_share, found.good_share) == (1, 1, 0.5, 0.5)
    assert reliability_of(np.array([0.2, 0.2]), np.array([True, True]), threshold=0.5).precision == 1
    assert "| all | 4 |" in report({"all": found})


@pytest.mark.parametrize("chrf", [10.0, 90.0])
def test_rows_of_one_kind_teach_nothing(chrf: float) -> None:
    rows: list[Mapping[str, Any]] = [row | {"chrf": chrf} for row in drawn(1, size=10)]
    with pytest.raises(ValueError, match="one kind"):
        fit_confidence(rows_of(rows))


def test_rows_must_agree_in_their_features() -> None:
    with pytest.raises(ValueError, match="no rows"):
        rows_of([])
    with pytest.raises(ValueError, match="differ"):
        rows_of([*drawn(1, size=1), {"target": "es", "chrf": 1.0, "features": {"coverage": 1.0}}])


def test_the_report_has_the_figures_of_all_rows() -> None:
    _, figures = calibrate(rows_of(drawn(1, size=300)), rows_of(drawn(2, size=300)), measured_on=["drawn"])
    assert "ECE" in report(figures)
    assert "| all | 300 |" in report(figures)
