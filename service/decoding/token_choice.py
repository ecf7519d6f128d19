"""Choice of the next tokens of many samples at once: temperature, top-k, top-p and repetition penalty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from service.decoding.sampling import MAX_CANDIDATES, SamplingOptions
from service.decoding.search import Floats
from service.decoding.strategy import Rows
from service.text.batch import Ids

NUM_FORBIDDEN = 3  # tokens that are no text, which may be among the best: padding, unknown, begin
COLDEST = 1e-6  # least temperature that is divided by
NO_TOKEN = -1  # fills up the recent tokens of a short text

Columns = npt.NDArray[np.intp]
Weights = npt.NDArray[np.float64]


def num_candidates(options: SamplingOptions) -> int:
    """Return how many of the likeliest tokens a choice is made from. It does not depend on other samples, so that they
    do not change it."""
    if options.repetition_penalty != 1.0:
        return MAX_CANDIDATES
    return min(MAX_CANDIDATES, (1 if options.temperature == 0 else options.top_k) + NUM_FORBIDDEN)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChoiceParameters(Rows):
    """Parameters of the samples as arrays (row,)."""

    temperature: Weights
    top_k: Ids
    top_p: Weights
    penalty: Weights
    num_candidates: Ids

    @classmethod
    def of(cls, options: Sequence[SamplingOptions]) -> Self:
        return cls(
            temperature=np.array([each.temperature for each in options]),
            top_k=np.array([1 if each.temperature == 0 else each.top_k for each in options], np.int32),
            top_p=np.array([each.top_p for each in options]),
            penalty=np.array([each.repetition_penalty for each in options]),
            num_candidates=np.array(list(map(num_candidates, options)), np.int32),
        )


def choose(
    scores: Floats, candidates: Ids, parameters: ChoiceParameters, *, is_text: npt.NDArray[np.bool_], recent: Ids,
    draws: Weights,
) -> Columns:  # fmt: skip
    """Return the chosen column (row,) of ``scores`` and ``candidates``, both (row, candidate).

    First the log-probabilities of ``recent`` tokens (row, token) are multiplied by the penalty (Keskar et al. 2019, for
    logits), then the ``top_k`` best are kept, then of the distribution at the temperature the fewest that have a share
    of ``top_p`` (Holtzman et al. 2020). ``draws`` (row,) are uniform from 0 to 1. Sums are taken from left to right, so
    that a row's choice does not depend on how many columns other rows need. Raises ValueError if a row has no score.
    """
    places = np.arange(scores.shape[1])
    weights = scores.astype(np.float64)
    weights[~is_text[candidates] | (places >= parameters.num_candidates[:, None])] = -np.inf
    _penalise(weights, candidates, parameters.penalty, recent, num_tokens=len(is_text))
    order = np.argsort(-weights, axis=1, kind="stable")
    weights = np.take_along_axis(weights, order, axis=1)
    if not np.isfinite(weights[:, 0]).all():
        raise ValueError("no token has a score")
    weights[places >= parameters.top_k[:, None]] = -np.inf
    heat = np.maximum(parameters.temperature, COLDEST)[:, None]
    shares = np.exp((weights - weights[:, :1]) / heat)
    sums = shares.cumsum(axis=1)
    kept = (sums - shares < parameters.top_p[:, None] * sums[:, -1:]).sum(axis=1)  # of the best; at least one
    rows = np.arange(len(order))
    thresholds = draws * sums[rows, kept - 1]
    chosen = np.minimum((sums <= thresholds[:, None]).sum(axis=1), kept - 1)
    found: Columns = order[rows, chosen]
    return found


def _penalise(weights: Weights, candidates: Ids, penalty: Weights, recent: Ids, *, num_tokens: int) -> None:
    rows = np.flatnonzero(penalty != 1.0)
    if len(rows):
        places = np.arange(len(rows))[:, None]
        is_recent = np.zeros((len(rows), num_tokens + 1), np.bool_)  # NO_TOKEN is the last
        is_recent[places, recent[rows]] = True
        weights[rows] *= np.where(is_recent[places, candidates[rows]], penalty[rows, None], 1.0)
