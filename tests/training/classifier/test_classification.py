from __future__ import annotations

import numpy as np
import pytest

from training.classifier.classification import evaluate_classes

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
