"""Quality of a translation, told by its subwords and the network's attention: a diagnosis of loops and omissions, and a
calibrated confidence.

A recurrent decoder that loses its place repeats a phrase, looks at one source token for long, or never looks at a
clause. By the thresholds here, a translator of everyday sentences was at fault in 0.5 % of Tatoeba's dev sentences and
in 22 % of those of news, which were too long for it (newstest). A confidence is a logistic regression on named features
of source and hypothesis: its weights are in the bundle's manifest, under ``confidence``, which says in words what it is
the probability of; ``training/translator/calibrate.py`` fits them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from itertools import chain
from math import exp, isfinite, log
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from service.decoding.search import Floats
from service.errors import BundleError
from service.text.pipeline import Ids

LONGEST_PHRASE = 16  # tokens of a phrase whose copies are counted
MOST_COPIES = 2  # of one phrase in a row
NGRAM_SIZE = 3
FEWEST_TOKENS = 8  # of a target whose n-grams are counted
MAX_REPETITION = 0.25  # share of n-grams that came before, beyond that of the source
MAX_STILL_TOKENS = 5  # of the target, in a row, with most attention on one source token
UNCOVERED = 0.2  # sum of attention under which a source token counts as not translated
MAX_GAP = 4  # uncovered source tokens in a row
_SMALLEST = 1e-6  # attention that a logarithm is taken of

Tokens = Sequence[int] | Ids
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Evidence for or against a translation, apart from its score."""

    coverage: float  # mean over source tokens of the attention each had, at most 1 each
    uncovered_share: float  # of the source tokens
    longest_gap: int  # uncovered source tokens in a row
    repeated: bool  # a phrase over and over
    stalled: bool  # attention on one source token for long
    length_ratio: float  # target tokens for each source token

    @property
    def is_faulty(self) -> bool:
        """Whether the translation loops or leaves a stretch of the source out."""
        return self.repeated or self.stalled or self.longest_gap > MAX_GAP


def diagnose(source: Tokens, target: Tokens, attention: Floats, *, ignored: Set[int] = frozenset()) -> Diagnosis:
    """Diagnose a hypothesis. ``source`` and ``target`` are subword ids, ``attention`` is (target, source) with rows
    that sum to 1; source tokens in ``ignored``, such as the language's tag and the end, count for nothing."""
    sources, targets = np.asarray(source, np.int32), np.asarray(target, np.int32)
    counted = np.array([each not in ignored for each in sources.tolist()], np.bool_)
    covered = attention.sum(axis=0, dtype=np.float64)[counted]
    return Diagnosis(
        coverage=float(np.minimum(covered, 1.0).mean()) if covered.size else 1.0,
        uncovered_share=float((covered < UNCOVERED).mean()) if covered.size else 0.0,
        longest_gap=_longest_run(covered < UNCOVERED),
        repeated=is_repeated(sources[counted], targets),
        stalled=_num_still_tokens(attention, counted) > MAX_STILL_TOKENS,
        length_ratio=len(targets) / max(1, covered.size),
    )


def combine(diagnoses: Sequence[Diagnosis], num_tokens: Sequence[int]) -> Diagnosis:
    """Combine the diagnoses of a sentence's parts, which have so many source tokens each; at least one part."""
    shares = np.array(num_tokens, np.float64) / max(1, sum(num_tokens))

    def mean(values: Sequence[float]) -> float:
        return float(np.dot(shares, values))

    return Diagnosis(
        coverage=mean([each.coverage for each in diagnoses]),
        uncovered_share=mean([each.uncovered_share for each in diagnoses]),
        longest_gap=max(each.longest_gap for each in diagnoses),
        repeated=any(each.repeated for each in diagnoses),
        stalled=any(each.stalled for each in diagnoses),
        length_ratio=mean([each.length_ratio for each in diagnoses]),
    )


def coverage_penalty(attention: Floats) -> float:
    """Return the coverage penalty of Wu et al. 2016 (GNMT), equation 14, without its weight: the sum over source tokens
    of the logarithm of the attention (target, source) each had, at most 1. It is 0 where every token was attended, else
    below."""
    covered = attention.sum(axis=0, dtype=np.float64)
    return float(np.log(np.clip(covered, _SMALLEST, 1.0)).sum())


def is_repeated(source: Tokens, target: Tokens) -> bool:
    """Whether the target repeats a phrase too often in a row, or too many n-grams, and the source does not as much."""
    copies = num_copies(target)
    if copies > MOST_COPIES and copies > num_copies(source):
        return True
    if len(target) < FEWEST_TOKENS:
        return False
    return repetition_share(target) - repetition_share(source) > MAX_REPETITION


def num_copies(ids: Tokens) -> int:
    """Return the most copies in a row of any phrase of 2 to LONGEST_PHRASE tokens; 1 where nothing is repeated."""
    tokens, most = np.asarray(ids, np.int32), 1
    for size in range(2, min(LONGEST_PHRASE, len(tokens) // 2) + 1):
        is_same = tokens[size:] == tokens[:-size]
        if np.count_nonzero(is_same) >= most * size:  # else there are not as many copies
            most = max(most, _longest_run(is_same) // size + 1)
    return most


def repetition_share(ids: Tokens) -> float:
    """Return the share of n-grams of NGRAM_SIZE tokens that occurred before."""
    tokens = [int(each) for each in ids]
    ngrams = list(zip(*(tokens[first:] for first in range(NGRAM_SIZE)), strict=False))
    return 1 - len(set(ngrams)) / len(ngrams) if ngrams else 0.0


def _num_still_tokens(attention: Floats, counted: Mask) -> int:
    """Return the most target tokens in a row that look most at one and the same counted source token."""
    if not attention.size:
        return 0
    places = attention.argmax(axis=1)
    return _longest_run((places[1:] == places[:-1]) & counted[places[1:]]) + 1


def _longest_run(values: Mask) -> int:
    """Return the length of the longest run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], values, [False]))))
    return int((edges[1::2] - edges[::2]).max()) if edges.size else 0


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
        """Read the model. Raises BundleError for another form, an unknown or repeated feature, a number not finite."""
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
