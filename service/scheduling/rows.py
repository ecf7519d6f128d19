"""The live hypotheses of a bucket as arrays, and what a run of the step graph offers to go on with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from service.scheduling.repeats import Repeats
from service.scheduling.search import Floats, StepOutputs
from service.scheduling.selection import Indices, Ranking, Totals
from service.scheduling.trail import Trail
from service.text.batch import Ids


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Live hypotheses, those of one sentence in the order of their places."""

    slots: Ids  # (row,), the sentence's
    tokens: Ids  # (row,), the last one
    state: Floats  # (row, hidden)
    totals: Totals  # (row,)
    repeats: Repeats
    trail: Trail

    @classmethod
    def first(cls, *, slots: Ids, bos_id: int, state: Floats) -> Self:
        """One hypothesis without a token for each of the sentences in ``slots``."""
        return cls(
            slots=slots,
            tokens=np.full(len(slots), bos_id, np.int32),
            state=state,
            totals=np.zeros(len(slots)),
            repeats=Repeats.none(len(slots)),
            trail=Trail.none(len(slots)),
        )

    def joined(self, newer: Rows) -> Rows:
        return Rows(
            slots=np.concatenate((self.slots, newer.slots)),
            tokens=np.concatenate((self.tokens, newer.tokens)),
            state=np.concatenate((self.state, newer.state)),
            totals=np.concatenate((self.totals, newer.totals)),
            repeats=self.repeats.joined(newer.repeats),
            trail=self.trail.joined(newer.trail),
        )

    def only(self, rows: npt.NDArray[np.bool_]) -> Rows:
        return Rows(
            slots=self.slots[rows],
            tokens=self.tokens[rows],
            state=self.state[rows],
            totals=self.totals[rows],
            repeats=self.repeats.only(rows),
            trail=self.trail.only(rows),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offer:
    """Every continuation of the live hypotheses, numbered row by row, candidate by candidate."""

    rows: Rows
    outputs: StepOutputs
    width: int  # candidates of each row
    tokens: Ids  # (continuation,)
    ranking: Ranking

    @classmethod
    def of(cls, rows: Rows, outputs: StepOutputs, wanted: Ids) -> Self:
        """``wanted`` (slot,) is how many of each sentence may go on."""
        forbidden = rows.repeats.forbids(outputs.candidates)
        # Of a row with nothing forbidden no more can be taken than its sentence has places, and </s> in vain.
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
            ranking=Ranking.of(totals, rows.slots, len(wanted)),
        )

    def taken(self, numbers: Indices) -> Taken:
        parents = numbers // self.width
        return Taken(
            parents=parents,
            slots=self.rows.slots[parents],
            tokens=self.tokens[numbers],
            totals=self.ranking.totals[numbers],
        )

    def rows_of(self, taken: Taken, lengths: Ids) -> Rows:
        """The hypotheses (row,) that went on so; ``lengths`` (row,) are those of their parents."""
        return Rows(
            slots=taken.slots,
            tokens=taken.tokens,
            state=self.outputs.state[taken.parents],
            totals=taken.totals,
            repeats=self.rows.repeats.after(taken.parents, taken.tokens),
            trail=self.rows.trail.after(taken.parents, taken.tokens, lengths),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taken:
    """Some of the continuations offered."""

    parents: Indices  # (row,)
    slots: Ids  # (row,)
    tokens: Ids  # (row,)
    totals: Totals  # (row,)

    def only(self, rows: npt.NDArray[np.bool_]) -> Taken:
        return Taken(
            parents=self.parents[rows], slots=self.slots[rows], tokens=self.tokens[rows], totals=self.totals[rows]
        )
