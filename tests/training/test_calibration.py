from __future__ import annotations

import numpy as np
import pytest

from training.calibration import calibrate


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
