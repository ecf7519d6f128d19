"""Calibrated confidence of a translation: a logistic regression on named features of source and hypothesis.

Its weights are in the bundle's manifest, under ``confidence``; ``training/translator/calibrate.py`` fits them. The
manifest says in words what a confidence is the probability of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from math import exp, isfinite, log
from typing import Any

import msgspec

from service.errors import BundleError
from service.predictors.diagnosis import Diagnosis

_STEEPEST = 40.0  # logits beyond are certainties to a float


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Features of one sentence and its answered hypothesis, from which a confidence is computed."""

    mean_log_probability: float  # of the target's tokens, the end among them
    coverage: float  # mean attention of a source token, at most 1 each
    uncovered_share: float  # of source tokens that had almost none
    longest_gap: float  # logarithm of 1 + the most of them in a row
    rare_share: float  # of source tokens that are unknown, bytes or rare
    source_length: float  # logarithm of 1 + its tokens
    length_deviation: float  # how far the length ratio is from 1, either way: the size of its logarithm
    repeated: float  # 1 if a phrase comes over and over, else 0
    stalled: float  # 1 if attention stands still, else 0

    @classmethod
    def of(
        cls, diagnosis: Diagnosis, *, mean_log_probability: float, rare_share: float, source_tokens: int
    ) -> Features:
        """Compute the features of a hypothesis with this diagnosis."""
        num_targets = diagnosis.length_ratio * source_tokens
        return cls(
            mean_log_probability=mean_log_probability,
            coverage=diagnosis.coverage,
            uncovered_share=diagnosis.uncovered_share,
            longest_gap=log(1 + diagnosis.longest_gap),
            rare_share=rare_share,
            source_length=log(1 + source_tokens),
            length_deviation=abs(log((1 + num_targets) / (1 + source_tokens))),
            repeated=float(diagnosis.repeated),
            stalled=float(diagnosis.stalled),
        )


FEATURES = frozenset(Features.__dataclass_fields__)


class Weight(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Share of a feature in the logit: ``weight * (value - offset) / scale``."""

    feature: str
    weight: float
    offset: float = 0.0
    scale: float = 1.0


class ConfidenceModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fitted logistic regression as the manifest carries it."""

    what: str  # that a confidence is the probability of, in words
    weights: tuple[Weight, ...]
    bias: float
    target_biases: dict[str, float] = {}  # added to the bias, by target language
    threshold: float  # confidences from here on are worth relying on
    measured_on: tuple[str, ...] = ()  # domains of the text that it was fitted and measured on

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> ConfidenceModel:
        """Read the model. Raises BundleError if it is not of this form, a feature is unknown or given twice, or a
        number is not finite."""
        try:
            model = msgspec.convert(content, cls)
        except msgspec.ValidationError as error:
            raise BundleError(f"confidence: {error}") from error
        problem = model._problem()
        if problem:
            raise BundleError(f"confidence: {problem}")
        return model

    def confidence(self, features: Features, *, target: str) -> float:
        """Return the probability of ``what``, 0 to 1, for a translation into the target language."""
        values: Mapping[str, float] = asdict(features)
        logit = self.bias + self.target_biases.get(target, 0.0)
        logit += sum(each.weight * (values[each.feature] - each.offset) / each.scale for each in self.weights)
        return 1 / (1 + exp(-min(max(logit, -_STEEPEST), _STEEPEST)))

    def _problem(self) -> str:
        """Describe what is wrong with the model; empty if nothing is."""
        names = [each.feature for each in self.weights]
        unknown = sorted({*names} - FEATURES)
        if unknown:
            return f"unknown features {', '.join(unknown)}; known: {', '.join(sorted(FEATURES))}"
        if len({*names}) < len(names):
            return "a feature has two weights"
        of_weights = chain.from_iterable((each.weight, each.offset, each.scale) for each in self.weights)
        if not all(map(isfinite, (*of_weights, self.bias, self.threshold, *self.target_biases.values()))):
            return "a number is not finite"
        if any(each.scale <= 0 for each in self.weights):
            return "a scale is not above 0"
        return "" if 0 <= self.threshold <= 1 else "the threshold is not between 0 and 1"
