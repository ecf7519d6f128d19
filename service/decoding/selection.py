"""Selection of the best continuations of many sentences at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from service.decoding.hypotheses import LONGEST_PHRASE, Indices, LiveHypotheses, Totals
from service.decoding.rows import Rows
from service.decoding.search import StepOutputs
from service.text.batch import Ids


def num_candidates(largest_beam: int) -> int:
    """Return how many next tokens to ask for of each hypothesis.

    The repetition guard may forbid one of the best for each length of copies, and </s> is passed over if it only spells
    again what was found: with so many more than the beam size none of this leaves a place empty.
    """
    return largest_beam + LONGEST_PHRASE + 1


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Continuations:
    """Candidate continuations of the live hypotheses, numbered row by row, candidate by candidate."""

    rows: LiveHypotheses
    outputs: StepOutputs
    width: int  # candidates of each row
    tokens: Ids  # (continuation,)
    top_k: TopK

    @classmethod
    def of(cls, rows: LiveHypotheses, outputs: StepOutputs, wanted: Ids) -> Self:
        """Rank the continuations; ``wanted`` (slot,) is how many of each sentence may go on."""
        forbidden = rows.repetition_guard.forbids(outputs.candidates)
        # If nothing is forbidden, a sentence takes no more of a row than it has places, and a </s> that is dropped.
        width = outputs.scores.shape[1] if forbidden is not None else int(wanted.max()) + 1
        candidates, scores = outputs.candidates[:, :width], outputs.scores[:, :width]
        totals: Totals = rows.totals[:, None] + scores
        if forbidden is not None:
            totals[forbidden] = -np.inf
        return cls(
            rows=rows,
            outputs=outputs,
            width=totals.shape[1],
            tokens=candidates.ravel(),
            top_k=TopK.of(totals, rows.slots, len(wanted)),
        )

    def selected(self, numbers: Indices) -> Selected:
        parents = numbers // self.width
        return Selected(
            parents=parents,
            slots=self.rows.slots[parents],
            tokens=self.tokens[numbers],
            totals=self.top_k.totals[numbers],
        )

    def rows_of(self, selected: Selected, lengths: Ids) -> LiveHypotheses:
        """Make the live hypotheses (row,) of the selected continuations; ``lengths`` (row,) are those of their
        parents."""
        return LiveHypotheses(
            slots=selected.slots,
            tokens=selected.tokens,
            state=self.outputs.state[selected.parents],
            totals=selected.totals,
            repetition_guard=self.rows.repetition_guard.after(selected.parents, selected.tokens),
            back_pointers=self.rows.back_pointers.after(selected.parents, selected.tokens, lengths),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Selected(Rows):
    """Selected continuations."""

    parents: Indices  # (row,)
    slots: Ids  # (row,)
    tokens: Ids  # (row,)
    totals: Totals  # (row,)
