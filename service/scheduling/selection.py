"""The best continuations of many sentences at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.scheduling.repeats import LONGEST
from service.text.batch import Ids

Indices = npt.NDArray[np.intp]
Totals = npt.NDArray[np.float64]  # summed log-probabilities


def num_candidates(largest_beam: int) -> int:
    """How many next tokens of each hypothesis to ask for. Of its best ones the guard against loops may forbid as many
    as it looks at lengths of copies, and </s> is passed over if it only spells once more what was found: with so many
    more than the beam is wide none of this leaves a place empty."""
    return largest_beam + LONGEST + 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranking:
    """Every continuation, sentence by sentence, best first; of equals the one whose hypothesis stands first, then the
    one that the model names first. Continuations are numbered row by row, candidate by candidate."""

    order: Indices  # (continuation,)
    totals: Totals  # (continuation,), by number
    starts: Indices  # (slot,), where a sentence's continuations begin in order
    counts: Indices  # (slot,), how many they are

    @classmethod
    def of(cls, totals: Totals, slots: Ids, num_slots: int) -> Ranking:
        """``totals`` (row, candidate) of hypotheses that belong to the sentences in ``slots`` (row,)."""
        size = totals.shape[1]
        flat = totals.ravel()
        counts = np.bincount(slots, minlength=num_slots) * size
        order = np.lexsort((-flat, np.repeat(slots, size)))  # it is stable
        return cls(order=order, totals=flat, starts=counts.cumsum() - counts, counts=counts)

    def best(self, wanted: Ids) -> Indices:
        """Numbers of the so many best of each sentence, ``wanted`` (slot,); those of -inf are never among them."""
        places = np.arange(len(self.order)) - np.repeat(self.starts, self.counts)
        chosen = self.order[places < np.repeat(wanted, self.counts)]
        return chosen[self.totals[chosen] > -np.inf]

    def after(self, slot: int, wanted: int) -> list[int]:
        """The numbers that come next in a sentence after its best."""
        start, count = int(self.starts[slot]), int(self.counts[slot])
        numbers = self.order[start + wanted : start + count]
        found: list[int] = numbers[self.totals[numbers] > -np.inf].tolist()
        return found
