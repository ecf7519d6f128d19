"""Live hypotheses of a length bucket as arrays, and the selection of their best continuations."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Self

import numpy as np
import numpy.typing as npt

from service.decoding.search import Floats, StepOutputs
from service.decoding.strategy import Rows
from service.text.pipeline import Ids

Indices = npt.NDArray[np.intp]
Totals = npt.NDArray[np.float64]  # summed log-probabilities

FIRST_TOKENS = 32  # room at first; afterwards twice as much each time
_TOKEN, _PLACE = 0, 1
LONGEST_GUARDED = 4  # tokens of the longest phrase that is guarded
COPIES = 3  # in a row are let through: "no, no, no"
NOTHING = -1  # is no token
_SIZES = np.arange(1, LONGEST_GUARDED + 1, dtype=np.int32)
_LIMITS = COPIES * _SIZES - 1  # tokens that agree with the one so many places before; one more completes another copy


@dataclass(frozen=True, slots=True, eq=False)
class BackPointers(Rows):
    """Tokens of every hypothesis, and for each token the parent's row in the step that gave it."""

    steps: Ids  # (row, token, 2); what is beyond a hypothesis' length means nothing

    @classmethod
    def none(cls, num_rows: int) -> Self:
        """Make the back pointers of hypotheses that have no token yet."""
        return cls(np.zeros((num_rows, FIRST_TOKENS, 2), np.int32))

    def of(self, row: int, length: int) -> tuple[list[int], list[int]]:
        """Return a hypothesis' tokens and the rows of its parents."""
        tokens, places = self.steps[row, :length].T.tolist()
        return tokens, places

    def after(self, parents: Indices, tokens: Ids, lengths: Ids) -> BackPointers:
        """Return the back pointers (row,) that extend these ``parents``, each ``lengths`` (row,) long, by one token."""
        steps = self.steps[parents]
        if len(lengths) and lengths.max() >= steps.shape[1]:
            steps = np.concatenate((steps, np.zeros_like(steps)), axis=1)
        rows = np.arange(len(parents))
        steps[rows, lengths, _TOKEN] = tokens
        steps[rows, lengths, _PLACE] = parents
        return BackPointers(steps)

    def joined(self, newer: Self) -> Self:
        steps = np.zeros((len(self.steps) + len(newer.steps), *self.steps.shape[1:]), np.int32)
        steps[: len(self.steps)] = self.steps
        steps[len(self.steps) :, : newer.steps.shape[1]] = newer.steps
        return type(self)(steps)


class Attentions:
    """Attention of past steps, kept as long as a sentence that took part in them is live."""

    def __init__(self) -> None:
        self.num_steps = 0  # that there were
        self._kept: deque[Floats] = deque()  # the last ones, (row, time) each

    def add(self, attention: Floats) -> None:
        self._kept.append(attention)
        self.num_steps += 1

    def forget(self, before: int) -> None:
        """Forget the attention of the steps before this one."""
        while self._kept and self.num_steps - len(self._kept) < before:
            self._kept.popleft()

    def of(self, *, start: int, places: list[int], num_tokens: int) -> Floats:
        """Return the attention (target, source) of a hypothesis: rows ``places`` of the steps from ``start`` on."""
        first = start - (self.num_steps - len(self._kept))
        rows = [step[place] for step, place in zip(islice(self._kept, first, None), places, strict=False)]
        if not rows:
            return np.zeros((0, num_tokens), np.float32)
        return np.concatenate(rows).reshape(len(rows), -1)[:, :num_tokens].copy()  # of a slice all would be kept


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RepetitionGuard(Rows):
    """Rule that a fourth copy of a phrase in a row is not written, so that loops are cut short.

    It knows the recent tokens and the runs of every hypothesis. For each n up to LONGEST_GUARDED: the token n places
    back, and how many in a row, up to the last, equal the token n places before them.
    """

    recent: Ids  # (row, n)
    runs: Ids  # (row, n)

    @classmethod
    def none(cls, num_rows: int) -> Self:
        """Make the guard of hypotheses that have no token yet."""
        shape = (num_rows, LONGEST_GUARDED)
        return cls(recent=np.full(shape, NOTHING, np.int32), runs=np.zeros(shape, np.int32))

    def after(self, parents: npt.NDArray[np.intp], tokens: Ids) -> RepetitionGuard:
        """Return the guard of hypotheses (row,) that extend these ``parents`` by one token each."""
        recent = self.recent[parents]
        runs = (self.runs[parents] + 1) * (recent == tokens[:, None])
        recent[:, 1:] = recent[:, :-1]
        recent[:, 0] = tokens
        return RepetitionGuard(recent=recent, runs=runs)

    def forbids(self, candidates: Ids) -> npt.NDArray[np.bool_] | None:
        """Return which next tokens (row, candidate) would complete a copy too many; None if none does."""
        at_limit = self.runs >= _LIMITS
        if not at_limit.any():
            return None
        forbidden = np.where(at_limit, self.recent, NOTHING)
        found: npt.NDArray[np.bool_] = (candidates[:, :, None] == forbidden[:, None, :]).any(axis=2)
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveHypotheses(Rows):
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


