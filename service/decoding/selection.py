"""Selection of the best continuations of many sentences at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.decoding.repetition_guard import LONGEST
from service.text.batch import Ids

Indices = npt.NDArray[np.intp]
Totals = npt.NDArray[np.float64]  # summed log-probabilities


def num_candidates(largest_beam: int) -> int:
    """Return how many next tokens to ask for of each hypothesis.

    The repetition guard may forbid one of the best for each length of copies, and </s> is passed over if it only spells
    again what was found: with so many more than the beam size none of this leaves a place empty.
    """
    return largest_beam + LONGEST + 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TopK:
    """Continuations ranked sentence by sentence, best first, and numbered row by row, candidate by candidate.

    Of equals the one whose hypothesis stands first comes first, then the one that the model names first.
    """

    order: Indices  # (continuation,)
    totals: Totals  # (continuation,), by number
    starts: Indices  # (slot,), where a sentence's continuations begin in order
    counts: Indices  # (slot,), how many they are

    @classmethod
    def of(cls, totals: Totals, slots: Ids, num_slots: int) -> TopK:
        """Rank ``totals`` (row, candidate) of hypotheses that belong to the sentences in ``slots`` (row,)."""
        size = totals.shape[1]
        flat = totals.ravel()
        counts = np.bincount(slots, minlength=num_slots) * size
        order = np.lexsort((-flat, np.repeat(slots, size)))  # it is stable
        return cls(order=order, totals=flat, starts=counts.cumsum() - counts, counts=counts)

    def best(self, wanted: Ids) -> Indices:
        """Return the numbers of the ``wanted`` (slot,) best continuations of each sentence; those of -inf are never
        among them."""
        places = np.arange(len(self.order)) - np.repeat(self.starts, self.counts)
        chosen = self.order[places < np.repeat(wanted, self.counts)]
        return chosen[self.totals[chosen] > -np.inf]

    def after(self, slot: int, wanted: int) -> list[int]:
        """Return the numbers that follow a sentence's ``wanted`` best continuations."""
        start, count = int(self.starts[slot]), int(self.counts[slot])
        numbers = self.order[start + wanted : start + count]
        found: list[int] = numbers[self.totals[numbers] > -np.inf].tolist()
        return found
