"""Temperature scaling: one factor for all logits that calibrates the probabilities (Guo et al. 2017, section 4.2).

Dividing logits by it changes no answer, only the confidence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

LOWEST, HIGHEST = 0.05, 20.0
NUM_HALVINGS = 60


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature under which ``labels`` (n,) are likeliest, given ``logits`` (n, c) of texts not trained on.

    The right class counts as one with a probability a little below 1, by so much as n texts can tell (Platt 1999,
    section 2.2): else the best temperature would be 0 where every answer is right. It is between ``LOWEST`` and
    ``HIGHEST``.
    """
    rows = np.asarray(logits, dtype=np.float64)  # (n, c)
    gold = np.asarray(labels, dtype=np.int64)  # (n,)
    if rows.ndim != 2 or len(rows) != len(gold) or not len(rows):
        raise ValueError(f"{gold.size} labels but logits of shape {rows.shape}")
    # The likelihood is concave in the inverse of the temperature, so its slope changes sign once.
    low, high = 1 / HIGHEST, 1 / LOWEST
    for _ in range(NUM_HALVINGS):
        middle = (low + high) / 2
        if _slope(rows, gold, middle, unsure=1 / (len(gold) + 2)) >= 0:
            low = middle
        else:
            high = middle
    return 2 / (low + high)


def probabilities_of(logits: ArrayLike, temperature: float = 1.0) -> NDArray[np.float64]:
    """The softmax of ``logits`` (n, c) divided by the temperature."""
    rows = np.asarray(logits, dtype=np.float64) / temperature
    powers = np.exp(rows - rows.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _slope(rows: NDArray[np.float64], gold: NDArray[np.int64], inverse: float, *, unsure: float) -> float:
    """The derivative of the mean log-likelihood by the inverse temperature; ``unsure`` is the probability that all
    classes share."""
    expected = (probabilities_of(rows, 1 / inverse) * rows).sum(axis=1)
    wanted = (1 - unsure) * rows[np.arange(len(rows)), gold] + unsure * rows.mean(axis=1)
    return float((wanted - expected).mean())
