from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from training.classifier.multi_label import THRESHOLDS, evaluate_labels, fit_shared_temperature, tune_thresholds

LABELS = ("anger", "joy")
GOLD = np.array([[1, 0], [1, 1], [0, 0], [0, 1]], bool)
PREDICTED = np.array([[1, 1], [0, 1], [0, 0], [0, 1]], bool)

numbers_of_texts = st.integers(1, 12)
near = st.sampled_from([0.0, 0.3, 0.31, 0.5, 0.505, 0.7, 1.0]) | st.floats(0, 1)


def test_counts_are_of_each_label_and_of_all_together():
    report = evaluate_labels(GOLD, PREDICTED, LABELS)
    assert {label: (score.correct, score.predicted, score.support) for label, score in report.by_label.items()} == {
        "anger": (1, 1, 2),
        "joy": (2, 3, 2),
    }
    assert (report.micro.correct, report.micro.predicted, report.micro.support) == (3, 4, 4)
    assert report.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert report.micro.f1 == pytest.approx(6 / 8)


@pytest.mark.parametrize(
    ("gold", "predicted"),
    [(GOLD, PREDICTED[:2]), (GOLD[:0], PREDICTED[:0]), (GOLD[:, :1], PREDICTED[:, :1])],
    ids=["texts", "none", "labels"],
)
def test_other_shapes_are_refused(gold, predicted):
    with pytest.raises(ValueError, match="2 labels"):
        evaluate_labels(gold, predicted, LABELS)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_tuned_thresholds_are_never_worse_than_a_half(data):
    shape = (data.draw(numbers_of_texts), 2)
    gold = data.draw(arrays.arrays(bool, shape))
    probabilities = data.draw(arrays.arrays(float, shape, elements=near))
    tuned = tune_thresholds(gold, probabilities)
    assert set(tuned) <= set(THRESHOLDS)
    best, half = (evaluate_labels(gold, probabilities >= border, LABELS).by_label for border in (tuned, 0.5))
    for label in LABELS:
        assert best[label].f1 >= half[label].f1


def test_of_thresholds_that_are_as_good_the_middle_one_is_taken():
    gold = np.array([[True], [False]])
    assert tune_thresholds(gold, np.array([[0.8], [0.2]])) == pytest.approx(0.51)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_the_temperature_is_that_by_which_logits_were_too_large(scale):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (2000, 3))
    gold = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
    assert fit_shared_temperature(gold, scale * logits) == pytest.approx(scale, rel=0.1)
