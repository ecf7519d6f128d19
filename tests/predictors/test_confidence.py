"""A confidence is a probability, and a manifest that says nonsense about it is refused."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import BundleError
from service.predictors.confidence import FEATURES, ConfidenceModel, Diagnosis, Features

SOUND = Diagnosis(coverage=0.9, uncovered_share=0.1, longest_gap=1, repeated=False, stalled=False, length_ratio=1.2)
CONTENT: dict[str, Any] = {
    "what": "that the chrF of a sentence is 50 or more",
    "weights": [
        {"feature": "mean_log_probability", "weight": 2.0, "offset": -0.5, "scale": 0.25},
        {"feature": "repeated", "weight": -3.0},
    ],
    "bias": 1.0,
    "target_biases": {"de": -0.5},
    "threshold": 0.8,
    "measured_on": ["news"],
}


def features_of(diagnosis: Diagnosis, *, mean_log_probability: float = -0.5) -> Features:
    return Features.of(diagnosis, mean_log_probability=mean_log_probability, rare_share=0.0, source_tokens=10)


def test_a_confidence_is_the_logistic_of_the_weighted_sum() -> None:
    model = ConfidenceModel.read(CONTENT)
    assert model.confidence(features_of(SOUND), target="es") == pytest.approx(0.731059, abs=1e-6)
    assert model.confidence(features_of(SOUND), target="de") == pytest.approx(0.622459, abs=1e-6)
    assert model.confidence(features_of(SOUND, mean_log_probability=-0.25), target="es") == pytest.approx(0.952574)
    looping = features_of(replace(SOUND, repeated=True))
    assert model.confidence(looping, target="es") == pytest.approx(0.119203, abs=1e-6)


def test_features_come_from_the_diagnosis() -> None:
    found = features_of(replace(SOUND, stalled=True))
    assert (found.coverage, found.uncovered_share, found.stalled, found.repeated) == (0.9, 0.1, 1.0, 0.0)
    assert found.length_deviation == pytest.approx(0.1671, abs=1e-4)
    shorter = features_of(replace(SOUND, length_ratio=0.5))
    assert shorter.length_deviation > found.length_deviation


@given(
    st.floats(-1e6, 0),
    st.floats(0, 1),
    st.booleans(),
    st.floats(0, 1000),
    st.dictionaries(st.sampled_from(sorted(FEATURES)), st.floats(-1e6, 1e6)),
)
def test_every_confidence_is_between_0_and_1(
    mean_log_probability: float, coverage: float, repeated: bool, length_ratio: float, weights: dict[str, float]
) -> None:
    each = [{"feature": name, "weight": weight} for name, weight in weights.items()]
    model = ConfidenceModel.read(CONTENT | {"weights": each})
    diagnosis = replace(SOUND, coverage=coverage, repeated=repeated, length_ratio=length_ratio)
    confidence = model.confidence(features_of(diagnosis, mean_log_probability=mean_log_probability), target="fr")
    assert 0 <= confidence <= 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"weights": [{"feature": "charm", "weight": 1.0}]}, "charm"),
        ({"weights": [{"feature": "coverage", "weight": nan}]}, "finite"),
        ({"weights": [{"feature": "coverage", "weight": 1.0, "offset": inf}]}, "finite"),
        ({"weights": [{"feature": "coverage", "weight": 1.0, "scale": 0.0}]}, "scale"),
        ({"weights": [{"feature": "coverage", "weight": 1.0}] * 2}, "two weights"),
        ({"weights": [{"feature": "coverage", "weight": "much"}]}, "weight"),
        ({"weights": [{"feature": "coverage"}]}, "weight"),
        ({"bias": -inf}, "finite"),
        ({"target_biases": {"es": nan}}, "finite"),
        ({"threshold": nan}, "finite"),
        ({"threshold": 1.5}, "threshold"),
        ({"what": 5}, "what"),
        ({"extra": 5}, "extra"),
    ],
)
def test_nonsense_in_a_manifest_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        ConfidenceModel.read(CONTENT | wrong)


@pytest.mark.parametrize("missing", ["what", "weights", "bias", "threshold"])
def test_what_is_needed_must_be_there(missing: str) -> None:
    with pytest.raises(BundleError, match=missing):
        ConfidenceModel.read({name: value for name, value in CONTENT.items() if name != missing})
