"""Live hypotheses of a length bucket as arrays, and their continuations after a run of the step graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from service.decoding.back_pointers import BackPointers
from service.decoding.repetition_guard import RepetitionGuard
from service.decoding.search import Floats, StepOutputs
from service.decoding.selection import Indices, TopK, Totals
from service.text.batch import Ids


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveHypotheses:
    """Live hypotheses; those of one sentence stand in the order of their rank."""

    slots: Ids  # (row,), the sentence's
    tokens: Ids  # (row,), the last one
    state: Floats  # (row, hidden)
    totals: Totals  # (row,)
    repetition_guard: RepetitionGuard
    back_pointers: BackPointers

    @classmethod
    def first(cls, *, slots: Ids, bos_id: int, state: Floats) -> Self:
        """Make one hypothesis without a token for each of the sentences in ``slots``."""
        return cls(
            slots=slots,
            tokens=np.full(len(slots), bos_id, np.int32),
            state=state,
            totals=np.zeros(len(slots)),
            repetition_guard=RepetitionGuard.none(len(slots)),
            back_pointers=BackPointers.none(len(slots)),
        )

    def joined(self, newer: LiveHypotheses) -> LiveHypotheses:
        return LiveHypotheses(
            slots=np.concatenate((self.slots, newer.slots)),
            tokens=np.concatenate((self.tokens, newer.tokens)),
            state=np.concatenate((self.state, newer.state)),
            totals=np.concatenate((self.totals, newer.totals)),
            repetition_guard=self.repetition_guard.joined(newer.repetition_guard),
            back_pointers=self.back_pointers.joined(newer.back_pointers),
        )

    def only(self, rows: npt.NDArray[np.bool_]) -> LiveHypotheses:
        return LiveHypotheses(
            slots=self.slots[rows],
            tokens=self.tokens[rows],
            state=self.state[rows],
            totals=self.totals[rows],
            repetition_guard=self.repetition_guard.only(rows),
            back_pointers=self.back_pointers.only(rows),
        )


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
class Selected:
    """Selected continuations."""

    parents: Indices  # (row,)
    slots: Ids  # (row,)
    tokens: Ids  # (row,)
    totals: Totals  # (row,)

    def only(self, rows: npt.NDArray[np.bool_]) -> Selected:
        return Selected(
            parents=self.parents[rows], slots=self.slots[rows], tokens=self.tokens[rows], totals=self.totals[rows]
        )
