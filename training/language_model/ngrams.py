"""Interpolated modified Kneser-Ney models of units, what a network must beat (Chen and Goodman 1999, section 3).

Counts are arrays: a gram of n units has the number that its first n - 1 units have, times the vocabulary, plus its last
unit, which sorts all grams with their contexts in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.text.pipeline import Ids

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
UNSEEN = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Order:
    """The grams of one length."""

    keys: Integers  # (gram,), sorted
    excess: Floats  # (gram,), adjusted count less the discount
    totals: Floats  # (context,), adjusted counts of all grams behind it
    left: Floats  # (context,), what discounts took from them

    def find(self, contexts: Integers, units: Integers, size: int) -> Integers:
        """The number of each gram, :data:`UNSEEN` if it or its context is."""
        wanted = np.where(contexts == UNSEEN, UNSEEN, contexts * size + units)
        places = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[places] == wanted, places, UNSEEN)


class KneserNey:
    """A model of ``order`` units over texts that begin and end with ``end_id``; ``size`` is that of the vocabulary."""

    def __init__(self, texts: Sequence[Ids], *, order: int, size: int, end_id: int) -> None:
        self.order, self.size, self.end_id = order, size, end_id
        running, places = self._run_on(texts)
        numbers: list[Integers] = []  # by order and position: the gram that ends there
        keys, first = [], []
        before = np.zeros(len(running), np.int64)  # of the context that ends before a position
        for n in range(1, order + 1):
            fits = places >= n - 1
            found, where, which = np.unique((before * size + running)[fits], return_index=True, return_inverse=True)
            number = np.full(len(running), UNSEEN, np.int64)
            number[fits] = which
            keys.append(found)
            first.append(np.flatnonzero(fits)[where])
            numbers.append(number)
            before = np.concatenate([[UNSEEN], number[:-1]])
        is_read = places > 0  # the mark before a text is not predicted
        counts = [
            np.bincount(number[(number >= 0) & is_read], minlength=len(found))
            for number, found in zip(numbers, keys, strict=True)
        ]
        self.orders = []
        for n in range(1, order + 1):
            count = counts[n - 1]
            if n < order:  # of kinds of units before the gram; of occurrences where a text begins with it
                kinds = np.bincount(numbers[n - 1][first[n]], minlength=len(count))
                count = np.where((kinds == 0) & (count > 0), count, kinds)
            self.orders.append(_order_of(keys[n - 1], count, size, num_contexts=len(keys[n - 2]) if n > 1 else 1))

    def log_likelihoods(self, texts: Sequence[Ids]) -> list[Floats]:
        """Return for each text the natural log-probability of every unit, that of the end last."""
        running, places = self._run_on(texts)
        probabilities = np.full(len(running), 1 / self.size)
        contexts = np.zeros(len(running), np.int64)
        for n, order in enumerate(self.orders, 1):
            number = order.find(contexts, running, self.size)
            seen = (contexts != UNSEEN) & (places >= n - 1)
            at = np.where(seen, contexts, 0)
            seen &= order.totals[at] > 0
            own = np.where(number == UNSEEN, 0.0, order.excess[number])
            mixed = (own + order.left[at] * probabilities) / np.maximum(order.totals[at], 1)
            probabilities = np.where(seen, mixed, probabilities)
            contexts = np.concatenate([[UNSEEN], number[:-1]])
        found = np.log(probabilities[places > 0])
        return np.split(found, np.cumsum([len(text) + 1 for text in texts])[:-1])

    def _run_on(self, texts: Sequence[Ids]) -> tuple[Integers, Integers]:
        """The texts end to end, the end before and behind each, and the place of each unit in its text."""
        end = np.array([self.end_id])
        running = np.concatenate([part for text in texts for part in (end, text, end)]).astype(np.int64)
        places = np.concatenate([np.arange(len(text) + 2) for text in texts])
        return running, places


def _order_of(keys: Integers, counts: Integers, size: int, *, num_contexts: int) -> Order:
    """Discounts from the counts of counts, one each for 1, 2 and more."""
    n1, n2, n3, n4 = (int((counts == count).sum()) for count in (1, 2, 3, 4))
    discounts = np.array([0.0, 0.5, 0.5, 0.5])  # where there are too few grams to estimate them
    if min(n1, n2, n3, n4) > 0:
        y = n1 / (n1 + 2 * n2)
        estimated = np.array([0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
        discounts = np.clip(estimated, 0, [0, 1, 2, 3])
    taken = np.minimum(discounts[np.minimum(counts, 3)], counts)
    contexts = keys // size
    return Order(
        keys=keys,
        excess=counts - taken,
        totals=np.bincount(contexts, weights=counts, minlength=num_contexts),
        left=np.bincount(contexts, weights=taken, minlength=num_contexts),
    )
