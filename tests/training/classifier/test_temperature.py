from __future__ import annotations

import numpy as np
import pytest

from training.calibration import calibrate
from training.classifier.temperature import HIGHEST, LOWEST, fit_temperature, probabilities_of


def drawn(temperature: float, *, size: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and classes drawn from what they say at that temperature."""
    random = np.random.default_rng(1)
    logits = random.normal(scale=3.0, size=(size, 3))
    chances = probabilities_of(logits, temperature).cumsum(axis=1)
    return logits, (random.random((size, 1)) > chances).sum(axis=1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found_again(temperature):
    logits, labels = drawn(temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)


def test_it_lowers_likelihood_loss_and_calibration_error():
    logits, labels = drawn(3.0, size=5_000)
    before = calibrate(gold=labels, probabilities=probabilities_of(logits))
    after = calibrate(gold=labels, probabilities=probabilities_of(logits, fit_temperature(logits, labels)))
    assert after.negative_log_likelihood < before.negative_log_likelihood
    assert after.expected_error < before.expected_error / 3


def test_a_constant_a_row_changes_nothing():
    logits, labels = drawn(2.0, size=500)
    shifted = logits + np.arange(500.0)[:, None]
    assert fit_temperature(shifted, labels) == pytest.approx(fit_temperature(logits, labels))


def test_where_every_answer_is_right_confidence_grows_with_the_number_of_texts():
    logits = np.array([[4.0, 0.0], [0.0, 4.0]])
    for count in (4, 400):
        rows = np.tile(logits, (count // 2, 1))
        temperature = fit_temperature(rows, [0, 1] * (count // 2))
        wrong = probabilities_of(rows, temperature)[0, 1]
        assert wrong == pytest.approx(0.5 / (count + 2), rel=1e-3)


def test_where_nothing_is_right_it_stays_within_bounds():
    logits = np.array([[4.0, 0.0], [0.0, 4.0]])
    assert fit_temperature(logits, [1, 0]) == pytest.approx(HIGHEST)
    assert fit_temperature(logits / 1e3, [0, 1]) == pytest.approx(LOWEST)


def test_probabilities_of_huge_logits_are_finite():
    assert probabilities_of([[1e4, 0.0], [-1e4, 0.0]]).tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_labels_must_be_one_a_row():
    with pytest.raises(ValueError, match="1 labels"):
        fit_temperature([[0.0, 1.0], [1.0, 0.0]], [1])
