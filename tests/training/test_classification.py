from __future__ import annotations

import numpy as np
import pytest

from training.classification import calibrate, evaluate_classes

LABELS = ("no", "maybe", "yes")


def test_figures_of_classes():
    report = evaluate_classes(gold=[0, 0, 1, 2], predicted=[0, 1, 1, 1], labels=LABELS)
    assert (report.accuracy.correct, report.accuracy.total) == (2, 4)
    assert {label: score.f1 for label, score in report.by_label.items()} == pytest.approx(
        {"no": 2 / 3, "maybe": 1 / 2, "yes": 0.0}
    )
    assert report.macro_f1 == pytest.approx((2 / 3 + 1 / 2) / 3)
    assert report.confusion.counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]
    assert report.as_dict()["confusion"]["labels"] == list(LABELS)


def test_figures_agree_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(1)
    gold, predicted = random.integers(0, 3, size=(2, 200))
    report = evaluate_classes(gold=gold, predicted=predicted, labels=LABELS)
    assert report.macro_f1 == pytest.approx(metrics.f1_score(gold, predicted, average="macro"))
    assert report.confusion.counts.tolist() == metrics.confusion_matrix(gold, predicted).tolist()


@pytest.mark.parametrize(("gold", "predicted"), [([0], [0, 1]), ([], [])])
def test_there_must_be_answers_one_a_text(gold, predicted):
    with pytest.raises(ValueError, match="gold classes"):
        evaluate_classes(gold=gold, predicted=predicted, labels=LABELS)


def test_calibration_error_is_the_gap_between_sure_and_right():
    # Ten texts at 0.9, of which five right; ten at 0.6, of which six right.
    rows = [[0.9, 0.1]] * 10 + [[0.4, 0.6]] * 10
    gold = [0] * 5 + [1] * 5 + [1] * 6 + [0] * 4
    found = calibrate(gold=gold, probabilities=rows, num_bins=10)
    assert found.expected_error == pytest.approx(0.5 * 0.4 + 0.5 * 0.0)
    by_confidence = {round(part.confidence, 3): (part.count, part.accuracy) for part in found.bins if part.count}
    assert by_confidence == {0.9: (10, 0.5), 0.6: (10, 0.6)}
    likelihood = np.log([0.9] * 5 + [0.1] * 5 + [0.6] * 6 + [0.4] * 4).mean()
    assert found.negative_log_likelihood == pytest.approx(-likelihood)
    assert len(found.as_dict()["bins"]) == 10


def test_certainty_falls_in_the_last_bin_and_certain_error_is_finite():
    found = calibrate(gold=[0, 1], probabilities=[[1.0, 0.0], [1.0, 0.0]])
    assert found.bins[-1].count == 2
    assert found.expected_error == pytest.approx(0.5)
    assert np.isfinite(found.negative_log_likelihood)


def test_probabilities_must_be_one_row_a_text():
    with pytest.raises(ValueError, match="shape"):
        calibrate(gold=[0, 1], probabilities=[[1.0, 0.0]])