def num_candidates(largest_beam: int) -> int:
    """Return how many next tokens to ask for of each hypothesis. The repetition guard may forbid one of the best for
    each length of copies, and </s> is passed over if it only spells again what was found: with so many more than the
    beam size none of this leaves a place empty."""
    return largest_beam + LONGEST_GUARDED + 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Continuations:
    """Candidate continuations of the live hypotheses, numbered row by row, candidate by candidate, and ranked sentence
    by sentence, best first.

    Of equals the one whose hypothesis stands first comes first, then the one that the model names first.
    """

    rows: LiveHypotheses
    outputs: StepOutputs
    width: int  # candidates of each row
    tokens: Ids  # (continuation,), by number
    totals: Totals  # (continuation,), by number
    order: Indices  # (continuation,)
    starts: Indices  # (slot,), where a sentence's continuations begin in order
    counts: Indices  # (slot,), how many they are

    @classmethod
    def of(cls, rows: LiveHypotheses, outputs: StepOutputs, wanted: Ids) -> Self:
        """Rank the continuations; ``wanted`` (slot,) is how many of each sentence may go on."""
        forbidden = rows.repetition_guard.forbids(outputs.candidates)
        # If nothing is forbidden, a sentence takes no more of a row than it has places, and a </s> that is dropped.
        width = outputs.scores.shape[1] if forbidden is not None else int(wanted.max()) + 1
        candidates, scores = outputs.candidates[:, :width], outputs.scores[:, :width]
        totals: Totals = rows.totals[:, None] + scores  # (row, candidate)
        if forbidden is not None:
            totals[forbidden] = -np.inf
        width, flat = totals.shape[1], totals.ravel()
        counts = np.bincount(rows.slots, minlength=len(wanted)) * width
        return cls(
            rows=rows,
            outputs=outputs,
            width=width,
            tokens=candidates.ravel(),
            totals=flat,
            order=np.lexsort((-flat, np.repeat(rows.slots, width))),  # it is stable
            starts=counts.cumsum() - counts,
            counts=counts,
        )

    def best(self, wanted: Ids) -> Indices:
        """Return the numbers of the ``wanted`` (slot,) best continuations of each sentence, none of them -inf."""
        places = np.arange(len(self.order)) - np.repeat(self.starts, self.counts)
        chosen = self.order[places < np.repeat(wanted, self.counts)]
        return chosen[self.totals[chosen] > -np.inf]

    def after(self, slot: int, wanted: int) -> list[int]:
        """Return the numbers that follow a sentence's ``wanted`` best continuations."""
        start, count = int(self.starts[slot]), int(self.counts[slot])
        numbers = self.order[start + wanted : start + count]
        found: list[int] = numbers[self.totals[numbers] > -np.inf].tolist()
        return found

    def selected(self, numbers: Indices) -> Selected:
        parents = numbers // self.width
        return Selected(
            parents=parents,
            slots=self.rows.slots[parents],
            tokens=self.tokens[numbers],
            totals=self.totals[numbers],
        )

    def rows_of(self, selected: Selected, lengths: Ids) -> LiveHypotheses:
        """Make the live hypotheses (row,) of the selected continuations, whose parents have ``lengths`` (row,)."""
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
